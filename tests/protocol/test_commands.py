"""Our messages are those of the specification, with nothing missing and nothing added."""

import enum
import json
from pathlib import Path
from typing import Any, Union, get_args, get_origin

import msgspec
import pytest

from parsec.protocol.command import (
    Family,
    MergedReply,
    Request,
    merged_value,
    reply_kinds,
    reply_status,
)
from parsec.protocol.families import commands
from tests.support.wire_types import scalar, wire_type

SPECIFICATION = json.loads((Path(__file__).parent / "commands.json").read_text(encoding="utf-8"))
FAMILIES: dict[str, dict[str, Any]] = SPECIFICATION["families"]
COMMANDS = [
    pytest.param(commands(Family(family))[name], definition, id=f"{family}-{name}")
    for family, definitions in FAMILIES.items()
    for name, definition in definitions.items()
    if name in commands(Family(family))
]


def test_families_are_those_of_the_specification() -> None:
    assert {str(family) for family in Family} == FAMILIES.keys()


@pytest.mark.parametrize("family", Family)
def test_a_family_has_the_commands_of_the_specification(family: Family) -> None:
    assert commands(family).keys() == FAMILIES[family].keys()


@pytest.mark.parametrize(("request_kind", "definition"), COMMANDS)
def test_a_request_has_the_fields_of_the_specification_in_order(
    request_kind: type[Request[Any]], definition: dict[str, Any]
) -> None:
    check_fields(request_kind, definition["request"], definition)


@pytest.mark.parametrize(("request_kind", "definition"), COMMANDS)
def test_a_request_tolerates_unknown_fields_unless_it_has_no_field(
    request_kind: type[Request[Any]], definition: dict[str, Any]
) -> None:
    assert request_kind.__struct_config__.forbid_unknown_fields == (not definition["request"])


@pytest.mark.parametrize(("request_kind", "definition"), COMMANDS)
def test_a_command_has_the_statuses_of_the_specification(
    request_kind: type[Request[Any]], definition: dict[str, Any]
) -> None:
    statuses = [reply_status(kind) for kind in reply_kinds(request_kind)]

    assert set(statuses) == definition["replies"].keys()


@pytest.mark.parametrize(("request_kind", "definition"), COMMANDS)
def test_replies_have_the_fields_of_the_specification_sorted_by_name(
    request_kind: type[Request[Any]], definition: dict[str, Any]
) -> None:
    for status, expected in definition["replies"].items():
        kinds = [kind for kind in reply_kinds(request_kind) if reply_status(kind) == status]
        if isinstance(expected, dict):
            check_merged(kinds, types_of(definition)[expected["union"]], definition)
        else:
            (kind,) = kinds
            check_fields(kind, sorted(expected), definition)


def check_merged(kinds: list[Any], union: dict[str, Any], definition: dict[str, Any]) -> None:
    """Several replies of one status, whose first field tells them apart."""
    assert all(issubclass(kind, MergedReply) for kind in kinds)
    assert {merged_value(kind) for kind in kinds} == union["variants"].keys()
    for kind in kinds:
        tag, *fields = msgspec.structs.fields(kind)
        assert tag.name == kind.MERGED_BY == union["tag"]
        check_field_list(fields, sorted(union["variants"][merged_value(kind)]), definition)


def check_fields(kind: type[Any], expected: list[Any], definition: dict[str, Any]) -> None:
    check_field_list(msgspec.structs.fields(kind), expected, definition)


def check_field_list(found: Any, expected: list[Any], definition: dict[str, Any]) -> None:
    assert [field.encode_name for field in found] == [field[0] for field in expected]
    for field, (_, expression, *since) in zip(found, expected, strict=True):
        theirs = wire_type(expression, lambda name: named(name, definition))
        check_type(field.type, theirs, definition)
        # A field of a later revision may be absent, and a limit, which then is none.
        assert has_default(field) == bool(since or expression == "ActiveUsersLimit"), field.name


def has_default(field: msgspec.structs.FieldInfo) -> bool:
    return not (field.default is field.default_factory is msgspec.NODEFAULT)


class Named:
    """A type that the command itself, or the specification for all commands, defines."""

    definition: Any


def named(name: str, definition: dict[str, Any]) -> Any:
    types = types_of(definition)
    return type(name, (Named,), {"definition": types[name]}) if name in types else scalar(name)


def types_of(definition: dict[str, Any]) -> dict[str, Any]:
    shared_enums = {name: {"enum": values} for name, values in SPECIFICATION["enums"].items()}
    # A command may use a shared name for a type of its own.
    return {**shared_enums, **SPECIFICATION["unions"], **definition.get("types", {})}


def check_type(ours: Any, theirs: Any, definition: dict[str, Any]) -> None:
    if ours == theirs:
        return
    if get_origin(theirs) is Union:
        assert type(None) in get_args(ours), f"{ours} is no option"
        (theirs,) = (part for part in get_args(theirs) if part is not type(None))
        ours = Union[tuple(part for part in get_args(ours) if part is not type(None))]  # noqa: UP007
        check_type(ours, theirs, definition)
    elif get_origin(theirs) is not None:
        assert get_origin(ours) is get_origin(theirs)
        for our_part, their_part in zip(get_args(ours), get_args(theirs), strict=True):
            check_type(our_part, their_part, definition)
    else:
        assert issubclass(theirs, Named), f"{ours} instead of {theirs}"
        check_named(ours, theirs.definition, definition)


def check_named(ours: Any, theirs: dict[str, Any], definition: dict[str, Any]) -> None:
    match theirs:
        case {"enum": values}:
            assert issubclass(ours, enum.Enum)
            assert {kind.value for kind in ours} == set(values)
        case {"record": fields}:
            assert ours.__struct_config__.tag is None
            check_fields(ours, sorted(fields), definition)
        case {"tag": tag, "variants": variants}:
            # A union of one variant has a second that nobody is.
            kinds = [kind for kind in get_args(ours) if kind.__name__ != "Nobody"]
            assert {kind.__struct_config__.tag for kind in kinds} == variants.keys()
            for kind in kinds:
                assert kind.__struct_config__.tag_field == tag
                check_fields(kind, sorted(variants[kind.__struct_config__.tag]), definition)
        case _:
            raise AssertionError(f"unknown definition {theirs}")
