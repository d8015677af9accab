"""Users: creation, profile, revocation, freezing."""

from typing import ClassVar, TypeAlias

from parsec.data.ids import UserID
from parsec.protocol.command import Family, Reply, Request
from parsec.protocol.statuses import (
    ActiveUsersLimitReached,
    AuthorNotAllowed,
    HumanHandleAlreadyTaken,
    InvalidCertificate,
    Ok,
    RequireGreaterTimestamp,
    TimestampOutOfBallpark,
    UserAlreadyExists,
    UserAlreadyRevoked,
    UserNoChanges,
    UserNotFound,
    UserRevoked,
)


class ListFrozenUsersOk(Reply, frozen=True, kw_only=True, tag="ok"):
    frozen_users: list[UserID]


ListFrozenUsersReply: TypeAlias = ListFrozenUsersOk | AuthorNotAllowed


class ListFrozenUsers(
    Request[ListFrozenUsersReply],
    frozen=True,
    kw_only=True,
    tag="list_frozen_users",
    forbid_unknown_fields=True,
):
    """List frozen users."""

    FAMILY: ClassVar[Family] = Family.AUTHENTICATED


UserCreateReply: TypeAlias = (
    Ok
    | AuthorNotAllowed
    | ActiveUsersLimitReached
    | UserAlreadyExists
    | HumanHandleAlreadyTaken
    | InvalidCertificate
    | TimestampOutOfBallpark
    | RequireGreaterTimestamp
)


class UserCreate(Request[UserCreateReply], frozen=True, kw_only=True, tag="user_create"):
    """Administrator adds a user with its first device."""

    FAMILY: ClassVar[Family] = Family.AUTHENTICATED

    user_certificate: bytes
    device_certificate: bytes
    redacted_user_certificate: bytes
    redacted_device_certificate: bytes


UserRevokeReply: TypeAlias = (
    Ok
    | AuthorNotAllowed
    | UserNotFound
    | UserAlreadyRevoked
    | InvalidCertificate
    | TimestampOutOfBallpark
    | RequireGreaterTimestamp
)


class UserRevoke(Request[UserRevokeReply], frozen=True, kw_only=True, tag="user_revoke"):
    """Administrator revokes a user."""

    FAMILY: ClassVar[Family] = Family.AUTHENTICATED

    revoked_user_certificate: bytes


UserUpdateReply: TypeAlias = (
    Ok
    | AuthorNotAllowed
    | UserNotFound
    | UserRevoked
    | UserNoChanges
    | InvalidCertificate
    | TimestampOutOfBallpark
    | RequireGreaterTimestamp
)


class UserUpdate(Request[UserUpdateReply], frozen=True, kw_only=True, tag="user_update"):
    """Administrator changes a user's profile."""

    FAMILY: ClassVar[Family] = Family.AUTHENTICATED

    user_update_certificate: bytes
