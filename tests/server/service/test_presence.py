"""Who is there: `online_status` (server-core.md 8.5), within a process and across several."""

import contextlib
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

import pytest

from parsec.crypto.entropy import system_entropy
from parsec.data.ids import DeviceID, UserID
from parsec.data.people import OrganizationID, UserProfile
from parsec.protocol import invite as wire
from parsec.protocol.invite import UserOnlineStatus
from parsec.server.events import Exchange, Subscription
from parsec.server.service.presence import SILENCE_SECONDS, SharedPresence
from parsec.server.store.engine import Engine, StorageError, Transaction
from parsec.server.store.sqlite import TemporarySqliteEngine
from tests.support.asgi import Stream, stream
from tests.support.postgresql import SERVER, prompt_engine
from tests.support.server_app import BEGIN, Clock, Device, ServerApp, server_app
from tests.support.server_calls import (
    invite_recovery,
    invite_user,
    invited,
    reply,
    set_up_recovery,
)

ORGANIZATION = OrganizationID("Org")
ALICE, BOB, MALLORY = (UserID(letter * 16) for letter in (b"a", b"b", b"m"))
DEVICE = DeviceID(b"d" * 16)
ONLINE, UNKNOWN = UserOnlineStatus.ONLINE, UserOnlineStatus.UNKNOWN


# --- What a claimer is told ---


@contextlib.asynccontextmanager
async def listening(server: ServerApp, device: Device) -> AsyncIterator[Stream]:
    headers = server.headers(device) | {"Accept": "text/event-stream"}
    async with stream(server.app, "/authenticated/Org/events", headers) as (_, events):
        await events.next()
        yield events


async def test_administrators_are_online_while_they_have_a_stream() -> None:
    async with server_app(tell_presence=True) as server:
        alice = await server.bootstrap("Org")
        bob = await server.add_user(alice, "bob", UserProfile.ADMIN)
        token = await invite_user(server, alice)

        async def statuses() -> list[UserOnlineStatus]:
            command = wire.InviteInfo()
            info = reply(command, await invited(server, token, command))
            assert isinstance(info, wire.InviteInfoOkUser)
            return [one.online_status for one in info.administrators]

        before = await statuses()
        async with listening(server, bob):
            during = await statuses()
        after = await statuses()

    assert (before, during, after) == ([UNKNOWN] * 2, [UNKNOWN, ONLINE], [UNKNOWN] * 2)


async def test_recipients_are_online_while_they_have_a_stream() -> None:
    async with server_app(tell_presence=True) as server:
        alice = await server.bootstrap("Org")
        bob = await server.add_user(alice, "bob")
        carol = await server.add_user(alice, "carol")
        await set_up_recovery(server, alice, bob, carol)
        token = await invite_recovery(server, bob, alice)

        async with listening(server, alice), listening(server, carol):
            command = wire.InviteInfo()
            info = reply(command, await invited(server, token, command))

    assert isinstance(info, wire.InviteInfoOkShamirRecovery)
    assert [one.online_status for one in info.recipients] == [UNKNOWN, ONLINE]


async def test_unless_wanted_nobody_is_told_who_is_there() -> None:
    async with server_app() as server:
        alice = await server.bootstrap("Org")
        token = await invite_user(server, alice)

        async with listening(server, alice):
            command = wire.InviteInfo()
            info = reply(command, await invited(server, token, command))

    assert isinstance(info, wire.InviteInfoOkUser)
    assert [one.online_status for one in info.administrators] == [UNKNOWN]


# --- Several processes ---


class Process:
    """What of a process has to do with presence."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.exchange = Exchange()
        self.clock = Clock(BEGIN)
        self.presence = SharedPresence(
            engine, self.exchange, clock=self.clock, entropy=system_entropy
        )

    async def open(self, user_id: UserID) -> Subscription:
        subscription = self.exchange.subscribe(ORGANIZATION, user_id, DEVICE)
        await self.presence.announced()
        return subscription

    async def close(self, subscription: Subscription) -> None:
        subscription.close()
        await self.presence.announced()

    async def present(self, *user_ids: UserID) -> set[UserID]:
        async with self.engine.transaction(write=False) as transaction:
            return await self.presence.present(transaction, ORGANIZATION, user_ids)

    def wait(self, seconds: float) -> None:
        self.clock.now = self.clock.now.plus(seconds=seconds)


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    """SQLite, or PostgreSQL when the suite runs on that."""
    if SERVER is not None:
        async with prompt_engine() as postgresql:
            await postgresql.migrate()
            yield postgresql
        return
    sqlite = TemporarySqliteEngine()
    await sqlite.migrate()
    yield sqlite
    await sqlite.close()


@pytest.fixture
async def one(engine: Engine) -> AsyncIterator[Process]:
    made = Process(engine)
    async with made.presence.telling():
        yield made


@pytest.fixture
async def other(engine: Engine) -> AsyncIterator[Process]:
    made = Process(engine)
    async with made.presence.telling():
        yield made


async def test_who_listens_at_one_process_is_there_for_all(one: Process, other: Process) -> None:
    await one.open(ALICE)

    assert await one.present(ALICE, BOB) == {ALICE}
    assert await other.present(ALICE, BOB) == {ALICE}


async def test_who_listens_at_several_processes_is_there_until_the_last_end(
    one: Process, other: Process
) -> None:
    first, second = await one.open(ALICE), await other.open(ALICE)

    await one.close(first)
    between = await one.present(ALICE)
    await other.close(second)

    assert (between, await one.present(ALICE)) == ({ALICE}, set())


async def test_a_second_stream_of_a_user_changes_nothing(one: Process, other: Process) -> None:
    await one.open(ALICE)
    second = await one.open(ALICE)
    await one.close(second)

    assert await other.present(ALICE) == {ALICE}


async def test_who_is_there_in_one_organization_is_not_in_another(one: Process) -> None:
    await one.open(ALICE)

    async with one.engine.transaction(write=False) as transaction:
        found = await one.presence.present(transaction, OrganizationID("Other"), [ALICE])
    assert found == set()


async def test_many_can_be_there(one: Process, other: Process) -> None:
    users = [UserID(bytes([number]) * 16) for number in range(30)]
    for user_id in users[::2]:
        one.exchange.subscribe(ORGANIZATION, user_id, DEVICE)
    await one.presence.announced()

    assert await other.present(*users) == set(users[::2])
    assert await other.present() == set()


async def test_a_process_that_was_killed_counts_no_more_after_a_while(
    one: Process, other: Process
) -> None:
    await one.open(ALICE)

    other.wait(SILENCE_SECONDS - 1)
    before = await other.present(ALICE)
    other.wait(2)
    after = await other.present(ALICE)

    assert (before, after) == ({ALICE}, set())


async def test_what_a_killed_process_left_is_removed(one: Process, other: Process) -> None:
    await one.open(ALICE)

    other.wait(SILENCE_SECONDS + 1)
    await other.open(BOB)

    assert await table(other.engine) == {BOB}


async def table(engine: Engine) -> set[UserID]:
    async with engine.transaction(write=False) as transaction:
        rows = await transaction.rows("SELECT user_id FROM presence")
    return {UserID(user_id) for (user_id,) in rows}


async def test_a_process_that_was_taken_for_dead_tells_everything_again(
    one: Process, other: Process
) -> None:
    await one.open(ALICE)
    other.wait(SILENCE_SECONDS + 1)
    await other.open(BOB)

    one.wait(SILENCE_SECONDS + 1)
    await one.open(MALLORY)

    assert await other.present(ALICE, BOB, MALLORY) == {ALICE, BOB, MALLORY}


async def test_a_process_that_ends_takes_its_part_away(one: Process, engine: Engine) -> None:
    ending = Process(engine)
    async with ending.presence.telling():
        await ending.open(ALICE)

    assert await table(engine) == set()
    assert await one.present(ALICE) == set()


class BrokenEngine(TemporarySqliteEngine):
    """Cannot be written."""

    def transaction(
        self, *, write: bool, single: bool = False
    ) -> AbstractAsyncContextManager[Transaction]:
        if write:
            raise StorageError("no room")
        return super().transaction(write=write, single=single)


async def test_nobody_waits_for_a_database_that_cannot_be_written() -> None:
    engine = BrokenEngine()
    process = Process(engine)

    async with process.presence.telling():
        subscription = await process.open(ALICE)
        await process.close(subscription)
    await engine.close()

    assert process.exchange.listening() == set()
