"""What may be asked by who watches the server (docs/operate-production.md)."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from parsec.server.http import health
from parsec.server.store import migrations
from parsec.server.store.engine import StorageError
from tests.support.asgi import Answer, request
from tests.support.server_app import ServerApp, server_app


@pytest.fixture
async def server() -> AsyncIterator[ServerApp]:
    async with server_app() as made:
        yield made


async def ask(server: ServerApp, path: str, method: str = "GET") -> Answer:
    return await request(server.app, method, path)


def without_database(server: ServerApp, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: bool) -> contextlib.AbstractAsyncContextManager[None]:
        raise StorageError("postgresql://alice:s3cr3t@db does not answer")

    monkeypatch.setattr(server.server.engine, "transaction", fail)


async def test_a_server_that_works_says_so(server: ServerApp) -> None:
    lives, works = await ask(server, "/health"), await ask(server, "/ready")

    assert (lives.status, lives.json) == (200, {"status": "alive"})
    assert (works.status, works.json) == (200, {"status": "ready"})
    assert works.headers["cache-control"] == "no-store"


async def test_a_server_lives_without_its_database_and_tells_nothing_of_it(
    server: ServerApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_database(server, monkeypatch)

    lives, works = await ask(server, "/health"), await ask(server, "/ready")

    assert lives.status == 200
    assert (works.status, works.json) == (503, {"status": "the database does not answer"})


async def test_a_database_that_takes_too_long_does_not_answer(
    server: ServerApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextlib.asynccontextmanager
    async def hang(**_: bool) -> AsyncIterator[None]:
        await asyncio.Event().wait()
        yield

    monkeypatch.setattr(server.server.engine, "transaction", hang)
    monkeypatch.setattr(health, "PATIENCE_SECONDS", 0)

    works = await ask(server, "/ready")

    assert (works.status, works.json) == (503, {"status": "the database does not answer"})


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM migration WHERE number > 1",
        "UPDATE migration SET checksum = 'other'",
        "INSERT INTO migration (number, name, checksum) VALUES (9999, '9999_new.sql', '')",
    ],
)
async def test_a_schema_of_another_version_keeps_requests_away(
    server: ServerApp, statement: str
) -> None:
    async with server.server.engine.transaction(write=True) as transaction:
        await transaction.rows(statement)

    works = await ask(server, "/ready")

    assert works.status == 503
    assert works.json == {"status": "the schema of the database is not that of this version"}


async def test_a_schema_that_was_said_to_do_does() -> None:
    async with server_app(skip_migrations_check=True) as server:
        async with server.server.engine.transaction(write=True) as transaction:
            await transaction.rows("DELETE FROM migration WHERE number > 1")

        works = await ask(server, "/ready")

    assert works.status == 200


async def test_a_server_that_stops_lives_but_wants_no_more_requests(server: ServerApp) -> None:
    await ask(server, "/ready")
    server.server.exchange.stop()

    lives, works = await ask(server, "/health"), await ask(server, "/ready")

    assert lives.status == 200
    assert (works.status, works.json) == (503, {"status": "stopping"})


async def test_who_asks_often_does_not_burden_the_database(
    server: ServerApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ask(server, "/ready")
    without_database(server, monkeypatch)

    again = await ask(server, "/ready")

    assert again.status == 200


@pytest.mark.parametrize("path", ["/health", "/ready"])
@pytest.mark.parametrize("method", ["POST", "HEAD", "DELETE"])
async def test_these_can_only_be_read(server: ServerApp, path: str, method: str) -> None:
    answer = await ask(server, path, method)

    assert (answer.status, answer.headers["allow"]) == (405, "GET")


async def test_the_last_migration_is_among_those_that_are_known(server: ServerApp) -> None:
    """Else a database that fits would be refused."""
    async with server.server.engine.transaction(write=False) as transaction:
        rows = await transaction.rows(migrations.APPLIED)

    assert [name for name, _ in rows] == [one.name for one in migrations.known_migrations()]
