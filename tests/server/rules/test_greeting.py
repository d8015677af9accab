"""Greeting attempts: start, steps, end (server-core.md 9, 20)."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsec.crypto.keys import HashDigest, PublicKey
from parsec.data.ids import GreetingAttemptID, UserID
from parsec.data.instant import Instant
from parsec.protocol import greeting as wire
from parsec.protocol import statuses
from parsec.protocol.command import Reply
from parsec.protocol.events import (
    GreetingAttemptCancelledEvent,
    GreetingAttemptJoinedEvent,
    GreetingAttemptReadyEvent,
)
from parsec.protocol.invite import InvitationStatus
from parsec.protocol.statuses import CancelledGreetingAttemptReason, GreeterOrClaimer
from parsec.protocol.versions import ApiVersion
from parsec.server.records import GreetingAttemptRecord, GreetingStepRecord, InvitationRecord
from parsec.server.rules.greeting import (
    Encounter,
    Progress,
    Start,
    cancelled,
    check_active,
    check_cancellable,
    check_claimer,
    check_claimer_may_start,
    check_greeter,
    check_greeter_may_start,
    check_revision,
    event_of_cancellation,
    event_of_step,
    start,
    take_step,
)
from parsec.server.rules.greeting_step import (
    Submission,
    claimer_step,
    greeter_step,
    submission_of,
)
from parsec.server.rules.refusal import Refused, Rejected, Verdict
from tests.support.server_records import (
    EARLIER,
    NOW,
    administrator,
    attempt,
    sixteen_bytes,
    user,
    user_invitation,
)

GREETER, CLAIMER = GreeterOrClaimer.GREETER, GreeterOrClaimer.CLAIMER
AUTOMATICALLY = CancelledGreetingAttemptReason.AUTOMATICALLY_CANCELLED
MANUALLY = CancelledGreetingAttemptReason.MANUALLY_CANCELLED

INVITATION = user_invitation()
ALICE = administrator()


def refusal(check: Any, *facts: Any, **named: Any) -> Reply:
    with pytest.raises(Refused) as refused:
        check(*facts, **named)
    return refused.value.reply


# --- Who may start ---


def greeter_starts(invitation: InvitationRecord | None, author: Any = ALICE) -> None:
    check_greeter_may_start(invitation, author, is_recipient=False, now=NOW, lifetime=None)


def claimer_starts(invitation: InvitationRecord, greeter: Any = ALICE) -> Any:
    return check_claimer_may_start(invitation, greeter, is_recipient=False)


def test_an_allowed_greeter_starts() -> None:
    greeter_starts(INVITATION)


@pytest.mark.parametrize(
    ("invitation", "expected"),
    [
        (None, statuses.InvitationNotFound()),
        (user_invitation(status=InvitationStatus.FINISHED), statuses.InvitationCompleted()),
        (user_invitation(status=InvitationStatus.CANCELLED), statuses.InvitationCancelled()),
    ],
)
def test_what_is_wrong_with_the_invitation_is_told_to_any_member(
    invitation: InvitationRecord | None, expected: Reply
) -> None:
    assert refusal(greeter_starts, invitation, user()) == expected


def test_nobody_greets_an_invitation_for_others() -> None:
    assert refusal(greeter_starts, INVITATION, user()) == statuses.AuthorNotAllowed()


def test_a_claimer_starts_with_a_greeter_of_his_choice() -> None:
    assert claimer_starts(INVITATION) is ALICE


@pytest.mark.parametrize(
    ("greeter", "expected"),
    [
        (None, statuses.GreeterNotFound()),
        (administrator(revoked_on=EARLIER), statuses.GreeterRevoked()),
        (user(), statuses.GreeterNotAllowed()),
        # Who is frozen could never come (server-core.md 20, 20).
        (administrator(is_frozen=True), statuses.GreeterNotAllowed()),
    ],
)
def test_a_claimer_is_told_who_cannot_greet_him(greeter: Any, expected: Reply) -> None:
    assert refusal(claimer_starts, INVITATION, greeter) == expected


# --- Start ---


def started(active: GreetingAttemptRecord | None, side: GreeterOrClaimer) -> Start:
    return start(
        active,
        side=side,
        token=INVITATION.token,
        greeter=ALICE.user_id,
        fresh_id=GreetingAttemptID(sixteen_bytes()),
        now=NOW,
    )


def test_who_comes_first_makes_an_attempt_and_joins_it() -> None:
    made = started(None, CLAIMER)

    assert made.replaced is None
    assert (made.attempt.claimer_joined_on, made.attempt.greeter_joined_on) == (NOW, None)
    assert (made.attempt.token, made.attempt.greeter) == (INVITATION.token, ALICE.user_id)


@pytest.mark.parametrize(("first", "second"), [(CLAIMER, GREETER), (GREETER, CLAIMER)])
def test_who_comes_second_joins_the_attempt_of_the_first(
    first: GreeterOrClaimer, second: GreeterOrClaimer
) -> None:
    made = started(None, first).attempt

    joined = started(made, second)

    assert joined.replaced is None
    assert joined.attempt.greeting_attempt_id == made.greeting_attempt_id
    assert joined.attempt.greeter_joined_on == joined.attempt.claimer_joined_on == NOW


@pytest.mark.parametrize("side", list(GreeterOrClaimer))
def test_who_starts_again_gets_another_attempt_and_ends_the_former(
    side: GreeterOrClaimer,
) -> None:
    made = started(None, side).attempt

    again = started(made, side)

    assert again.attempt.greeting_attempt_id != made.greeting_attempt_id
    assert again.replaced is not None
    assert again.replaced.greeting_attempt_id == made.greeting_attempt_id
    assert again.replaced.cancelled is not None
    assert (again.replaced.cancelled.origin, again.replaced.cancelled.reason) == (
        side,
        AUTOMATICALLY,
    )


# --- What every later command checks ---


def encounter(**changes: Any) -> Encounter:
    met = Encounter(
        attempt=attempt(ALICE, INVITATION, greeter_joined_on=EARLIER, claimer_joined_on=EARLIER),
        invitation=INVITATION,
        greeter=ALICE,
        greeter_is_recipient=False,
    )
    return msgspec.structs.replace(met, **changes)


def greeter_names(met: Encounter | None, author: UserID = ALICE.user_id) -> Encounter:
    return check_greeter(met, author, now=NOW, lifetime=None)


def claimer_names(met: Encounter | None, invitation: InvitationRecord = INVITATION) -> Encounter:
    return check_claimer(invitation, met)


def test_both_sides_go_on_with_their_attempt() -> None:
    met = encounter()

    assert greeter_names(met) is met
    assert claimer_names(met) is met


def test_a_greeter_who_is_frozen_while_the_request_is_served_is_still_a_greeter() -> None:
    """Whether the caller is frozen was asked before; the claimer is asked about it now."""
    met = encounter(greeter=msgspec.structs.replace(ALICE, is_frozen=True))

    assert greeter_names(met) is met
    with pytest.raises(Refused):
        claimer_names(met)


@pytest.mark.parametrize(
    ("met", "expected"),
    [
        (None, statuses.GreetingAttemptNotFound()),
        (
            encounter(invitation=user_invitation(status=InvitationStatus.FINISHED)),
            statuses.InvitationCompleted(),
        ),
        (
            encounter(invitation=user_invitation(status=InvitationStatus.CANCELLED)),
            statuses.InvitationCancelled(),
        ),
        (encounter(greeter=user()), statuses.AuthorNotAllowed()),
    ],
)
def test_a_greeter_is_told_why_an_attempt_cannot_go_on(
    met: Encounter | None, expected: Reply
) -> None:
    assert refusal(greeter_names, met) == expected


def test_the_attempt_of_another_greeter_does_not_exist_for_me() -> None:
    reply = refusal(greeter_names, encounter(), administrator("zack").user_id)

    assert reply == statuses.GreetingAttemptNotFound()


@pytest.mark.parametrize(
    ("met", "expected"),
    [
        (None, statuses.GreetingAttemptNotFound()),
        (encounter(greeter=administrator(revoked_on=EARLIER)), statuses.GreeterRevoked()),
        (encounter(greeter=user()), statuses.GreeterNotAllowed()),
    ],
)
def test_a_claimer_is_told_why_an_attempt_cannot_go_on(
    met: Encounter | None, expected: Reply
) -> None:
    assert refusal(claimer_names, met) == expected


def test_the_attempt_of_another_invitation_does_not_exist_for_me() -> None:
    reply = refusal(claimer_names, encounter(), user_invitation("other@example.com"))

    assert reply == statuses.GreetingAttemptNotFound()


@pytest.mark.parametrize("side", list(GreeterOrClaimer))
def test_who_has_not_joined_does_nothing(side: GreeterOrClaimer) -> None:
    fresh = attempt(ALICE, INVITATION)

    assert refusal(check_active, fresh, side) == statuses.GreetingAttemptNotJoined()
    assert refusal(check_cancellable, fresh, side) == statuses.GreetingAttemptNotJoined()


@pytest.mark.parametrize("reason", list(CancelledGreetingAttemptReason))
def test_both_sides_are_told_who_ended_an_attempt_and_why(
    reason: CancelledGreetingAttemptReason,
) -> None:
    ended = cancelled(attempt(ALICE, INVITATION), CLAIMER, reason, now=EARLIER)

    told: dict[str, Any] = {"origin": CLAIMER, "reason": reason, "timestamp": EARLIER}
    assert refusal(check_active, ended, GREETER) == statuses.GreetingAttemptCancelled(**told)
    assert refusal(check_cancellable, ended, CLAIMER) == statuses.GreetingAttemptAlreadyCancelled(
        **told
    )


def test_the_devices_of_the_greeter_are_told_of_a_cancellation() -> None:
    ended = attempt(ALICE, INVITATION)

    assert event_of_cancellation(ended) == GreetingAttemptCancelledEvent(
        token=INVITATION.token, greeting_attempt=ended.greeting_attempt_id
    )


@pytest.mark.parametrize("revision", [0, 1])
def test_steps_of_the_former_codes_are_refused(revision: int) -> None:
    with pytest.raises(Rejected) as rejected:
        check_revision(ApiVersion(5, revision))

    assert rejected.value.verdict is Verdict.BAD_VERSION


@pytest.mark.parametrize("revision", [2, 5, 99])
def test_steps_of_the_present_codes_are_accepted(revision: int) -> None:
    check_revision(ApiVersion(5, revision))


# --- Steps ---


def stored(number: int, greeter: bytes | None, claimer: bytes | None) -> GreetingStepRecord:
    return GreetingStepRecord(step=number, greeter_data=greeter, claimer_data=claimer)


def take(
    former: GreetingStepRecord | None, current: GreetingStepRecord | None, submission: Submission
) -> Progress:
    return take_step(former, current, side=GREETER, submission=submission)


def test_the_first_step_needs_no_former_one() -> None:
    assert take(None, None, Submission(0, b"a")) == Progress(peer_data=None, is_first_time=True)


def test_a_step_is_answered_with_what_the_peer_said_in_it() -> None:
    progress = take(stored(0, b"a", b"b"), stored(1, None, b"c"), Submission(1, b""))

    assert progress == Progress(peer_data=b"c", is_first_time=True)


def test_a_peer_who_says_nothing_has_still_spoken() -> None:
    progress = take(stored(0, b"a", b"b"), stored(1, None, b""), Submission(1, b""))

    assert progress.peer_data == b""


def test_the_same_again_is_not_stored_again() -> None:
    progress = take(None, stored(0, b"a", None), Submission(0, b"a"))

    assert progress == Progress(peer_data=None, is_first_time=False)


def test_what_was_said_cannot_be_changed() -> None:
    reply = refusal(take, None, stored(0, b"a", b"b"), Submission(0, b"z"))

    assert reply == statuses.StepMismatch()


@pytest.mark.parametrize("former", [None, stored(0, b"a", None), stored(0, None, b"b")])
def test_nobody_is_more_than_one_step_ahead(former: GreetingStepRecord | None) -> None:
    assert refusal(take, former, None, Submission(1, b"")) == statuses.StepTooAdvanced()


@pytest.mark.parametrize(
    ("side", "number", "peer_data", "expected"),
    [
        (CLAIMER, 0, None, GreetingAttemptReadyEvent),
        (CLAIMER, 0, b"peer", None),
        (GREETER, 0, None, None),
        (GREETER, 0, b"peer", GreetingAttemptJoinedEvent),
        (CLAIMER, 1, None, None),
        (GREETER, 1, b"peer", None),
    ],
)
def test_the_devices_of_the_greeter_are_told_of_who_waits_and_who_is_met(
    side: GreeterOrClaimer, number: int, peer_data: bytes | None, expected: type[Any] | None
) -> None:
    met = attempt(ALICE, INVITATION)

    event = event_of_step(
        met, side, Submission(number, b""), Progress(peer_data=peer_data, is_first_time=False)
    )

    if expected is None:
        assert event is None
    else:
        assert event == expected(token=INVITATION.token, greeting_attempt=met.greeting_attempt_id)


GREETER_STEPS: list[wire.GreeterStep] = [
    wire.GreeterStep0WaitPeer(public_key=PublicKey(b"k" * 32)),
    wire.GreeterStep1GetHashedNonce(),
    wire.GreeterStep2SendNonce(greeter_nonce=b"nonce"),
    wire.GreeterStep3GetNonce(),
    wire.GreeterStep4WaitPeerTrust(),
    wire.GreeterStep5SignifyTrust(),
    wire.GreeterStep6GetPayload(),
    wire.GreeterStep7SendPayload(greeter_payload=b"payload"),
    wire.GreeterStep8WaitPeerAcknowledgment(),
]
CLAIMER_STEPS: list[wire.ClaimerStep] = [
    wire.ClaimerStep0WaitPeer(public_key=PublicKey(b"k" * 32)),
    wire.ClaimerStep1SendHashedNonce(hashed_nonce=HashDigest(b"h" * 32)),
    wire.ClaimerStep2GetNonce(),
    wire.ClaimerStep3SendNonce(claimer_nonce=b"nonce"),
    wire.ClaimerStep4SignifyTrust(),
    wire.ClaimerStep5WaitPeerTrust(),
    wire.ClaimerStep6SendPayload(claimer_payload=b"payload"),
    wire.ClaimerStep7GetPayload(),
    wire.ClaimerStep8Acknowledge(),
]


@pytest.mark.parametrize("number", range(9))
def test_each_step_is_told_as_it_was_said(number: int) -> None:
    by_greeter = submission_of(GREETER_STEPS[number])
    by_claimer = submission_of(CLAIMER_STEPS[number])

    assert by_greeter.number == by_claimer.number == number
    assert greeter_step(by_greeter) == GREETER_STEPS[number]
    assert claimer_step(by_claimer) == CLAIMER_STEPS[number]


@given(data=st.binary(max_size=100))
def test_an_empty_content_is_not_an_absent_one(data: bytes) -> None:
    step = wire.GreeterStep7SendPayload(greeter_payload=data)

    assert greeter_step(submission_of(step)) == step


def test_an_attempt_is_cancelled_at_the_moment_that_is_told() -> None:
    ended = cancelled(attempt(ALICE, INVITATION), GREETER, MANUALLY, now=Instant(7))

    assert ended.cancelled is not None
    assert ended.cancelled.timestamp == Instant(7)
