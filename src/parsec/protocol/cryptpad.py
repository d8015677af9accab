"""Sessions of collaborative edition."""

from typing import ClassVar, TypeAlias

from parsec.data.ids import DeviceID, VlobID
from parsec.data.instant import Instant
from parsec.protocol.command import U64, Family, Reply, Request
from parsec.protocol.statuses import (
    AuthorNotAllowed,
    BadKeyIndex,
    CryptpadUnavailable,
    RealmDeleted,
    RealmNotFound,
    TimestampOutOfBallpark,
)


class CryptpadRegisterSessionOk(Reply, frozen=True, kw_only=True, tag="ok"):
    author: DeviceID
    encrypted_edit_key: bytes | None
    encrypted_view_key: bytes
    key_index: U64
    needed_common_certificate_timestamp: Instant
    needed_realm_certificate_timestamp: Instant
    timestamp: Instant


CryptpadRegisterSessionReply: TypeAlias = (
    CryptpadRegisterSessionOk
    | CryptpadUnavailable
    | RealmNotFound
    | RealmDeleted
    | AuthorNotAllowed
    | BadKeyIndex
    | TimestampOutOfBallpark
)


class CryptpadRegisterSession(
    Request[CryptpadRegisterSessionReply],
    frozen=True,
    kw_only=True,
    tag="cryptpad_register_session",
):
    """API 5, since 5.6."""

    FAMILY: ClassVar[Family] = Family.AUTHENTICATED

    realm_id: VlobID
    document_id: VlobID
    key_index: U64
    timestamp: Instant
    encrypted_candidate_view_key: bytes
    encrypted_candidate_edit_key: bytes | None
