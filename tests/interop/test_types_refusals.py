"""What is no message to the official types is none to us, and the other way round."""

from collections.abc import Iterator
from typing import Any

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
from tests.interop.examples import Examples
from tests.interop.peer import Official
from tests.interop.twists import Twisted, twists
from tests.interop.verdicts import ODD, disagreements, read

OFFICIAL_ALONE = ODD | {"followed by a byte"}
# msgspec keeps the last of two equal keys. Nobody signs messages; signed data goes through a scan
# that refuses this (tests of certificates).
OURS_ALONE = {"given twice"}

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
    changed = list(_changed_requests(kind))

    answers = official_types.answers(
        ("load_request", family.value, twisted.body) for twisted in changed
    )

    ours = [read(load_request, family, twisted.body) for twisted in changed]
    official = [answer.outcome[1] if answer.accepted else None for answer in answers]
    cases = zip(changed, ours, official, strict=True)
    assert not list(disagreements(cases, official_alone=OFFICIAL_ALONE, ours_alone=OURS_ALONE))


@pytest.mark.parametrize(("family", "kind"), COMMANDS)
def test_we_refuse_the_replies_that_the_official_types_refuse(
    official_types: Official, family: Family, kind: type[Request[Any]]
) -> None:
    changed = list(_changed_replies(kind))

    answers = official_types.answers(
        ("load_reply", family.value, command_name(kind), twisted.body) for twisted in changed
    )

    ours = [read(load_reply, kind, twisted.body) for twisted in changed]
    official = [answer.outcome[0] if answer.accepted else None for answer in answers]
    cases = zip(changed, ours, official, strict=True)
    assert not list(disagreements(cases, official_alone=OFFICIAL_ALONE, ours_alone=OURS_ALONE))


def _changed_requests(kind: type[Request[Any]]) -> Iterator[Twisted]:
    for request in Examples(5).many(kind, 4):
        yield from twists(dump_request(request))


def _changed_replies(kind: type[Request[Any]]) -> Iterator[Twisted]:
    source = Examples(6)
    for reply_kind in reply_kinds(kind):
        for reply in source.many(reply_kind, 2):
            yield from twists(dump_reply(reply))
