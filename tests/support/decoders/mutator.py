"""Inputs that are wrong in few places and right elsewhere, so that they are read a long way.

Blind changes to bytes mostly end at the first check. These keep to the form of an input: a value
of MessagePack or JSON is replaced by another one, an entry is lost or given twice, a text gets a
piece that has surprised somebody before.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.support.decoders.target import Form
from tests.support.mutations import ENDLESS_HEADS

_MANY = 2048


def mutated(data: bytes, form: Form, dice: Random) -> bytes:
    """The input with one to three changes."""
    change = _CHANGES[form] if dice.random() < 0.8 else _change_bytes
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        data = change(data, dice)
    return data


# --- Any bytes ---


def _change_bytes(data: bytes, dice: Random) -> bytes:
    start = dice.randrange(len(data) + 1)
    end = min(len(data), start + dice.choice((0, 1, 1, 2, 8)))
    new = dice.choice((b"", dice.randbytes(1), dice.randbytes(end - start), data[start:end] * 2))
    return data[:start] + new + data[end:]


# --- MessagePack ---


@dataclass(frozen=True)
class _Span:
    """Where a value stands; for maps and arrays also where its parts do."""

    start: int
    end: int
    is_map: bool = False
    parts: tuple["_Span", ...] = ()


def _change_msgpack(data: bytes, dice: Random) -> bytes:
    try:
        spans = _flat(_scan(data, 0, 24))
    except (IndexError, RecursionError):
        return _change_bytes(data, dice)
    holders = [span for span in spans if span.parts]
    if holders and dice.random() < 0.4:
        return _change_parts(data, dice.choice(holders), dice)
    span = dice.choice(spans)
    other = dice.choice(spans)
    new = dice.choice(
        (dice.choice(_VALUES), data[other.start : other.end], _near(data, span, dice))
    )
    return data[: span.start] + new + data[span.end :]


def _change_parts(data: bytes, span: _Span, dice: Random) -> bytes:
    """Lose, repeat, exchange or add parts, and count them anew."""
    size = 2 if span.is_map else 1
    entries = [
        b"".join(data[part.start : part.end] for part in span.parts[at : at + size])
        for at in range(0, len(span.parts), size)
    ]
    at = dice.randrange(len(entries))
    match dice.randrange(12):
        case 0 | 1 | 2:
            del entries[at]
        case 3 | 4 | 5:
            entries.append(entries[at])
        case 6 | 7:
            dice.shuffle(entries)
        case 8 | 9 | 10:
            entries.append(b"".join(dice.choice(_VALUES) for _ in range(size)))
        case _:
            entries = [*entries[:at], *([entries[at]] * min(300, _MANY // len(entries[at])))]
    head = b"\xde" if span.is_map else b"\xdc"
    if len(entries) < 16 and dice.random() < 0.8:
        written = bytes([(0x80 if span.is_map else 0x90) | len(entries)])
    else:
        written = head + len(entries).to_bytes(2, "big")
    return data[: span.start] + written + b"".join(entries) + data[span.end :]


def _near(data: bytes, span: _Span, dice: Random) -> bytes:
    """The same value with changed bytes behind its head, or with a longer head."""
    value = data[span.start : span.end]
    if len(value) > 1 and dice.random() < 0.7:
        at = dice.randrange(1, len(value))
        return value[:at] + bytes([value[at] ^ 1 << dice.randrange(8)]) + value[at + 1 :]
    if 0xA0 <= value[0] <= 0xBF:
        return b"\xda" + (value[0] & 0x1F).to_bytes(2, "big") + value[1:]
    if value[0] < 0x80:
        return b"\xcf" + value[0].to_bytes(8, "big")
    return value


def _flat(span: _Span) -> list[_Span]:
    return [span, *(one for part in span.parts for one in _flat(part))]


def _scan(data: bytes, at: int, depth: int) -> _Span:
    """Raises IndexError where the data ends early or is none."""
    if depth == 0:
        raise RecursionError
    head, width = data[at], 0
    if 0x80 <= head <= 0x9F:
        count, is_map = head & 0x0F, head <= 0x8F
    elif head in (0xDC, 0xDD, 0xDE, 0xDF):
        width, is_map = (2, 4)[head & 1], head >= 0xDE
        count = int.from_bytes(data[at + 1 : at + 1 + width], "big")
    else:
        end = at + _length(data, at)
        if end > len(data):
            raise IndexError
        return _Span(at, end)
    parts, end = [], at + 1 + width
    for _ in range(count * (2 if is_map else 1)):
        part = _scan(data, end, depth - 1)
        parts.append(part)
        end = part.end
    return _Span(at, end, is_map, tuple(parts))


def _length(data: bytes, at: int) -> int:
    head = data[at]
    if 0xA0 <= head <= 0xBF:
        return 1 + (head & 0x1F)
    if head in _COUNTED:
        width, extra = _COUNTED[head]
        return 1 + width + extra + int.from_bytes(data[at + 1 : at + 1 + width], "big")
    return _FIXED.get(head, 1)


_COUNTED = {
    0xC4: (1, 0), 0xC5: (2, 0), 0xC6: (4, 0),
    0xC7: (1, 1), 0xC8: (2, 1), 0xC9: (4, 1),
    0xD9: (1, 0), 0xDA: (2, 0), 0xDB: (4, 0),
}  # fmt: skip
"""First byte: how wide the count is, and how many bytes more there are."""
_FIXED = dict(enumerate((5, 9, 2, 3, 5, 9, 2, 3, 5, 9, 3, 4, 6, 10, 18), start=0xCA))

_VALUES: Sequence[bytes] = (
    b"\xc0", b"\xc2", b"\xc3", b"\x00", b"\x01", b"\x7f", b"\xff", b"\xcc\xff",
    b"\xcd\x01\x00", b"\xce\xff\xff\xff\xff",
    b"\xcf\x7f\xff\xff\xff\xff\xff\xff\xff", b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\xd3\x80\x00\x00\x00\x00\x00\x00\x00", b"\xd3\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00", b"\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00",
    b"\xca\x00\x00\x00\x00", b"\xa0", b"\xa1a", b"\xa1\xff", b"\xa3\xed\xa0\x80", b"\xa1\x00",
    b"\xa4\xe2\x80\xae\n", b"\xd9\x01a", b"\xc4\x00", b"\xc4\x20" + bytes(32),
    b"\xc4\x10" + bytes(16), b"\xd8\x02" + bytes(16), b"\xc7\x00\x02", b"\xc7\x10\x02" + bytes(16),
    b"\xd7\x01" + bytes(8), b"\xd7\x01\x7f" + b"\xff" * 7, b"\xd7\x01\x80" + bytes(7),
    b"\xd6\xff" + bytes(4), b"\x80", b"\x90", b"\xde\x00\x00", b"\xdc\x00\x00",
    b"\x91" * 200 + b"\x90", *ENDLESS_HEADS, b"\xc1",
)  # fmt: skip


# --- JSON ---


def _change_json(data: bytes, dice: Random) -> bytes:
    # Some inputs have a byte before their text.
    first = b"" if data[:1] in (b"{", b"[") else data[:1]
    try:
        value = json.loads(data[len(first) :])
    except (ValueError, RecursionError):
        return _change_text(data, dice)
    places = list(_places(value))
    if not places:
        return _change_text(data, dice)
    container, key = dice.choice(places)
    match dice.randrange(4):
        case 0:
            del container[key]
        case 1:
            other, other_key = dice.choice(places)
            container[key] = json.loads(json.dumps(other[other_key]))
        case 2 if isinstance(container, dict):
            container[dice.choice(_JSON_TEXTS)] = dice.choice(_JSON_VALUES)
        case _:
            container[key] = dice.choice(_JSON_VALUES)
    if dice.random() < 0.05:
        first = dice.randbytes(1)
    written = json.dumps(value).replace('"\\u0000raw"', dice.choice(_JSON_RAW))
    return first + written.encode("utf-8", "surrogatepass")


def _places(value: Any) -> list[tuple[Any, Any]]:
    keys = list(value) if isinstance(value, dict) else []
    if isinstance(value, list):
        keys = list(range(len(value)))
    found = []
    for key in keys:
        found += [(value, key), *_places(value[key])]
    return found


_JSON_TEXTS = ("", "a", "\0", "\ud800", "\u202e\n", "x" * 300, "00" * 16, "None", "`$.a[0]`")
_JSON_VALUES: Sequence[Any] = (
    *(None, True, False, 0, -1, 1 << 31, 1 << 63, 1 << 64, 10**400, 0.5, 1e308),
    *([], {}, [[]], {"": None}, "\0raw"),
    *_JSON_TEXTS,
)
_JSON_RAW = ("NaN", "1e999", "-0", "1.0", '"\\ud800"', '"\\udc00\\ud800"', "[" * 3000, "01", "1e-9")


# --- Texts ---


def _change_text(data: bytes, dice: Random) -> bytes:
    start = dice.randrange(len(data) + 1)
    end = min(len(data), start + dice.choice((0, 0, 0, 1, 3)))
    piece = dice.choice(_PIECES)
    if dice.random() < 0.1:
        piece *= dice.randrange(1, 200)
    if dice.random() < 0.1:
        first = dice.randrange(len(data) + 1)
        piece = data[first : first + dice.randrange(20)]
    return data[:start] + piece + data[end:]


_PIECES: Sequence[bytes] = (
    *(b"\r\n", b"\n", b"\r", b"\t", b" ", b"\0", b"\x1b[2J", b"\x7f", b"\x85", b"\v"),
    *(b"%0d%0a", b"%00", b"%ff", b"%2f", b"%", b"%25", b"+", b"..", b"/", b"//", b"\\", b"./"),
    *(b"?", b"&", b"#", b";", b"=", b":", b"@", b",", b"'", b'"', b"`", b"$(", b"{{", b"{%"),
    *(b"<b>", b"<!--", b"&lt;", b"]]>", b"[", b"]", b"(", b")", b"<", b">", b"[::1]", b"%25lo"),
    *(b"=?utf-8?q?=0d=0aBcc=3a_x?=", b"=?", b"?=", b"://", b"parsec3://", b"https://", b"no_ssl="),
    *(b"0", b"1", b"9" * 20, b"0x7f", b"-", b"+1", b"1_0", b"65536", b"xn--", b".", b"e9", b"\xc2"),
    *("é ß İ ı ſ K ﬁ ０ ٣ ² ª 𝟘 e\u0301 \u0345 \u1100\u1161 。 ．".encode().split()),
    *(mark.encode() for mark in "\u200b\u200d\u202e\u2028\u2029\u00ad\u00a0\u3000\ufeff\U000e0041"),
    *(b"\xed\xa0\x80", b"\xff", b"\xf4\x90\x80\x80", b"\xc0\x80", b"a" * 300, b"0" * 32),
)


_CHANGES: dict[Form, Callable[[bytes, Random], bytes]] = {
    Form.MSGPACK: _change_msgpack,
    Form.JSON: _change_json,
    Form.TEXT: _change_text,
    Form.BYTES: _change_bytes,
}
