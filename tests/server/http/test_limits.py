"""Each maximum, at the limit and one beyond (server-core.md 2.2, 4.1, 11.2, 16; wire.md 1.5)."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from parsec.crypto.entropy import system_entropy
from parsec.data.ids import DeviceID
from parsec.data.people import DeviceLabel, UserProfile
from parsec.protocol.command import dump_request, reply_status
from parsec.protocol.device import DeviceCreate
from parsec.protocol.organization import OrganizationInfo
from parsec.protocol.ping import AnonymousPing
from parsec.protocol.user import UserCreate
from parsec.server.http.body import MAX_BODY
from tests.support.asgi import Answer, request
from tests.support.newcomers import newcomer, papers
from tests.support.server_app import MSGPACK, Device, ServerApp, server_app
from tests.support.server_calls import recovery

BEYOND = pytest.mark.parametrize("beyond", [0, 1], ids=["at the limit", "beyond"])


@pytest.fixture
async def server() -> AsyncIterator[ServerApp]:
    async with server_app() as made:
        yield made


@pytest.fixture
async def alice(server: ServerApp) -> Device:
    return await server.bootstrap("Org")


# --- Bodies ---


def ping_of_size(size: int) -> bytes:
    """A command whose body has so many bytes."""
    rest = len(dump_request(AnonymousPing(ping="x" * 100_000))) - 100_000
    body = dump_request(AnonymousPing(ping="x" * (size - rest)))
    assert len(body) == size
    return body


@BEYOND
@pytest.mark.parametrize("is_declared", [True, False])
@pytest.mark.parametrize("is_chunked", [True, False])
async def test_a_body_has_a_mebibyte(
    server: ServerApp, alice: Device, beyond: int, is_declared: bool, is_chunked: bool
) -> None:
    body = ping_of_size(MAX_BODY + beyond)
    chunks = [body[:1_000], body[1_000:]] if is_chunked else [body]
    length = {"Content-Length": str(len(body))} if is_declared else {}

    answer = await request(server.app, "POST", "/anonymous/Org", MSGPACK | length, *chunks)

    assert answer.status == (413 if beyond else 200)


@BEYOND
async def test_so_has_one_for_the_administration(server: ServerApp, beyond: int) -> None:
    body = b'{"organization_id": "New"}'.ljust(MAX_BODY + beyond)
    headers = {"Authorization": "Bearer s3cr3t", "Content-Type": "application/json"}

    answer = await request(server.app, "POST", "/administration/organizations", headers, body)

    assert answer.status == (413 if beyond else 200)


@pytest.mark.parametrize("length", ["1" * 20, "9" * 5_000, "0" * 5_000])
async def test_a_length_of_many_digits_is_refused(
    server: ServerApp, alice: Device, length: str
) -> None:
    headers = MSGPACK | {"Content-Length": length}

    answer = await request(server.app, "POST", "/anonymous/Org", headers, ping_of_size(200_000))

    assert answer.status == 413


# --- Dates ---


async def info(server: ServerApp, device: Device, seconds: int) -> Answer:
    # The date of a token has no fraction of a second: both it and the server's are whole ones.
    server.clock.now = server.clock.now.plus(microseconds=-(int(server.clock.now) % 1_000_000) - 1)
    headers = server.headers(device, seconds=seconds)
    server.clock.now = server.clock.now.plus(microseconds=-1)
    body = dump_request(OrganizationInfo())
    return await request(server.app, "POST", "/authenticated/Org", headers, body)


@pytest.mark.parametrize(("seconds", "status"), [(-320, 498), (-319, 200), (299, 200), (300, 498)])
async def test_a_token_is_of_about_now(
    server: ServerApp, alice: Device, seconds: int, status: int
) -> None:
    assert (await info(server, alice, seconds)).status == status


# --- Organizations ---


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("a", 200),
        ("", 422),
        ("a" * 32, 200),
        ("a" * 33, 422),
        ("é" * 16, 200),
        ("é" * 16 + "a", 422),
    ],
    ids=["short", "empty", "at the limit", "beyond", "bytes count", "beyond in bytes"],
)
async def test_the_name_of_an_organization_has_32_bytes(
    server: ServerApp, name: str, status: int
) -> None:
    answer = await server.admin("POST", "organizations", {"organization_id": name})

    assert answer.status == status


@pytest.mark.parametrize(
    "field", ["active_users_limit", "realm_minimum_archiving_period_before_deletion"]
)
@pytest.mark.parametrize(
    ("number", "status"), [(-1, 422), (0, 200), (2**31 - 1, 200), (2**31, 422)]
)
async def test_numbers_of_an_organization_fit_into_31_bits(
    server: ServerApp, alice: Device, field: str, number: int, status: int
) -> None:
    answer = await server.admin("PATCH", "organizations/Org", {field: number})

    assert answer.status == status


@BEYOND
async def test_an_organization_has_as_many_active_users_as_it_may(
    server: ServerApp, alice: Device, beyond: int
) -> None:
    await server.add_user(alice, "bob")
    await server.admin("PATCH", "organizations/Org", {"active_users_limit": 3 - beyond})
    made = papers(newcomer("carl"), author=alice.device_id, timestamp=server.clock())

    reply = await server.reply(alice, UserCreate(**made.signed(alice.key)))

    expected = "active_users_limit_reached" if beyond else "ok"
    assert reply_status(type(reply)) == expected


# --- Certificates ---


class AnyLabel(DeviceLabel):
    """A label that nobody checks before it is sent."""

    __slots__ = ()
    max_bytes = 1_000


@BEYOND
async def test_the_label_of_a_device_has_255_bytes(
    server: ServerApp, alice: Device, beyond: int
) -> None:
    other = replace(alice, device_id=DeviceID.generate(system_entropy))
    made = papers(other, author=alice.device_id, timestamp=server.clock())
    made = made.but("device", device_label=AnyLabel("x" * (255 + beyond)))
    signed = made.signed(alice.key)
    command = DeviceCreate(
        device_certificate=signed["device_certificate"],
        redacted_device_certificate=signed["redacted_device_certificate"],
    )

    reply = await server.reply(alice, command)

    assert reply_status(type(reply)) == ("invalid_certificate" if beyond else "ok")


@pytest.mark.parametrize(
    ("threshold", "weights", "is_right"),
    [
        (1, (1, 1), True),
        (0, (1, 1), False),
        (1, (0, 1), False),
        (2, (1, 1), True),
        (3, (1, 1), False),
        (255, (254, 1), True),
        (1, (255, 1), False),
        (1, (128, 128), False),
        (256, (255, 1), False),
        (1, (256, 1), False),
    ],
    ids=str,
)
async def test_a_recovery_has_255_shares_and_a_threshold_among_them(
    server: ServerApp, alice: Device, threshold: int, weights: tuple[int, int], is_right: bool
) -> None:
    people = [await server.add_user(alice, name) for name in ("bob", "carl")]
    made = recovery(server, alice, *people)
    shares = {person.user_id: weight for person, weight in zip(people, weights, strict=True)}
    made.brief = _changed(made.brief, threshold=threshold, per_recipient_shares=shares)

    reply = await server.reply(alice, made.command)

    refused = "invalid_certificate_brief_corrupted"
    assert reply_status(type(reply)) == ("ok" if is_right else refused)


async def test_a_recovery_may_have_255_recipients(server: ServerApp, alice: Device) -> None:
    """One for each share: their certificates are all believed, and one more is none too many."""
    people = [newcomer(f"user{number}") for number in range(255)]
    strangers = [Device(organization="Org", **vars(person)) for person in people]

    believed = await server.reply(alice, recovery(server, alice, *strangers).command)
    one_more = Device(organization="Org", **vars(newcomer("another", UserProfile.STANDARD)))
    refused = await server.reply(alice, recovery(server, alice, *strangers, one_more).command)

    assert reply_status(type(believed)) == "recipient_not_found"
    assert reply_status(type(refused)) == "invalid_certificate_brief_corrupted"


def _changed(brief: Any, **fields: Any) -> Any:
    return msgspec.structs.replace(brief, **fields)
