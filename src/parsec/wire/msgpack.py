"""Our MessagePack profile: which values travel in which form, and what is refused on reading.

Dates are extension 1 (eight bytes, signed microseconds), identifiers extension 2 (sixteen bytes).
A type that MessagePack does not know says how it travels with `to_wire` and how it is read with
`from_wire`; a type without them that can be made from bytes (keys) travels as bin.
"""

import re
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeAlias, TypeVar, Union

import msgspec

T = TypeVar("T")

DATE_EXTENSION = 1
UUID_EXTENSION = 2

MAX_VALUES = 1 << 14
"""Most values that the slow walk over a text visits, unless its caller allows more."""

_MAX_DEPTH = 128


class MalformedError(ValueError):
    """These bytes are not a value of the expected type."""


class RawUuid(bytes):
    """The sixteen bytes of an extension 2."""

    __slots__ = ()


class RawInstant(int):
    """The microseconds of an extension 1."""

    __slots__ = ()


if TYPE_CHECKING:
    Tagged: TypeAlias = Annotated[T, "demands its tag"]
else:

    class Tagged:
        """The only kind of a tagged union: msgspec would let its tag be missing."""

        def __class_getitem__(cls, kind):
            return _tagged(kind)


class Reader(Generic[T]):
    """Reads one type; made once and kept, because preparing it costs more than reading."""

    def __init__(self, kind: Any) -> None:
        if isinstance(kind, msgspec.StructMeta) and kind.__struct_config__.tag is not None:
            kind = _tagged(kind)
        self._decoder: msgspec.msgpack.Decoder[T] = msgspec.msgpack.Decoder(
            kind, ext_hook=_read_extension, dec_hook=_read_scalar
        )

    def load(self, data: bytes) -> T:
        """Read exactly one value. Raises MalformedError, also for bytes that follow it."""
        try:
            return self._decoder.decode(data)
        except (msgspec.MsgspecError, ValueError, RecursionError, OverflowError) as error:
            raise MalformedError(_reason(error)) from None

    def load_first(self, data: bytes) -> T:
        """Read the value at the start, ignoring bytes that follow it. Raises MalformedError."""
        try:
            return self.load(data)
        except MalformedError:
            end = end_of_first(data)
            if end == len(data):
                raise
            return self.load(data[:end])


def reader(kind: type[T]) -> Reader[T]:
    """The one reader of a type."""
    return _reader(kind)


_reader: Callable[[Any], Reader[Any]] = cache(Reader)


def dump(value: object) -> bytes:
    """Write a value in its canonical form: shortest integers, fields in the order of the type."""
    return _ENCODER.encode(value)


def check_keys(data: bytes, *, max_values: int = MAX_VALUES) -> None:
    """Check the first value for what msgspec reads over in silence. Raises MalformedError.

    Of two equal keys it keeps the last one, and it skips a field that it does not know without
    looking for text that is not UTF-8: two readers of one signed text could disagree. This walk is
    slow, so a text of more values than `max_values` is refused too.
    """
    _StrictScan(data, max_values).value(0, _MAX_DEPTH)


def end_of_first(data: bytes, *, max_values: int = MAX_VALUES) -> int:
    """The length of the first value. Raises MalformedError, also past `max_values`."""
    return _Scan(data, max_values).value(0, _MAX_DEPTH)


def _tagged(kind: Any) -> Any:
    return Union[kind, _nobody(kind.__struct_config__.tag_field)]  # noqa: UP007  (a class)


@cache
def _nobody(tag_field: str) -> type[msgspec.Struct]:
    """The other kind of a union of one; nobody is ever read as it."""
    namespace = {"__post_init__": _refuse}
    return msgspec.defstruct("Nobody", [], tag_field=tag_field, tag="", namespace=namespace)


def _refuse(_: msgspec.Struct) -> None:
    raise ValueError("no such kind")


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
    to_wire = getattr(type(value), "to_wire", None)
    if to_wire is None:
        return _bytes_of(value)
    plain = to_wire(value)
    if type(plain) is RawUuid:
        return msgspec.msgpack.Ext(UUID_EXTENSION, plain)
    if type(plain) is RawInstant:
        return msgspec.msgpack.Ext(DATE_EXTENSION, plain.to_bytes(8, "big", signed=True))
    return plain


def _bytes_of(value: object) -> bytes:
    # `bytes` makes something of nearly everything; only keys mean it.
    if not hasattr(value, "__bytes__"):
        raise TypeError(f"{type(value).__name__} does not travel")
    return bytes(value)


_ENCODER = msgspec.msgpack.Encoder(enc_hook=_write_scalar)


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deep"
    if not isinstance(error, msgspec.ValidationError):
        return "not MessagePack"
    # Words of the peer stay out: they may be secret, or made to confuse a terminal.
    return re.sub(_PEER_WORDS, "", str(error))


_PEER_WORDS = r"(?s)(?<=value) '.*'|(?<=unknown field) `.*`"


class _Scan:
    """Walks over the bytes of a value without building it."""

    def __init__(self, data: bytes, max_values: int) -> None:
        self._data = data
        self._values_left = max_values

    def value(self, at: int, depth: int) -> int:
        """The position after the value that starts here."""
        self._values_left -= 1
        if self._values_left < 0:
            raise MalformedError("too many values")
        head = self._data[self._skip(at, 1) - 1]
        if size := _WHOLE_SIZES.get(head):
            return self._skip(at, size)
        count, at = self._count(head, at + 1)
        if head in _TEXTS:
            return self._text(at, count)
        if head in _BINARIES:
            return self._skip(at, count)
        if not depth:
            raise MalformedError("nested too deep")
        return (
            self._map(at, count, depth - 1) if head in _MAPS else self._array(at, count, depth - 1)
        )

    def _count(self, head: int, at: int) -> tuple[int, int]:
        """How many bytes or items follow, and where they begin."""
        if head <= 0xBF:
            return head & (0x0F if head <= 0x9F else 0x1F), at
        if head not in _COUNT_WIDTHS:
            raise MalformedError("not MessagePack")
        end = self._skip(at, _COUNT_WIDTHS[head])
        # An extension has one byte more, for its type.
        return int.from_bytes(self._data[at:end], "big") + (head in _EXTENSIONS), end

    def _text(self, at: int, count: int) -> int:
        return self._skip(at, count)

    def _array(self, at: int, count: int, depth: int) -> int:
        for _ in range(count):
            at = self.value(at, depth)
        return at

    def _map(self, at: int, count: int, depth: int) -> int:
        return self._array(at, 2 * count, depth)

    def _skip(self, at: int, count: int) -> int:
        if at + count > len(self._data):
            raise MalformedError("truncated")
        return at + count


class _StrictScan(_Scan):
    """Also objects to a key given twice, and to text that is not UTF-8."""

    def _text(self, at: int, count: int) -> int:
        end = self._skip(at, count)
        try:
            self._data[at:end].decode()
        except UnicodeDecodeError:
            raise MalformedError("text is not UTF-8") from None
        return end

    def _map(self, at: int, count: int, depth: int) -> int:
        seen: set[bytes] = set()
        for _ in range(count):
            end = self.value(at, depth)
            key = _canonical_key(self._data[at:end])
            if key in seen:
                raise MalformedError("a key is given twice")
            seen.add(key)
            at = self.value(end, depth)
        return at


_MAPS = {*range(0x80, 0x90), 0xDE, 0xDF}
_TEXTS = {*range(0xA0, 0xC0), 0xD9, 0xDA, 0xDB}
_BINARIES = {0xC4, 0xC5, 0xC6, 0xC7, 0xC8, 0xC9}
_EXTENSIONS = {0xC7, 0xC8, 0xC9}
_COUNT_WIDTHS = {
    0xC4: 1, 0xC5: 2, 0xC6: 4,
    0xC7: 1, 0xC8: 2, 0xC9: 4,
    0xD9: 1, 0xDA: 2, 0xDB: 4,
    0xDC: 2, 0xDD: 4, 0xDE: 2, 0xDF: 4,
}  # fmt: skip
"""First byte of a value with a count of bytes or items: how wide that count is."""

_WHOLE_SIZES = dict.fromkeys((*range(0x80), *range(0xE0, 0x100), 0xC0, 0xC2, 0xC3), 1)
"""First byte of a value: its size where that byte alone tells it."""
_WHOLE_SIZES |= dict(enumerate((5, 9, 2, 3, 5, 9, 2, 3, 5, 9, 3, 4, 6, 10, 18), start=0xCA))


def _canonical_key(encoded: bytes) -> bytes:
    # A key may be written in a longer form than needed and still be the same key.
    try:
        return msgspec.msgpack.encode(msgspec.msgpack.decode(encoded))
    except (msgspec.MsgspecError, ValueError):
        return encoded
