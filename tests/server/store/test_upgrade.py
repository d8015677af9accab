"""An older database that is in use is brought to the schema of this version, on each engine."""

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from parsec.server.store import migrations
from parsec.server.store.engine import Engine, Row
from parsec.server.store.migrations import Migration, known_migrations
from parsec.server.store.postgresql import PostgresqlEngine
from parsec.server.store.sqlite import SqliteEngine
from tests.support.postgresql import needs_postgresql, new_place, some_database

RENAMED = {("shamir_setup", "reveal_token"): ("0007_server_key.sql", "reveal_token_digest")}
"""Since when a column has another name."""

Place: TypeAlias = Callable[[Path], AbstractAsyncContextManager[Engine]]

# A row for each table of a migration, which refers to those of the others.
ROWS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "0001_core.sql": [
        (
            "organization",
            {
                "organization_id": "Org",
                "created_on": 1,
                "root_verify_key": bytes(32),
                "user_profile_outsider_allowed": 1,
                "realm_minimum_archiving_period": 0,
                "tos_per_locale_urls": '{"en":"http://x"}',
                "active_users": 1,
            },
        ),
        ("topic", {"organization_id": "Org", "topic": "common", "last_timestamp": 1}),
        (
            "common_certificate",
            {"organization_id": "Org", "timestamp": 1, "position": 0, "certificate": b"user"},
        ),
        (
            "sequester_certificate",
            {"organization_id": "Org", "timestamp": 1, "certificate": b"authority"},
        ),
        (
            "user",
            {
                "organization_id": "Org",
                "user_id": b"u" * 16,
                "email": "alice@example.com",
                "label": "Alicé",
                "profile": "ADMIN",
                "created_on": 1,
            },
        ),
        (
            "user_profile_since",
            {"organization_id": "Org", "user_id": b"u" * 16, "since": 1, "profile": "ADMIN"},
        ),
        (
            "device",
            {
                "organization_id": "Org",
                "device_id": b"d" * 16,
                "user_id": b"u" * 16,
                "verify_key": bytes(32),
                "created_on": 1,
            },
        ),
        (
            "shamir_setup",
            {
                "organization_id": "Org",
                "user_id": b"u" * 16,
                "created_on": 2,
                "threshold": 1,
                "brief_certificate": b"brief",
                "reveal_token": b"r" * 16,
                "ciphered_data": b"data",
            },
        ),
        (
            "shamir_share",
            {
                "organization_id": "Org",
                "user_id": b"u" * 16,
                "created_on": 2,
                "recipient_id": b"u" * 16,
                "shares": 255,
                "share_certificate": b"share",
            },
        ),
        (
            "invitation",
            {
                "organization_id": "Org",
                "token": b"t" * 16,
                "type": "SHAMIR_RECOVERY",
                "created_on": 3,
                "created_by": b"u" * 16,
                "claimer_user_id": b"u" * 16,
                "setup_created_on": 2,
            },
        ),
        (
            "greeting_attempt",
            {
                "organization_id": "Org",
                "greeting_attempt_id": b"g" * 16,
                "token": b"t" * 16,
                "greeter": b"u" * 16,
            },
        ),
        (
            "greeting_step",
            {
                "organization_id": "Org",
                "greeting_attempt_id": b"g" * 16,
                "step": 0,
                "greeter_data": b"",
            },
        ),
    ],
    "0002_totp.sql": [
        ("totp", {"organization_id": "Org", "user_id": b"u" * 16, "secret": b"s" * 20}),
        (
            "totp_opaque_key",
            {
                "organization_id": "Org",
                "user_id": b"u" * 16,
                "opaque_key_id": b"k" * 16,
                "opaque_key": bytes(32),
                "created_on": 4,
            },
        ),
        (
            "totp_stray_failure",
            {"organization_id": "Org", "failures": 1, "last_failure_on": 5},
        ),
    ],
    "0003_event.sql": [("event", {"number": 1, "content": b"event"})],
    "0004_event_replay.sql": [
        (
            "remembered_event",
            {
                "organization_id": "Org",
                "number": 1,
                "event_id": b"e" * 16,
                "content": b"event",
            },
        ),
    ],
    "0005_presence.sql": [
        ("server_process", {"process_id": b"p" * 16, "seen_on": 5}),
        (
            "presence",
            {"organization_id": "Org", "user_id": b"u" * 16, "process_id": b"p" * 16},
        ),
    ],
    "0006_stray_failures.sql": [
        (
            "stray_failure",
            {
                "place": 1,
                "tag": b"t" * 16,
                "owner": b"o" * 16,
                "failures": 1,
                "last_failure_on": 5,
            },
        ),
        ("stray_failure_secret", {"number": 1, "secret": bytes(32)}),
    ],
    "0007_server_key.sql": [("server_key", {"key_id": b"\1" * 8})],
    "0008_mail_budget.sql": [
        (
            "invitation_email",
            {
                "email_id": b"m" * 16,
                "organization_id": "Org",
                "author": b"u" * 16,
                "recipient_digest": bytes(32),
                "sent_on": 7,
            },
        ),
    ],
    "0009_totp_resets.sql": [
        (
            "totp_reset",
            {"organization_id": "Org", "user_id": b"u" * 16, "number": 1, "reset_on": 6},
        ),
    ],
}


@contextlib.asynccontextmanager
async def sqlite_place(folder: Path) -> AsyncIterator[Engine]:
    engine = SqliteEngine(folder / "parsec.sqlite")
    try:
        yield engine
    finally:
        await engine.close()


@contextlib.asynccontextmanager
async def postgresql_place(folder: Path) -> AsyncIterator[Engine]:
    async with new_place() as url:
        engine = PostgresqlEngine(some_database(url))
        try:
            yield engine
        finally:
            await engine.close()


async def fill(engine: Engine, migration: Migration) -> None:
    async with engine.transaction(write=True) as transaction:
        for table, row in ROWS[migration.name]:
            values = ", ".join(f":{name}" for name in row)
            columns = ", ".join(row)
            await transaction.rows(f'INSERT INTO "{table}" ({columns}) VALUES ({values})', **row)


async def found(engine: Engine, migration: Migration, last: Migration) -> list[Row]:
    """The rows of a migration after a later one."""

    def now(table: str, column: str) -> str:
        since, name = RENAMED.get((table, column), ("9999", column))
        return name if since <= last.name else column

    async with engine.transaction(write=False) as transaction:
        return [
            tuple(row)
            for table, values in ROWS[migration.name]
            for columns in [", ".join(now(table, column) for column in values)]
            for row in await transaction.rows(f'SELECT {columns} FROM "{table}"')
        ]


def written(migration: Migration) -> list[Row]:
    return [tuple(row.values()) for _, row in ROWS[migration.name]]


@pytest.mark.parametrize(
    "place",
    [
        pytest.param(sqlite_place, id="sqlite"),
        pytest.param(postgresql_place, id="postgresql", marks=needs_postgresql),
    ],
)
async def test_each_migration_keeps_what_was_there_before(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = known_migrations()

    async with place(tmp_path) as engine:
        for count, migration in enumerate(known, start=1):
            monkeypatch.setattr(migrations, "known_migrations", lambda: known[:count])  # noqa: B023
            await engine.migrate()
            await fill(engine, migration)

            for earlier in known[:count]:
                assert await found(engine, earlier, migration) == written(earlier)


def test_each_migration_is_tried_on_a_filled_database() -> None:
    assert [migration.name for migration in known_migrations()] == list(ROWS)
