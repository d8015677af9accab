"""Local manifests: a client's working copies of files, folders and of the list of workspaces.

`data-types.md` 11. They never leave the client; this form only serves to read the local database
of an official one. Each holds its base, the last version that came from the server.
"""

from typing import ClassVar, Self, TypeAlias

import msgspec

from parsec.crypto.entropy import Entropy
from parsec.crypto.keys import SecretKey
from parsec.data.certificates import RealmArchivingConfiguration, RealmRole
from parsec.data.ids import ChunkID, VlobID
from parsec.data.instant import Instant
from parsec.data.manifests import (
    U64,
    BlockAccess,
    BlockSize,
    FileManifest,
    FileOrigin,
    FolderManifest,
    NonZero,
    UserManifest,
    check_not_its_own_parent,
)
from parsec.data.people import EntryName
from parsec.data.record import Record
from parsec.wire.frame import MANIFEST_LIMIT
from parsec.wire.msgpack import MalformedError, Tagged


class LocalManifest(Record, frozen=True, kw_only=True):
    """Any local manifest; a base of version 0 was never uploaded."""

    FRAME_LIMIT: ClassVar[int] = MANIFEST_LIMIT
    MAX_VALUES: ClassVar[int] = MANIFEST_LIMIT >> 6

    def encrypt(self, key: SecretKey, entropy: Entropy) -> bytes:
        """The manifest as the local database has it."""
        return key.encrypt(self.dump(), entropy)

    @classmethod
    def decrypt(cls, encrypted: bytes, key: SecretKey) -> Self:
        """Open and read. Raises DecryptionError or MalformedError."""
        return cls.load(key.decrypt(encrypted))


class ChunkView(msgspec.Struct, frozen=True, kw_only=True):
    """The bytes `start` to `stop` of a file, out of a chunk that begins at `raw_offset`."""

    id: ChunkID
    start: U64
    stop: NonZero
    raw_offset: U64
    raw_size: NonZero
    access: BlockAccess | None


class LocalFileManifest(LocalManifest, frozen=True, kw_only=True, tag="local_file_manifest"):
    """A file in work: per span of `blocksize` bytes the views that cover it."""

    base: Tagged[FileManifest]
    parent: VlobID
    need_sync: bool
    updated: Instant
    size: U64
    blocksize: BlockSize
    blocks: list[list[ChunkView]]
    origin: FileOrigin | msgspec.UnsetType = msgspec.UNSET

    def check(self) -> None:
        """Check the base, the parent and the views. Raises MalformedError."""
        self.base.check()
        check_not_its_own_parent(self.base.id, self.parent)
        if self.blocks and not self.blocks[-1]:
            raise MalformedError("the last span is empty")
        end = 0
        for number, views in enumerate(self.blocks):
            end = _check_span(views, start=number * self.blocksize, length=self.blocksize, end=end)
        if end > self.size:
            raise MalformedError("a view past the end of the file")


class LocalFolderManifest(LocalManifest, frozen=True, kw_only=True, tag="local_folder_manifest"):
    """A folder in work."""

    base: Tagged[FolderManifest]
    parent: VlobID
    need_sync: bool
    updated: Instant
    children: dict[EntryName, VlobID]
    local_confinement_points: frozenset[VlobID]
    remote_confinement_points: frozenset[VlobID]
    speculative: bool

    def check(self) -> None:
        """Check what only a root may be. Raises MalformedError."""
        if self.speculative and self.base.id != self.parent:
            raise MalformedError("a speculative folder that is no root")


class CertificateOrigin(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="CERTIFICATE"
):
    """A fact about a workspace is known from a certificate."""

    timestamp: Instant


class PlaceholderOrigin(msgspec.Struct, frozen=True, tag_field="type", tag="PLACEHOLDER"):
    """A fact about a workspace is only what this client intends."""


FactOrigin: TypeAlias = CertificateOrigin | PlaceholderOrigin


class WorkspaceEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A workspace as the client last knew it."""

    archiving_configuration: RealmArchivingConfiguration | msgspec.UnsetType = msgspec.UNSET
    archiving_configuration_origin: FactOrigin | msgspec.UnsetType = msgspec.UNSET
    can_self_promote_to_owner: bool | msgspec.UnsetType = msgspec.UNSET
    id: VlobID
    name: EntryName
    name_origin: FactOrigin
    role: RealmRole
    role_origin: FactOrigin


class LocalUserManifest(LocalManifest, frozen=True, kw_only=True, tag="local_user_manifest"):
    """The workspaces of the user."""

    base: Tagged[UserManifest]
    need_sync: bool
    updated: Instant
    local_workspaces: list[WorkspaceEntry]
    speculative: bool


def _check_span(views: list[ChunkView], *, start: int, length: int, end: int) -> int:
    """Check the views of one span, after those that ended at `end`; gives back where these end."""
    for view in views:
        _check_view(view)
        if not max(start, end) <= view.start < view.stop <= start + length:
            raise MalformedError("a view out of its span, or over another one")
        end = view.stop
    return end


def _check_view(view: ChunkView) -> None:
    if not view.raw_offset <= view.start < view.stop <= view.raw_offset + view.raw_size:
        raise MalformedError("a view out of its chunk")
