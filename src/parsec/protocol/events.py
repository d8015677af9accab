"""What the server tells without being asked."""

from typing import ClassVar, Literal, TypeAlias

from parsec.data.ids import AccessToken, DeviceID, GreetingAttemptID, VlobID
from parsec.data.instant import Instant
from parsec.protocol.command import I64, U32, U64, Family, MergedReply, NonZero, Request
from parsec.protocol.invite import InvitationStatus
from parsec.protocol.statuses import NotAvailable


class PingedEvent(MergedReply, frozen=True, kw_only=True, tag="ok"):
    MERGED_BY: ClassVar[str] = "event"

    event: Literal["PINGED"] = "PINGED"
    ping: str


class OrganizationConfigEvent(MergedReply, frozen=True, kw_only=True, tag="ok"):
    MERGED_BY: ClassVar[str] = "event"

    event: Literal["ORGANIZATION_CONFIG"] = "ORGANIZATION_CONFIG"
    active_users_limit: U64 | None = None
    realm_minimum_archiving_period_before_deletion: I64 = 0
    sse_keepalive_seconds: NonZero | None
    user_profile_outsider_allowed: bool


class InvitationEvent(MergedReply, frozen=True, kw_only=True, tag="ok"):
    MERGED_BY: ClassVar[str] = "event"

    event: Literal["INVITATION"] = "INVITATION"
    invitation_status: InvitationStatus
    token: AccessToken


class GreetingAttemptReadyEvent(MergedReply, frozen=True, kw_only=True, tag="ok"):
    MERGED_BY: ClassVar[str] = "event"

    event: Literal["GREETING_ATTEMPT_READY"] = "GREETING_ATTEMPT_READY"
    greeting_attempt: GreetingAttemptID
    token: AccessToken


class GreetingAttemptCancelledEvent(MergedReply, frozen=True, kw_only=True, tag="ok"):
    MERGED_BY: ClassVar[str] = "event"

    event: Literal["GREETING_ATTEMPT_CANCELLED"] = "GREETING_ATTEMPT_CANCELLED"
    greeting_attempt: GreetingAttemptID
    token: AccessToken


class GreetingAttemptJoinedEvent(MergedReply, frozen=True, kw_only=True, tag="ok"):
    MERGED_BY: ClassVar[str] = "event"

    event: Literal["GREETING_ATTEMPT_JOINED"] = "GREETING_ATTEMPT_JOINED"
    greeting_attempt: GreetingAttemptID
    token: AccessToken


class PkiEnrollmentEvent(MergedReply, frozen=True, kw_only=True, tag="ok"):
    MERGED_BY: ClassVar[str] = "event"

    event: Literal["PKI_ENROLLMENT"] = "PKI_ENROLLMENT"


class AsyncEnrollmentEvent(MergedReply, frozen=True, kw_only=True, tag="ok"):
    MERGED_BY: ClassVar[str] = "event"

    event: Literal["ASYNC_ENROLLMENT"] = "ASYNC_ENROLLMENT"


class CommonCertificateEvent(MergedReply, frozen=True, kw_only=True, tag="ok"):
    MERGED_BY: ClassVar[str] = "event"

    event: Literal["COMMON_CERTIFICATE"] = "COMMON_CERTIFICATE"
    timestamp: Instant


class SequesterCertificateEvent(MergedReply, frozen=True, kw_only=True, tag="ok"):
    MERGED_BY: ClassVar[str] = "event"

    event: Literal["SEQUESTER_CERTIFICATE"] = "SEQUESTER_CERTIFICATE"
    timestamp: Instant


class ShamirRecoveryCertificateEvent(MergedReply, frozen=True, kw_only=True, tag="ok"):
    MERGED_BY: ClassVar[str] = "event"

    event: Literal["SHAMIR_RECOVERY_CERTIFICATE"] = "SHAMIR_RECOVERY_CERTIFICATE"
    timestamp: Instant


class RealmCertificateEvent(MergedReply, frozen=True, kw_only=True, tag="ok"):
    MERGED_BY: ClassVar[str] = "event"

    event: Literal["REALM_CERTIFICATE"] = "REALM_CERTIFICATE"
    realm_id: VlobID
    timestamp: Instant


class VlobEvent(MergedReply, frozen=True, kw_only=True, tag="ok"):
    MERGED_BY: ClassVar[str] = "event"

    event: Literal["VLOB"] = "VLOB"
    author: DeviceID
    blob: bytes | None
    last_common_certificate_timestamp: Instant
    last_realm_certificate_timestamp: Instant
    realm_id: VlobID
    timestamp: Instant
    version: U32
    vlob_id: VlobID


EventsListenReply: TypeAlias = (
    PingedEvent
    | OrganizationConfigEvent
    | InvitationEvent
    | GreetingAttemptReadyEvent
    | GreetingAttemptCancelledEvent
    | GreetingAttemptJoinedEvent
    | PkiEnrollmentEvent
    | AsyncEnrollmentEvent
    | CommonCertificateEvent
    | SequesterCertificateEvent
    | ShamirRecoveryCertificateEvent
    | RealmCertificateEvent
    | VlobEvent
    | NotAvailable
)


class EventsListen(
    Request[EventsListenReply],
    frozen=True,
    kw_only=True,
    tag="events_listen",
    forbid_unknown_fields=True,
):
    """Server events."""

    FAMILY: ClassVar[Family] = Family.AUTHENTICATED
