"""What is no message to the official types is none to us, and the other way round."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from parsec.protocol.command import (
    Family,
    Request,
    dump_reply,
    dump_request,
    load_reply,
    reply_kinds,
)
from parsec.protocol.families import command_name, commands, load_request
from parsec.wire.msgpack import MalformedError
from tests.interop.examples import Examples
from tests.interop.peer import Job, Official
from tests.interop.pictures import Picture, picture
from tests.interop.twists import Twisted, twists

# Accepted by the official types, although nobody writes it; ours may refuse it (wire.md 3.6).
ODD = {
    "followed by a byte",
    "the values alone",  # a record as an array
    "an array of a number",  # a request or reply as one, or its bytes one by one
    "an array of 16 numbers",
    "an empty array",
    "a text",  # for bytes, keys and tokens
    "a text of 16 bytes",
    "a text of 32 bytes",
    "a text that is not UTF-8",
    "an empty text",
    "no bytes",  # for a text
    "16 bytes",
    "31 bytes",
    "32 bytes",
    "zero",  # a variant by its number
}
# Accepted by us alone: msgspec keeps the last of two equal keys. Nobody signs messages; signed
# data goes through a scan that refuses this (tests of certificates).
TOLERATED = {"given twice"}

# Fields that older peers do not send; we put the default in their place.
MAY_BE_ABSENT = {
    "advisory_device_file_protection",
    "cryptpad",
    "email_sent",
    "realm_minimum_archiving_period_before_deletion",
    "send_email",
    "transit_mount_path",
}


class Case(NamedTuple):
    """One changed message: what the official types are asked, and what we read in it."""

    twisted: Twisted
    job: Job
    ours: Picture
    """None where we refuse it."""


COMMANDS = [
    pytest.param(family, kind, id=f"{family}-{name}")
    for family in Family
    for name, kind in commands(family).items()
    if name != "cryptpad_register_session"
]


@pytest.mark.parametrize(("family", "kind"), COMMANDS)
def test_we_refuse_the_requests_that_the_official_types_refuse(
    official_types: Official, family: Family, kind: type[Request[Any]]
) -> None:
    cases = list(_changed_requests(family, kind))

    seen = [
        answer.outcome[1] if answer.accepted else None
        for answer in official_types.answers(case.job for case in cases)
    ]

    assert not list(_disagreements(cases, seen))


@pytest.mark.parametrize(("family", "kind"), COMMANDS)
def test_we_refuse_the_replies_that_the_official_types_refuse(
    official_types: Official, family: Family, kind: type[Request[Any]]
) -> None:
    cases = list(_changed_replies(family, kind))

    seen = [
        answer.outcome[0] if answer.accepted else None
        for answer in official_types.answers(case.job for case in cases)
    ]

    assert not list(_disagreements(cases, seen))


def _changed_requests(family: Family, kind: type[Request[Any]]) -> Iterator[Case]:
    for request in Examples(5).many(kind, 4):
        for twisted in twists(dump_request(request)):
            job = ("load_request", family.value, twisted.body)
            yield Case(twisted, job, _read(load_request, family, twisted.body))


def _changed_replies(family: Family, kind: type[Request[Any]]) -> Iterator[Case]:
    source = Examples(6)
    for reply_kind in reply_kinds(kind):
        for reply in source.many(reply_kind, 2):
            for twisted in twists(dump_reply(reply)):
                job = ("load_reply", family.value, command_name(kind), twisted.body)
                yield Case(twisted, job, _read(load_reply, kind, twisted.body))


def _read(load: Callable[..., object], *arguments: object) -> Picture:
    try:
        return picture(load(*arguments))
    except MalformedError:
        return None


def _disagreements(cases: list[Case], seen: list[Picture]) -> Iterator[tuple[str, ...]]:
    """The changes on whose outcome we differ from the official types for no good reason."""
    for case, official in zip(cases, seen, strict=True):
        change, path, body = case.twisted
        if case.ours is None and official is not None and change not in ODD:
            yield "we refuse", change, path, body.hex()
        elif case.ours is not None and official is None and change not in TOLERATED:
            yield "we accept", change, path, body.hex()
        elif case.ours is not None and official is not None:
            if _without_absent(case.ours, official) != official:
                yield "we read something else", change, path, body.hex()


def _without_absent(ours: Picture, official: Picture) -> Picture:
    """Our picture without the defaults of fields that the message lacks."""
    match ours, official:
        case (name, dict() as fields), (_, dict() as seen):
            absent = (set(fields) - set(seen)) & MAY_BE_ABSENT
            return name, {
                field: _without_absent(value, seen.get(field))
                for field, value in fields.items()
                if field not in absent
            }
        case list(), list() if len(ours) == len(official):
            return [_without_absent(*pair) for pair in zip(ours, official, strict=True)]
    return ours
