"""The notation of values in vector files: JSON, with one-key objects for what JSON lacks.

`{"hex": h}` is bin, `{"uuid": u}` and `{"us": n}` are the extensions, `{"map": [[k, v], …]}` is a
map whose keys are not texts.
"""

import enum
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any, TypeAlias
from uuid import UUID

import msgspec

from parsec.data.address import ServerAddr
from parsec.data.ids import ChunkID
from parsec.data.instant import Instant
from parsec.wire.msgpack import RawInstant, RawUuid, dump

Notation: TypeAlias = Any


def packed(value: Notation) -> bytes:
    """The MessagePack of a value, in the order in which it is written."""
    return dump(_plain(value))


def agrees(found: object, expected: Notation) -> bool:
    """Whether a value that we loaded says what is written; maps and sets have no order."""
    if isinstance(found, msgspec.Struct):
        return _struct_agrees(found, expected)
    if isinstance(found, Mapping):
        return _map_agrees(found, expected)
    if isinstance(found, AbstractSet):
        return len(found) == len(expected) and all(_among(found, item) for item in expected)
    if isinstance(found, (list, tuple)):
        return len(found) == len(expected) and all(map(agrees, found, expected))
    if isinstance(found, ServerAddr):
        return found == _server(expected)
    return _scalar(found) == _normal(expected)


def _struct_agrees(found: msgspec.Struct, expected: Notation) -> bool:
    config, fields = found.__struct_config__, msgspec.structs.fields(found)
    if config.array_like:
        return agrees([getattr(found, field.name) for field in fields], expected)
    known = {field.encode_name for field in fields} | {config.tag_field}
    return (
        expected.keys() <= known
        and (config.tag is None or expected[config.tag_field] == config.tag)
        and all(_field_agrees(found, field, expected) for field in fields)
    )


def _field_agrees(
    found: msgspec.Struct, field: msgspec.structs.FieldInfo, expected: Notation
) -> bool:
    value = getattr(found, field.name)
    if field.encode_name in expected:
        return agrees(value, expected[field.encode_name])
    # What may be missing is its default then.
    default = field.default
    if field.default_factory is not msgspec.NODEFAULT:
        default = field.default_factory()
    return bool(value == default)


def _map_agrees(found: Mapping[Any, object], expected: Notation) -> bool:
    pairs = expected["map"] if expected.keys() == {"map"} else [*expected.items()]
    return len(found) == len(pairs) and all(
        any(agrees(key, k) and agrees(value, v) for key, value in found.items()) for k, v in pairs
    )


def _among(found: AbstractSet[object], expected: Notation) -> bool:
    return any(agrees(item, expected) for item in found)


def _server(url: str) -> ServerAddr:
    """A server, of which old files lack the last slash and some vectors write the other form."""
    is_direct = url.startswith("parsec3:")
    return ServerAddr.parse(url) if is_direct else ServerAddr.parse_http_url(url)


def _scalar(value: Any) -> object:
    """A scalar of ours as it is written."""
    if isinstance(value, enum.Enum):
        return value.value
    to_wire = getattr(value, "to_wire", None)
    plain = value if to_wire is None else to_wire()
    match plain:
        case RawUuid():
            return ("uuid", plain.hex())
        case RawInstant() | Instant():
            return ("us", int(plain))
        case bytes():
            return ("hex", plain.hex())
        case None | bool() | int() | float() | str():
            return plain
    return ("hex", bytes(plain).hex())


def _normal(expected: Notation) -> object:
    match expected:
        case {"hex": text}:
            return ("hex", text.lower())
        case {"uuid": text}:
            return ("uuid", UUID(text).hex)
        case {"us": number}:
            return ("us", number)
    return expected


def _plain(value: Notation) -> object:
    match value:
        case {"hex": text, **rest} if not rest:
            return bytes.fromhex(text)
        case {"uuid": text, **rest} if not rest:
            return ChunkID(UUID(text).bytes)
        case {"us": number, **rest} if not rest:
            return Instant(number)
        case {"map": pairs, **rest} if not rest:
            return {_plain(key): _plain(item) for key, item in pairs}
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list():
            return [_plain(item) for item in value]
    return value
