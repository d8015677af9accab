"""The frame of signed and encrypted data."""

import struct
from concurrent.futures import ThreadPoolExecutor

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from parsec.wire.frame import DEFAULT_LIMIT, MANIFEST_LIMIT, dump_frame, load_frame
from parsec.wire.msgpack import MalformedError
from tests.support.mutations import changed_bytes, truncations

MAGIC = b"\x28\xb5\x2f\xfd"
# RFC 8878, 3.1.1.2: the last block, raw, of no bytes; and one that repeats a byte 128 KiB times.
EMPTY_BLOCK = b"\x01\x00\x00"
LONG_BLOCK = struct.pack("<I", (128 * 1024 << 3) | 0b010)[:3] + b"x"


def compressed(payload: bytes, **options: object) -> bytes:
    """One Zstandard frame, by the library's own writer."""
    return zstandard.ZstdCompressor(**options).compress(payload)  # type: ignore[arg-type]


def skippable(content: bytes) -> bytes:
    """A frame that holds nothing for a reader (RFC 8878, 3.1.2)."""
    return b"\x50\x2a\x4d\x18" + struct.pack("<I", len(content)) + content


@given(st.binary(max_size=3000))
def test_what_is_dumped_loads_the_same(payload: bytes) -> None:
    assert load_frame(dump_frame(payload)) == payload


def test_a_dumped_frame_announces_no_size_as_official_ones() -> None:
    frame = dump_frame(b"payload")

    assert frame[:1] == b"\x00"
    announced = zstandard.get_frame_parameters(frame[1:]).content_size
    assert announced == zstandard.CONTENTSIZE_UNKNOWN


@pytest.mark.parametrize(
    "options",
    [
        {"write_content_size": False},
        {"level": 19, "write_checksum": True},
        {"level": 22, "write_content_size": False},
        {"level": -5},
    ],
    ids=str,
)
def test_any_level_size_and_checksum_are_read(options: dict[str, object]) -> None:
    payload = b"payload" * 5000

    assert load_frame(b"\x00" + compressed(payload, **options)) == payload


@pytest.mark.parametrize(
    "series",
    [
        compressed(b"pay") + compressed(b"load"),
        compressed(b"pay", write_content_size=False) + compressed(b"load"),
        compressed(b"") + compressed(b"payload"),
        skippable(b"advertisement") + compressed(b"payload"),
        compressed(b"payload") + skippable(b""),
    ],
)
def test_a_few_frames_in_a_row_are_one_text(series: bytes) -> None:
    assert load_frame(b"\x00" + series) == b"payload"


@pytest.mark.parametrize("frame", [b"", b"\x01" + compressed(b"x"), compressed(b"x"), b"\xff"])
def test_another_format_is_malformed(frame: bytes) -> None:
    with pytest.raises(MalformedError, match="format"):
        load_frame(frame)


@pytest.mark.parametrize("rest", [b"", b"plain", b"\x80", MAGIC, MAGIC[:3]])
def test_what_is_not_compressed_is_malformed(rest: bytes) -> None:
    with pytest.raises(MalformedError):
        load_frame(b"\x00" + rest)


@pytest.mark.parametrize("sized", [False, True])
def test_bytes_after_a_frame_are_malformed(sized: bool) -> None:
    frame = b"\x00" + compressed(b"payload", write_content_size=sized)

    with pytest.raises(MalformedError):
        load_frame(frame + b"x")


@pytest.mark.parametrize("sized", [False, True])
def test_a_frame_that_ends_early_is_malformed(sized: bool) -> None:
    whole = b"\x00" + compressed(b"payload" * 100, write_content_size=sized, write_checksum=True)

    for beginning in truncations(whole):
        with pytest.raises(MalformedError):
            load_frame(beginning)


@given(changed_bytes(dump_frame(b"one payload and another payload" * 3)))
def test_a_changed_frame_loads_or_is_malformed(frame: bytes) -> None:
    try:
        load_frame(frame)
    except MalformedError:
        return


def test_a_wrong_checksum_is_malformed() -> None:
    frame = bytearray(b"\x00" + compressed(b"payload", write_checksum=True))
    frame[-1] ^= 1

    with pytest.raises(MalformedError):
        load_frame(bytes(frame))


@pytest.mark.parametrize("sized", [False, True])
def test_a_payload_at_the_limit_is_read_and_one_byte_more_is_not(sized: bool) -> None:
    payload = bytes(DEFAULT_LIMIT)

    assert load_frame(b"\x00" + compressed(payload, write_content_size=sized)) == payload
    with pytest.raises(MalformedError, match="expands too much"):
        load_frame(b"\x00" + compressed(payload + b"x", write_content_size=sized))


def test_manifests_have_a_higher_limit() -> None:
    payload = bytes(2 * DEFAULT_LIMIT)

    assert load_frame(dump_frame(payload), limit=MANIFEST_LIMIT) == payload


@pytest.mark.parametrize("limit", [DEFAULT_LIMIT, MANIFEST_LIMIT])
def test_a_bomb_is_given_up_early(limit: int) -> None:
    # 100,000 blocks would be 12 GiB.
    bomb = b"\x00" + MAGIC + b"\x00\x58" + LONG_BLOCK * 100_000

    with pytest.raises(MalformedError, match="expands too much"):
        load_frame(bomb, limit=limit)


def test_a_huge_announced_size_is_not_believed() -> None:
    # Single segment flag clear, 8 bytes of content size.
    frame = b"\x00" + MAGIC + b"\xc0\x58" + b"\xff" * 7 + b"\x7f" + EMPTY_BLOCK

    assert load_frame(frame) == b""


def test_a_window_beyond_what_any_level_writes_is_malformed() -> None:
    with pytest.raises(MalformedError):
        load_frame(b"\x00" + MAGIC + b"\x00\xff" + EMPTY_BLOCK)


@pytest.mark.parametrize(
    "one", [compressed(b"", write_content_size=False), compressed(b""), skippable(b"")]
)
def test_a_long_series_of_frames_is_malformed(one: bytes) -> None:
    with pytest.raises(MalformedError, match="too many frames"):
        load_frame(b"\x00" + one * 100_000)


def test_frames_are_read_and_written_in_several_threads() -> None:
    payloads = [bytes([number]) * 10_000 for number in range(50)]

    with ThreadPoolExecutor(4) as threads:
        loaded = list(threads.map(lambda payload: load_frame(dump_frame(payload)), payloads))

    assert loaded == payloads
