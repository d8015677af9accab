"""Working copies of files and folders. Known ones are in tests/vectors/data-local."""

import msgspec
import pytest

from parsec.crypto.errors import DecryptionError
from parsec.crypto.keys import SecretKey
from parsec.data.ids import ChunkID, DeviceID, VlobID
from parsec.data.instant import Instant
from parsec.data.local_manifests import ChunkView, LocalFileManifest, LocalFolderManifest
from parsec.data.manifests import FileManifest, FolderManifest
from parsec.wire.msgpack import MalformedError

KEY = SecretKey(bytes(32))
AUTHOR = DeviceID(bytes(16))
ENTRY, PARENT = VlobID(bytes(15) + b"\x01"), VlobID(bytes(15) + b"\x02")
NOW = Instant(0)

FILE = LocalFileManifest(
    base=FileManifest(
        author=AUTHOR,
        timestamp=NOW,
        id=ENTRY,
        parent=PARENT,
        version=0,
        created=NOW,
        updated=NOW,
        size=0,
        blocksize=8,
        blocks=[],
    ),
    parent=PARENT,
    need_sync=True,
    updated=NOW,
    size=100,
    blocksize=10,
    blocks=[],
)
FOLDER = LocalFolderManifest(
    base=FolderManifest(
        author=AUTHOR,
        timestamp=NOW,
        id=ENTRY,
        parent=PARENT,
        version=0,
        created=NOW,
        updated=NOW,
        children={},
    ),
    parent=PARENT,
    need_sync=True,
    updated=NOW,
    children={},
    local_confinement_points=frozenset(),
    remote_confinement_points=frozenset(),
    speculative=False,
)


def view(start: int, stop: int, *, raw_offset: int = 0, raw_size: int = 100) -> ChunkView:
    """Some bytes of a chunk."""
    return ChunkView(
        id=ChunkID(bytes(16)),
        start=start,
        stop=stop,
        raw_offset=raw_offset,
        raw_size=raw_size,
        access=None,
    )


def test_a_local_manifest_opens_with_the_key_of_its_device() -> None:
    assert LocalFileManifest.decrypt(FILE.encrypt(KEY, bytes), KEY) == FILE


def test_a_local_manifest_of_another_device_does_not_open() -> None:
    with pytest.raises(DecryptionError):
        LocalFileManifest.decrypt(FILE.encrypt(KEY, bytes), SecretKey(bytes(31) + b"x"))


@pytest.mark.parametrize(
    "blocks",
    [
        [],
        [[view(0, 10)], [view(10, 20)]],
        [[view(0, 3), view(3, 4), view(8, 10)]],
        [[], [view(15, 20)]],
        [[view(2, 4, raw_offset=2, raw_size=2)]],
    ],
)
def test_views_may_leave_holes_within_their_span(blocks: list[list[ChunkView]]) -> None:
    manifest = msgspec.structs.replace(FILE, blocks=blocks)

    assert LocalFileManifest.load(manifest.dump()) == manifest


@pytest.mark.parametrize(
    "blocks",
    [
        [[]],
        [[view(0, 10)], []],
        [[view(0, 11)]],
        [[view(10, 20)]],
        [[], [view(9, 20)]],
        [[view(3, 4), view(0, 3)]],
        [[view(0, 4), view(3, 5)]],
        [[view(4, 4)]],
        [[view(0, 4, raw_offset=1)]],
        [[view(0, 4, raw_size=3)]],
        [*([[]] * 10), [view(100, 101, raw_size=200)]],
    ],
)
def test_views_out_of_place_are_malformed(blocks: list[list[ChunkView]]) -> None:
    with pytest.raises(MalformedError):
        LocalFileManifest.load(msgspec.structs.replace(FILE, blocks=blocks).dump())


def test_a_file_is_not_its_own_parent() -> None:
    with pytest.raises(MalformedError):
        LocalFileManifest.load(msgspec.structs.replace(FILE, parent=ENTRY).dump())


def test_the_base_of_a_file_must_be_sound_too() -> None:
    base = msgspec.structs.replace(FILE.base, parent=ENTRY)

    with pytest.raises(MalformedError):
        LocalFileManifest.load(msgspec.structs.replace(FILE, base=base).dump())


def test_only_a_root_is_speculative() -> None:
    folder = msgspec.structs.replace(FOLDER, speculative=True)
    root = msgspec.structs.replace(folder, parent=ENTRY)

    assert LocalFolderManifest.load(root.dump()) == root
    with pytest.raises(MalformedError):
        LocalFolderManifest.load(folder.dump())
