"""Attacks on event streams and on who greets (server-core.md 20, rows 20, 25, 26 and 28)."""

import base64
from collections.abc import AsyncIterator

import pytest

from parsec.data.ids import UserID
from parsec.data.people import OrganizationID, UserProfile
from parsec.protocol.command import load_reply
from parsec.protocol.events import EventsListen, InvitationEvent, PingedEvent
from parsec.protocol.greeting import (
    InviteClaimerStartGreetingAttempt,
    InviteGreeterStartGreetingAttempt,
)
from parsec.protocol.invite import InviteInfo, InviteInfoOkUser
from parsec.protocol.ping import Ping
from parsec.protocol.statuses import GreeterNotAllowed
from parsec.server.records import EventID, Notification
from tests.support.asgi import Stream, request, stream
from tests.support.server_app import Device, ServerApp, server_app
from tests.support.server_calls import (
    change_profile,
    freeze,
    invite_user,
    invited,
    reply,
)

TARGET = "/authenticated/Org/events"


@pytest.fixture
async def server() -> AsyncIterator[ServerApp]:
    async with server_app() as made:
        yield made


@pytest.fixture
async def alice(server: ServerApp) -> Device:
    return await server.bootstrap("Org")


def headers(server: ServerApp, device: Device) -> dict[str, str]:
    return server.headers(device) | {"Accept": "text/event-stream"}


async def next_of(kind: type[object], events: Stream) -> object:
    """What comes next of these and of pings."""
    while True:
        frame = await events.next()
        data = frame.split(b"\n")[0].removeprefix(b"data:")
        event = load_reply(EventsListen, base64.b64decode(data))
        if isinstance(event, (kind, PingedEvent)):
            return event


# --- Row 20 ---


async def test_a_frozen_administrator_greets_nobody(server: ServerApp, alice: Device) -> None:
    """server-core 20 #20: neither offered, nor met, nor let in."""
    bob = await server.add_user(alice, "bob", UserProfile.ADMIN)
    token = await invite_user(server, alice)
    await freeze(server, bob)
    start = InviteClaimerStartGreetingAttempt(greeter=bob.user_id)
    greet = InviteGreeterStartGreetingAttempt(token=token)

    info = reply(InviteInfo(), await invited(server, token, InviteInfo()))
    started = reply(start, await invited(server, token, start))
    greeted = await server.send(bob, greet)

    assert isinstance(info, InviteInfoOkUser)
    assert [one.user_id for one in info.administrators] == [alice.user_id]
    assert started == GreeterNotAllowed()
    assert greeted.status == 462


async def test_a_frozen_administrator_hears_nothing_of_what_happened_meanwhile(
    server: ServerApp, alice: Device
) -> None:
    """server-core 20 #20: not even by coming back with the last event it saw."""
    bob = await server.add_user(alice, "bob", UserProfile.ADMIN)
    async with stream(server.app, TARGET, headers(server, bob)) as (_, events):
        await events.next()
        await server.reply(alice, Ping(ping="before"))
        seen = await events.next()
    last = seen.split(b"\n")[1].removeprefix(b"id:").decode()
    await freeze(server, bob)
    await invite_user(server, alice)
    await freeze(server, bob, frozen=False)

    again = headers(server, bob) | {"Last-Event-ID": last}
    async with stream(server.app, TARGET, again) as (_, events):
        await events.next()
        await server.reply(alice, Ping(ping="after"))

        assert await next_of(InvitationEvent, events) == PingedEvent(ping="after")


# --- Row 25 ---


def ping_to(text: str, recipients: frozenset[UserID]) -> Notification:
    return Notification(
        organization_id=OrganizationID("Org"),
        event_id=EventID(text.encode().ljust(16)),
        content=PingedEvent(ping=text),
        recipients=recipients,
    )


async def test_while_a_stream_opens_only_its_own_events_are_collected(
    server: ServerApp, alice: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """server-core 20 #25: what concerns others, and other organizations, is not."""
    bob = await server.add_user(alice, "bob")
    exchange = server.server.exchange
    subscribe = exchange.subscribe

    def subscribe_and_hear(*who: object, **more: object) -> object:
        opened = subscribe(*who, **more)  # type: ignore[arg-type]
        for text, recipient in (("for alice", alice), ("for bob", bob)):
            exchange.deliver(ping_to(text, frozenset([recipient.user_id])))
        return opened

    monkeypatch.setattr(exchange, "subscribe", subscribe_and_hear)

    async with stream(server.app, TARGET, headers(server, bob)) as (_, events):
        await events.next()
        first = await next_of(PingedEvent, events)

    assert first == PingedEvent(ping="for bob")


@pytest.mark.parametrize("obstacle", ["expired", "frozen"])
async def test_a_stream_that_fails_to_open_leaves_no_listener(
    server: ServerApp, alice: Device, monkeypatch: pytest.MonkeyPatch, obstacle: str
) -> None:
    """server-core 20 #25: whatever happens between its two looks at the database."""
    exchange = server.server.exchange
    subscribe = exchange.subscribe
    opened = []

    def keep(*who: object, **more: object) -> object:
        opened.append(subscribe(*who, **more))  # type: ignore[arg-type]
        return opened[-1]

    async def meanwhile() -> None:
        if obstacle == "expired":
            await server.admin("PATCH", "organizations/Org", {"is_expired": True})
        else:
            await freeze(server, alice)

    monkeypatch.setattr(exchange, "subscribe", keep)
    monkeypatch.setattr(server.server.engine, "catch_up", meanwhile)

    answer = await request(server.app, "GET", TARGET, headers(server, alice))

    assert answer.status == (460 if obstacle == "expired" else 462)
    assert [one.is_closed for one in opened] == [True]


# --- Row 26 ---


@pytest.mark.parametrize(
    ("before", "after", "is_told"),
    [
        (UserProfile.STANDARD, UserProfile.ADMIN, True),
        (UserProfile.ADMIN, UserProfile.STANDARD, False),
    ],
)
async def test_an_open_stream_follows_the_profile_of_its_user(
    server: ServerApp,
    alice: Device,
    before: UserProfile,
    after: UserProfile,
    is_told: bool,
) -> None:
    """server-core 20 #26: what is for administrators goes to who is one then."""
    bob = await server.add_user(alice, "bob", before)
    async with stream(server.app, TARGET, headers(server, bob)) as (_, events):
        await events.next()
        await change_profile(server, alice, bob.user_id, after)

        await invite_user(server, alice)
        await server.reply(alice, Ping(ping="the end"))

        assert isinstance(await next_of(InvitationEvent, events), InvitationEvent) is is_told


# --- Row 28 ---


async def test_a_busy_organization_makes_no_other_miss_anything(
    server: ServerApp, alice: Device
) -> None:
    """server-core 20 #28."""
    await server.bootstrap("Busy")
    async with stream(server.app, TARGET, headers(server, alice)) as (_, events):
        await events.next()
        await server.reply(alice, Ping(ping="seen"))
        seen = await events.next()
    last = seen.split(b"\n")[1].removeprefix(b"id:").decode()
    await server.reply(alice, Ping(ping="missed"))
    async with server.server.engine.transaction(write=True) as transaction:
        for number in range(3_000):
            transaction.publish(
                Notification(
                    organization_id=OrganizationID("Busy"),
                    event_id=EventID(number.to_bytes(16)),
                    content=PingedEvent(ping="busy"),
                    recipients=None,
                )
            )

    again = headers(server, alice) | {"Last-Event-ID": last}
    async with stream(server.app, TARGET, again) as (_, events):
        await events.next()

        assert await next_of(PingedEvent, events) == PingedEvent(ping="missed")
