"""The types of fields as the specification writes them, and ours for each."""

import importlib
import pkgutil
import re
from collections.abc import Callable
from types import GenericAlias
from typing import Any, TypeAlias, Union

import parsec.protocol
from parsec.crypto import keys
from parsec.data import address, ids, people
from parsec.data.instant import Instant
from parsec.protocol.command import I64, U8, U32, U64, NonZero

WireType: TypeAlias = Any
"""What msgspec takes as a type."""

_TOKEN = re.compile(r"\w+|[<>(),]")


def wire_type(expression: str, named: Callable[[str], WireType]) -> WireType:
    """Our type for `Map<VlobID, List<(Index, Option<Bytes>)>>`; `named` knows the names in it."""
    tokens = _TOKEN.findall(expression)
    kind = _parse(tokens, named)
    assert not tokens, f"{expression} goes on with {tokens}"
    return kind


def scalar(name: str) -> WireType:
    """Our type for a name that all commands share. Raises KeyError."""
    return SCALARS[name]


def named_in_protocol(name: str) -> WireType:
    """Our type for a scalar, or for a union, record or enum of some command."""
    if name in SCALARS:
        return SCALARS[name]
    topics = (
        importlib.import_module(f"parsec.protocol.{module.name}")
        for module in pkgutil.iter_modules(parsec.protocol.__path__)
    )
    return next(vars(topic)[name] for topic in topics if name in vars(topic))


SCALARS: dict[str, WireType] = {
    "Boolean": bool,
    "String": str,
    "Bytes": bytes,
    "Integer": I64,
    "Float": float,
    "U32": U32,
    "Version": U32,
    "Size": U64,
    "Index": U64,
    "NonZeroInteger": NonZero,
    "NonZeroU8": U8,
    "ActiveUsersLimit": U64 | None,
    "DateTime": Instant,
    "UserProfile": people.UserProfile,
    "OrganizationID": people.OrganizationID,
    "EmailAddress": people.EmailAddress,
    "HumanHandle": people.HumanHandle,
    "DeviceLabel": people.DeviceLabel,
    "EntryName": people.EntryName,
    "ValidationCode": people.ValidationCode,
    "InvitationType": address.InvitationType,
    "AccessToken": ids.AccessToken,
    **{
        name: kind
        for module in (ids, keys)
        for name, kind in vars(module).items()
        if isinstance(kind, type)
        if issubclass(kind, ids.Id) or name in ("HashDigest", "KeyDerivation") or "Key" in name
    },
}

_CONTAINERS = {"List": list, "Set": frozenset, "Map": dict, "Tuple": tuple}
_OPTIONS = ("Option", "RequiredOption", "NonRequiredOption")


def _parse(tokens: list[str], named: Callable[[str], WireType]) -> WireType:
    name = tokens.pop(0)
    if name == "(":
        return GenericAlias(tuple, _parts(tokens, named))
    if not tokens or tokens[0] != "<":
        return named(name)
    tokens.pop(0)
    parts = _parts(tokens, named)
    if name in _OPTIONS:
        return Union[(*parts, None)]
    return GenericAlias(_CONTAINERS[name], parts)


def _parts(tokens: list[str], named: Callable[[str], WireType]) -> tuple[WireType, ...]:
    parts = []
    while True:
        parts.append(_parse(tokens, named))
        if tokens.pop(0) in (">", ")"):
            return tuple(parts)
