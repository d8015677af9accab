"""The facts that rules judge and stores load, and the events that transactions publish.

Records hold what a decision needs, not all that a row has: certificates stay in the store.
"""

from typing import Self, TypeAlias

import msgspec

from parsec.crypto.entropy import Entropy
from parsec.crypto.keys import HashDigest, SecretKey, VerifyKey
from parsec.crypto.totp import SECRET_SIZE
from parsec.data.address import InvitationType
from parsec.data.ids import (
    AccessToken,
    DeviceID,
    GreetingAttemptID,
    Id,
    TOTPOpaqueKeyID,
    UserID,
)
from parsec.data.instant import Instant
from parsec.data.people import EmailAddress, HumanHandle, OrganizationID, UserProfile
from parsec.protocol.command import MergedReply
from parsec.protocol.invite import InvitationStatus
from parsec.protocol.statuses import CancelledGreetingAttemptReason, GreeterOrClaimer

# --- Organizations ---


class TermsOfService(msgspec.Struct, frozen=True):
    """What every user must accept; an empty map is terms too."""

    per_locale_urls: dict[str, str]
    updated_on: Instant


class OrganizationRecord(msgspec.Struct, frozen=True, kw_only=True):
    """An organization; without `bootstrapped_on` it only waits for its first user."""

    organization_id: OrganizationID
    bootstrap_token_digest: HashDigest | None
    """Of the token that begins it; the token itself is shown once and not kept."""
    created_on: Instant
    bootstrapped_on: Instant | None
    root_verify_key: VerifyKey | None
    is_expired: bool
    active_users_limit: int | None
    user_profile_outsider_allowed: bool
    realm_minimum_archiving_period_before_deletion: int
    tos: TermsOfService | None


class ProfileCount(msgspec.Struct, frozen=True, kw_only=True):
    """How many users have a profile."""

    active: int
    revoked: int


class OrganizationStats(msgspec.Struct, frozen=True, kw_only=True):
    """What an organization weighs."""

    organization_id: OrganizationID
    realms: int
    data_size: int
    metadata_size: int
    users_per_profile: dict[UserProfile, ProfileCount]

    @property
    def active_users(self) -> int:
        return sum(count.active for count in self.users_per_profile.values())

    @property
    def users(self) -> int:
        return self.active_users + sum(count.revoked for count in self.users_per_profile.values())


# --- Users and devices ---


class UserRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A member, with the profile that is current."""

    user_id: UserID
    human_handle: HumanHandle
    profile: UserProfile
    created_on: Instant
    revoked_on: Instant | None
    is_frozen: bool
    tos_accepted_on: Instant | None


class DeviceRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A device of a user."""

    device_id: DeviceID
    user_id: UserID
    verify_key: VerifyKey


class Author(msgspec.Struct, frozen=True, kw_only=True):
    """Who sends an authenticated command."""

    organization: OrganizationRecord
    user: UserRecord
    device: DeviceRecord


# --- Invitations ---


class InvitationRecord(msgspec.Struct, frozen=True, kw_only=True):
    """An invitation; which of the claimer's fields are set depends on the type.

    `status` is what was stored. A pending invitation whose set-up was deleted
    (`setup_deleted_on`) counts as cancelled.
    """

    token: AccessToken
    type: InvitationType
    created_on: Instant
    created_by_user_id: UserID
    created_by_human_handle: HumanHandle
    status: InvitationStatus
    claimer_email: EmailAddress | None = None
    """USER only."""
    claimer_user_id: UserID | None = None
    """DEVICE and SHAMIR_RECOVERY."""
    claimer_human_handle: HumanHandle | None = None
    """DEVICE and SHAMIR_RECOVERY."""
    claimer_revoked_on: Instant | None = None
    setup_created_on: Instant | None = None
    """SHAMIR_RECOVERY: the date of the brief, which names the set-up among the claimer's."""
    setup_deleted_on: Instant | None = None


class RecentEmails(msgspec.Struct, frozen=True, kw_only=True):
    """The mails of the last hour that count against one limit."""

    count: int = 0
    oldest: Instant | None = None
    latest: Instant | None = None


class RecentInvitationEmails(msgspec.Struct, frozen=True, kw_only=True):
    """The mails with invitations that count against another one."""

    to_recipient: RecentEmails = RecentEmails()
    by_author: RecentEmails = RecentEmails()
    of_organization: RecentEmails = RecentEmails()


class Invited(msgspec.Struct, frozen=True, kw_only=True):
    """Who sends an invited command: the holder of an invitation's token."""

    organization: OrganizationRecord
    invitation: InvitationRecord


# --- Greeting ---


class GreetingCancellation(msgspec.Struct, frozen=True, kw_only=True):
    """How a greeting attempt ended."""

    origin: GreeterOrClaimer
    reason: CancelledGreetingAttemptReason
    timestamp: Instant


class GreetingAttemptRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One try of a greeter and a claimer."""

    greeting_attempt_id: GreetingAttemptID
    token: AccessToken
    greeter: UserID
    greeter_joined_on: Instant | None
    claimer_joined_on: Instant | None
    cancelled: GreetingCancellation | None


class GreetingStepRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What the two sides submitted for a step; empty bytes for a step that carries nothing."""

    step: int
    greeter_data: bytes | None
    claimer_data: bytes | None


# --- Shared recovery ---


class ShamirSetupRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A shared recovery set-up; the date of its brief names it among those of its user."""

    user_id: UserID
    created_on: Instant
    threshold: int
    shares: dict[UserID, int]
    reveal_token_digest: HashDigest
    """Of the token that reveals its data, which only shares tell."""
    deleted_on: Instant | None


# --- One-time codes ---


class TotpSecret(bytes):
    """What a user's authenticator app makes codes of; never printed."""

    __slots__ = ()

    @classmethod
    def generate(cls, entropy: Entropy) -> Self:
        """A fresh secret."""
        return cls(entropy(SECRET_SIZE))

    def __repr__(self) -> str:
        return "TotpSecret(…)"

    __str__ = __repr__


class Failures(msgspec.Struct, frozen=True):
    """Wrong codes in a row."""

    count: int = 0
    last_on: Instant | None = None


class TotpRecord(msgspec.Struct, frozen=True, kw_only=True):
    """How far a user's set-up is; without any field it was never begun."""

    secret: TotpSecret | None = None
    completed_on: Instant | None = None
    reset_token_digest: HashDigest | None = None
    """Of the token that sets up anew; the token itself is shown once and not kept."""
    reset_on: Instant | None = None
    failures: Failures = Failures()
    """Over all keys of the user."""
    last_step: int | None = None
    """The time step of the last code that released a key."""


class TotpStanding(msgspec.Struct, frozen=True, kw_only=True):
    """How one-time codes stand for a user, with nothing in it that is secret."""

    has_secret: bool = False
    completed_on: Instant | None = None
    has_reset_token: bool = False
    reset_on: Instant | None = None
    failures: Failures = Failures()
    """Over all keys of the user."""
    last_success_on: Instant | None = None
    keys: int = 0
    failing_keys: tuple[Failures, ...] = ()
    """Of each key whose last code was wrong."""
    resets: int = 0
    last_resets: tuple[Instant, ...] = ()
    """The dates of the last of them, oldest first."""


class OpaqueKeyRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A key that is released against a code."""

    opaque_key_id: TOTPOpaqueKeyID
    opaque_key: SecretKey
    failures: Failures


# --- Events ---


class EventID(Id):
    """Names an event in all processes that share a database."""


class ProcessID(Id):
    """Names one of these processes, from its start to its end."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a committed transaction did."""

    organization_id: OrganizationID
    event_id: EventID


class Notification(Event, frozen=True, kw_only=True):
    """An event that clients are told.

    The recipients are those of the moment of the transaction, so a later change of memberships
    neither shows old events to a new member nor hides them from a former one.
    """

    content: MergedReply
    recipients: frozenset[UserID] | None
    """None: every member of the organization."""
    except_device: DeviceID | None = None
    is_fleeting: bool = False
    """Told to who listens now, and remembered for nobody: it is told again as long as it holds."""


class OrganizationExpired(Event, frozen=True, kw_only=True):
    """Nobody may use the organization until further notice."""


class OrganizationTosUpdated(Event, frozen=True, kw_only=True):
    """The terms of service were set, changed or removed."""


class UserRevokedOrFrozen(Event, frozen=True, kw_only=True):
    """A user may no longer use the organization."""

    user_id: UserID


class UserUnfrozen(Event, frozen=True, kw_only=True):
    """A frozen user may use the organization again."""

    user_id: UserID


class UserUpdated(Event, frozen=True, kw_only=True):
    """A user has another profile."""

    user_id: UserID
    new_profile: UserProfile


AnyEvent: TypeAlias = (
    Notification
    | OrganizationExpired
    | OrganizationTosUpdated
    | UserRevokedOrFrozen
    | UserUnfrozen
    | UserUpdated
)
