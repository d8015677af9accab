"""How a server is put together, and on which databases it starts."""

import sys
from pathlib import Path

import pytest

from parsec.server.build import running_server
from parsec.server.settings import PostgresqlDatabase, Secret, SqliteDatabase
from parsec.server.store import migrations
from parsec.server.store.engine import SchemaError, StorageError
from parsec.server.store.migrations import Migration, known_migrations
from tests.support.server_app import some_settings

LATER = Migration(number=99, name="0099_later.sql", sql="CREATE TABLE later (a TEXT);\n")


async def test_an_empty_database_is_filled_at_start(tmp_path: Path) -> None:
    settings = some_settings(database=SqliteDatabase(tmp_path / "parsec.sqlite"))

    async with running_server(settings) as server:
        states = await server.engine.migrations()

    assert all(state.applied for state in states)


@pytest.fixture
async def older(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SqliteDatabase:
    """A database that lacks the last migration."""
    database = SqliteDatabase(tmp_path / "parsec.sqlite")
    async with running_server(some_settings(database=database)):
        pass
    known = [*known_migrations(), LATER]
    monkeypatch.setattr(migrations, "known_migrations", lambda: known)
    return database


async def test_an_older_database_is_refused(older: SqliteDatabase) -> None:
    with pytest.raises(SchemaError, match=r"lacks 1 migrations: 0099_later\.sql"):
        async with running_server(some_settings(database=older)):
            pass


async def test_an_older_database_may_be_wanted(older: SqliteDatabase) -> None:
    settings = some_settings(database=older, skip_migrations_check=True)

    async with running_server(settings) as server:
        states = await server.engine.migrations()

    assert not states[-1].applied


async def test_a_newer_database_is_refused_even_where_an_older_one_is_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = some_settings(
        database=SqliteDatabase(tmp_path / "parsec.sqlite"), skip_migrations_check=True
    )
    async with running_server(settings):
        pass
    known = known_migrations()[:-1]
    monkeypatch.setattr(migrations, "known_migrations", lambda: known)

    with pytest.raises(SchemaError, match="made by a newer version"):
        async with running_server(settings):
            pass


async def test_what_is_in_memory_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    async with running_server(some_settings()):
        during = list(tmp_path.iterdir())  # noqa: ASYNC240  (a test)

    assert len(during) == 1
    assert list(tmp_path.iterdir()) == []  # noqa: ASYNC240


async def test_what_is_missing_for_postgresql_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("parsec.server.store.postgresql")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    settings = some_settings(database=PostgresqlDatabase(url=Secret("postgresql://localhost/a")))

    with pytest.raises(StorageError, match=r"extra `postgres`: pip install 'parsec-py\[server,"):
        async with running_server(settings):
            pass
