"""The engine on PostgreSQL: the contract of all engines, and what several processes add to it."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

import pytest

from parsec.server.http.edge import REQUEST
from parsec.server.records import AnyEvent, Notification
from parsec.server.store import (
    migrations,
    postgresql,
    postgresql_connection,
    postgresql_events,
)
from parsec.server.store.engine import Engine, OutOfReachError, SchemaError, StorageError
from parsec.server.store.migrations import Migration
from parsec.server.store.postgresql import PostgresqlEngine
from parsec.server.store.postgresql_connection import PostgresqlConnection, connect
from parsec.server.store.postgresql_lookups import MOST
from tests.support.engine_contract import EngineContract, add, names, ping
from tests.support.postgresql import (
    PromptEngine,
    as_role,
    cut_off,
    named,
    needs_postgresql,
    new_place,
    new_role,
    prompt_engine,
    run_on,
    run_on_server,
    some_database,
    url_with,
)

pytestmark = needs_postgresql


class TestPostgresql(EngineContract):
    @pytest.fixture
    async def engine(self) -> AsyncIterator[PromptEngine]:
        async with prompt_engine() as engine:
            await engine.migrate()
            yield engine


@pytest.fixture
async def place() -> AsyncIterator[str]:
    """A database that is migrated and empty."""
    async with new_place() as url, open_engine(url) as engine:
        await engine.migrate()
        yield url


@contextlib.asynccontextmanager
async def open_engine(url: str, **settings: float) -> AsyncIterator[PostgresqlEngine]:
    engine = PostgresqlEngine(some_database(url, **settings))
    try:
        yield engine
    finally:
        await engine.close()


async def say(engine: Engine, *texts: str) -> None:
    async with engine.transaction(write=True) as transaction:
        for text in texts:
            transaction.publish(ping(text))


class Ear:
    """What a process hears, with a way to wait for it."""

    def __init__(self) -> None:
        self.heard: list[AnyEvent] = []
        self._news = asyncio.Event()

    @classmethod
    async def of(cls, engine: Engine) -> Self:
        """From now on; the first use of an engine is the beginning of its time."""
        await names(engine)
        ear = cls()
        engine.subscribe(ear._hear)
        return ear

    def _hear(self, event: AnyEvent) -> None:
        self.heard.append(event)
        self._news.set()

    async def hears(self, *texts: str) -> None:
        """Waits until so much was said: this, and nothing else."""
        await self.hears_so_many(len(texts))
        assert self.heard == [ping(text) for text in texts]

    async def hears_so_many(self, count: int) -> None:
        async with asyncio.timeout(20):
            while len(self.heard) < count:
                self._news.clear()
                await self._news.wait()


async def eventually(condition: Callable[[], Awaitable[object]]) -> None:
    """Waits for what the database or another process does, and tells nobody."""
    async with asyncio.timeout(20):
        while not await condition():  # noqa: ASYNC110  (it tells nobody)
            await asyncio.sleep(0.01)


@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="one process alone")
def test_processes_of_tests_share_no_database() -> None:
    assert urlsplit(url_with()).path.startswith("/parsec_test_")


async def is_true(sql: str) -> bool:
    connection = await connect(some_database(url_with()))
    ((found,),) = await connection.rows(sql)
    await connection.close()
    return bool(found)


# --- Locks ---


async def test_who_shares_a_topic_keeps_no_other_sharer_away(place: str) -> None:
    async with (
        open_engine(place) as engine,
        engine.transaction(write=True) as one,
        engine.transaction(write=True) as other,
    ):
        await one.lock("a", share=True)

        await other.lock("a", share=True)


async def test_who_has_a_topic_alone_waits_for_all_sharers(place: str) -> None:
    told: list[str] = []

    async def write() -> None:
        async with other.transaction(write=True) as transaction:
            await transaction.lock("a")
            told.append("locked")

    async with open_engine(place) as engine, open_engine(place) as other:
        async with engine.transaction(write=True) as transaction:
            await transaction.lock("a", share=True)
            writer = asyncio.create_task(write())
            await lock_is_waited_for()
            told.append("shared")
        await writer

    assert told == ["shared", "locked"]


async def lock_is_waited_for() -> None:
    sql = (
        "SELECT count(*) > 0 FROM pg_locks l JOIN pg_database d ON d.oid = l.database "
        "WHERE locktype = 'advisory' AND NOT granted AND datname = current_database()"
    )
    await eventually(lambda: is_true(sql))


async def test_other_topics_are_not_locked(place: str) -> None:
    async with (
        open_engine(place) as engine,
        engine.transaction(write=True) as one,
        engine.transaction(write=True) as other,
    ):
        await one.lock("a")

        await other.lock("b")


async def test_what_waits_for_each_other_in_a_circle_fails_and_does_not_hang(place: str) -> None:
    both = asyncio.Barrier(2)

    async def write(*topics: str) -> None:
        async with engine.transaction(write=True) as transaction:
            await transaction.lock(topics[0])
            await both.wait()
            await transaction.lock(topics[1])

    async with open_engine(place) as engine:
        results = await asyncio.gather(write("a", "b"), write("b", "a"), return_exceptions=True)

    (failed,) = (result for result in results if result is not None)
    assert isinstance(failed, StorageError)
    assert "deadlock" in str(failed)


async def test_more_writers_than_connections_take_turns(place: str) -> None:
    async def write(name: str) -> None:
        async with engine.transaction(write=True) as transaction:
            await transaction.lock("a")
            await add(transaction, name)

    async with open_engine(place, max_connections=3) as engine:
        await asyncio.gather(*(write(f"{number:02}") for number in range(30)))

        assert len(await names(engine)) == 30


# --- Events ---


async def test_all_processes_hear_what_one_says(place: str) -> None:
    async with open_engine(place) as one, open_engine(place) as other:
        ears = [await Ear.of(one), await Ear.of(other)]

        await say(one, "a", "b")

        for ear in ears:
            await ear.hears("a", "b")


async def test_all_processes_hear_everything_in_one_order(place: str) -> None:
    async with open_engine(place) as one, open_engine(place) as other:
        ears = [await Ear.of(one), await Ear.of(other)]

        await asyncio.gather(
            *(
                say(engine, f"{name} {number}", f"{name} {number}!")
                for number in range(20)
                for name, engine in (("one", one), ("other", other))
            )
        )
        for ear in ears:
            await ear.hears_so_many(80)

    first, second = (ear.heard for ear in ears)
    assert first == second
    texts = [event.content.ping for event in first if isinstance(event, Notification)]  # type: ignore[attr-defined]
    assert texts[1::2] == [f"{text}!" for text in texts[::2]]


async def test_an_event_may_be_larger_than_a_notification(place: str) -> None:
    async with open_engine(place) as one, open_engine(place) as other:
        ear = await Ear.of(other)

        await say(one, "x" * 1_000_000)

        await ear.hears("x" * 1_000_000)


async def test_a_new_process_hears_nothing_of_before(place: str) -> None:
    async with open_engine(place) as one, open_engine(place) as other:
        await say(one, "before")
        ear = await Ear.of(other)

        await say(one, "after")

        await ear.hears("after")


async def test_what_is_said_between_the_first_use_and_listening_is_heard(place: str) -> None:
    async with open_engine(place) as one, open_engine(place) as other:
        await names(other)
        await say(one, "a")

        ear = await Ear.of(other)

        await ear.hears("a")


async def test_an_event_that_nobody_understands_is_passed_over(place: str) -> None:
    async with open_engine(place) as one, open_engine(place) as other:
        ear = await Ear.of(other)
        await run_on(
            place,
            "INSERT INTO event (number, content) VALUES (1, 'of a later version');"
            "UPDATE event_counter SET last = 1",
        )

        await say(one, "a")

        await ear.hears("a")


async def test_old_events_are_forgotten(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql_events, "KEPT", 8)
    monkeypatch.setattr(postgresql_events, "_FORGET_EVERY", 4)
    async with open_engine(place) as engine:
        ear = await Ear.of(engine)
        texts = [f"{number}" for number in range(1, 31)]

        await say(engine, *texts)
        await ear.hears(*texts)
        await engine.catch_up()

        async with engine.transaction(write=False) as transaction:
            numbers = await transaction.rows("SELECT number FROM event ORDER BY number")
    assert numbers == [(number,) for number in range(21, 31)]


@pytest.mark.parametrize(
    "accident",
    [
        # They were forgotten while the process was away for too long.
        "UPDATE event_counter SET last = last + 2",
        # An older copy of the database took its place.
        "UPDATE event_counter SET last = 0",
        "DELETE FROM event_counter",
    ],
)
async def test_who_lost_events_ends_rather_than_to_go_on_without(place: str, accident: str) -> None:
    async with open_engine(place) as engine:
        ear = await Ear.of(engine)
        await say(engine, "a")
        await ear.hears("a")

        await run_on(place, f"{accident}; NOTIFY parsec_event")

        assert "gone" in str(await engine.lost())


# --- A database that comes and goes ---


async def test_events_that_came_while_the_connection_was_lost_are_heard(place: str) -> None:
    url, name = named(place)
    async with open_engine(place) as one, open_engine(url, pause=0.2) as other:
        ear = await Ear.of(other)
        await say(one, "before")
        await ear.hears("before")

        for number in range(3):
            await cut_off(name)
            await say(one, f"during {number}")

        await ear.hears("before", "during 0", "during 1", "during 2")
        await say(one, "after")
        await ear.hears("before", "during 0", "during 1", "during 2", "after")


async def test_after_a_loss_of_all_connections_it_works_again(place: str) -> None:
    url, name = named(place)
    async with open_engine(url) as engine:
        await asyncio.gather(*(names(engine) for _ in range(5)))

        await cut_off(name)
        await eventually(lambda: all_are_closed(engine))

        assert await names(engine) == []


async def all_are_closed(engine: PostgresqlEngine) -> bool:
    return all(connection.is_closed() for connection, _ in engine._pool._idle)


async def test_a_transaction_whose_connection_is_lost_fails_and_did_nothing(place: str) -> None:
    url, name = named(place)
    async with open_engine(url) as engine:
        with pytest.raises(StorageError):
            await add_and_lose(engine, name)

        assert await names(engine) == []


async def add_and_lose(engine: Engine, name: str) -> None:
    async with engine.transaction(write=True) as transaction:
        await add(transaction, "a")
        await cut_off(name)
        await add(transaction, "b")


async def test_it_gives_up_after_so_many_attempts(place: str) -> None:
    async with new_role("SUPERUSER") as role:
        url, name = named(as_role(place, role))
        async with open_engine(url, attempts=3) as engine:
            ear = await Ear.of(engine)
            await say(engine, "a")
            await ear.hears("a")

            await run_on_server(f"ALTER ROLE {role} NOLOGIN")
            await cut_off(name)

            assert "gave up after 3 attempts" in str(await engine.lost())
            with pytest.raises(StorageError, match="not permitted to log in"):
                await names(engine)


async def test_a_database_that_is_not_there_is_told_at_once() -> None:
    url = urlsplit(url_with())._replace(path="/nowhere").geturl()
    async with open_engine(url, attempts=100, pause=60) as engine:
        with pytest.raises(
            StorageError, match=r'nowhere cannot be used: .*"nowhere" does not exist'
        ):
            await engine.migrations()


async def test_closing_waits_for_those_who_write(place: str) -> None:
    begun = asyncio.Event()

    async def write() -> None:
        async with engine.transaction(write=True) as transaction:
            await add(transaction, "a")
            begun.set()
            await asyncio.sleep(0)

    async with open_engine(place) as engine:
        writer = asyncio.create_task(write())
        await begun.wait()
    await writer

    async with open_engine(place) as again:
        assert await names(again) == ["a"]


async def test_a_cancelled_wait_for_a_lock_takes_no_connection_away(place: str) -> None:
    async def write() -> None:
        async with engine.transaction(write=True) as transaction:
            await transaction.lock("a")

    async with open_engine(place, max_connections=3) as engine:
        async with engine.transaction(write=True) as transaction:
            await transaction.lock("a")
            for _ in range(5):
                waiting = asyncio.create_task(write())
                await lock_is_waited_for()
                waiting.cancel()
                await asyncio.wait([waiting])

        assert await names(engine) == []


async def test_a_statement_that_takes_too_long_is_ended_by_the_database(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Else the client would give up soon after, or before, on a machine that is busy.
    monkeypatch.setattr(postgresql_connection, "_PATIENCE", 1_000)
    connection = await connect(some_database(place), statement_seconds=0.05)

    with pytest.raises(OutOfReachError, match="statement timeout"):
        await connection.rows("SELECT pg_sleep(60)")

    assert not connection.is_closed()
    await connection.close()


async def test_a_database_that_says_nothing_is_given_up(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql_connection, "_PATIENCE", 1)
    silent = some_database(f"{place}&statement_timeout=0")
    connection = await connect(silent, statement_seconds=0.05)

    with pytest.raises(OutOfReachError):
        await connection.rows("SELECT pg_sleep(60)")

    assert connection.is_closed()


async def test_without_prepared_statements_it_works_too(place: str) -> None:
    """As behind a proxy that lends connections for one transaction."""
    async with open_engine(f"{place}&statement_cache_size=0") as engine:
        ear = await Ear.of(engine)

        async with engine.transaction(write=True) as transaction:
            await transaction.lock("a")
            await add(transaction, "a")
            transaction.publish(ping("a"))

        await ear.hears("a")
        assert await names(engine) == ["a"]
        found = await look_up(engine, "SELECT :name::text", 3)
        assert [tuple(row) for (row,) in found] == [("0",), ("1",), ("2",)]


# --- Look-ups ---

_SLOWLY = "SELECT pg_sleep(60) WHERE :name <> ''"
_SLEEPER = """
SELECT count(*) > 0 FROM pg_stat_activity
WHERE application_name = '{name}' AND wait_event = 'PgSleep'"""


async def look_up(engine: Engine, sql: str, count: int) -> list[Any]:
    """What becomes of so many at the same time."""
    asked = (engine.rows(sql, name=f"{number}") for number in range(count))
    return await asyncio.gather(*asked, return_exceptions=True)


class Watched(NamedTuple):
    """An engine in use, and what it has run since: statements, and the request named by each."""

    engine: PostgresqlEngine
    statements: list[str]
    requests: list[str | None]


@pytest.fixture
async def watched(place: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Watched]:
    run = PostgresqlConnection.rows

    async def noted(connection: PostgresqlConnection, sql: str, /, *values: object) -> Any:
        seen.statements.append(sql)
        seen.requests.append(REQUEST.get(None))
        return await run(connection, sql, *values)

    async with open_engine(place) as engine:
        assert await names(engine) == []
        seen = Watched(engine, [], [])
        monkeypatch.setattr(PostgresqlConnection, "rows", noted)
        yield seen


async def test_look_ups_at_the_same_time_share_statements(watched: Watched) -> None:
    found = await look_up(watched.engine, "SELECT :name::text", 2 * MOST + 1)

    assert [tuple(row) for (row,) in found] == [(f"{number}",) for number in range(2 * MOST + 1)]
    assert len(watched.statements) == 3


async def test_look_ups_that_nobody_waits_for_any_more_are_not_made(watched: Watched) -> None:
    sql = "SELECT :name::text"
    for _ in range(2):
        tasks = [asyncio.create_task(watched.engine.rows(sql, name=name)) for name in "ab"]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()

    assert [tuple(row) for row in await watched.engine.rows(sql, name="c")] == [("c",)]
    assert watched.statements == ["SELECT $1::text"]


async def test_look_ups_that_nobody_waits_for_any_more_keep_no_connection(place: str) -> None:
    url, name = named(place)
    async with open_engine(url, max_connections=2) as engine:
        for count in (1, 3):
            sleeping = asyncio.create_task(look_up(engine, _SLOWLY, count))
            await eventually(lambda: is_true(_SLEEPER.format(name=name)))
            sleeping.cancel()

            # There is only one connection for statements, on which they slept.
            assert await look_up(engine, "SELECT :name::text", 1) == [[("0",)]]


@pytest.mark.parametrize("is_lost", [False, True])
async def test_whoever_hangs_up_meanwhile_leaves_the_others_their_answer(
    place: str, is_lost: bool
) -> None:
    url, name = named(place)
    slowly = "SELECT :name::text FROM pg_advisory_xact_lock_shared(7)"
    async with open_engine(url) as engine, open_engine(place) as other:
        async with other.transaction(write=True) as holding:
            await holding.rows("SELECT pg_advisory_xact_lock(7)")
            tasks = [asyncio.create_task(engine.rows(slowly, name=x)) for x in "abc"]
            await lock_is_waited_for()
            tasks[1].cancel()
            await asyncio.wait([tasks[1]])
            if is_lost:
                await cut_off(name)

        found = await asyncio.gather(*tasks, return_exceptions=True)

    if is_lost:
        assert [type(one) for one in (found[0], found[2])] == [OutOfReachError] * 2
    else:
        assert [found[0], found[2]] == [[("a",)], [("c",)]]


async def test_a_missing_column_is_not_found_among_the_values(place: str) -> None:
    """Neither for one nor for several."""
    async with open_engine(place) as engine:
        for count in (1, 2):
            sql = "SELECT name FROM organization WHERE organization_id = :name"
            found = await look_up(engine, sql, count)

            assert [type(one) for one in found] == [StorageError] * count


async def test_what_is_logged_of_shared_look_ups_names_no_request(watched: Watched) -> None:
    before = REQUEST.set("0123456789abcdef")
    assert await look_up(watched.engine, "SELECT 1 WHERE :name = ''", 2) == [[], []]
    REQUEST.reset(before)

    assert watched.requests == [None]


async def test_look_ups_whose_connection_is_lost_fail_all(place: str) -> None:
    url, name = named(place)
    async with open_engine(url) as engine:
        sleeping = asyncio.create_task(look_up(engine, _SLOWLY, 3))
        await eventually(lambda: is_true(_SLEEPER.format(name=name)))
        await cut_off(name)

        assert [type(one) for one in await sleeping] == [OutOfReachError] * 3
        await eventually(lambda: all_are_closed(engine))
        assert await look_up(engine, "SELECT 1 WHERE :name = ''", 2) == [[], []]


async def test_connections_are_made_at_the_start_as_wanted(place: str) -> None:
    async with open_engine(place, min_connections=4) as engine:
        await names(engine)

        # With that of the events, which is made once somebody listens.
        assert len(engine._pool._idle) == 3


# --- Schema ---


async def test_processes_that_start_together_fill_the_database_once() -> None:
    async with new_place() as url, contextlib.AsyncExitStack() as stack:
        engines = [await stack.enter_async_context(open_engine(url)) for _ in range(4)]

        await asyncio.gather(*(engine.migrate() for engine in engines))

        assert all(one.applied for one in await engines[0].migrations())


async def test_who_asks_while_the_schema_is_made_is_told_of_all_or_nothing() -> None:
    async with new_place() as url, open_engine(url) as one, open_engine(url) as other:
        migrating = asyncio.create_task(one.migrate())
        found = set()
        while not migrating.done():
            found.add(frozenset(state.applied for state in await other.migrations()))

    assert found <= {frozenset({True}), frozenset({False})}


@pytest.mark.parametrize(
    "table",
    [
        "CREATE TABLE bookmark (url TEXT)",
        # That of the official server, as its documents describe it.
        "CREATE TABLE migration (index INTEGER, name TEXT, date TIMESTAMPTZ)",
    ],
)
async def test_the_database_of_another_program_is_refused(table: str) -> None:
    async with new_place() as url, open_engine(url) as engine:
        await run_on(url, table)

        with pytest.raises(SchemaError, match="another program"):
            await engine.migrate()
        with pytest.raises(SchemaError, match="another program"):
            await engine.migrations()


async def test_a_migration_that_fails_leaves_no_trace_but_those_before_it(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sql = "CREATE TABLE more (a TEXT);\nCREATE TABLE organization (a TEXT);\n"
    broken = Migration(number=99, name="0099_broken.sql", sql=sql)
    fine = Migration(number=98, name="0098_fine.sql", sql="CREATE TABLE fine (a TEXT);")
    known = [*migrations.known_migrations(), fine, broken]
    monkeypatch.setattr(migrations, "known_migrations", lambda: known)
    async with open_engine(place) as engine:
        with pytest.raises(SchemaError, match=r"0099_broken\.sql failed: .* already exists"):
            await engine.migrate()

        states = await engine.migrations()
        async with engine.transaction(write=False) as transaction:
            ((more,),) = await transaction.rows("SELECT to_regclass('more')")
    assert ([state.applied for state in states[-2:]], more) == ([True, False], None)


async def test_migrations_that_are_interrupted_leave_an_empty_database(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    apply = postgresql._apply

    async def interrupted(*arguments: Any) -> None:
        await apply(*arguments)
        raise asyncio.CancelledError

    monkeypatch.setattr(postgresql, "_apply", interrupted)
    async with new_place() as url, open_engine(url) as engine:
        with pytest.raises(asyncio.CancelledError):
            await engine.migrate()

        assert not any(one.applied for one in await engine.migrations())


async def test_who_may_not_make_tables_is_told() -> None:
    async with new_place() as url, new_role() as role:
        (_, schema) = url.split("search_path=")
        await run_on_server(f"GRANT USAGE ON SCHEMA {schema} TO {role}")
        async with open_engine(as_role(url, role)) as engine:
            with pytest.raises(SchemaError, match="permission denied for schema"):
                await engine.migrate()
