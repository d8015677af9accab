"""The event stream of a device (server-core.md 15, wire.md 1.8)."""

import base64
import contextlib
from collections.abc import AsyncIterator

import pytest

from parsec.data.ids import UserID
from parsec.data.people import OrganizationID
from parsec.protocol.command import load_reply
from parsec.protocol.events import (
    CommonCertificateEvent,
    EventsListen,
    OrganizationConfigEvent,
    PingedEvent,
)
from parsec.protocol.ping import Ping
from parsec.server.events import MAX_BEHIND
from parsec.server.records import EventID, Notification
from tests.support.asgi import request, stream
from tests.support.server_app import Device, ServerApp, server_app

TARGET = "/authenticated/Org/events"


@pytest.fixture
async def server() -> AsyncIterator[ServerApp]:
    async with server_app() as made:
        yield made


@pytest.fixture
async def alice(server: ServerApp) -> Device:
    return await server.bootstrap("Org")


def headers(server: ServerApp, device: Device, **more: str) -> dict[str, str]:
    return server.headers(device) | {"Accept": "text/event-stream"} | more


def event(frame: bytes) -> object:
    data = frame.split(b"\n")[0].removeprefix(b"data:")
    return load_reply(EventsListen, base64.b64decode(data))


async def test_the_first_event_is_the_configuration(server: ServerApp, alice: Device) -> None:
    async with stream(server.app, TARGET, headers(server, alice)) as (answer, events):
        first = await events.next()

    assert answer.status == 200
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert "api-version" not in answer.headers
    assert event(first) == OrganizationConfigEvent(
        active_users_limit=None,
        realm_minimum_archiving_period_before_deletion=2_592_000,
        sse_keepalive_seconds=30,
        user_profile_outsider_allowed=True,
    )


async def test_events_follow(server: ServerApp, alice: Device) -> None:
    async with stream(server.app, TARGET, headers(server, alice)) as (_, events):
        await events.next()
        await server.reply(alice, Ping(ping="hello"))
        frame = await events.next()

    assert event(frame) == PingedEvent(ping="hello")


async def test_a_revoked_user_hears_of_it_and_then_nothing(
    server: ServerApp, alice: Device
) -> None:
    bob = await server.add_user(alice, "bob")

    async with stream(server.app, TARGET, headers(server, bob)) as (_, events):
        await events.next()
        await server.revoke(alice, bob.user_id)
        frames = [await events.next(), await events.next()]

    assert isinstance(event(frames[0]), CommonCertificateEvent)
    assert frames[1] == b""


async def test_a_frozen_user_hears_what_came_before_and_then_nothing(
    server: ServerApp, alice: Device
) -> None:
    bob = await server.add_user(alice, "bob")

    async with stream(server.app, TARGET, headers(server, bob)) as (_, events):
        await events.next()
        await server.reply(alice, Ping(ping="before"))
        await server.admin(
            "POST", "organizations/Org/users/freeze", {"user_id": bob.user_id.hex(), "frozen": True}
        )
        frames = [await events.next(), await events.next()]

    assert event(frames[0]) == PingedEvent(ping="before")
    assert frames[1] == b""


async def test_who_is_too_slow_is_told_nothing_more(server: ServerApp, alice: Device) -> None:
    bob = await server.add_user(alice, "bob")
    events_at_once = [ping(number, {alice.user_id}) for number in range(MAX_BEHIND + 1)]

    async with (
        stream(server.app, TARGET, headers(server, alice)) as (_, slow),
        stream(server.app, TARGET, headers(server, bob)) as (_, other),
    ):
        await slow.next(), await other.next()
        async with server.server.engine.transaction(write=True) as transaction:
            for one in events_at_once:
                transaction.publish(one)
        last = await slow.next()
        await server.reply(alice, Ping(ping="still there"))
        frame = await other.next()

    assert last == b""
    assert event(frame) == PingedEvent(ping="still there")


def ping(number: int, recipients: set[UserID]) -> Notification:
    return Notification(
        organization_id=OrganizationID("Org"),
        event_id=EventID(number.to_bytes(16, "big")),
        content=PingedEvent(ping=f"{number}"),
        recipients=frozenset(recipients),
    )


async def test_two_thousand_streams_that_wait_are_two_thousand_streams(
    server: ServerApp, alice: Device
) -> None:
    """None waits for another, and nothing is left of them."""
    async with contextlib.AsyncExitStack() as stack:
        opened = [
            await stack.enter_async_context(stream(server.app, TARGET, headers(server, alice)))
            for _ in range(2000)
        ]
        for _, events in opened:
            await events.next()
        await server.reply(alice, Ping(ping="to all"))
        heard = [event(await events.next()) for _, events in opened]

    assert heard == [PingedEvent(ping="to all")] * 2000
    assert server.server.exchange.listening() == set()


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "organizations/Org", {"is_expired": True}),
        ("PATCH", "organizations/Org", {"tos": {"en": "https://example.com"}}),
    ],
    ids=["expired", "terms of service"],
)
async def test_what_keeps_everybody_out_ends_the_streams(
    server: ServerApp, alice: Device, method: str, path: str, body: object
) -> None:
    async with stream(server.app, TARGET, headers(server, alice)) as (_, events):
        await events.next()
        await server.admin(method, path, body)
        last = await events.next()

    assert last == b""


async def test_an_unchanged_patch_ends_no_stream(server: ServerApp, alice: Device) -> None:
    async with stream(server.app, TARGET, headers(server, alice)) as (_, events):
        await events.next()
        await server.admin("PATCH", "organizations/Org", {"active_users_limit": 3})
        await server.reply(alice, Ping(ping="still there"))
        frame = await events.next()

    assert event(frame) == PingedEvent(ping="still there")


async def test_silence_is_broken_now_and_then() -> None:
    async with server_app(sse_keepalive=0.001) as server:
        alice = await server.bootstrap("Org")
        async with stream(server.app, TARGET, headers(server, alice)) as (_, events):
            first, second = await events.next(), await events.next()

    configuration = event(first)
    assert isinstance(configuration, OrganizationConfigEvent)
    assert configuration.sse_keepalive_seconds == 1
    assert second == b"event:keepalive\ndata:\n\n"


async def test_who_comes_back_gets_what_it_missed(server: ServerApp, alice: Device) -> None:
    async with stream(server.app, TARGET, headers(server, alice)) as (_, events):
        await events.next()
        await server.reply(alice, Ping(ping="1"))
        seen = await events.next()
    await server.reply(alice, Ping(ping="2"))
    last = seen.split(b"\n")[1].removeprefix(b"id:").decode()

    again = headers(server, alice, **{"Last-Event-ID": last})
    async with stream(server.app, TARGET, again) as (_, events):
        first, second = await events.next(), await events.next()

    assert isinstance(event(first), OrganizationConfigEvent)
    assert event(second) == PingedEvent(ping="2")


async def test_a_client_that_leaves_is_forgotten(server: ServerApp, alice: Device) -> None:
    async with stream(server.app, TARGET, headers(server, alice)) as (_, events):
        await events.next()

        await events.leave()

    assert events.task.done()


async def test_a_server_that_stops_opens_no_stream(server: ServerApp, alice: Device) -> None:
    server.server.exchange.stop()

    answer = await request(server.app, "GET", TARGET, headers(server, alice))

    assert answer.status == 503


async def test_the_accepted_type_is_checked_before_the_proof(
    server: ServerApp, alice: Device
) -> None:
    wanted = {"Api-Version": "5.5", "Accept": "text/event-stream, */*"}

    assert (await request(server.app, "GET", TARGET, wanted)).status == 406


async def test_events_cannot_be_posted(server: ServerApp, alice: Device) -> None:
    answer = await request(server.app, "POST", TARGET, headers(server, alice))

    assert (answer.status, answer.headers["allow"]) == (405, "GET")
