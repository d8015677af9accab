"""Requests and replies of all commands, between our types and the official ones."""

import enum
from typing import Any

import msgspec
import pytest

from parsec.protocol.command import (
    Family,
    MergedReply,
    Reply,
    Request,
    UnknownStatus,
    dump_reply,
    dump_request,
    load_reply,
    reply_kinds,
)
from parsec.protocol.cryptpad import CryptpadRegisterSession
from parsec.protocol.families import command_name, commands, load_request
from parsec.protocol.invite import InviteList
from tests.interop.examples import Examples, fields_of, reachable
from tests.interop.peer import Official
from tests.interop.pictures import (
    is_same_text,
    official_name,
    official_name_of_merged,
    picture,
)

# Enough for the longest cycles (limits of integers, texts, variants of the greeting's steps).
EXAMPLES = 40

# Since API 5.6; release 3.9.3 speaks 5.5.
TOO_NEW = {"cryptpad_register_session"}

COMMANDS = [
    pytest.param(family, kind, id=f"{family}-{name}")
    for family in Family
    for name, kind in commands(family).items()
    if name not in TOO_NEW
]
REPLIES = [
    pytest.param(family, kind, reply, id=f"{family}-{name}-{reply.__name__}")
    for family in Family
    for name, kind in commands(family).items()
    if name not in TOO_NEW
    for reply in reply_kinds(kind)
]


def test_the_commands_are_those_of_the_official_release(official_types: Official) -> None:
    official = {
        family: set(of_family) for family, of_family in official_types.ask("schema").items()
    }

    ours = {family.value: set(commands(family)) for family in Family}

    assert ours.pop("authenticated") - TOO_NEW == official.pop("authenticated")
    assert ours == official


@pytest.mark.parametrize(("family", "kind"), COMMANDS)
def test_requests_replies_and_variants_have_the_official_fields(
    official_types: Official, family: Family, kind: type[Request[Any]]
) -> None:
    official = official_types.ask("schema")[family.value][command_name(kind)]
    shared = official_types.ask("shared_schema")

    ours = _outlines(kind)

    del official["RepUnknownStatus"]
    assert official == {name: ours[name] for name in ours if name in official}
    assert {name: ours[name] for name in ours if name not in official}.items() <= shared.items()


def test_the_official_release_does_not_know_the_command_of_api_5_6(
    official_types: Official,
) -> None:
    body = dump_request(Examples(0).of(CryptpadRegisterSession))

    error = official_types.answer("load_request", "authenticated", body).error

    assert "unknown variant `cryptpad_register_session`" in error


def test_we_tell_a_new_status_as_the_official_types_do(official_types: Official) -> None:
    reply = msgspec.msgpack.encode({"status": "of_tomorrow", "reason": "why", "more": 1})

    ours = load_reply(InviteList, reply)

    seen, _ = official_types.ask("load_reply", "authenticated", "invite_list", reply)
    assert seen == ("RepUnknownStatus", {"status": "of_tomorrow", "reason": "why"})
    assert ours == UnknownStatus(status="of_tomorrow", reason="why")


@pytest.mark.parametrize(("family", "kind"), COMMANDS)
def test_the_official_types_read_and_write_our_requests(
    official_types: Official, family: Family, kind: type[Request[Any]]
) -> None:
    source, name = Examples(1), command_name(kind)
    requests = source.many(kind, EXAMPLES)

    answers = official_types.answers(
        ("load_request", family.value, dump_request(request)) for request in requests
    )

    for request, answer in zip(requests, answers, strict=True):
        command, seen, written = answer.value
        assert (command, seen) == (name, picture(request))
        assert load_request(family, written) == request
        assert is_same_text(written, dump_request(request), of=seen)
    assert reachable(kind) <= source.drawn


@pytest.mark.parametrize(("family", "kind"), COMMANDS)
def test_we_read_and_write_official_requests(
    official_types: Official, family: Family, kind: type[Request[Any]]
) -> None:
    name, requests = command_name(kind), Examples(2).many(kind, EXAMPLES)

    built = official_types.answers(
        ("build_request", family.value, name, picture(request)) for request in requests
    )

    for request, answer in zip(requests, built, strict=True):
        ours = load_request(family, answer.value)
        assert ours == request
        assert is_same_text(dump_request(ours), answer.value, of=picture(request))


@pytest.mark.parametrize(("family", "kind", "reply"), REPLIES)
def test_the_official_types_read_and_write_our_replies(
    official_types: Official, family: Family, kind: type[Request[Any]], reply: type[Reply]
) -> None:
    source, name = Examples(3), command_name(kind)
    replies = source.many(reply, _count(reply))

    answers = official_types.answers(
        ("load_reply", family.value, name, dump_reply(each)) for each in replies
    )

    for each, answer in zip(replies, answers, strict=True):
        seen, written = answer.value
        assert seen == picture(each)
        assert load_reply(kind, written) == each
        assert is_same_text(written, dump_reply(each), of=seen)
    assert reachable(reply) <= source.drawn


@pytest.mark.parametrize(("family", "kind", "reply"), REPLIES)
def test_we_read_and_write_official_replies(
    official_types: Official, family: Family, kind: type[Request[Any]], reply: type[Reply]
) -> None:
    name, replies = command_name(kind), Examples(4).many(reply, _count(reply))

    built = official_types.answers(
        ("build_reply", family.value, name, picture(each)) for each in replies
    )

    for each, answer in zip(replies, built, strict=True):
        ours = load_reply(kind, answer.value)
        assert ours == each
        assert not isinstance(ours, UnknownStatus)
        assert is_same_text(dump_reply(ours), answer.value, of=picture(each))


def _count(kind: type[Reply]) -> int:
    # A reply that holds nothing but its status has one form.
    return EXAMPLES if any(field.default is msgspec.NODEFAULT for field in fields_of(kind)) else 1


def _outlines(kind: type[Request[Any]]) -> dict[str, list[str]]:
    """The classes of a command, as the official schema has them."""
    found: dict[str, list[str]] = {}
    for part in reachable(kind).union(*map(reachable, reply_kinds(kind))):
        if issubclass(part, enum.Enum):
            found[part.__name__] = sorted(part.__members__)
        elif issubclass(part, MergedReply):
            fields = set(part.__struct_fields__) - {part.MERGED_BY}
            found[official_name(part)] = ["unit"]
            found[official_name_of_merged(part)] = sorted(fields)
        elif issubclass(part, msgspec.Struct):
            found[official_name(part)] = sorted(part.__struct_fields__)
    return found
