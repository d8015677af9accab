"""Whole databases: backup, restore, move, and what is left when they fail."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from parsec.crypto.entropy import system_entropy
from parsec.crypto.totp import time_step, totp_code
from parsec.data.people import EmailAddress, UserProfile
from parsec.protocol.certificate import CertificateGet, CertificateGetOk
from parsec.protocol.invite import InviteNewUser
from parsec.protocol.statuses import Ok
from parsec.protocol.totp import (
    TotpCreateOpaqueKey,
    TotpCreateOpaqueKeyOk,
    TotpSetupConfirm,
    TotpSetupGetSecret,
    TotpSetupGetSecretOk,
)
from parsec.server.build import make_engine, running_server
from parsec.server.command import whole
from parsec.server.command.failure import Failure
from parsec.server.command.whole import (
    check_kept,
    key_of_backup,
    move_database,
    restore_backup,
    write_backup,
)
from parsec.server.settings import (
    Database,
    MockedDatabase,
    SqliteDatabase,
    key_path_beside,
)
from parsec.server.store import backup_file
from parsec.server.store.copying import Tallies, tallies
from parsec.server.store.engine import Engine, SchemaError, StorageError, Use
from parsec.server.store.key_file import KeyFile
from parsec.server.store.migrations import known_migrations
from parsec.server.store.sealing import KeyRing, ServerKeyError
from parsec.server.store.tables import tables
from tests.support.postgresql import needs_postgresql, new_place, run_on, some_database
from tests.support.server_app import Device, ServerApp, server_app, some_settings

# Nothing on a wire or in PostgreSQL's texts may be this; everything in our tables may.
_ODD = "a\0b\ufdd0c\U0001f600'"


def keys_of(database: Database) -> KeyFile:
    assert isinstance(database, SqliteDatabase)
    return KeyFile(key_path_beside(database))


async def content(database: Database) -> Tallies:
    """All but the counter that is raised where events of SQLite come to PostgreSQL."""
    engine = make_engine(database, use=Use.BESIDE)
    try:
        async with engine.transaction(write=False) as transaction:
            found = await tallies(transaction, tables(known_migrations()), told=lambda *_: None)
            return without_counter(found)
    finally:
        await engine.close()


def without_counter(found: Tallies) -> Tallies:
    return {name: tally for name, tally in found.items() if name != "event_counter"}


async def fill(server: ServerApp, name: str) -> Device:
    """An organization with something of everything."""
    alice = await server.bootstrap(name)
    for number in range(3):
        await server.add_user(alice, f"user{number}")
    outsider = await server.add_user(alice, "eve", UserProfile.OUTSIDER)
    await server.revoke(alice, outsider.user_id)
    invitation = InviteNewUser(claimer_email=EmailAddress("zoe@example.com"), send_email=False)
    await server.reply(alice, invitation)
    begun = await server.reply(alice, TotpSetupGetSecret())
    assert isinstance(begun, TotpSetupGetSecretOk)
    code = totp_code(begun.totp_secret, time_step(server.clock()))
    assert await server.reply(alice, TotpSetupConfirm(one_time_password=code)) == Ok()
    for _ in range(3):
        created = await server.reply(alice, TotpCreateOpaqueKey())
        assert isinstance(created, TotpCreateOpaqueKeyOk)
    sql = 'UPDATE "user" SET label = :odd WHERE email = :email'
    async with server.server.engine.transaction(write=True) as transaction:
        await transaction.rows(sql, odd=_ODD, email="user1@example.com")
    return alice


async def certificates(server: ServerApp, device: Device) -> int:
    """How many a client gets."""
    everything = CertificateGet(
        common_after=None,
        realm_after={},
        sequester_after=None,
        shamir_recovery_after=None,
    )
    reply = await server.reply(device, everything)
    assert isinstance(reply, CertificateGetOk)
    return len(reply.common_certificates)


@contextlib.asynccontextmanager
async def restarted(*, minutes: int = 1, **settings: Any) -> AsyncIterator[ServerApp]:
    """A server that starts so much later."""
    async with server_app(**settings) as server:
        server.clock.now = server.clock.now.plus(seconds=60 * minutes)
        yield server


@pytest.fixture
def database(tmp_path: Path) -> SqliteDatabase:
    (tmp_path / "old").mkdir()
    return SqliteDatabase(tmp_path / "old" / "parsec.sqlite")


@pytest.fixture
async def alice(database: SqliteDatabase) -> Device:
    """Somebody in the database, whose server was stopped."""
    async with server_app(database=database) as server:
        await fill(server, "Other")
        return await fill(server, "Org")


@pytest.fixture
def new(tmp_path: Path) -> SqliteDatabase:
    (tmp_path / "new").mkdir()
    return SqliteDatabase(tmp_path / "new" / "parsec.sqlite")


@pytest.fixture
async def backup(database: SqliteDatabase, alice: Device, tmp_path: Path) -> Path:
    path = tmp_path / "backup"
    await write_backup(database, path, keys_of(database), with_key=True)
    return path


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


# --- Backup ---


async def test_a_backup_is_made_beside_a_server_that_goes_on(
    database: SqliteDatabase, tmp_path: Path
) -> None:
    async with server_app(database=database) as server:
        alice = await fill(server, "Org")
        await write_backup(database, tmp_path / "backup", keys_of(database), with_key=False)
        await server.add_user(alice, "later")

        assert await certificates(server, alice) == 13


async def test_a_backup_is_one_file_for_its_owner_alone(backup: Path, tmp_path: Path) -> None:
    assert files(tmp_path) == {"old", "backup", "backup.server-key"}
    assert [path.stat().st_mode & 0o777 for path in (backup, key_of_backup(backup))] == [0o600] * 2


async def test_no_backup_is_found_without_the_key_that_was_wanted_with_it(
    database: SqliteDatabase, alice: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named: list[str] = []

    def publish(_made: Path, target: Path) -> None:
        named.append(target.name)

    monkeypatch.setattr(backup_file, "publish", publish)

    await write_backup(database, tmp_path / "backup", keys_of(database), with_key=True)

    assert named == ["backup.server-key", "backup"]


async def test_a_backup_without_the_key_says_which_is_needed(
    database: SqliteDatabase, alice: Device, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await write_backup(database, tmp_path / "backup", keys_of(database), with_key=False)

    ring = keys_of(database).read()
    assert ring is not None
    told = capsys.readouterr().err
    assert f"the server key {ring.newest.hex()}: keep {keys_of(database)} too" in told
    assert files(tmp_path) == {"old", "backup"}


async def test_a_backup_with_a_key_that_is_not_the_one_is_refused(
    database: SqliteDatabase, alice: Device, tmp_path: Path
) -> None:
    other = KeyFile(tmp_path / "other")
    other.create(KeyRing.generate(system_entropy))

    with pytest.raises(ServerKeyError, match="other holds other keys"):
        await write_backup(database, tmp_path / "backup", other, with_key=True)

    assert files(tmp_path) == {"old", "other"}


@pytest.mark.parametrize("name", ["backup", "backup.server-key"])
async def test_no_file_is_overwritten(
    database: SqliteDatabase, alice: Device, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_text("precious")

    with pytest.raises(StorageError, match=f"{name} is already there"):
        await write_backup(database, tmp_path / "backup", keys_of(database), with_key=True)

    assert files(tmp_path) == {"old", name}
    assert (tmp_path / name).read_text() == "precious"


async def test_a_target_that_is_a_folder_is_told(
    database: SqliteDatabase, alice: Device, tmp_path: Path
) -> None:
    with pytest.raises(StorageError, match="is a folder"):
        await write_backup(database, tmp_path, keys_of(database), with_key=False)


async def test_a_target_in_no_folder_is_told(
    database: SqliteDatabase, alice: Device, tmp_path: Path
) -> None:
    with pytest.raises(StorageError, match=r"cannot write .*: No such file or directory"):
        await write_backup(
            database, tmp_path / "none" / "backup", keys_of(database), with_key=False
        )


async def test_a_database_that_is_not_there_is_told_and_not_made(
    database: SqliteDatabase, tmp_path: Path
) -> None:
    with pytest.raises(StorageError, match="cannot open the database"):
        await write_backup(database, tmp_path / "backup", keys_of(database), with_key=False)

    assert files(tmp_path / "old") == set()


async def test_a_backup_of_an_older_database_is_of_the_same_version(
    database: SqliteDatabase,
    tmp_path: Path,
    new: SqliteDatabase,
    capsys: pytest.CaptureFixture[str],
) -> None:
    engine = make_engine(database)
    await engine.migrate(count=2)
    await engine.close()
    path = tmp_path / "backup"
    await write_backup(database, path, keys_of(database), with_key=False)

    await restore_backup(path, new, keys_of(new), with_key=False)

    engine = make_engine(new)
    applied = [state.applied for state in await engine.migrations()]
    await engine.close()
    assert applied.count(True) == 2
    assert f"now run python -m parsec migrate --db {new}" in capsys.readouterr().err


def test_nothing_can_be_asked_of_a_mocked_database() -> None:
    with pytest.raises(Failure, match="ends with its server"):
        check_kept(MockedDatabase())


# --- Restore ---


async def test_what_is_restored_is_what_was_there(
    backup: Path, database: SqliteDatabase, new: SqliteDatabase
) -> None:
    await restore_backup(backup, new, keys_of(new), with_key=True)

    assert await content(new) == await content(database)


async def test_a_server_runs_on_what_was_restored(
    backup: Path, new: SqliteDatabase, alice: Device
) -> None:
    await restore_backup(backup, new, keys_of(new), with_key=True)

    async with restarted(database=new) as server:
        assert await certificates(server, alice) == 11
        await server.add_user(alice, "later")


async def test_a_backup_is_not_changed_by_reading_it(backup: Path, new: SqliteDatabase) -> None:
    before = content_of(backup)

    await restore_backup(backup, new, keys_of(new), with_key=False)

    assert content_of(backup) == before


async def test_without_the_key_it_says_which_is_missing(
    backup: Path, new: SqliteDatabase, capsys: pytest.CaptureFixture[str]
) -> None:
    await restore_backup(backup, new, keys_of(new), with_key=False)

    assert f"{keys_of(new)} is missing; the server does not start" in capsys.readouterr().err


async def test_another_key_is_not_overwritten(backup: Path, new: SqliteDatabase) -> None:
    keys_of(new).create(KeyRing.generate(system_entropy))

    with pytest.raises(ServerKeyError, match="holds other keys than the backup needs"):
        await restore_backup(backup, new, keys_of(new), with_key=True)

    assert files(new.path.parent) == {"parsec.sqlite.server-key"}


async def test_an_empty_database_is_filled(backup: Path, new: SqliteDatabase) -> None:
    async with running_server(some_settings(database=new)):
        pass

    await restore_backup(backup, new, keys_of(new), with_key=False)

    assert await content(new) == await content(SqliteDatabase(backup))


async def test_a_database_in_use_is_refused(backup: Path, database: SqliteDatabase) -> None:
    before = await content(database)

    with pytest.raises(StorageError, match="holds organizations already"):
        await restore_backup(backup, database, keys_of(database), with_key=False)

    assert await content(database) == before


async def test_the_database_of_a_running_server_is_refused(
    backup: Path, new: SqliteDatabase
) -> None:
    async with running_server(some_settings(database=new)):
        with pytest.raises(StorageError, match="another server uses the database") as raised:
            await restore_backup(backup, new, keys_of(new), with_key=False)

    assert raised.value.hint == "stop it first"


async def test_the_database_of_a_server_that_begins_meanwhile_stays(
    backup: Path, new: SqliteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with contextlib.AsyncExitStack() as other:

        def overtaken(database: Database, **how: Any) -> Engine:
            if database == new:
                other.push_async_callback(make_engine(new).close)
            return make_engine(database, **how)

        monkeypatch.setattr(whole, "make_engine", overtaken)

        with pytest.raises(StorageError, match="another server uses the database"):
            await restore_backup(backup, new, keys_of(new), with_key=False)

        assert new.path.exists()


def content_of(path: Path) -> bytes:
    return path.read_bytes()


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5000])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def garbled(path: Path) -> None:
    """In the middle of a certificate, where SQLite does not look."""
    with sqlite3.connect(path) as connection:
        connection.execute(
            "UPDATE common_certificate SET certificate = CAST(certificate || x'00' AS BLOB)"
        )
    connection.close()


def lacking_a_row(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM totp_opaque_key")
    connection.close()


def of_another_program(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE diary (entry TEXT)")
    connection.close()


def no_database(path: Path) -> None:
    path.write_text("Dear diary, " * 1000)


def no_backup(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE backup")
    connection.close()


def of_a_newer_version(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO migration VALUES (9999, '9999_later.sql', 'x')")
    connection.close()


def gone(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (truncated, "not a readable database|damaged|cannot open|malformed"),
        (emptied, "is no backup"),
        (garbled, "the table common_certificate is not the same on both sides"),
        (lacking_a_row, "the table totp_opaque_key is not the same on both sides"),
        (of_another_program, "is no backup"),
        (no_database, "file is not a database"),
        (no_backup, "is no backup"),
        (of_a_newer_version, "made by a newer version"),
        (gone, "No such file or directory"),
    ],
)
async def test_a_backup_that_is_spoiled_is_refused_and_leaves_nothing(
    backup: Path, new: SqliteDatabase, spoil: Callable[[Path], None], told: str
) -> None:
    spoil(backup)

    with pytest.raises(StorageError, match=told):
        await restore_backup(backup, new, keys_of(new), with_key=False)

    assert files(new.path.parent) == set()


async def test_a_key_goes_away_with_a_restore_that_failed(
    backup: Path, new: SqliteDatabase
) -> None:
    garbled(backup)

    with pytest.raises(StorageError):
        await restore_backup(backup, new, keys_of(new), with_key=True)

    assert files(new.path.parent) == set()


# --- An end before its time ---


class Interrupting:
    """Progress that is interrupted at the first batch."""

    def __call__(self, what: str, count: int) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()

    def end(self) -> None:
        pass


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupting() -> Iterator[Interrupting]:
        yield Interrupting()

    monkeypatch.setattr(whole, "progress", contextlib.contextmanager(interrupting))


async def test_an_interrupted_backup_leaves_nothing(
    database: SqliteDatabase, alice: Device, tmp_path: Path, interrupted: None
) -> None:
    with pytest.raises(asyncio.CancelledError):
        await write_backup(database, tmp_path / "backup", keys_of(database), with_key=True)

    assert files(tmp_path) == {"old"}


async def test_an_interrupted_restore_leaves_nothing(
    backup: Path, new: SqliteDatabase, interrupted: None
) -> None:
    with pytest.raises(asyncio.CancelledError):
        await restore_backup(backup, new, keys_of(new), with_key=True)

    assert files(new.path.parent) == set()


# --- Move ---


async def test_a_database_moves_to_another_file(
    database: SqliteDatabase, alice: Device, new: SqliteDatabase
) -> None:
    moved = await move_database(database, new)

    assert without_counter(moved.tallies) == await content(new) == await content(database)
    assert [(name, view.users, view.invitations) for name, view in moved.views.items()] == [
        ("Org", 5, 1),
        ("Other", 5, 1),
    ]


async def test_a_database_to_move_that_is_not_there_is_told_and_not_made(
    tmp_path: Path, new: SqliteDatabase
) -> None:
    with pytest.raises(StorageError, match="there is no database"):
        await move_database(SqliteDatabase(tmp_path / "mistyped"), new)

    assert not (tmp_path / "mistyped").exists()


async def test_an_older_database_is_not_moved(
    database: SqliteDatabase, new: SqliteDatabase
) -> None:
    engine = make_engine(database)
    await engine.migrate(count=2)
    await engine.close()

    with pytest.raises(SchemaError, match="of an older version") as raised:
        await move_database(database, new)

    assert raised.value.hint == f"python -m parsec migrate --db {database}"
    assert files(new.path.parent) == set()


@needs_postgresql
async def test_a_database_moves_to_postgresql_and_back(
    database: SqliteDatabase, alice: Device, new: SqliteDatabase
) -> None:
    async with new_place() as url:
        there = await move_database(database, some_database(url))
        back = await move_database(some_database(url), new)

    assert there.views == back.views
    assert await content(new) == await content(database)


@needs_postgresql
async def test_transactions_stand_still_as_long_as_the_other_side_takes(
    database: SqliteDatabase, alice: Device, new: SqliteDatabase
) -> None:
    async with new_place() as url:
        # Less than any look at the other side takes.
        impatient = some_database(f"{url}&idle_in_transaction_session_timeout=1")
        await move_database(database, impatient)
        await move_database(impatient, new)

    assert await content(new) == await content(database)


@needs_postgresql
async def test_a_server_runs_on_postgresql_with_what_was_moved(
    database: SqliteDatabase, alice: Device
) -> None:
    async with new_place() as url:
        await move_database(database, some_database(url))

        path = key_path_beside(database)
        async with restarted(database=some_database(url), server_key_file=path) as server:
            await server.add_user(alice, "later")
            assert await certificates(server, alice) == 13


@needs_postgresql
async def test_a_backup_of_postgresql_restores_to_either(
    database: SqliteDatabase, alice: Device, new: SqliteDatabase, tmp_path: Path
) -> None:
    path = tmp_path / "backup"
    keys = keys_of(database)
    async with new_place() as url, new_place() as other:
        await move_database(database, some_database(url))
        async with restarted(
            database=some_database(url), server_key_file=key_path_beside(database)
        ) as server:
            await server.add_user(alice, "later")
            await write_backup(some_database(url), path, keys, with_key=False)
        expected = await content(SqliteDatabase(path))

        await restore_backup(path, new, keys, with_key=False)
        await restore_backup(path, some_database(other), keys, with_key=False)

        assert await content(new) == await content(some_database(other)) == expected
        async with restarted(
            minutes=2, database=some_database(other), server_key_file=key_path_beside(database)
        ) as server:
            await server.add_user(alice, "latest")


@needs_postgresql
async def test_what_fails_leaves_postgresql_empty(backup: Path, database: SqliteDatabase) -> None:
    garbled(backup)

    async with new_place() as url:
        with pytest.raises(StorageError):
            await restore_backup(backup, some_database(url), keys_of(database), with_key=False)
        moved = await move_database(database, some_database(url))

    assert without_counter(moved.tallies) == await content(database)


@needs_postgresql
async def test_a_database_that_is_written_meanwhile_is_not_moved(
    database: SqliteDatabase, alice: Device, new: SqliteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with new_place() as url:
        await move_database(database, some_database(url))
        checked = whole._verified

        async def written_before(*arguments: object) -> object:
            await run_on(url, "UPDATE organization SET is_expired = 1")
            return await checked(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(whole, "_verified", written_before)
        with pytest.raises(StorageError, match="the table organization is not the same") as raised:
            await move_database(some_database(url), new)

    assert raised.value.hint is not None
    assert raised.value.hint.startswith("stop all processes of the server")
    assert files(new.path.parent) == set()
