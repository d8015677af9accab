"""Encrypted blocks of files."""

from typing import ClassVar, TypeAlias

from parsec.data.ids import BlockID, VlobID
from parsec.data.instant import Instant
from parsec.protocol.command import U64, Family, Reply, Request
from parsec.protocol.statuses import (
    AuthorNotAllowed,
    BadKeyIndex,
    BlockAlreadyExists,
    BlockNotFound,
    Ok,
    RealmArchived,
    RealmDeleted,
    RealmNotFound,
    StoreUnavailable,
)

BlockCreateReply: TypeAlias = (
    Ok
    | RealmNotFound
    | RealmArchived
    | RealmDeleted
    | BlockAlreadyExists
    | AuthorNotAllowed
    | BadKeyIndex
    | StoreUnavailable
)


class BlockCreate(Request[BlockCreateReply], frozen=True, kw_only=True, tag="block_create"):
    """Store one encrypted block of file data."""

    FAMILY: ClassVar[Family] = Family.AUTHENTICATED

    block_id: BlockID
    realm_id: VlobID
    key_index: U64
    block: bytes


class BlockReadOk(Reply, frozen=True, kw_only=True, tag="ok"):
    block: bytes
    key_index: U64
    needed_realm_certificate_timestamp: Instant


BlockReadReply: TypeAlias = (
    BlockReadOk | RealmNotFound | RealmDeleted | BlockNotFound | AuthorNotAllowed | StoreUnavailable
)


class BlockRead(Request[BlockReadReply], frozen=True, kw_only=True, tag="block_read"):
    """Read one block."""

    FAMILY: ClassVar[Family] = Family.AUTHENTICATED

    block_id: BlockID
    realm_id: VlobID
