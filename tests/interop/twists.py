"""Messages that are almost right: every value of a message in turn left out, doubled, replaced."""

from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

import msgspec

Build: TypeAlias = Callable[[bytes], bytes]
"""From another value to the whole message that holds it."""


class Twisted(NamedTuple):
    """A message after one change, and what was changed."""

    change: str
    path: str
    body: bytes


_NIL = b"\xc0"
_UUID = b"\xd8\x02" + bytes(range(16))
_REPLACEMENTS = {
    "nil": _NIL,
    "true": b"\xc3",
    "zero": b"\x00",
    "minus one": b"\xff",
    "256": b"\xcd\x01\x00",
    "the largest integer": b"\xcf" + b"\xff" * 8,
    "the smallest integer": b"\xd3\x80" + bytes(7),
    "a float": b"\xcb\x3f\xf8" + bytes(6),
    "an empty text": b"\xa0",
    "a text": b"\xa3abc",
    "a text of 16 bytes": b"\xb0" + b"a" * 16,
    "a text of 32 bytes": b"\xd9\x20" + b"a" * 32,
    "a text that is not UTF-8": b"\xa2\xc3\x28",
    "no bytes": b"\xc4\x00",
    "16 bytes": b"\xc4\x10" + bytes(16),
    "31 bytes": b"\xc4\x1f" + bytes(31),
    "32 bytes": b"\xc4\x20" + bytes(32),
    "an empty array": b"\x90",
    "an array of a number": b"\x91\x01",
    "an array of 16 numbers": b"\xdc\x00\x10" + bytes(16),
    "an empty map": b"\x80",
    "a map of nothing": b"\x81\xa1a\xc0",
    "an identifier": _UUID,
    "an identifier as ext 8": b"\xc7\x10" + _UUID[1:],
    "an identifier of 15 bytes": b"\xc7\x0f\x02" + bytes(15),
    "an identifier of another type": b"\xd8\x03" + bytes(16),
    "a date": b"\xd7\x01" + bytes(8),
    "a date past the last one": b"\xd7\x01\x7f" + b"\xff" * 7,
    "a date of another type": b"\xd7\xff" + bytes(8),
    "the reserved byte": b"\xc1",
}


def twists(body: bytes) -> Iterator[Twisted]:
    """All messages that differ from this one in a single place."""
    for end in {1, len(body) // 2, len(body) - 1}:
        yield Twisted("cut", "", body[:end])
    yield Twisted("followed by a byte", "", body + _NIL)
    yield from _of_value(body, lambda value: value, "")


def _of_value(value: bytes, build: Build, path: str) -> Iterator[Twisted]:
    for change, replacement in _REPLACEMENTS.items():
        yield Twisted(change, path, build(replacement))
    fields = _as_map(value)
    if fields is not None:
        yield from _of_map(fields, build, path)
    items = _as_array(value)
    if items:
        yield Twisted("one item less", path, build(_array(items[:-1])))
        yield Twisted("one item more", path, build(_array([*items, items[-1]])))
        yield from _of_value(items[0], lambda item: build(_array([item, *items[1:]])), f"{path}/0")


def _of_map(fields: list[tuple[bytes, bytes]], build: Build, path: str) -> Iterator[Twisted]:
    unknown = (b"\xa4more", b"\xc3")
    yield Twisted("an unknown field", path, build(_map([*fields, unknown])))
    yield Twisted("an unknown field first", path, build(_map([unknown, *fields])))
    yield Twisted("an unknown field twice", path, build(_map([*fields, unknown, unknown])))
    yield Twisted("fields in another order", path, build(_map(fields[::-1])))
    yield Twisted("the values alone", path, build(_array([value for _, value in fields])))
    for index, (name, value) in enumerate(fields):
        here = f"{path}/{_text(name)}"
        before, after = fields[:index], fields[index + 1 :]
        yield Twisted("left out", here, build(_map([*before, *after])))
        yield Twisted("given twice", here, build(_map([*fields, (name, value)])))
        if len(name) > 1:
            yield Twisted(
                "in capitals", here, build(_map([*before, (name.upper(), value), *after]))
            )

        def with_value(
            other: bytes,
            name: bytes = name,
            before: list[tuple[bytes, bytes]] = before,
            after: list[tuple[bytes, bytes]] = after,
        ) -> bytes:
            return build(_map([*before, (name, other), *after]))

        yield from _of_value(value, with_value, here)


def _as_map(value: bytes) -> list[tuple[bytes, bytes]] | None:
    """The fields of a record; maps with other keys than texts are left as they are."""
    try:
        fields = msgspec.msgpack.decode(value, type=dict[str, msgspec.Raw])
    except msgspec.MsgspecError:
        return None
    return [(msgspec.msgpack.encode(name), bytes(raw)) for name, raw in fields.items()]


def _as_array(value: bytes) -> list[bytes] | None:
    try:
        return [bytes(raw) for raw in msgspec.msgpack.decode(value, type=list[msgspec.Raw])]
    except msgspec.MsgspecError:
        return None


def _map(fields: list[tuple[bytes, bytes]]) -> bytes:
    return b"\xde" + len(fields).to_bytes(2, "big") + b"".join(map(b"".join, fields))


def _array(items: list[bytes]) -> bytes:
    return b"\xdc" + len(items).to_bytes(2, "big") + b"".join(items)


def _text(name: bytes) -> str:
    return str(msgspec.msgpack.decode(name))
