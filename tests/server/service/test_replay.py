"""What clients that come back are told, by a server on either database (wire.md 1.8)."""

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from parsec.data.people import UserProfile
from parsec.protocol.command import load_reply
from parsec.protocol.events import EventsListen, PingedEvent
from parsec.protocol.ping import Ping
from parsec.server.events import MAX_BEHIND, MISSED_EVENTS_FRAME
from parsec.server.records import EventID
from parsec.server.settings import Database, SqliteDatabase
from tests.support.asgi import Stream, stream
from tests.support.postgresql import SERVER, new_place, some_database
from tests.support.server_app import Device, ServerApp, server_app
from tests.support.server_calls import change_profile, invite_user

UNKNOWN = EventID(b"never was, so no")


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """SQLite, or PostgreSQL when the suite runs on that."""
    if SERVER is None:
        yield SqliteDatabase(tmp_path / "parsec.sqlite")
        return
    async with new_place() as url:
        yield some_database(url)


@contextlib.asynccontextmanager
async def events_of(
    server: ServerApp, device: Device, last: EventID | None = None
) -> AsyncIterator[Stream]:
    """A stream behind its first event."""
    headers = server.headers(device) | {"Accept": "text/event-stream"}
    if last is not None:
        headers["Last-Event-ID"] = last.hex()
    target = f"/authenticated/{device.organization}/events"
    async with stream(server.app, target, headers) as (answer, events):
        assert answer.status == 200
        await events.next()
        yield events


async def say(server: ServerApp, device: Device, *texts: str) -> list[EventID]:
    """Pings, and the names of their events."""
    names = []
    async with events_of(server, device) as events:
        for text in texts:
            await server.reply(device, Ping(ping=text))
            names.append(name_of(await events.next()))
    return names


async def heard(events: Stream, count: int) -> list[str]:
    """The next so many pings; several may come in one piece."""
    texts: list[str] = []
    while len(texts) < count:
        texts += [ping_of(frame) for frame in split(await events.next())]
    return texts


def split(frames: bytes) -> list[bytes]:
    return [frame + b"\n\n" for frame in frames.split(b"\n\n") if frame]


def name_of(frame: bytes) -> EventID:
    return EventID.parse(frame.split(b"\nid:")[1].strip().decode())


def ping_of(frame: bytes) -> str:
    data = base64.b64decode(frame.split(b"\n")[0].removeprefix(b"data:"))
    content = load_reply(EventsListen, data)
    assert isinstance(content, PingedEvent)
    return content.ping


async def test_a_restart_makes_nobody_miss_anything(database: Database, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"database": database, "server_key_file": tmp_path / "server.key"}
    async with server_app(**settings) as server:
        alice = await server.bootstrap("Org")
        first, *_ = await say(server, alice, "1", "2", "3")

    async with server_app(**settings) as server, events_of(server, alice, first) as events:
        await server.reply(alice, Ping(ping="4"))
        texts = await heard(events, 3)

    assert texts == ["2", "3", "4"]


async def test_an_event_that_nobody_knows_means_that_some_were_missed(database: Database) -> None:
    async with server_app(database=database) as server:
        alice = await server.bootstrap("Org")

        async with events_of(server, alice, UNKNOWN) as events:
            assert await events.next() == MISSED_EVENTS_FRAME
            await server.reply(alice, Ping(ping="1"))
            assert await heard(events, 1) == ["1"]


async def test_an_event_of_another_organization_is_one_that_nobody_knows(
    database: Database,
) -> None:
    async with server_app(database=database) as server:
        alice, bob = await server.bootstrap("Org"), await server.bootstrap("Other", "bob")
        (name,) = await say(server, bob, "1")

        async with events_of(server, alice, name) as events:
            assert await events.next() == MISSED_EVENTS_FRAME


async def test_who_was_away_for_too_long_is_told_just_that(database: Database) -> None:
    async with server_app(database=database) as server:
        alice = await server.bootstrap("Org")
        texts = [f"{number}" for number in range(MAX_BEHIND + 2)]
        names = await say(server, alice, *texts)

        async with events_of(server, alice, names[0]) as too_long:
            assert await too_long.next() == MISSED_EVENTS_FRAME
        async with events_of(server, alice, names[1]) as just_not:
            assert await heard(just_not, MAX_BEHIND) == texts[2:]


async def test_what_was_for_others_is_not_told_to_who_comes_back(database: Database) -> None:
    """Not even to who was made an administrator since: who was concerned then is what counts."""
    async with server_app(database=database) as server:
        alice = await server.bootstrap("Org")
        bob = await server.add_user(alice, "bob")
        (first,) = await say(server, alice, "1")
        await invite_user(server, alice)
        await say(server, alice, "2")
        await change_profile(server, alice, bob.user_id, UserProfile.ADMIN)

        async with events_of(server, bob, first) as events:
            frames = split(await events.next())

    assert ping_of(frames[0]) == "2"


async def test_what_happens_while_streams_are_opened_is_told_once_and_in_order(
    database: Database,
) -> None:
    count = 30
    async with server_app(database=database) as server, contextlib.AsyncExitStack() as stack:
        alice = await server.bootstrap("Org")
        (first,) = await say(server, alice, "first")
        streams: list[Stream] = []

        async def talk() -> None:
            for number in range(count):
                await server.reply(alice, Ping(ping=f"{number}"))

        async def listen() -> None:
            streams.extend(
                [
                    await stack.enter_async_context(events_of(server, alice, first))
                    for _ in range(count)
                ]
            )

        await asyncio.gather(talk(), listen())
        await server.reply(alice, Ping(ping="last"))

        for events in streams:
            assert await heard(events, count + 1) == [*map(str, range(count)), "last"]
