"""Manifests and payloads, between our types and the official ones."""

from typing import Any, TypeAlias

import msgspec
import pytest

from parsec.crypto.keys import SecretKey, SigningKey
from parsec.data.enrollment import AsyncEnrollmentAcceptPayload, AsyncEnrollmentSubmitPayload
from parsec.data.ids import DeviceID, VlobID
from parsec.data.instant import Instant
from parsec.data.manifests import (
    Announcement,
    BlockAccess,
    CryptpadOrigin,
    DefaultOrigin,
    FileManifest,
    FolderManifest,
    UserManifest,
    load_child_manifest,
    load_user_manifest,
)
from parsec.data.record import Record
from parsec.wire.frame import dump_frame
from parsec.wire.msgpack import MalformedError, dump
from tests.interop.examples import Examples, reachable
from tests.interop.peer import Job, Official
from tests.interop.pictures import picture
from tests.interop.twists import twists
from tests.interop.verdicts import ODD, disagreements, read

AnyManifest: TypeAlias = FileManifest | FolderManifest | UserManifest

EXAMPLES = 40
AUTHOR = SigningKey(bytes(range(32)))
KEY = SecretKey(bytes(range(32, 64)))

MANIFESTS = [FileManifest, FolderManifest, UserManifest]
PAYLOADS = [AsyncEnrollmentAcceptPayload, AsyncEnrollmentSubmitPayload]
OFFICIAL_ALONE = ODD | {
    # Two readers could keep different ones: we refuse that.
    "an unknown field twice",
    "given twice /children/*",
    # Where the block would end is more than 64 bits can count, so that it seems to end early.
    "the largest integer /blocks/*/size",
}


@pytest.mark.parametrize("kind", MANIFESTS)
def test_the_official_types_read_our_manifests(
    official_types: Official, kind: type[AnyManifest]
) -> None:
    source = Examples(1)
    drawn = source.many(kind, EXAMPLES)

    answers = official_types.answers(
        _loading(each, each.encrypt(author_key=AUTHOR, key=KEY, entropy=source.bytes))
        for each in drawn
    )

    assert [answer.value for answer in answers] == list(map(picture, drawn))
    assert reachable(kind) <= source.drawn


@pytest.mark.parametrize("kind", MANIFESTS)
def test_we_read_official_manifests(official_types: Official, kind: type[AnyManifest]) -> None:
    drawn = Examples(2).many(kind, EXAMPLES)

    built = official_types.answers(
        ("encrypt_manifest", picture(each), bytes(AUTHOR), bytes(KEY)) for each in drawn
    )

    ours = [_load(each, answer.value) for each, answer in zip(drawn, built, strict=True)]
    assert ours == drawn


@pytest.mark.parametrize("kind", MANIFESTS)
def test_we_refuse_the_manifests_that_the_official_types_refuse(
    official_types: Official, kind: type[AnyManifest]
) -> None:
    source = Examples(3)
    drawn = source.many(kind, 6)
    changed = [(each, twisted) for each in drawn for twisted in twists(dump(each))]
    encrypted = [
        KEY.encrypt(AUTHOR.sign(dump_frame(twisted.body)), source.bytes) for _, twisted in changed
    ]

    answers = official_types.answers(
        _loading(each, content) for (each, _), content in zip(changed, encrypted, strict=True)
    )

    ours = [
        read(_load, each, content) for (each, _), content in zip(changed, encrypted, strict=True)
    ]
    official = [answer.outcome if answer.accepted else None for answer in answers]
    cases = zip((twisted for _, twisted in changed), ours, official, strict=True)
    assert not list(disagreements(cases, official_alone=OFFICIAL_ALONE))


@pytest.mark.parametrize("kind", MANIFESTS)
@pytest.mark.parametrize("other", ["author", "timestamp", "id", "version"])
def test_both_refuse_a_manifest_that_was_announced_otherwise(
    official_types: Official, kind: type[AnyManifest], other: str
) -> None:
    source = Examples(4)
    manifest = source.of(kind)
    encrypted = manifest.encrypt(author_key=AUTHOR, key=KEY, entropy=source.bytes)
    replacement = {
        "author": DeviceID(bytes(16)),
        "timestamp": Instant(1),
        "id": VlobID(bytes(16)),
        "version": 12,
    }[other]
    named = {"id": "entry ID"}.get(other, other)
    announced = msgspec.structs.replace(manifest, **{other: replacement})

    answer = official_types.answer(*_loading(announced, encrypted))

    assert f"Invalid {named}" in answer.error
    with pytest.raises(MalformedError):
        _load(announced, encrypted)


LAYOUTS: dict[str, tuple[int, int, list[tuple[int, int]]]] = {
    "blocks in a row": (8, 16, [(0, 8), (8, 8)]),
    "the last one short": (8, 12, [(0, 8), (8, 4)]),
    "a hole": (8, 30, [(0, 8), (24, 6)]),
    "more file than blocks": (8, 1000, [(0, 8)]),
    "not at the start of its span": (8, 16, [(2, 3), (9, 7)]),
    "two in a span": (8, 16, [(0, 2), (2, 2)]),
    "across spans": (8, 16, [(4, 8)]),
    "longer than a span": (8, 16, [(0, 9)]),
    "overlapping": (8, 16, [(0, 8), (7, 1)]),
    "in disorder": (8, 16, [(8, 8), (0, 8)]),
    "past the end": (8, 7, [(0, 8)]),
    "beginning past the end": (8, 7, [(8, 1)]),
    "at the end of what can be counted": (8, 2**64 - 1, [(2**64 - 8, 7)]),
    "far beyond what can be counted": (2**63, 2**64 - 1, [(2**63, 2**64 - 1)]),
    "small spans": (8, 8, [(0, 1)]),
    "spans that are too small": (7, 7, [(0, 7)]),
    "spans of nothing": (0, 0, []),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_blocks_of_a_file_may_lie_where_the_official_types_let_them(
    official_types: Official, layout: str
) -> None:
    source = Examples(5)
    blocksize, size, places = LAYOUTS[layout]
    blocks = [
        msgspec.structs.replace(source.of(BlockAccess), offset=offset, size=length)
        for offset, length in places
    ]
    manifest = msgspec.structs.replace(
        source.of(FileManifest), blocksize=blocksize, size=size, blocks=blocks
    )
    encrypted = manifest.encrypt(author_key=AUTHOR, key=KEY, entropy=source.bytes)

    answer = official_types.answer(*_loading(manifest, encrypted))

    assert read(_load, manifest, encrypted) == (answer.outcome if answer.accepted else None)


def test_a_block_that_ends_past_all_counting_is_refused_by_us_alone(
    official_types: Official,
) -> None:
    """The official sum of offset and size wraps around (wire.md has no such rule: a defect)."""
    source = Examples(11)
    block = msgspec.structs.replace(source.of(BlockAccess), offset=2**64 - 8, size=8)
    manifest = msgspec.structs.replace(
        source.of(FileManifest), blocksize=8, size=2**64 - 1, blocks=[block]
    )
    encrypted = manifest.encrypt(author_key=AUTHOR, key=KEY, entropy=source.bytes)

    answer = official_types.answer(*_loading(manifest, encrypted))

    assert answer.accepted
    with pytest.raises(MalformedError, match="past the end"):
        _load(manifest, encrypted)


@pytest.mark.parametrize("kind", [FileManifest, FolderManifest])
def test_an_entry_is_not_its_own_parent(official_types: Official, kind: type[AnyManifest]) -> None:
    source = Examples(6)
    drawn = source.of(kind)
    manifest = msgspec.structs.replace(drawn, parent=drawn.id)
    encrypted = manifest.encrypt(author_key=AUTHOR, key=KEY, entropy=source.bytes)

    answer = official_types.answer(*_loading(manifest, encrypted))

    assert answer.error
    with pytest.raises(MalformedError):
        _load(manifest, encrypted)


@pytest.mark.parametrize("origin", [DefaultOrigin, CryptpadOrigin])
def test_the_official_release_reads_over_the_origin_that_later_ones_write(
    official_types: Official, origin: type[Any]
) -> None:
    source = Examples(7)
    plain = source.of(FileManifest)
    manifest = msgspec.structs.replace(plain, origin=source.of(origin))

    seen = official_types.ask(
        *_loading(manifest, manifest.encrypt(author_key=AUTHOR, key=KEY, entropy=source.bytes))
    )

    assert seen == picture(plain)


@pytest.mark.parametrize("kind", PAYLOADS)
def test_the_official_types_read_our_payloads(official_types: Official, kind: type[Record]) -> None:
    drawn = Examples(8).many(kind, EXAMPLES)

    answers = official_types.answers(("load_payload", kind.__name__, each.dump()) for each in drawn)

    assert [answer.value for answer in answers] == list(map(picture, drawn))


@pytest.mark.parametrize("kind", PAYLOADS)
def test_we_read_official_payloads(official_types: Official, kind: type[Record]) -> None:
    drawn = Examples(9).many(kind, EXAMPLES)

    built = official_types.answers(("dump_payload", picture(each)) for each in drawn)

    assert [kind.load(answer.value) for answer in built] == drawn


@pytest.mark.parametrize("kind", PAYLOADS)
def test_we_refuse_the_payloads_that_the_official_types_refuse(
    official_types: Official, kind: type[Record]
) -> None:
    changed = [twisted for each in Examples(10).many(kind, 6) for twisted in twists(dump(each))]
    frames = [dump_frame(twisted.body) for twisted in changed]

    answers = official_types.answers(("load_payload", kind.__name__, frame) for frame in frames)

    ours = [read(kind.load, frame) for frame in frames]
    official = [answer.outcome if answer.accepted else None for answer in answers]
    cases = zip(changed, ours, official, strict=True)
    assert not list(disagreements(cases, official_alone=OFFICIAL_ALONE))


def _loading(manifest: AnyManifest, encrypted: bytes) -> Job:
    """The job of loading what the server announces as this manifest."""
    announced = {
        name: picture(getattr(manifest, name)) for name in ("author", "timestamp", "id", "version")
    }
    job = "load_user_manifest" if isinstance(manifest, UserManifest) else "load_child_manifest"
    return job, encrypted, bytes(KEY), bytes(AUTHOR.verify_key), announced


def _load(manifest: AnyManifest, encrypted: bytes) -> Record:
    """What we load, announced as this manifest."""
    announced = Announcement(
        author=manifest.author,
        timestamp=manifest.timestamp,
        id=manifest.id,
        version=manifest.version,
    )
    load = load_user_manifest if isinstance(manifest, UserManifest) else load_child_manifest
    return load(encrypted, key=KEY, author_verify_key=AUTHOR.verify_key, announced=announced)
