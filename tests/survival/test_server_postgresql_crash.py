"""PostgreSQL crashes and comes back while servers are at work (docs/operate.md)."""

import asyncio
import contextlib
import threading
import urllib.error
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from parsec.data.ids import DeviceID, UserID
from parsec.data.people import OrganizationID
from parsec.protocol.events import CommonCertificateEvent
from parsec.server.events import MAX_BEHIND, Exchange
from parsec.server.store.engine import MigrationState, OutOfReachError, StorageError
from parsec.server.store.postgresql import PostgresqlEngine
from parsec.server.store.postgresql_connection import connect
from tests.support.engine_contract import numbered_ping, publish
from tests.support.http_club import Club
from tests.support.own_cluster import OwnCluster, own_cluster
from tests.support.postgresql import PromptEngine, needs_postgresql, new_place, some_database
from tests.support.server_app import server_app
from tests.support.server_process import started

pytestmark = needs_postgresql

_CRASHES = 2


@pytest.fixture(scope="module")
def cluster() -> Iterator[OwnCluster]:
    with own_cluster() as made:
        yield made


def enroll_until(club: Club, done: threading.Event) -> tuple[int, int]:
    """How many users were taken, and how often the server could not tell."""
    taken = unanswered = 0
    # A few more behind the last crash, which must succeed at some point.
    while not done.is_set() or taken == 0 or unanswered > 1_000:
        try:
            club.enroll(f"user{taken}-{unanswered}")
            taken += 1
        except urllib.error.HTTPError as error:
            if error.code != 503:
                raise
            unanswered += 1
    return taken, unanswered


@pytest.mark.parametrize("workers", [1, 2])
def test_what_was_acknowledged_survives_and_service_and_events_go_on_by_themselves(
    tmp_path: Path, cluster: OwnCluster, workers: int
) -> None:
    options = (
        f"--db={cluster.another()}",
        f"--workers={workers}",
        "--email-host=MOCKED",
        "--maximum-database-connection-attempts=60",
    )
    with started(tmp_path, *options, "--sse-keepalive=0") as server:
        club = Club.founded(server.place)
        done = threading.Event()

        def crash() -> None:
            try:
                for _ in range(_CRASHES):
                    cluster.crash()
            finally:
                done.set()

        with club.events() as events:
            crashing = threading.Thread(target=crash)
            crashing.start()
            enroll_until(club, done)
            crashing.join()
            club.enroll("late")
            expected = [CommonCertificateEvent(timestamp=one) for one in club.dates[1:]]
            heard = [next(events)]
            while heard[-1] != expected[-1]:
                heard.append(next(events))

        found = club.certificates()
        assert set(club.told) <= set(found)
        # What was answered by 503 is there whole, or not at all.
        assert len(found) % 2 == 0
        assert [one for one in heard if one in expected] == expected
        assert server.process.poll() is None


async def test_who_starts_while_the_database_goes_away_starts_all_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    migrations = PostgresqlEngine.migrations
    accidents = iter([True, True, False])

    async def cut_off_twice(engine: PostgresqlEngine) -> Sequence[MigrationState]:
        if next(accidents):
            raise OutOfReachError("the database failed: connection is closed")
        return await migrations(engine)

    monkeypatch.setattr(PostgresqlEngine, "migrations", cut_off_twice)
    async with new_place() as place:
        key = tmp_path / "server.key"
        async with server_app(database=some_database(place), server_key_file=key) as server:
            await server.bootstrap("Org")


async def test_a_connection_that_ends_is_told_from_a_statement_that_fails() -> None:
    async with new_place() as place:
        connection = await connect(some_database(place))

        with pytest.raises(StorageError) as failed:
            await connection.rows("SELECT nothing")
        ((pid,),) = await connection.rows("SELECT pg_backend_pid()")
        with pytest.raises(OutOfReachError):
            await connection.rows("SELECT pg_terminate_backend($1)", pid)

        assert not isinstance(failed.value, OutOfReachError)


async def test_much_that_comes_at_once_makes_no_stream_too_slow_that_takes_it() -> None:
    async with new_place() as place, contextlib.AsyncExitStack() as stack:
        here, elsewhere = PostgresqlEngine(some_database(place)), PromptEngine(some_database(place))
        for engine in (here, elsewhere):
            stack.push_async_callback(engine.close)
        await here.migrate()
        await here.catch_up()
        for number in range(3 * MAX_BEHIND):
            await publish(elsewhere, numbered_ping(number))
        exchange = Exchange()
        # Not yet listening, as while its connection is away.
        subscription = exchange.subscribe(
            OrganizationID("Org"), UserID(bytes(16)), DeviceID(bytes(16))
        )
        taken: list[bytes] = []

        async def take() -> None:
            while len(taken) < 3 * MAX_BEHIND and not subscription.is_closed:
                await subscription.wait(None)
                taken.extend(subscription.take())

        stack.callback(here.subscribe(exchange.deliver))
        await asyncio.gather(here.catch_up(), take())

        assert len(taken) == 3 * MAX_BEHIND
