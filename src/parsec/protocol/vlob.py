"""Versioned encrypted manifests."""

from typing import ClassVar, TypeAlias

from parsec.data.ids import DeviceID, VlobID
from parsec.data.instant import Instant
from parsec.protocol.command import U32, U64, Family, Reply, Request
from parsec.protocol.statuses import (
    AuthorNotAllowed,
    BadKeyIndex,
    BadVlobVersion,
    Ok,
    RealmArchived,
    RealmDeleted,
    RealmNotFound,
    RejectedBySequesterService,
    RequireGreaterTimestamp,
    SequesterServiceUnavailable,
    TimestampOutOfBallpark,
    TooManyElements,
    VlobAlreadyExists,
    VlobNotFound,
)

VlobCreateReply: TypeAlias = (
    Ok
    | AuthorNotAllowed
    | BadKeyIndex
    | RealmNotFound
    | RealmArchived
    | RealmDeleted
    | VlobAlreadyExists
    | RejectedBySequesterService
    | SequesterServiceUnavailable
    | TimestampOutOfBallpark
    | RequireGreaterTimestamp
)


class VlobCreate(Request[VlobCreateReply], frozen=True, kw_only=True, tag="vlob_create"):
    """Store version 1 of a vlob (an encrypted manifest)."""

    FAMILY: ClassVar[Family] = Family.AUTHENTICATED

    realm_id: VlobID
    vlob_id: VlobID
    key_index: U64
    timestamp: Instant
    blob: bytes


class VlobPollChangesOk(Reply, frozen=True, kw_only=True, tag="ok"):
    changes: list[tuple[VlobID, U32]]
    current_checkpoint: U64


VlobPollChangesReply: TypeAlias = (
    VlobPollChangesOk | AuthorNotAllowed | RealmNotFound | RealmDeleted
)


class VlobPollChanges(
    Request[VlobPollChangesReply], frozen=True, kw_only=True, tag="vlob_poll_changes"
):
    """Which vlobs of a realm changed since a checkpoint."""

    FAMILY: ClassVar[Family] = Family.AUTHENTICATED

    realm_id: VlobID
    last_checkpoint: U64


class VlobReadBatchOk(Reply, frozen=True, kw_only=True, tag="ok"):
    items: list[tuple[VlobID, U64, DeviceID, U32, Instant, bytes]]
    needed_common_certificate_timestamp: Instant
    needed_realm_certificate_timestamp: Instant


VlobReadBatchReply: TypeAlias = (
    VlobReadBatchOk | RealmNotFound | RealmDeleted | AuthorNotAllowed | TooManyElements
)


class VlobReadBatch(Request[VlobReadBatchReply], frozen=True, kw_only=True, tag="vlob_read_batch"):
    """Read the version of vlobs that is the latest at some time."""

    FAMILY: ClassVar[Family] = Family.AUTHENTICATED

    realm_id: VlobID
    vlobs: list[VlobID]
    at: Instant | None


class VlobReadVersionsOk(Reply, frozen=True, kw_only=True, tag="ok"):
    items: list[tuple[VlobID, U64, DeviceID, U32, Instant, bytes]]
    needed_common_certificate_timestamp: Instant
    needed_realm_certificate_timestamp: Instant


VlobReadVersionsReply: TypeAlias = (
    VlobReadVersionsOk | RealmNotFound | RealmDeleted | AuthorNotAllowed | TooManyElements
)


class VlobReadVersions(
    Request[VlobReadVersionsReply], frozen=True, kw_only=True, tag="vlob_read_versions"
):
    """Read given versions of vlobs."""

    FAMILY: ClassVar[Family] = Family.AUTHENTICATED

    realm_id: VlobID
    items: list[tuple[VlobID, U32]]


VlobUpdateReply: TypeAlias = (
    Ok
    | AuthorNotAllowed
    | BadKeyIndex
    | RealmNotFound
    | RealmArchived
    | RealmDeleted
    | VlobNotFound
    | BadVlobVersion
    | RejectedBySequesterService
    | SequesterServiceUnavailable
    | TimestampOutOfBallpark
    | RequireGreaterTimestamp
)


class VlobUpdate(Request[VlobUpdateReply], frozen=True, kw_only=True, tag="vlob_update"):
    """Store the next version of a vlob."""

    FAMILY: ClassVar[Family] = Family.AUTHENTICATED

    realm_id: VlobID
    vlob_id: VlobID
    key_index: U64
    timestamp: Instant
    version: U32
    blob: bytes
