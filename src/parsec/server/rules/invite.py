"""Invitations: which still count, who may make, see and end them, and who may greet.

An invitation is stored as pending until somebody ends it. It counts as cancelled before that when
it cannot lead anywhere any more: its shared recovery was deleted, its claimer was revoked, or it is
older than the server lets invitations grow.
"""

import enum
from collections.abc import Iterable

import msgspec

from parsec.data.address import InvitationType
from parsec.data.ids import UserID
from parsec.data.instant import Instant
from parsec.data.people import UserProfile
from parsec.protocol.command import Reply
from parsec.protocol.invite import InvitationStatus
from parsec.protocol.statuses import (
    AuthorNotAllowed,
    ClaimerEmailAlreadyEnrolled,
    InvitationAlreadyCancelled,
    InvitationAlreadyCompleted,
    InvitationCancelled,
    InvitationCompleted,
    InvitationNotFound,
    UserNotFound,
)
from parsec.server.records import InvitationRecord, ShamirSetupRecord, UserRecord
from parsec.server.rules.refusal import Refused, Rejected, Verdict

_SECOND = 1_000_000


class InvitationState(enum.Enum):
    """What an invitation has come to: the status that peers are told, and the cause."""

    PENDING = InvitationStatus.PENDING, ""
    COMPLETED = InvitationStatus.FINISHED, "completed"
    CANCELLED = InvitationStatus.CANCELLED, "cancelled"
    SETUP_DELETED = InvitationStatus.CANCELLED, "the shared recovery was deleted"
    CLAIMER_REVOKED = InvitationStatus.CANCELLED, "the user was revoked"
    EXPIRED = InvitationStatus.CANCELLED, "expired"

    def __init__(self, status: InvitationStatus, cause: str) -> None:
        self.status = status
        self.cause = cause


def invitation_state(
    invitation: InvitationRecord, *, now: Instant, lifetime: int | None
) -> InvitationState:
    """Whether an invitation still counts; `lifetime` is in seconds, None for ever."""
    match invitation.status:
        case InvitationStatus.FINISHED:
            return InvitationState.COMPLETED
        case InvitationStatus.CANCELLED:
            return InvitationState.CANCELLED
        case InvitationStatus.PENDING:
            pass
    if invitation.setup_deleted_on is not None:
        return InvitationState.SETUP_DELETED
    if invitation.claimer_revoked_on is not None:
        return InvitationState.CLAIMER_REVOKED
    if lifetime is not None and now.microseconds_since(invitation.created_on) > lifetime * _SECOND:
        return InvitationState.EXPIRED
    return InvitationState.PENDING


def check_usable(invitation: InvitationRecord, *, now: Instant, lifetime: int | None) -> None:
    """For the claimer. Raises Rejected (410), with the cause."""
    state = invitation_state(invitation, now=now, lifetime=lifetime)
    if state is not InvitationState.PENDING:
        raise Rejected(Verdict.INVITATION_GONE, cause=state.cause)


# --- Creation ---


def check_invite_user(author: UserRecord, *, enrolled: UserRecord | None) -> None:
    """`enrolled` is the user who has the address and is not revoked. Raises Refused."""
    if author.profile is not UserProfile.ADMIN:
        raise Refused(AuthorNotAllowed(), "only an administrator invites users")
    if enrolled is not None:
        raise Refused(ClaimerEmailAlreadyEnrolled())


def check_invite_shamir_recovery(
    author: UserRecord, *, claimer: UserRecord | None, setup: ShamirSetupRecord | None
) -> tuple[UserRecord, ShamirSetupRecord]:
    """The claimer and the set-up to recover with, which is his active one. Raises Refused."""
    if claimer is None:
        raise Refused(UserNotFound())
    if claimer.revoked_on is not None:
        # A revoked user has nothing to come back to (server-core.md 20, 37).
        raise Refused(UserNotFound(), "the claimer is revoked")
    if setup is None:
        raise Refused(AuthorNotAllowed(), "the claimer has no shared recovery")
    if author.user_id not in setup.shares:
        raise Refused(AuthorNotAllowed(), "only a recipient invites for a shared recovery")
    return claimer, setup


# --- Greeters ---


def sees_user_invitations(member: UserRecord) -> bool:
    """Whether the invitations of new users are listed for a member."""
    return member.profile is UserProfile.ADMIN


def may_greet(invitation: InvitationRecord, user: UserRecord, *, is_recipient: bool) -> bool:
    """Whether a user may greet; `is_recipient` matters to shared recoveries only."""
    if user.revoked_on is not None or user.is_frozen:
        return False
    return is_designated(invitation, user, is_recipient=is_recipient)


def possible_greeters(users: Iterable[UserRecord]) -> list[UserRecord]:
    """Those who can answer now, among the users that the type of the invitation designates."""
    return [user for user in users if user.revoked_on is None and not user.is_frozen]


def told_of(users: Iterable[UserRecord]) -> frozenset[UserID]:
    """Who hears of an invitation, among the users that its type designates."""
    return frozenset(user.user_id for user in possible_greeters(users))


def is_designated(invitation: InvitationRecord, user: UserRecord, *, is_recipient: bool) -> bool:
    """Whether the type of an invitation makes a user its greeter, who may be kept out for now."""
    match invitation.type:
        case InvitationType.USER:
            return user.profile is UserProfile.ADMIN
        case InvitationType.DEVICE:
            return user.user_id == invitation.claimer_user_id
        case InvitationType.SHAMIR_RECOVERY:
            return is_recipient


# --- End ---


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """A way to end an invitation, and what it is refused with when that was ended before."""

    status: InvitationStatus
    if_completed: Reply
    if_cancelled: Reply


CANCEL = Ending(
    status=InvitationStatus.CANCELLED,
    if_completed=InvitationCompleted(),
    if_cancelled=InvitationAlreadyCancelled(),
)
COMPLETE = Ending(
    status=InvitationStatus.FINISHED,
    if_completed=InvitationAlreadyCompleted(),
    if_cancelled=InvitationCancelled(),
)


def check_end(
    ending: Ending,
    invitation: InvitationRecord | None,
    author: UserRecord,
    *,
    is_recipient: bool,
    now: Instant,
    lifetime: int | None,
) -> InvitationRecord:
    """The invitation to end. Raises Refused."""
    if invitation is None:
        raise Refused(InvitationNotFound())
    state = invitation_state(invitation, now=now, lifetime=lifetime)
    match state.status:
        case InvitationStatus.FINISHED:
            raise Refused(ending.if_completed)
        case InvitationStatus.CANCELLED:
            raise Refused(ending.if_cancelled, state.cause)
        case InvitationStatus.PENDING:
            _check_may_end(invitation, author, is_recipient=is_recipient)
            return invitation


def _check_may_end(invitation: InvitationRecord, author: UserRecord, *, is_recipient: bool) -> None:
    is_greeter = is_designated(invitation, author, is_recipient=is_recipient)
    if not (is_greeter or _is_claimer(invitation, author)):
        raise Refused(AuthorNotAllowed(), "neither greeter nor claimer")


def _is_claimer(invitation: InvitationRecord, user: UserRecord) -> bool:
    if invitation.type is InvitationType.USER:
        return user.human_handle.email == invitation.claimer_email
    return user.user_id == invitation.claimer_user_id
