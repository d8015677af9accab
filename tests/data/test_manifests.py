"""Files, folders and user manifests. Known ones are in tests/vectors/data-manifests*."""

import msgspec
import pytest

from parsec.crypto.errors import DecryptionError, SignatureError
from parsec.crypto.keys import HashDigest, SecretKey, SigningKey
from parsec.data.ids import BlockID, DeviceID, VlobID
from parsec.data.instant import Instant
from parsec.data.manifests import (
    Announcement,
    BlockAccess,
    DefaultOrigin,
    FileManifest,
    FolderManifest,
    UserManifest,
    load_child_manifest,
    load_user_manifest,
    load_workspace_manifest,
)
from parsec.data.people import EntryName
from parsec.data.record import MismatchError
from parsec.wire.frame import dump_frame
from parsec.wire.msgpack import MalformedError, dump

AUTHOR_KEY = SigningKey(bytes(32))
KEY = SecretKey(bytes(32))
AUTHOR = DeviceID(bytes(16))
ENTRY, PARENT = VlobID(bytes(15) + b"\x01"), VlobID(bytes(15) + b"\x02")
NOW = Instant(0)

FILE = FileManifest(
    author=AUTHOR,
    timestamp=NOW,
    id=ENTRY,
    parent=PARENT,
    version=1,
    created=NOW,
    updated=NOW,
    size=100,
    blocksize=10,
    blocks=[],
)
FOLDER = FolderManifest(
    author=AUTHOR,
    timestamp=NOW,
    id=ENTRY,
    parent=PARENT,
    version=1,
    created=NOW,
    updated=NOW,
    children={EntryName("a"): ENTRY},
)
ROOT = msgspec.structs.replace(FOLDER, parent=ENTRY)
USER = UserManifest(author=AUTHOR, timestamp=NOW, id=ENTRY, version=1, created=NOW, updated=NOW)
ANNOUNCED = Announcement(author=AUTHOR, timestamp=NOW, id=ENTRY, version=1)

Manifest = FileManifest | FolderManifest | UserManifest


def encrypted(manifest: Manifest, *, author_key: SigningKey = AUTHOR_KEY) -> bytes:
    """The manifest as its author uploads it."""
    return manifest.encrypt(author_key=author_key, key=KEY, entropy=bytes)


def block(offset: int, size: int) -> BlockAccess:
    """A block of a file."""
    return BlockAccess(
        id=BlockID(bytes(16)), offset=offset, size=size, digest=HashDigest(bytes(32))
    )


def load_child(blob: bytes, announced: Announcement = ANNOUNCED) -> Manifest:
    """What a folder's entry leads to."""
    return load_child_manifest(
        blob, key=KEY, author_verify_key=AUTHOR_KEY.verify_key, announced=announced
    )


@pytest.mark.parametrize("manifest", [FILE, FOLDER])
def test_a_child_is_a_file_or_a_folder(manifest: FileManifest | FolderManifest) -> None:
    assert load_child(encrypted(manifest)) == manifest


@pytest.mark.parametrize("manifest", [ROOT, USER])
def test_neither_a_root_nor_a_user_manifest_is_a_child(manifest: Manifest) -> None:
    with pytest.raises(MalformedError):
        load_child(encrypted(manifest))


def test_the_root_of_a_workspace_is_its_own_parent() -> None:
    def load(manifest: FolderManifest) -> FolderManifest:
        return load_workspace_manifest(
            encrypted(manifest),
            key=KEY,
            author_verify_key=AUTHOR_KEY.verify_key,
            announced=ANNOUNCED,
        )

    assert load(ROOT) == ROOT
    with pytest.raises(MalformedError):
        load(FOLDER)


def test_a_user_manifest_loads() -> None:
    loaded = load_user_manifest(
        encrypted(USER), key=KEY, author_verify_key=AUTHOR_KEY.verify_key, announced=ANNOUNCED
    )

    assert loaded == USER


@pytest.mark.parametrize(
    "announced",
    [
        msgspec.structs.replace(ANNOUNCED, author=DeviceID(bytes(15) + b"\x01")),
        msgspec.structs.replace(ANNOUNCED, timestamp=Instant(1)),
        msgspec.structs.replace(ANNOUNCED, id=PARENT),
        msgspec.structs.replace(ANNOUNCED, version=2),
    ],
)
def test_a_manifest_must_be_the_announced_one(announced: Announcement) -> None:
    with pytest.raises(MismatchError):
        load_child(encrypted(FILE), announced)


def test_identifier_and_version_may_be_left_open() -> None:
    assert load_child(encrypted(FILE), Announcement(author=AUTHOR, timestamp=NOW)) == FILE


def test_a_manifest_by_somebody_else_is_not_believed() -> None:
    with pytest.raises(SignatureError):
        load_child(encrypted(FILE, author_key=SigningKey(bytes(31) + b"x")))


def test_a_manifest_of_another_key_does_not_open() -> None:
    with pytest.raises(DecryptionError):
        load_child_manifest(
            encrypted(FILE),
            key=SecretKey(bytes(31) + b"x"),
            author_verify_key=AUTHOR_KEY.verify_key,
            announced=ANNOUNCED,
        )


@pytest.mark.parametrize(
    "blocks",
    [
        [],
        [block(0, 10), block(10, 10)],
        [block(0, 3), block(30, 10)],
        [block(15, 5), block(20, 1)],
        [block(90, 10)],
    ],
)
def test_blocks_may_leave_holes_and_begin_inside_their_span(blocks: list[BlockAccess]) -> None:
    manifest = msgspec.structs.replace(FILE, blocks=blocks)

    assert load_child(encrypted(manifest)) == manifest


@pytest.mark.parametrize(
    "blocks",
    [
        [block(10, 10), block(0, 10)],
        [block(0, 5), block(5, 5)],
        [block(0, 11)],
        [block(5, 10)],
        [block(0, 10), block(9, 10)],
        [block(91, 10)],
        [block(100, 1)],
    ],
)
def test_blocks_that_overlap_or_leave_their_span_are_malformed(blocks: list[BlockAccess]) -> None:
    with pytest.raises(MalformedError):
        load_child(encrypted(msgspec.structs.replace(FILE, blocks=blocks)))


def test_a_file_is_not_its_own_parent() -> None:
    with pytest.raises(MalformedError):
        load_child(encrypted(msgspec.structs.replace(FILE, parent=ENTRY)))


def test_the_default_origin_is_read_though_nobody_writes_it() -> None:
    manifest = msgspec.structs.replace(FILE, origin=DefaultOrigin())

    assert load_child(encrypted(manifest)) == manifest
    assert "origin" not in msgspec.msgpack.decode(dump(FILE), type=dict[str, msgspec.Raw])


def test_names_that_become_one_are_one_entry() -> None:
    composed, decomposed = "\u00e9", "e\u0301"
    content = dump(
        {
            **{name: getattr(FOLDER, name) for name in FOLDER.__struct_fields__},
            "type": "folder_manifest",
            "children": {composed: ENTRY, decomposed: PARENT},
        }
    )
    blob = KEY.encrypt(AUTHOR_KEY.sign(dump_frame(content)), bytes)

    loaded = load_child(blob)

    assert isinstance(loaded, FolderManifest)
    assert loaded.children == {EntryName(composed): PARENT}
