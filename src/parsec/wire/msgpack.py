"""Our MessagePack profile: which values travel in which form, and what is refused on reading.

Dates are extension 1 (eight bytes, signed microseconds), identifiers extension 2 (sixteen bytes).
A type that MessagePack does not know says how it travels with `to_wire` and how it is read with
`from_wire`; a type without them that can be made from bytes (keys) travels as bin.
"""

from functools import cache
from typing import Any, Generic, TypeVar

import msgspec

T = TypeVar("T")

DATE_EXTENSION = 1
UUID_EXTENSION = 2

_MAX_DEPTH = 128


class MalformedError(ValueError):
    """These bytes are not a value of the expected type."""


class RawUuid(bytes):
    """The sixteen bytes of an extension 2."""

    __slots__ = ()


class RawInstant(int):
    """The microseconds of an extension 1."""

    __slots__ = ()


class Reader(Generic[T]):
    """Reads one type; made once and kept, because preparing it costs more than reading."""

    def __init__(self, kind: Any) -> None:
        self._decoder: msgspec.msgpack.Decoder[T] = msgspec.msgpack.Decoder(
            kind, ext_hook=_read_extension, dec_hook=_read_scalar
        )

    def load(self, data: bytes) -> T:
        """Read exactly one value. Raises MalformedError, also for bytes that follow it."""
        try:
            return self._decoder.decode(data)
        except (msgspec.MsgspecError, ValueError, RecursionError, OverflowError) as error:
            # The value itself stays out of the message: it may hold a secret.
            raise MalformedError(_reason(error)) from None

    def load_first(self, data: bytes) -> T:
        """Read the value at the start, ignoring bytes that follow it. Raises MalformedError."""
        try:
            return self._decoder.decode(data)
        except (msgspec.MsgspecError, ValueError, RecursionError, OverflowError):
            return self.load(data[: check_keys(data)])


@cache
def reader(kind: type[T]) -> Reader[T]:
    """The one reader of a type."""
    return Reader(kind)


def dump(value: object) -> bytes:
    """Write a value in its canonical form: shortest integers, fields in the order of the type."""
    return _ENCODER.encode(value)


def check_keys(data: bytes) -> int:
    """The length of the first value, having seen that no map in it holds a key twice.

    msgspec keeps the last of two equal keys in silence, which would let two readers of one
    signed text disagree. Raises MalformedError.
    """
    return _Scan(data).value(0, _MAX_DEPTH)


def _read_extension(code: int, data: memoryview) -> RawUuid | RawInstant:
    if code == UUID_EXTENSION and len(data) == 16:
        return RawUuid(data)
    if code == DATE_EXTENSION and len(data) == 8:
        return RawInstant(int.from_bytes(data, "big", signed=True))
    raise ValueError("unknown extension")


def _read_scalar(kind: Any, value: object) -> object:
    from_wire = getattr(kind, "from_wire", None)
    if from_wire is not None:
        return from_wire(value)
    if type(value) is bytes:
        return kind(value)
    raise ValueError("expected bytes")


def _write_scalar(value: Any) -> object:
    kind = type(value)
    to_wire = getattr(kind, "to_wire", None)
    plain = to_wire(value) if to_wire is not None else value
    if type(plain) is RawUuid:
        return msgspec.msgpack.Ext(UUID_EXTENSION, bytes(plain))
    if type(plain) is RawInstant:
        return msgspec.msgpack.Ext(DATE_EXTENSION, plain.to_bytes(8, "big", signed=True))
    if to_wire is None and hasattr(kind, "__bytes__"):
        return bytes(value)
    if to_wire is None:
        raise TypeError(f"{kind.__name__} does not travel")
    return plain


_ENCODER = msgspec.msgpack.Encoder(enc_hook=_write_scalar)


def _reason(error: Exception) -> str:
    if isinstance(error, msgspec.ValidationError):
        return str(error)
    if isinstance(error, RecursionError):
        return "nested too deep"
    return "not MessagePack"


class _Scan:
    """Walks over the bytes of a value without building it."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def value(self, at: int, depth: int) -> int:
        """The position after the value that starts here."""
        head = self._byte(at)
        if head <= 0x7F or head >= 0xE0 or head in (0xC0, 0xC2, 0xC3):
            return at + 1
        if head <= 0x8F:
            return self._map(at + 1, head & 0x0F, depth)
        if head <= 0x9F:
            return self._array(at + 1, head & 0x0F, depth)
        if head <= 0xBF:
            return self._skip(at + 1, head & 0x1F)
        return self._long_form(head, at + 1, depth)

    def _long_form(self, head: int, at: int, depth: int) -> int:
        if head in _FIXED_SIZES:
            return self._skip(at, _FIXED_SIZES[head])
        if head in _LENGTH_SIZES:
            width, extra = _LENGTH_SIZES[head]
            return self._skip(at + width, self._length(at, width) + extra)
        if head in (0xDC, 0xDD):
            width = 2 if head == 0xDC else 4
            return self._array(at + width, self._length(at, width), depth)
        if head in (0xDE, 0xDF):
            width = 2 if head == 0xDE else 4
            return self._map(at + width, self._length(at, width), depth)
        raise MalformedError("not MessagePack")

    def _array(self, at: int, count: int, depth: int) -> int:
        if not depth:
            raise MalformedError("nested too deep")
        for _ in range(count):
            at = self.value(at, depth - 1)
        return at

    def _map(self, at: int, count: int, depth: int) -> int:
        if not depth:
            raise MalformedError("nested too deep")
        seen: set[bytes] = set()
        for _ in range(count):
            end = self.value(at, depth - 1)
            key = _canonical_key(self._data[at:end])
            if key in seen:
                raise MalformedError("a key is given twice")
            seen.add(key)
            at = self.value(end, depth - 1)
        return at

    def _byte(self, at: int) -> int:
        if at >= len(self._data):
            raise MalformedError("truncated")
        return self._data[at]

    def _length(self, at: int, width: int) -> int:
        return int.from_bytes(self._data[at : self._skip(at, width)], "big")

    def _skip(self, at: int, count: int) -> int:
        if at + count > len(self._data):
            raise MalformedError("truncated")
        return at + count


_FIXED_SIZES = {0xCA: 4, 0xCB: 8} | dict(
    zip(range(0xCC, 0xD4), (1, 2, 4, 8, 1, 2, 4, 8), strict=True)
)
_FIXED_SIZES |= {0xD4: 2, 0xD5: 3, 0xD6: 5, 0xD7: 9, 0xD8: 17}
_LENGTH_SIZES = {
    0xC4: (1, 0), 0xC5: (2, 0), 0xC6: (4, 0),
    0xC7: (1, 1), 0xC8: (2, 1), 0xC9: (4, 1),
    0xD9: (1, 0), 0xDA: (2, 0), 0xDB: (4, 0),
}  # fmt: skip
"""First byte of a value with a length field: how wide that field is, and bytes beyond the length."""


def _canonical_key(encoded: bytes) -> bytes:
    # A text key may be written in a longer form than needed and still be the same key.
    try:
        return msgspec.msgpack.encode(msgspec.msgpack.decode(encoded))
    except (msgspec.MsgspecError, ValueError):
        return encoded
