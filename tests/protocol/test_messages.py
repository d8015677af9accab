"""What holds for every request and every reply, as bytes."""

from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parsec.data.ids import VlobID
from parsec.protocol.command import (
    Family,
    Request,
    UnknownStatus,
    dump_reply,
    dump_request,
    load_reply,
    reply_kinds,
)
from parsec.protocol.families import command_name, commands, load_request
from parsec.protocol.invite import InviteInfo, InviteList
from parsec.protocol.ping import Ping
from parsec.protocol.vlob import VlobReadBatch
from parsec.wire.msgpack import MalformedError, dump
from tests.support.mutations import (
    ENDLESS_HEADS,
    changed_bytes,
    truncations,
    with_field,
    without_field,
)
from tests.support.strategies import values

REQUESTS = [kind for family in Family for kind in commands(family).values()]
EVERY_REQUEST = pytest.mark.parametrize(
    "kind", REQUESTS, ids=lambda kind: f"{kind.FAMILY}-{command_name(kind)}"
)
few = settings(max_examples=5, suppress_health_check=[HealthCheck.too_slow])

PING = dump_request(Ping(ping="hello"))


@EVERY_REQUEST
@few
@given(data=st.data())
def test_a_request_that_is_dumped_loads_the_same(
    kind: type[Request[Any]], data: st.DataObject
) -> None:
    request = data.draw(values(kind))

    again = load_request(kind.FAMILY, dump_request(request))

    assert again == request
    assert dump_request(again) == dump_request(request)


@EVERY_REQUEST
@few
@given(data=st.data())
def test_each_reply_that_is_dumped_loads_the_same(
    kind: type[Request[Any]], data: st.DataObject
) -> None:
    for reply_kind in reply_kinds(kind):
        reply = data.draw(values(reply_kind))

        again: Any = load_reply(kind, dump_reply(reply))

        assert again == reply
        assert dump_reply(again) == dump_reply(reply)


@EVERY_REQUEST
@settings(few, max_examples=2)
@given(data=st.data())
def test_a_message_that_ends_early_is_malformed(
    kind: type[Request[Any]], data: st.DataObject
) -> None:
    for beginning in truncations(dump_request(data.draw(values(kind)))):
        with pytest.raises(MalformedError):
            load_request(kind.FAMILY, beginning)
    for beginning in truncations(dump_reply(data.draw(values(reply_kinds(kind)[0])))):
        with pytest.raises(MalformedError):
            load_reply(kind, beginning)


@EVERY_REQUEST
@few
@given(data=st.data())
def test_a_changed_message_loads_or_is_malformed(
    kind: type[Request[Any]], data: st.DataObject
) -> None:
    request = data.draw(changed_bytes(dump_request(data.draw(values(kind)))))
    reply = data.draw(changed_bytes(dump_reply(data.draw(values(reply_kinds(kind)[0])))))

    with suppress(MalformedError):
        load_request(kind.FAMILY, request)
    with suppress(MalformedError):
        load_reply(kind, reply)


@EVERY_REQUEST
@settings(few, max_examples=2)
@given(data=st.data())
def test_each_field_of_a_request_must_be_there_unless_it_is_younger_than_the_api(
    kind: type[Request[Any]], data: st.DataObject
) -> None:
    body = dump_request(data.draw(values(kind)))
    optional = {field.name for field in msgspec.structs.fields(kind) if not field.required}

    for name in {"cmd", *kind.__struct_fields__} - optional:
        with pytest.raises(MalformedError):
            load_request(kind.FAMILY, without_field(body, name))
    for name in optional:
        load_request(kind.FAMILY, without_field(body, name))


@EVERY_REQUEST
def test_a_request_of_another_family_is_malformed(kind: type[Request[Any]]) -> None:
    others = [family for family in Family if command_name(kind) not in commands(family)]

    for family in others:
        with pytest.raises(MalformedError):
            load_request(family, dump({"cmd": command_name(kind)}))


@given(st.sampled_from(Family), st.binary(max_size=60))
def test_any_bytes_are_a_request_or_malformed(family: Family, body: bytes) -> None:
    try:
        load_request(family, body)
    except MalformedError:
        return


def test_bytes_after_a_request_are_malformed() -> None:
    with pytest.raises(MalformedError):
        load_request(Family.AUTHENTICATED, PING + b"\x00")


def test_bytes_after_a_reply_are_malformed() -> None:
    with pytest.raises(MalformedError):
        load_reply(Ping, dump({"status": "ok", "pong": ""}) + b"\x00")


def test_an_unknown_field_is_passed_over_whatever_it_holds() -> None:
    value = b"\x92\xc7\x03\x05abc\xa1\xff"

    request = load_request(Family.AUTHENTICATED, with_field(PING, dump("of the future"), value))

    assert request == Ping(ping="hello")


@pytest.mark.parametrize("value", [b"\xa1\xff", b"\xa2\xc3\x28", b"\xa3\xed\xa0\x80"])
def test_text_that_is_not_utf8_is_malformed(value: bytes) -> None:
    body = b"\x82" + dump("cmd") + dump("ping") + dump("ping") + value

    with pytest.raises(MalformedError):
        load_request(Family.AUTHENTICATED, body)


def test_a_command_that_is_not_utf8_is_malformed() -> None:
    body = b"\x82" + dump("cmd") + b"\xa4pin\xff" + dump("ping") + dump("hello")

    with pytest.raises(MalformedError):
        load_request(Family.AUTHENTICATED, body)


@pytest.mark.parametrize("head", ENDLESS_HEADS)
def test_a_huge_announced_length_in_an_unknown_field_is_malformed(head: bytes) -> None:
    with pytest.raises(MalformedError):
        load_request(Family.AUTHENTICATED, with_field(PING, dump("x"), head))


@pytest.mark.parametrize("head", ENDLESS_HEADS)
def test_a_huge_announced_length_where_a_list_is_due_is_malformed(head: bytes) -> None:
    request = VlobReadBatch(realm_id=VlobID(bytes(16)), vlobs=[], at=None)
    body = with_field(without_field(dump_request(request), "vlobs"), dump("vlobs"), head)

    with pytest.raises(MalformedError):
        load_request(Family.AUTHENTICATED, body + dump(VlobID(bytes(16))))


@pytest.mark.parametrize("opening", [b"\x91", b"\x81\xa1k", b"\xdc\x00\x01"])
def test_endless_nesting_in_an_unknown_field_is_malformed(opening: bytes) -> None:
    body = with_field(PING, dump("x"), opening * 300_000 + b"\xc0")

    with pytest.raises(MalformedError, match="nested too deep"):
        load_request(Family.AUTHENTICATED, body)


@pytest.mark.parametrize("body", [b"", b"\xc0", b"\x90", b"\x80", b"\xc1", b"\xa4ping"])
def test_what_is_no_map_with_a_command_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedError):
        load_request(Family.AUTHENTICATED, body)


def test_a_reply_of_the_future_keeps_its_status_and_reason() -> None:
    body = dump({"quota": 3, "status": "quota_exceeded", "reason": "too much"})

    assert load_reply(InviteList, body) == UnknownStatus(status="quota_exceeded", reason="too much")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"status": None},
        {"status": "quota_exceeded", "reason": 3},
        {"status": "ok"},
        {"status": "ok", "type": "PARENT"},
        {"status": "ok", "type": 1},
    ],
)
def test_a_reply_that_is_none_of_the_command_is_malformed(body: dict[str, object]) -> None:
    with pytest.raises(MalformedError):
        load_reply(InviteInfo, dump(body))


def test_what_a_peer_wrote_stays_out_of_the_error() -> None:
    with pytest.raises(MalformedError) as caught:
        load_request(Family.AUTHENTICATED, dump({"cmd": "secret ' - at \x1b[0m"}))

    assert str(caught.value) == "Invalid value - at `$.cmd`"


def test_an_unknown_field_of_a_request_without_fields_stays_out_of_the_error() -> None:
    with pytest.raises(MalformedError) as caught:
        load_request(Family.AUTHENTICATED, dump({"cmd": "invite_list", "secret` \x1b[0m": 1}))

    assert str(caught.value) == "Object contains unknown field"
