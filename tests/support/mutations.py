"""Bytes that are wrong in one way each, made from right ones."""

from collections.abc import Iterator

import msgspec
from hypothesis import strategies as st

from parsec.wire.msgpack import dump

ENDLESS_HEADS = [
    b"\xdd\xff\xff\xff\xff",
    b"\xdf\xff\xff\xff\xff",
    b"\xc6\xff\xff\xff\xff",
    b"\xdb\xff\xff\xff\xff",
    b"\xc9\xff\xff\xff\xff\x01",
]
"""First bytes of an array, a map, bytes, a text and an extension of four thousand million."""


def truncations(data: bytes) -> Iterator[bytes]:
    """The beginnings of the data, without the whole."""
    return (data[:end] for end in range(len(data)))


def with_field(content: bytes, key: bytes, value: bytes) -> bytes:
    """A map with one entry more, both parts given as MessagePack."""
    count = content[0] & 0x0F
    assert 0x80 <= content[0] < 0x8F, "a short map"
    return bytes([0x80 | count + 1]) + content[1:] + key + value


def with_field_twice(content: bytes, name: str) -> bytes:
    """A map in which a field is given a second time, with the same value."""
    fields = msgspec.msgpack.decode(content, type=dict[str, msgspec.Raw])
    return with_field(content, dump(name), bytes(fields[name]))


def without_field(content: bytes, name: str) -> bytes:
    """A map that lacks a field."""
    fields = msgspec.msgpack.decode(content, type=dict[str, msgspec.Raw])
    return dump({key: value for key, value in fields.items() if key != name})


def changed_bytes(data: bytes) -> st.SearchStrategy[bytes]:
    """The data with a few bytes replaced."""
    change = st.tuples(st.integers(0, len(data) - 1), st.integers(0, 255))
    return st.lists(change, min_size=1, max_size=4).map(lambda changes: _changed(data, changes))


def _changed(data: bytes, changes: list[tuple[int, int]]) -> bytes:
    changed = bytearray(data)
    for at, byte in changes:
        changed[at] = byte
    return bytes(changed)
