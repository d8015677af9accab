"""Each statement reads through an index: none gets slower for how much others have stored."""

import asyncio
import importlib
import json
import pkgutil
import re
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

import parsec.server.store
from parsec.server.store import authentication, migrations, organization
from parsec.server.store.dialect import Statement, for_many, numbered, postgresql_schema
from parsec.server.store.postgresql_connection import PostgresqlConnection, connect
from tests.support.postgresql import needs_postgresql, new_place_for_a_process, some_database

OFTEN_SMALL = {
    "event_counter": "one row",
    "mail_budget": "one row for each of a few budgets",
    "migration": "one row for each version",
    "server_key": "one row",
    "server_process": "one row for each process of the server",
    "stray_failure": "as many rows as there are places, whatever anybody does",
    "stray_failure_secret": "one row",
}
"""Tables that do not grow with what people do."""

WHOLE = {
    "client_view.ORGANIZATIONS": "compares a whole database with its backup",
    "copying.RAISE_COUNTER": "once, when a database has been copied into another",
    "organization.CREATED_ORGANIZATIONS": "lists all organizations, for the administration",
    "sealed_columns.BEGINS": "once, at the first start that seals",
    "sealed_columns.REVEALS": "once, at the first start that seals",
    "sealed_columns.SETUPS_BY_KEY": "counts all secrets, for the administrator of the server",
    "sealed_columns.OPAQUE_KEYS_BY_KEY": "counts all secrets, for the administrator of the server",
}
"""Statements that read a table as a whole, and why that is right."""

ROWS = 2000

_STATEMENT = re.compile(r"\s*(?:SELECT|INSERT|UPDATE|DELETE|WITH)\b")
_PLAIN = re.compile(r"[A-Z][A-Z_]*")
_TABLE = re.compile(r'\b(?:FROM|JOIN|UPDATE|INTO)\s+"?(\w+)"?(?:\s+AS\s+(\w+))?')


class Named(NamedTuple):
    """A statement, and what it is called."""

    name: str
    sql: str


def statements() -> list[Named]:
    """All that are written for both databases."""
    found = []
    for module in pkgutil.iter_modules(parsec.server.store.__path__):
        # Those of one database alone are written where it is used.
        if module.name.startswith("postgresql") or module.name == "backup_file":
            continue
        loaded = importlib.import_module(f"parsec.server.store.{module.name}")
        for name, value in vars(loaded).items():
            if _PLAIN.fullmatch(name) and isinstance(value, str) and _STATEMENT.match(value):
                found.append(Named(f"{module.name}.{name}", value))
    return found


EACH_STATEMENT = pytest.mark.parametrize("statement", statements(), ids=lambda one: one.name)


# --- SQLite ---


@pytest.fixture(scope="module")
def database() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    connection.execute(migrations.CREATE_TABLE)
    for migration in migrations.known_migrations():
        connection.executescript(migration.sql)
    yield connection
    connection.close()


@EACH_STATEMENT
def test_sqlite_reads_no_growing_table_as_a_whole(
    database: sqlite3.Connection, statement: Named
) -> None:
    names = dict.fromkeys(numbered(statement.sql).names)

    plan = [line for *_, line in database.execute(f"EXPLAIN QUERY PLAN {statement.sql}", names)]

    scanned = {_table(statement, line.split()[1]) for line in plan if line.startswith("SCAN ")}
    assert _growing(statement, scanned) == set(), plan


def _table(statement: Named, called: str) -> str:
    """What a plan calls by an alias."""
    aliases = {alias or table: table for table, alias in _TABLE.findall(statement.sql)}
    return str(aliases.get(called, ""))


# --- PostgreSQL ---


@pytest.fixture(scope="module")
def explain() -> Iterator[Callable[[Statement], Any]]:
    """Plans of a filled database, with the settings of a server's sessions."""
    with new_place_for_a_process() as url, asyncio.Runner() as runner:
        connection = runner.run(_filled(url))
        yield lambda statement: runner.run(_plan(connection, statement))
        runner.run(connection.close())


@needs_postgresql
@EACH_STATEMENT
def test_postgresql_reads_no_growing_table_as_a_whole(
    explain: Callable[[Statement], Any], statement: Named
) -> None:
    plan = explain(numbered(statement.sql))

    assert _growing(statement, set(_read_whole(plan))) == set(), json.dumps(plan, indent=1)


@needs_postgresql
@pytest.mark.parametrize(
    ("sql", "types"),
    [
        (authentication.AUTHOR, ("bytea", "text")),
        (authentication.INVITED, ("bytea", "text")),
        (organization.ORGANIZATION, ("text",)),
    ],
)
def test_postgresql_looks_up_many_authors_by_index_too(
    explain: Callable[[Statement], Any], sql: str, types: tuple[str, ...]
) -> None:
    plan = explain(for_many(sql, types))

    assert set(_read_whole(plan)) <= set(OFTEN_SMALL), json.dumps(plan, indent=1)


async def _filled(url: str) -> PostgresqlConnection:
    connection = await connect(some_database(url))
    await connection.run(postgresql_schema(migrations.CREATE_TABLE))
    for migration in migrations.known_migrations():
        await connection.run(postgresql_schema(migration.sql))
    await _fill(connection)
    # As in a server that has run for a while: one plan for all values.
    await connection.run("SET plan_cache_mode = force_generic_plan")
    return connection


async def _plan(connection: PostgresqlConnection, statement: Statement) -> Any:
    values = f"({', '.join(['NULL'] * len(statement.names))})" if statement.names else ""
    await connection.run(f"PREPARE planned AS {statement.text}")
    try:
        ((found,),) = await connection.rows(f"EXPLAIN (FORMAT JSON) EXECUTE planned{values}")
    finally:
        await connection.run("DEALLOCATE planned")
    return json.loads(found)[0]["Plan"]


def _read_whole(node: dict[str, Any]) -> Iterator[str]:
    kind = node["Node Type"]
    # An index that is read from end to end is no better, whatever the planner was told.
    if kind == "Seq Scan" or ("Index" in kind and "Index Cond" not in node):
        yield node.get("Relation Name", node.get("Index Name", ""))
    for inner in node.get("Plans", ()):
        yield from _read_whole(inner)


_COLUMNS = """
SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns
WHERE table_schema = current_schema() ORDER BY table_name, ordinal_position"""

_VALUES = {
    "text": "'text ' || i",
    "bytea": "decode(md5(i::text), 'hex')",
    "bigint": "i",
    "integer": "i % 1000",
}
_SPECIAL = {
    "organization_id": "'org ' || i % 20",
    "status": "'PENDING'",
    "type": "'USER'",
    "profile": "'STANDARD'",
}


async def _fill(connection: PostgresqlConnection) -> None:
    tables: dict[str, list[tuple[str, str]]] = {}
    for table, column, kind, nullable in await connection.rows(_COLUMNS):
        value = _SPECIAL.get(column, _VALUES[kind])
        if table == "organization" and column == "organization_id":
            value = _VALUES["text"]
        if nullable == "YES":
            value = f"CASE WHEN i % 2 = 0 THEN {value} END"
        tables.setdefault(table, []).append((column, value))
    # Rows that refer to nothing are good enough for a plan.
    await connection.run("SET session_replication_role = replica")
    for table, columns in tables.items():
        if table in OFTEN_SMALL:
            continue
        names, values = zip(*columns, strict=True)
        await connection.run(
            f'INSERT INTO "{table}" ({", ".join(names)}) '
            f"SELECT {', '.join(values)} FROM generate_series(1, {ROWS}) AS i "
            "ON CONFLICT DO NOTHING"
        )
    await connection.run("ANALYZE")


def _growing(statement: Named, scanned: set[str]) -> set[str]:
    if statement.name in WHOLE:
        return set()
    return scanned - set(OFTEN_SMALL) - {""}


def test_every_exception_is_of_a_statement_that_is_there() -> None:
    assert set(WHOLE) <= {statement.name for statement in statements()}
