"""Places of one's own in the PostgreSQL database that `PARSEC_TEST_POSTGRESQL` names.

The variable holds a URL whose user may do everything there (`make test-postgresql`). A place is a
schema: making a database takes a hundred times as long (`own_database` makes one for each process).
"""

import asyncio
import contextlib
import os
import secrets
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from parsec.server.records import Notification
from parsec.server.settings import PostgresqlDatabase, Secret
from parsec.server.store.engine import Transaction
from parsec.server.store.postgresql import PostgresqlEngine
from parsec.server.store.postgresql_connection import connect

SERVER = os.environ.get("PARSEC_TEST_POSTGRESQL")

needs_postgresql = pytest.mark.skipif(
    SERVER is None, reason="PARSEC_TEST_POSTGRESQL is not set (make test-postgresql)"
)


class PromptEngine(PostgresqlEngine):
    """Has delivered the events of a transaction when it ends, as SQLite has."""

    @contextlib.asynccontextmanager
    async def transaction(self, *, write: bool, single: bool = False) -> AsyncIterator[Transaction]:
        async with super().transaction(write=write, single=single) as transaction:
            yield transaction
        if write:
            await self.catch_up()

    async def publish(self, event: Notification, /) -> None:
        await super().publish(event)
        await self.catch_up()


def some_database(url: str, **changes: Any) -> PostgresqlDatabase:
    """Without pauses."""
    return PostgresqlDatabase(url=Secret(url), **{"pause": 0.01} | changes)


@contextlib.asynccontextmanager
async def new_place() -> AsyncIterator[str]:
    """The URL of a place without tables, which goes away."""
    name = f"parsec_{secrets.token_hex(8)}"
    await run_on_server(f"CREATE SCHEMA {name}")
    try:
        yield url_with(search_path=name)
    finally:
        await run_on_server(f"DROP SCHEMA {name} CASCADE")


@contextlib.contextmanager
def new_place_for_a_process() -> Iterator[str]:
    """The same, where no event loop runs."""
    opened = new_place()
    with asyncio.Runner() as runner:
        url = runner.run(opened.__aenter__())
        try:
            yield url
        finally:
            runner.run(opened.__aexit__(None, None, None))


@contextlib.asynccontextmanager
async def prompt_engine() -> AsyncIterator[PromptEngine]:
    """An engine on a place without tables."""
    async with new_place() as url:
        engine = PromptEngine(some_database(url))
        try:
            yield engine
        finally:
            await engine.close()


@contextlib.asynccontextmanager
async def new_role(attributes: str = "") -> AsyncIterator[str]:
    """The name of somebody else who may log in, and goes away."""
    role = f"parsec_{secrets.token_hex(8)}"
    await run_on_server(f"CREATE ROLE {role} LOGIN {attributes}")
    try:
        yield role
    finally:
        await run_on_server(f"DROP OWNED BY {role}; DROP ROLE {role}")


def as_role(url: str, role: str) -> str:
    """The URL for somebody else."""
    parts = urlsplit(url)
    return parts._replace(netloc=f"{role}@{parts.netloc.rpartition('@')[2]}").geturl()


def named(url: str) -> tuple[str, str]:
    """The URL for a process whose connections can be told from those of others, and their name."""
    name = f"test_{secrets.token_hex(8)}"
    return f"{url}&application_name={name}", name


async def cut_off(name: str) -> None:
    """End all connections of that name."""
    sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = "
    await run_on_server(f"{sql} '{name}'")


async def run_on_server(statement: str) -> None:
    """Run a statement outside of any place."""
    await run_on(url_with(), statement)


async def run_on(url: str, statement: str) -> None:
    """The same in a place."""
    connection = await connect(some_database(url))
    try:
        await connection.run(statement)
    finally:
        await connection.close()


def url_with(**session: str) -> str:
    """The URL of the database, with settings of the session."""
    assert SERVER is not None
    parts = urlsplit(SERVER)
    query = parse_qsl(parts.query) + list(session.items())
    return parts._replace(query=urlencode(query)).geturl()
