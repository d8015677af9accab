"""Whole databases: into a file, out of it, and from one engine to the other."""

import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from parsec.data.people import OrganizationID
from parsec.server.build import make_engine
from parsec.server.command.failure import Failure
from parsec.server.command.long_work import Progress, progress, warn
from parsec.server.settings import Database, MockedDatabase, PostgresqlDatabase, SqliteDatabase
from parsec.server.store import migrations, server_key
from parsec.server.store.backup_file import expected_tallies, finish, new_file, write_tallies
from parsec.server.store.client_view import ClientView, check_same_view, client_view, organizations
from parsec.server.store.copying import (
    Tallies,
    check_same,
    copy,
    is_empty,
    raise_counter,
    tallies,
)
from parsec.server.store.engine import Engine, SchemaError, StorageError, Transaction, Use
from parsec.server.store.key_file import KeyFile
from parsec.server.store.migrations import Migration
from parsec.server.store.sealed_columns import known_ring
from parsec.server.store.sealing import KeyID, KeyRing, ServerKeyError
from parsec.server.store.tables import Table, tables


def check_kept(database: Database) -> None:
    """Raises Failure."""
    if isinstance(database, MockedDatabase):
        raise Failure("a MOCKED database ends with its server: no other command can reach it")


# --- Backup ---


async def write_backup(
    database: Database, target: Path, keys: KeyFile, *, with_key: bool
) -> Tallies:
    """Write a database to a file, and with the key to a second one. Raises StorageError."""
    async with contextlib.AsyncExitStack() as stack:
        source = _engine(database, use=Use.BESIDE)
        stack.push_async_callback(source.close)
        applied = await _applied_migrations(source)
        made = stack.enter_context(new_file(target))
        # It gets its name first: it is the backup that nobody may find without the other.
        key_made = stack.enter_context(new_file(key_of_backup(target))) if with_key else None
        held, name = await _write(source, made, applied)
        if key_made is not None:
            KeyFile(key_made).replace(_known_ring(keys, name))
    if key_made is None and name is not None:
        _tell_of_key(keys, name)
    return held


def _tell_of_key(keys: KeyFile, name: KeyID) -> None:
    text = f"the backup is of no use without the server key {name.hex()}"
    try:
        known_ring(keys, name)
    except ServerKeyError:
        warn(f"{text}, which is not in {keys}: find and keep it too")
    else:
        warn(f"{text}: keep {keys} too")


def key_of_backup(path: Path) -> Path:
    """Where the key is that was written with a backup."""
    return path.with_name(f"{path.name}.server-key")


async def _write(
    source: Engine, made: Path, applied: Sequence[Migration]
) -> tuple[Tallies, KeyID | None]:
    # Who restores it looks at each byte: a crash meanwhile leaves no file at all.
    target = make_engine(SqliteDatabase(made), durable=False)
    try:
        await target.migrate(count=len(applied))
        which = tables(applied)
        async with (
            source.transaction(write=False) as reading,
            target.transaction(write=True) as writing,
        ):
            with progress() as told:
                held = await copy(reading, writing, which, told=told)
            await write_tallies(writing, held)
            name = await _sealing_key(reading, which)
    finally:
        await target.close()
    finish(made)
    return held, name


# --- Restore ---


async def restore_backup(
    source: Path, database: Database, keys: KeyFile, *, with_key: bool
) -> Tallies:
    """Fill an empty database with a backup; all of it, or nothing. Raises StorageError."""
    async with contextlib.AsyncExitStack() as stack:
        backup = make_engine(SqliteDatabase(source), use=Use.READ)
        stack.push_async_callback(backup.close)
        expected = await _expected(backup, source)
        applied = await _applied_migrations(backup)
        which = tables(applied)
        reading = await stack.enter_async_context(backup.transaction(write=False))
        name = await _sealing_key(reading, which)
        if with_key:
            stack.enter_context(_kept_with(keys, KeyFile(key_of_backup(source)), name))
        target = await stack.enter_async_context(_new_database(database))
        await _prepare(target, applied)
        async with target.transaction(write=True) as writing:
            with progress() as told:
                held = await _fill(reading, writing, which, told=told)
                check_same(expected, held)
                check_same(expected, await tallies(writing, which, told=told))
            await raise_counter(writing, which)
    _tell_what_is_left(database, keys, name, applied)
    return held


async def _expected(backup: Engine, source: Path) -> Tallies:
    async with backup.transaction(write=False) as transaction:
        expected = await expected_tallies(transaction)
    if expected is None:
        raise StorageError(
            f"{source} is no backup made by `python -m parsec backup`",
            hint="a database itself is copied by `python -m parsec move`",
        )
    return expected


@contextlib.contextmanager
def _kept_with(keys: KeyFile, source: KeyFile, name: KeyID | None) -> Iterator[None]:
    """While this lasts without failure, the key of a backup is where the server looks for it."""
    ring = _known_ring(source, name)
    there = keys.read()
    if there is None:
        keys.create(ring)
    elif name is not None and name not in there:
        raise ServerKeyError(f"{keys} holds other keys than the backup needs")
    try:
        yield
    except BaseException:
        if there is None:
            keys.remove()
        raise


def _tell_what_is_left(
    database: Database, keys: KeyFile, name: KeyID | None, applied: Sequence[Migration]
) -> None:
    if len(applied) < len(migrations.known_migrations()):
        warn(f"it is of an older version: now run python -m parsec migrate --db {database}")
    if name is not None:
        try:
            known_ring(keys, name)
        except ServerKeyError as error:
            warn(f"{error}; the server does not start without it")


# --- Move ---


class Moved(msgspec.Struct, frozen=True):
    """What is in the new database, as in the old one."""

    tallies: Tallies
    views: Mapping[OrganizationID, ClientView]


async def move_database(former: Database, database: Database) -> Moved:
    """Fill an empty database with another one; all of it, or nothing. Raises StorageError."""
    _check_is_there(former)
    async with contextlib.AsyncExitStack() as stack:
        source = _engine(former)
        stack.push_async_callback(source.close)
        applied = await _applied_migrations(source)
        if len(applied) < len(migrations.known_migrations()):
            hint = f"python -m parsec migrate --db {former}"
            raise SchemaError("the database is of an older version", hint=hint)
        which = tables(applied)
        target = await stack.enter_async_context(_new_database(database))
        await _prepare(target, applied)
        async with target.transaction(write=True) as writing:
            with progress() as told:
                async with source.transaction(write=False) as reading:
                    await _fill(reading, writing, which, told=told)
                moved = await _verified(source, writing, which, told)
            await raise_counter(writing, which)
    return moved


def _check_is_there(database: Database) -> None:
    # An engine that has a file for itself would make it.
    if isinstance(database, SqliteDatabase) and not database.path.exists():
        raise StorageError(f"there is no database {database.path}")


async def _verified(
    source: Engine, writing: Transaction, which: Sequence[Table], told: Progress
) -> Moved:
    # In a transaction of its own, which sees what was written meanwhile.
    async with source.transaction(write=False) as reading:
        held = await tallies(reading, which, told=told)
        seen = await _views(reading)
    try:
        check_same(held, await tallies(writing, which, told=told))
        found = await _views(writing)
        for name, view in seen.items():
            check_same_view(name, view, found[name])
    except StorageError as error:
        hint = "stop all processes of the server, which may have written meanwhile"
        raise StorageError(str(error), hint=hint) from error
    return Moved(held, seen)


async def _views(transaction: Transaction) -> Mapping[OrganizationID, ClientView]:
    names = await organizations(transaction)
    return {name: await client_view(transaction, name) for name in names}


# --- Databases ---


def _engine(database: Database, *, use: Use = Use.ALONE) -> Engine:
    """One whose transactions wait for the other database, however long that takes."""
    if isinstance(database, PostgresqlDatabase):
        database = msgspec.structs.replace(database, limits_idling=False)
    return make_engine(database, use=use)


async def _applied_migrations(engine: Engine) -> Sequence[Migration]:
    """What a database has of the schema of this version. Raises SchemaError."""
    applied = [state.applied for state in await engine.migrations()].count(True)
    if not applied:
        raise SchemaError("there is nothing in the database")
    return migrations.known_migrations()[:applied]


@contextlib.asynccontextmanager
async def _new_database(database: Database) -> AsyncIterator[Engine]:
    """A database to fill; a file that was not there before goes away if that fails."""
    async with contextlib.AsyncExitStack() as stack:
        with contextlib.ExitStack() as on_failure:
            is_new = isinstance(database, SqliteDatabase) and not database.path.exists()
            engine = _engine(database)
            stack.push_async_callback(engine.close)
            # Not before it is ours: somebody else may have made it in between.
            if is_new and isinstance(database, SqliteDatabase):
                on_failure.callback(_remove, database.path)
            yield engine
            on_failure.pop_all()


def _remove(path: Path) -> None:
    for name in ("", "-wal", "-shm", ".lock"):
        with contextlib.suppress(OSError):
            Path(f"{path}{name}").unlink()


async def _prepare(target: Engine, applied: Sequence[Migration]) -> None:
    """Give an empty database the schema of another one. Raises StorageError."""
    there = [state.applied for state in await target.migrations()].count(True)
    if there == 0:
        await target.migrate(count=len(applied))
        return
    async with target.transaction(write=False) as transaction:
        await _check_empty(transaction)
    if there != len(applied):
        raise SchemaError(
            "the new database is empty, but its tables are of another version",
            hint="name one without tables, or a file that is not there yet",
        )


async def _fill(
    source: Transaction, target: Transaction, which: Sequence[Table], *, told: Progress
) -> Tallies:
    # A server that starts on it meanwhile waits for the end.
    await target.lock(migrations.LOCK)
    await _check_empty(target)
    return await copy(source, target, which, told=told)


async def _check_empty(transaction: Transaction) -> None:
    if not await is_empty(transaction):
        raise StorageError(
            "the database holds organizations already",
            hint="name an empty one, or a file that is not there yet",
        )


async def _sealing_key(transaction: Transaction, which: Sequence[Table]) -> KeyID | None:
    """The server key without which a database is of no use, if any."""
    if not any(table.name == server_key.TABLE for table in which):
        return None
    return await server_key.current(transaction)


def _known_ring(keys: KeyFile, name: KeyID | None) -> KeyRing:
    if name is None:
        raise ServerKeyError("nothing in the database is sealed yet: there is no server key")
    return known_ring(keys, name)
