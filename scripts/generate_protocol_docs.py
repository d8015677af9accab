"""Writes docs/protocol/commands.md from the messages themselves."""

import enum
import importlib
import inspect
import pkgutil
import sys
import types
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec

import parsec.protocol
from parsec.protocol import families
from parsec.protocol.command import (
    I64,
    U8,
    U32,
    U64,
    Family,
    MergedReply,
    NonZero,
    Reply,
    Request,
    merged_value,
    reply_kinds,
    reply_status,
)

PAGE = Path(__file__).parent.parent / "docs" / "protocol" / "commands.md"

_INTRODUCTION = """\
# Commands

<!-- Made by scripts/generate_protocol_docs.py from src/parsec/protocol; do not edit. -->

A request is a map with `cmd` and the fields below, a reply a map with `status` and its fields. The
words for types are those of [encoding.md](encoding.md); how messages travel, and which errors never
become a status, is in [transport.md](transport.md).

A field that *may be absent* is younger than version 5.0 of the API, and older peers do not send it.
A field is nil only where its type says so, and is then still written.
"""

_ROUTES = {
    Family.ANONYMOUS: "`POST /anonymous/{organization}`; no proof of who calls.",
    Family.ANONYMOUS_SERVER: "`POST /anonymous_server`; no proof, no organization.",
    Family.INVITED: "`POST /invited/{organization}`; with the token of an invitation.",
    Family.AUTHENTICATED: "`POST /authenticated/{organization}`; with the token of a device.",
    Family.TOS: (
        "`POST /authenticated/{organization}/tos`; with the token of a device, also of a user who "
        "still has to accept the terms of service."
    ),
    Family.AUTHENTICATED_ACCOUNT: "`POST /authenticated_account`; with the token of an account.",
}

_INTEGERS = {
    I64: "int64",
    U8: "uint8, not 0",
    U32: "uint32",
    U64: "uint64",
    NonZero: "uint64, not 0",
}
_PLAIN: dict[type[Any], str] = {bool: "bool", str: "str", bytes: "bin", float: "float64"}
_RENAMED = {"Instant": "DateTime"}


def generate() -> str:
    """The whole page."""
    parts = [_INTRODUCTION, *map(_family, Family), _nested_types()]
    return "\n".join(parts).rstrip() + "\n"


def _family(family: Family) -> str:
    commands = sorted(families.commands(family).items())
    sections = [_command(name, kind) for name, kind in commands]
    return "\n".join([f"## Family `{family}`\n\n{_ROUTES[family]}\n", *sections])


def _command(name: str, kind: type[Request[Any]]) -> str:
    request = _fields(msgspec.structs.fields(kind)) or "The request has no field.\n"
    return f"### `{name}`\n\n{inspect.getdoc(kind)}\n\n{request}\n{_replies(kind)}"


def _replies(request: type[Request[Any]]) -> str:
    rows = [f"| {_status(kind)} | {_inline(_own_fields(kind))} |" for kind in reply_kinds(request)]
    # What went well comes first.
    rows.sort(key=lambda row: (not row.startswith("| `ok`"), row))
    return "\n".join(["| status | fields |", "| --- | --- |", *rows, ""])


def _status(kind: type[Reply]) -> str:
    status = f"`{reply_status(kind)}`"
    if issubclass(kind, MergedReply):
        status += f", `{kind.MERGED_BY}` `{merged_value(kind)}`"
    return status


def _own_fields(kind: type[Reply]) -> list[msgspec.structs.FieldInfo]:
    tag = kind.MERGED_BY if issubclass(kind, MergedReply) else None
    return [field for field in msgspec.structs.fields(kind) if field.name != tag]


def _fields(fields: Iterable[msgspec.structs.FieldInfo]) -> str:
    return "".join(f"- {_field(field)}\n" for field in fields)


def _inline(fields: Iterable[msgspec.structs.FieldInfo]) -> str:
    return "<br>".join(map(_field, fields))


def _field(field: msgspec.structs.FieldInfo) -> str:
    return f"`{field.encode_name}`: {_type(field.type)}{_absence(field)}"


def _absence(field: msgspec.structs.FieldInfo) -> str:
    return "" if field.required else ", *may be absent*"


def _type(kind: Any) -> str:
    """A type in the words of encoding.md."""
    if kind in _ALIASES:
        return _link(_ALIASES[kind])
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _option(args)
    if origin is Annotated:
        return _INTEGERS[kind]
    if origin in (list, frozenset):
        return f"list of {_type(args[0])}"
    if origin is dict:
        return f"map from {_type(args[0])} to {_type(args[1])}"
    if origin is tuple:
        return f"array [{', '.join(map(_type, args))}]"
    if _is_nested(kind):
        return _link(kind.__name__)
    return _PLAIN.get(kind) or f"`{_RENAMED.get(kind.__name__, kind.__name__)}`"


def _option(parts: tuple[Any, ...]) -> str:
    others = tuple(part for part in parts if part is not type(None))
    kind = others[0] if len(others) == 1 else Union[others]  # noqa: UP007  (made at run time)
    assert len(others) < len(parts), f"a union without a name: {parts}"
    return f"{_type(kind)} or nil"


def _link(name: str) -> str:
    return f"[`{name}`](#{name.lower()})"


def _is_nested(kind: Any) -> bool:
    """Whether a type is explained on this page, and not a scalar."""
    if isinstance(kind, msgspec.StructMeta):
        return not kind.__struct_config__.array_like
    return isinstance(kind, type) and issubclass(kind, enum.Enum)


def _nested_types() -> str:
    found: dict[str, str] = {}
    for family in Family:
        for request in families.commands(family).values():
            for message in (request, *reply_kinds(request)):
                for field in msgspec.structs.fields(message):
                    found.update(_explained(field.type))
    return "\n".join(["## Types\n", *(text for _, text in sorted(found.items()))])


def _explained(kind: Any) -> Iterator[tuple[str, str]]:
    """The nested types in a type, each by its name with what is to say about it."""
    if kind in _ALIASES:
        yield _ALIASES[kind], _union(_ALIASES[kind], kind)
    elif isinstance(kind, type) and issubclass(kind, enum.Enum):
        names = " ".join(f"`{member.value}`" for member in kind)
        yield kind.__name__, f"### `{kind.__name__}`\n\nOne of the texts {names}\n"
        return
    elif _is_nested(kind) and kind.__struct_config__.tag is None:
        yield kind.__name__, f"### `{kind.__name__}`\n\n{_fields(msgspec.structs.fields(kind))}"
    parts = [field.type for field in msgspec.structs.fields(kind)] if _is_nested(kind) else []
    for part in (*parts, *get_args(kind)):
        yield from _explained(part)


def _union(name: str, kind: Any) -> str:
    variants = [part for part in get_args(kind) if part.__name__ != "Nobody"]
    tag = variants[0].__struct_config__.tag_field
    rows = [
        f"| `{variant.__struct_config__.tag}` | {_inline(msgspec.structs.fields(variant))} |"
        for variant in variants
    ]
    return "\n".join([f"### `{name}`\n", f"| `{tag}` | fields |", "| --- | --- |", *rows, ""])


def _named_unions() -> dict[Any, str]:
    """The unions of the protocol, which have a name only where they are defined."""
    return {
        kind: name
        for module in pkgutil.iter_modules(parsec.protocol.__path__)
        for name, kind in vars(importlib.import_module(f"parsec.protocol.{module.name}")).items()
        if get_origin(kind) in (Union, types.UnionType) and not name.endswith("Reply")
    }


_ALIASES = _named_unions()


if __name__ == "__main__":
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(generate(), encoding="utf-8")
    sys.stdout.write(f"{PAGE}\n")
