"""Manifests: what a file, a folder or a user's realm consists of, as the server stores it.

`data-types.md` 4 and `workspace.md` 5. A manifest is framed, signed by the device that uploads it,
then encrypted. It is believed once `load_child_manifest` and its like have verified it, and
compared it with what the server said about it.
"""

from collections.abc import Sequence
from typing import Annotated, ClassVar, TypeAlias

import msgspec

from parsec.crypto.entropy import Entropy
from parsec.crypto.keys import HashDigest, SecretKey, SigningKey, VerifyKey
from parsec.data.ids import BlockID, DeviceID, VlobID
from parsec.data.instant import Instant
from parsec.data.people import EntryName
from parsec.data.record import Record, load_content
from parsec.wire.frame import MANIFEST_LIMIT, load_frame
from parsec.wire.msgpack import MalformedError, Reader

U32: TypeAlias = Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)]
U64: TypeAlias = Annotated[int, msgspec.Meta(ge=0)]
NonZero: TypeAlias = Annotated[int, msgspec.Meta(ge=1)]
BlockSize: TypeAlias = Annotated[int, msgspec.Meta(ge=8)]

DEFAULT_BLOCK_SIZE = 512 * 1024


class BlockAccess(msgspec.Struct, frozen=True, kw_only=True):
    """A block of a file: where it lies in the file, and what its cleartext must be."""

    id: BlockID
    offset: U64
    size: NonZero
    digest: HashDigest


class DefaultOrigin(msgspec.Struct, frozen=True, tag_field="type", tag="DEFAULT"):
    """The version of a file was saved by a client."""


class CryptpadOrigin(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="CRYPTPAD"):
    """The version of a file was saved by a collaborative session."""

    channel_id: str
    timestamp: Instant


FileOrigin: TypeAlias = DefaultOrigin | CryptpadOrigin


class Manifest(Record, frozen=True, kw_only=True):
    """Any manifest."""

    FRAME_LIMIT: ClassVar[int] = MANIFEST_LIMIT
    # A real map has far more bytes than values.
    MAX_VALUES: ClassVar[int] = MANIFEST_LIMIT >> 6

    author: DeviceID
    timestamp: Instant

    def encrypt(self, *, author_key: SigningKey, key: SecretKey, entropy: Entropy) -> bytes:
        """The manifest as the server stores it: signed, then encrypted."""
        return key.encrypt(author_key.sign(self.dump()), entropy)


class FileManifest(Manifest, frozen=True, kw_only=True, tag="file_manifest"):
    """A file: its blocks in order; what no block covers reads as zeros."""

    id: VlobID
    parent: VlobID
    version: U32
    created: Instant
    updated: Instant
    size: U64
    blocksize: BlockSize
    blocks: list[BlockAccess]
    # Releases before 3.10 know no origin; the default one is not written.
    origin: FileOrigin | msgspec.UnsetType = msgspec.UNSET

    def check(self) -> None:
        """Check the parent and the blocks. Raises MalformedError."""
        check_not_its_own_parent(self.id, self.parent)
        _check_blocks(self.blocks, blocksize=self.blocksize, size=self.size)


class FolderManifest(Manifest, frozen=True, kw_only=True, tag="folder_manifest"):
    """A folder, or the root of a workspace, which is its own parent."""

    id: VlobID
    parent: VlobID
    version: U32
    created: Instant
    updated: Instant
    children: dict[EntryName, VlobID]

    @property
    def is_root(self) -> bool:
        return self.id == self.parent


class UserManifest(Manifest, frozen=True, kw_only=True, tag="user_manifest"):
    """What all devices of a user agree on: nothing any more but that it exists."""

    id: VlobID
    version: U32
    created: Instant
    updated: Instant


ChildManifest: TypeAlias = FileManifest | FolderManifest
"""What a folder's entry leads to."""


class Announcement(msgspec.Struct, frozen=True, kw_only=True):
    """What the server says about a manifest; the version may be left open."""

    author: DeviceID
    timestamp: Instant
    id: VlobID | None = None
    version: int | None = None

    def check(self, manifest: FileManifest | FolderManifest | UserManifest) -> None:
        """Compare. Raises MismatchError."""
        manifest.expect(author=self.author, timestamp=self.timestamp)
        if self.id is not None:
            manifest.expect(id=self.id)
        if self.version is not None:
            manifest.expect(version=self.version)


_CHILD: Reader[ChildManifest] = Reader(ChildManifest)


def load_child_manifest(
    encrypted: bytes, *, key: SecretKey, author_verify_key: VerifyKey, announced: Announcement
) -> ChildManifest:
    """Open, verify and read a file or a folder that is not the root.

    Raises DecryptionError, SignatureError or MalformedError.
    """
    frame = author_verify_key.verify(key.decrypt(encrypted))
    manifest = load_content(
        _CHILD, load_frame(frame, limit=MANIFEST_LIMIT), max_values=MANIFEST_LIMIT >> 6
    )
    if isinstance(manifest, FolderManifest) and manifest.is_root:
        raise MalformedError("a root folder inside a folder")
    announced.check(manifest)
    return manifest


def load_workspace_manifest(
    encrypted: bytes, *, key: SecretKey, author_verify_key: VerifyKey, announced: Announcement
) -> FolderManifest:
    """Open, verify and read the root of a workspace.

    Raises DecryptionError, SignatureError or MalformedError.
    """
    manifest = FolderManifest.load(author_verify_key.verify(key.decrypt(encrypted)))
    if not manifest.is_root:
        raise MalformedError("a root folder that has a parent")
    announced.check(manifest)
    return manifest


def load_user_manifest(
    encrypted: bytes, *, key: SecretKey, author_verify_key: VerifyKey, announced: Announcement
) -> UserManifest:
    """Open, verify and read a user manifest; its key is the user realm key itself.

    Raises DecryptionError, SignatureError or MalformedError.
    """
    manifest = UserManifest.load(author_verify_key.verify(key.decrypt(encrypted)))
    announced.check(manifest)
    return manifest


def check_not_its_own_parent(entry: VlobID, parent: VlobID) -> None:
    """Raises MalformedError."""
    if entry == parent:
        raise MalformedError("an entry that is its own parent")


def _check_blocks(blocks: Sequence[BlockAccess], *, blocksize: int, size: int) -> None:
    """At most one block in each span of `blocksize` bytes, in order and within the file."""
    end, last_span = 0, -1
    for block in blocks:
        span = block.offset // blocksize
        if span <= last_span:
            raise MalformedError("blocks out of order, or two in one span")
        end, last_span = block.offset + block.size, span
        if (end - 1) // blocksize != span:
            raise MalformedError("a block over two spans")
    if end > size:
        raise MalformedError("a block past the end of the file")
