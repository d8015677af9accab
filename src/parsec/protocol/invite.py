"""Invitations: creation, list, end, and what a claimer is told."""

import enum
from typing import ClassVar, Literal, TypeAlias

import msgspec

from parsec.data.ids import AccessToken, UserID
from parsec.data.instant import Instant
from parsec.data.people import EmailAddress, HumanHandle
from parsec.protocol.command import U8, Family, MergedReply, Reply, Request
from parsec.protocol.statuses import (
    AuthorNotAllowed,
    ClaimerEmailAlreadyEnrolled,
    InvitationAlreadyCancelled,
    InvitationAlreadyCompleted,
    InvitationCancelled,
    InvitationCompleted,
    InvitationNotFound,
    Ok,
    UserNotFound,
)


class UserOnlineStatus(enum.StrEnum):
    ONLINE = "ONLINE"
    OFFLINE = "OFFLINE"
    UNKNOWN = "UNKNOWN"


class InvitationCreatedByUser(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="USER"
):
    human_handle: HumanHandle
    user_id: UserID


class InvitationCreatedByExternalService(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="EXTERNAL_SERVICE"
):
    service_label: str


InvitationCreatedBy: TypeAlias = InvitationCreatedByUser | InvitationCreatedByExternalService


class UserGreetingAdministrator(msgspec.Struct, frozen=True, kw_only=True):
    human_handle: HumanHandle
    last_greeting_attempt_joined_on: Instant | None
    online_status: UserOnlineStatus
    user_id: UserID


class ShamirRecoveryRecipient(msgspec.Struct, frozen=True, kw_only=True):
    human_handle: HumanHandle
    online_status: UserOnlineStatus
    revoked_on: Instant | None
    shares: U8
    user_id: UserID


class InviteInfoOkUser(MergedReply, frozen=True, kw_only=True, tag="ok"):
    MERGED_BY: ClassVar[str] = "type"

    type: Literal["USER"] = "USER"
    administrators: list[UserGreetingAdministrator]
    claimer_email: EmailAddress
    created_by: InvitationCreatedBy


class InviteInfoOkDevice(MergedReply, frozen=True, kw_only=True, tag="ok"):
    MERGED_BY: ClassVar[str] = "type"

    type: Literal["DEVICE"] = "DEVICE"
    claimer_human_handle: HumanHandle
    claimer_user_id: UserID
    created_by: InvitationCreatedBy


class InviteInfoOkShamirRecovery(MergedReply, frozen=True, kw_only=True, tag="ok"):
    MERGED_BY: ClassVar[str] = "type"

    type: Literal["SHAMIR_RECOVERY"] = "SHAMIR_RECOVERY"
    claimer_human_handle: HumanHandle
    claimer_user_id: UserID
    created_by: InvitationCreatedBy
    recipients: list[ShamirRecoveryRecipient]
    shamir_recovery_created_on: Instant
    threshold: U8


InviteInfoReply: TypeAlias = InviteInfoOkUser | InviteInfoOkDevice | InviteInfoOkShamirRecovery


class InviteInfo(
    Request[InviteInfoReply],
    frozen=True,
    kw_only=True,
    tag="invite_info",
    forbid_unknown_fields=True,
):
    """Describe the invitation that the connection is authenticated with."""

    FAMILY: ClassVar[Family] = Family.INVITED


class InvitationStatus(enum.StrEnum):
    PENDING = "PENDING"
    FINISHED = "FINISHED"
    CANCELLED = "CANCELLED"


InviteCancelReply: TypeAlias = (
    Ok | InvitationNotFound | AuthorNotAllowed | InvitationCompleted | InvitationAlreadyCancelled
)


class InviteCancel(Request[InviteCancelReply], frozen=True, kw_only=True, tag="invite_cancel"):
    """Cancel an invitation."""

    FAMILY: ClassVar[Family] = Family.AUTHENTICATED

    token: AccessToken


InviteCompleteReply: TypeAlias = (
    Ok | InvitationNotFound | AuthorNotAllowed | InvitationAlreadyCompleted | InvitationCancelled
)


class InviteComplete(
    Request[InviteCompleteReply], frozen=True, kw_only=True, tag="invite_complete"
):
    """Mark an invitation as finished (used by the claimer once enrolled, or by a greeter)."""

    FAMILY: ClassVar[Family] = Family.AUTHENTICATED

    token: AccessToken


class InviteListItemUser(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="USER"):
    claimer_email: EmailAddress
    created_by: InvitationCreatedBy
    created_on: Instant
    status: InvitationStatus
    token: AccessToken


class InviteListItemDevice(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="DEVICE"
):
    created_by: InvitationCreatedBy
    created_on: Instant
    status: InvitationStatus
    token: AccessToken


class InviteListItemShamirRecovery(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="SHAMIR_RECOVERY"
):
    claimer_user_id: UserID
    created_by: InvitationCreatedBy
    created_on: Instant
    shamir_recovery_created_on: Instant
    status: InvitationStatus
    token: AccessToken


InviteListItem: TypeAlias = InviteListItemUser | InviteListItemDevice | InviteListItemShamirRecovery


class InviteListOk(Reply, frozen=True, kw_only=True, tag="ok"):
    invitations: list[InviteListItem]


InviteListReply: TypeAlias = InviteListOk


class InviteList(
    Request[InviteListReply],
    frozen=True,
    kw_only=True,
    tag="invite_list",
    forbid_unknown_fields=True,
):
    """List invitations of every state that concern the author, oldest first."""

    FAMILY: ClassVar[Family] = Family.AUTHENTICATED


class InvitationEmailSentStatus(enum.StrEnum):
    SUCCESS = "SUCCESS"
    SERVER_UNAVAILABLE = "SERVER_UNAVAILABLE"
    RECIPIENT_REFUSED = "RECIPIENT_REFUSED"


class InviteNewDeviceOk(Reply, frozen=True, kw_only=True, tag="ok"):
    email_sent: InvitationEmailSentStatus
    token: AccessToken


InviteNewDeviceReply: TypeAlias = InviteNewDeviceOk


class InviteNewDevice(
    Request[InviteNewDeviceReply], frozen=True, kw_only=True, tag="invite_new_device"
):
    """Invite a further device for the author's own user."""

    FAMILY: ClassVar[Family] = Family.AUTHENTICATED

    send_email: bool


class InviteNewShamirRecoveryOk(Reply, frozen=True, kw_only=True, tag="ok"):
    email_sent: InvitationEmailSentStatus
    token: AccessToken


InviteNewShamirRecoveryReply: TypeAlias = (
    InviteNewShamirRecoveryOk | AuthorNotAllowed | UserNotFound
)


class InviteNewShamirRecovery(
    Request[InviteNewShamirRecoveryReply],
    frozen=True,
    kw_only=True,
    tag="invite_new_shamir_recovery",
):
    """Invite a user to recover through its shamir set-up."""

    FAMILY: ClassVar[Family] = Family.AUTHENTICATED

    claimer_user_id: UserID
    send_email: bool


class InviteNewUserOk(Reply, frozen=True, kw_only=True, tag="ok"):
    email_sent: InvitationEmailSentStatus
    token: AccessToken


InviteNewUserReply: TypeAlias = InviteNewUserOk | AuthorNotAllowed | ClaimerEmailAlreadyEnrolled


class InviteNewUser(Request[InviteNewUserReply], frozen=True, kw_only=True, tag="invite_new_user"):
    """Invite somebody by email."""

    FAMILY: ClassVar[Family] = Family.AUTHENTICATED

    claimer_email: EmailAddress
    send_email: bool
