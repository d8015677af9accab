"""What all framed data types share: one map that names its type, compressed behind a format byte.

`data-types.md` 1.1 and 1.2. Readers keep the bytes that they were given: a second writing gives
other bytes, and signatures cover the first ones.
"""

from functools import cache
from typing import ClassVar, Literal, Self, TypeVar, get_origin

import msgspec

from parsec.wire.frame import DEFAULT_LIMIT, dump_frame, load_frame
from parsec.wire.msgpack import MAX_VALUES, MalformedError, Reader, check_keys, dump, reader


class MismatchError(MalformedError):
    """A record is well-formed, but not the one that was announced."""


T = TypeVar("T", bound=msgspec.Struct)
R = TypeVar("R", bound="Record")


class Record(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """A framed data type; its tag is the value of the field `type`."""

    FRAME_LIMIT: ClassVar[int] = DEFAULT_LIMIT
    """Most bytes of the map."""
    MAX_VALUES: ClassVar[int] = MAX_VALUES
    """Most values in a map that is written otherwise than we would write it."""

    def dump(self) -> bytes:
        """The frame that holds this record."""
        return dump_frame(dump(self))

    @classmethod
    def load(cls, frame: bytes) -> Self:
        """Read the record in a frame. Raises MalformedError."""
        content = load_frame(frame, limit=cls.FRAME_LIMIT)
        return load_content(reader(cls), content, max_values=cls.MAX_VALUES)

    def check(self) -> None:
        """Check what the types of the fields do not say. Raises MalformedError."""

    def expect(self, **fields: object) -> Self:
        """This record, if its fields have these values. Raises MismatchError."""
        for name, expected in fields.items():
            is_expected = getattr(self, name) == expected
            if not is_expected:
                raise MismatchError(f"{type(self).__name__} with another {name} than announced")
        return self


def load_content(kinds: Reader[R], content: bytes, *, max_values: int = MAX_VALUES) -> R:
    """Read the map inside a frame. Raises MalformedError, also for a key given twice."""
    record = load_map(kinds, content, max_values=max_values)
    record.check()
    return record


class BareRecord(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """A map that names its type, with neither format byte nor compression (local files)."""

    def dump(self) -> bytes:
        """The bytes of the map."""
        return dump(self)

    @classmethod
    def load(cls, content: bytes) -> Self:
        """Read the map, ignoring bytes that follow it. Raises MalformedError."""
        return load_map(reader(cls), content)


def load_map(kinds: Reader[T], content: bytes, *, max_values: int = MAX_VALUES) -> T:
    """Read a map by the types of its fields. Raises MalformedError, also for a key given twice."""
    value = kinds.load_first(content)
    if dump(value) != content:
        # Only what is written otherwise than we would can hold a key twice, or lack a constant.
        check_keys(content, max_values=max_values)
        _check_constants(type(value), content)
    return value


def _check_constants(kind: type[msgspec.Struct], content: bytes) -> None:
    """Demand the fields that have but one value: that they need not be given is for writers."""
    if not _FIELDS.load_first(content).keys() >= _constants(kind):
        raise MalformedError("a field of a constant value is missing")


@cache
def _constants(kind: type[msgspec.Struct]) -> frozenset[str]:
    fields = msgspec.structs.fields(kind)
    return frozenset(field.encode_name for field in fields if get_origin(field.type) is Literal)


_FIELDS: Reader[dict[str, msgspec.Raw]] = Reader(dict[str, msgspec.Raw])
