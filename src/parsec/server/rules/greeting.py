"""Greeting attempts: two people who take the same nine steps, each seeing the other's.

For an invitation and a greeter there is at most one active attempt. It is born when one of the two
sides starts, is joined when the other starts, and dies when

* a side cancels it, for a reason, or
* a side that had joined it starts again: the other side learns at its next call.

A dead attempt never lives again: who starts next makes a new one. In an active attempt, a side may
submit step *n* as soon as both have submitted step *n - 1*; so neither is ever more than one step
ahead. What was submitted never changes: the same again gets the same answer (this is how a side
waits), anything else is refused. The server carries the steps and understands none of them.
"""

import msgspec

from parsec.data.ids import AccessToken, GreetingAttemptID, UserID
from parsec.data.instant import Instant
from parsec.protocol.events import (
    GreetingAttemptCancelledEvent,
    GreetingAttemptJoinedEvent,
    GreetingAttemptReadyEvent,
)
from parsec.protocol.invite import InvitationStatus
from parsec.protocol.statuses import (
    AuthorNotAllowed,
    CancelledGreetingAttemptReason,
    GreeterNotAllowed,
    GreeterNotFound,
    GreeterOrClaimer,
    GreeterRevoked,
    GreetingAttemptAlreadyCancelled,
    GreetingAttemptCancelled,
    GreetingAttemptNotFound,
    GreetingAttemptNotJoined,
    InvitationCancelled,
    InvitationCompleted,
    InvitationNotFound,
    StepMismatch,
    StepTooAdvanced,
)
from parsec.protocol.versions import ApiVersion
from parsec.server.records import (
    GreetingAttemptRecord,
    GreetingCancellation,
    GreetingStepRecord,
    InvitationRecord,
    UserRecord,
)
from parsec.server.rules.greeting_step import Submission
from parsec.server.rules.invite import invitation_state, is_designated, may_greet
from parsec.server.rules.refusal import Refused, Rejected, Verdict

# The codes that people compare were computed otherwise before (server-core.md 9.3).
_FIRST_REVISION_WITH_STEPS = 2


def check_revision(version: ApiVersion) -> None:
    """Of the caller's API, before any step. Raises Rejected (422)."""
    if version.revision < _FIRST_REVISION_WITH_STEPS:
        raise Rejected(Verdict.BAD_VERSION)


# --- Start ---


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """The attempt that the caller has joined, and the one that this replaces."""

    attempt: GreetingAttemptRecord
    replaced: GreetingAttemptRecord | None


def check_greeter_may_start(
    invitation: InvitationRecord | None,
    author: UserRecord,
    *,
    is_recipient: bool,
    now: Instant,
    lifetime: int | None,
) -> None:
    """Raises Refused."""
    if invitation is None:
        raise Refused(InvitationNotFound())
    _check_pending_for_greeter(invitation, now=now, lifetime=lifetime)
    if not may_greet(invitation, author, is_recipient=is_recipient):
        raise Refused(AuthorNotAllowed())


def check_claimer_may_start(
    invitation: InvitationRecord, greeter: UserRecord | None, *, is_recipient: bool
) -> UserRecord:
    """The greeter whom the claimer of a usable invitation chose. Raises Refused."""
    if greeter is None:
        raise Refused(GreeterNotFound())
    if greeter.revoked_on is not None:
        raise Refused(GreeterRevoked())
    if not may_greet(invitation, greeter, is_recipient=is_recipient):
        raise Refused(GreeterNotAllowed())
    return greeter


def start(
    active: GreetingAttemptRecord | None,
    *,
    side: GreeterOrClaimer,
    token: AccessToken,
    greeter: UserID,
    fresh_id: GreetingAttemptID,
    now: Instant,
) -> Start:
    """Join the active attempt; replace it by one named `fresh_id` if this side had joined it."""
    replaced = None
    if active is not None and _joined_on(active, side) is not None:
        replaced = cancelled(
            active, side, CancelledGreetingAttemptReason.AUTOMATICALLY_CANCELLED, now=now
        )
        active = None
    if active is None:
        active = GreetingAttemptRecord(
            greeting_attempt_id=fresh_id,
            token=token,
            greeter=greeter,
            greeter_joined_on=None,
            claimer_joined_on=None,
            cancelled=None,
        )
    return Start(attempt=_joined(active, side, now=now), replaced=replaced)


def _joined_on(attempt: GreetingAttemptRecord, side: GreeterOrClaimer) -> Instant | None:
    match side:
        case GreeterOrClaimer.GREETER:
            return attempt.greeter_joined_on
        case GreeterOrClaimer.CLAIMER:
            return attempt.claimer_joined_on


def _joined(
    attempt: GreetingAttemptRecord, side: GreeterOrClaimer, *, now: Instant
) -> GreetingAttemptRecord:
    match side:
        case GreeterOrClaimer.GREETER:
            return msgspec.structs.replace(attempt, greeter_joined_on=now)
        case GreeterOrClaimer.CLAIMER:
            return msgspec.structs.replace(attempt, claimer_joined_on=now)


# --- What every later command checks ---


class Encounter(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt with all that decides whether it may go on."""

    attempt: GreetingAttemptRecord
    invitation: InvitationRecord
    greeter: UserRecord
    greeter_is_recipient: bool


def check_greeter(
    encounter: Encounter | None, author: UserID, *, now: Instant, lifetime: int | None
) -> Encounter:
    """The attempt that a greeter names. Raises Refused."""
    if encounter is None:
        raise Refused(GreetingAttemptNotFound())
    _check_pending_for_greeter(encounter.invitation, now=now, lifetime=lifetime)
    if encounter.attempt.greeter != author:
        raise Refused(GreetingAttemptNotFound(), "the attempt of another greeter")
    # Who calls is neither revoked nor frozen; what happens to them meanwhile comes after this.
    if not is_designated(
        encounter.invitation, encounter.greeter, is_recipient=encounter.greeter_is_recipient
    ):
        raise Refused(AuthorNotAllowed())
    return encounter


def check_claimer(invitation: InvitationRecord, encounter: Encounter | None) -> Encounter:
    """The attempt that the claimer of a usable invitation names. Raises Refused."""
    if encounter is None or encounter.attempt.token != invitation.token:
        raise Refused(GreetingAttemptNotFound())
    if encounter.greeter.revoked_on is not None:
        raise Refused(GreeterRevoked())
    if not _greeter_is_allowed(encounter):
        raise Refused(GreeterNotAllowed())
    return encounter


def check_active(attempt: GreetingAttemptRecord, side: GreeterOrClaimer) -> None:
    """For a step. Raises Refused."""
    if attempt.cancelled is not None:
        reply = GreetingAttemptCancelled(
            origin=attempt.cancelled.origin,
            reason=attempt.cancelled.reason,
            timestamp=attempt.cancelled.timestamp,
        )
        raise Refused(reply)
    _check_joined(attempt, side)


def check_cancellable(attempt: GreetingAttemptRecord, side: GreeterOrClaimer) -> None:
    """For a cancellation. Raises Refused."""
    if attempt.cancelled is not None:
        reply = GreetingAttemptAlreadyCancelled(
            origin=attempt.cancelled.origin,
            reason=attempt.cancelled.reason,
            timestamp=attempt.cancelled.timestamp,
        )
        raise Refused(reply)
    _check_joined(attempt, side)


def cancelled(
    attempt: GreetingAttemptRecord,
    side: GreeterOrClaimer,
    reason: CancelledGreetingAttemptReason,
    *,
    now: Instant,
) -> GreetingAttemptRecord:
    """The attempt after its end."""
    end = GreetingCancellation(origin=side, reason=reason, timestamp=now)
    return msgspec.structs.replace(attempt, cancelled=end)


def event_of_cancellation(attempt: GreetingAttemptRecord) -> GreetingAttemptCancelledEvent:
    """What the greeter's devices are told."""
    return GreetingAttemptCancelledEvent(
        token=attempt.token, greeting_attempt=attempt.greeting_attempt_id
    )


def _check_pending_for_greeter(
    invitation: InvitationRecord, *, now: Instant, lifetime: int | None
) -> None:
    state = invitation_state(invitation, now=now, lifetime=lifetime)
    match state.status:
        case InvitationStatus.PENDING:
            return
        case InvitationStatus.FINISHED:
            raise Refused(InvitationCompleted())
        case InvitationStatus.CANCELLED:
            raise Refused(InvitationCancelled(), state.cause)


def _greeter_is_allowed(encounter: Encounter) -> bool:
    return may_greet(
        encounter.invitation, encounter.greeter, is_recipient=encounter.greeter_is_recipient
    )


def _check_joined(attempt: GreetingAttemptRecord, side: GreeterOrClaimer) -> None:
    if _joined_on(attempt, side) is None:
        raise Refused(GreetingAttemptNotJoined())


# --- Steps ---


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a submission: what the peer said in that step, None if it did not yet."""

    peer_data: bytes | None
    is_first_time: bool
    """The submission has to be stored."""


def take_step(
    former: GreetingStepRecord | None,
    current: GreetingStepRecord | None,
    *,
    side: GreeterOrClaimer,
    submission: Submission,
) -> Progress:
    """Judge a submission by what is stored of the former and this step. Raises Refused."""
    if submission.number > 0 and not _is_complete(former):
        raise Refused(StepTooAdvanced())
    own, peer = _own_and_peer(current, side)
    if own is not None and own != submission.data:
        raise Refused(StepMismatch())
    return Progress(peer_data=peer, is_first_time=own is None)


def event_of_step(
    attempt: GreetingAttemptRecord,
    side: GreeterOrClaimer,
    submission: Submission,
    progress: Progress,
) -> GreetingAttemptReadyEvent | GreetingAttemptJoinedEvent | None:
    """What the greeter's devices are told: that somebody waits, then that somebody is met."""
    is_met = progress.peer_data is not None
    if submission.number == 0 and side is GreeterOrClaimer.CLAIMER and not is_met:
        return GreetingAttemptReadyEvent(
            token=attempt.token, greeting_attempt=attempt.greeting_attempt_id
        )
    if submission.number == 0 and side is GreeterOrClaimer.GREETER and is_met:
        return GreetingAttemptJoinedEvent(
            token=attempt.token, greeting_attempt=attempt.greeting_attempt_id
        )
    return None


def _is_complete(step: GreetingStepRecord | None) -> bool:
    return step is not None and step.greeter_data is not None and step.claimer_data is not None


def _own_and_peer(
    step: GreetingStepRecord | None, side: GreeterOrClaimer
) -> tuple[bytes | None, bytes | None]:
    if step is None:
        return None, None
    match side:
        case GreeterOrClaimer.GREETER:
            return step.greeter_data, step.claimer_data
        case GreeterOrClaimer.CLAIMER:
            return step.claimer_data, step.greeter_data
