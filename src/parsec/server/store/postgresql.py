"""The engine on PostgreSQL: one database, any number of processes.

A writer sees what others committed (READ COMMITTED), so it locks what it will judge and reads it in
a later statement. Locks are taken in a fixed order; should two writers wait for each other after
all, PostgreSQL ends one of them, which fails as at a loss of the database and is not tried again.
A reader sees the state of its first statement (REPEATABLE READ) and waits for nobody.

Connections are lent from the first statement of a transaction on, and nothing of a session is left
in them: no setting, no lock, no temporary table.
"""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType

import structlog

from parsec.server.records import AnyEvent, Notification
from parsec.server.settings import PostgresqlDatabase
from parsec.server.store import migrations
from parsec.server.store.dialect import numbered, postgresql_schema
from parsec.server.store.engine import (
    Key,
    Listener,
    MigrationState,
    OutOfReachError,
    Row,
    SchemaError,
    SingleStatement,
    StorageError,
    Transaction,
    Value,
)
from parsec.server.store.migrations import Migration
from parsec.server.store.pool import Pool
from parsec.server.store.postgresql_connection import (
    STATEMENT_SECONDS,
    PostgresqlConnection,
    connect,
    may_be_broken,
    run_alone,
)
from parsec.server.store.postgresql_events import EAR_SECONDS, Delivery, publish
from parsec.server.store.postgresql_lookups import LookUps

_BEGIN_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_BEGIN_WRITE = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"

_LOCK = "SELECT pg_advisory_xact_lock($1)"
_LOCK_SHARED = "SELECT pg_advisory_xact_lock_shared($1)"
_LOCK_NOW = {
    False: "SELECT pg_advisory_xact_lock",
    True: "SELECT pg_advisory_xact_lock_shared",
}

_MIGRATION_LOCK = migrations.LOCK

_COLUMNS = """
SELECT table_name, column_name FROM information_schema.columns
WHERE table_schema = current_schema()"""

_log = structlog.get_logger()


class PostgresqlEngine:
    """A database of a PostgreSQL server."""

    def __init__(self, database: PostgresqlDatabase) -> None:
        self._database = database
        # One of the connections is for listening.
        self._pool = Pool(self._connect, limit=database.max_connections - 1)
        self._look_ups = LookUps(self._pool)
        self._delivery = Delivery(self._ear, attempts=database.attempts, pause=database.pause)
        self._is_open = False
        self._opening = asyncio.Lock()

    async def migrations(self) -> Sequence[MigrationState]:
        """The migrations of this version, and which of them were applied. Raises SchemaError."""
        known = migrations.known_migrations()
        async with self.transaction(write=True) as transaction:
            # While another process migrates, nothing is missing: it is under way.
            await transaction.lock(_MIGRATION_LOCK, share=True)
            pending = migrations.pending_migrations(await _applied(transaction), known)
        return [MigrationState(name=one.name, applied=one not in pending) for one in known]

    async def migrate(self, *, count: int | None = None) -> None:
        """Bring the schema to this version, or to what it was after so many migrations.

        Raises SchemaError; earlier steps then stay.
        """
        connection = await self._connect_patiently(statement_seconds=None)
        try:
            await _migrate(connection, migrations.known_migrations()[:count])
        finally:
            await connection.close()

    async def rows(self, sql: str, /, **values: Key) -> Sequence[Row]:
        """Look up a few rows, with values for the `:name` parameters of the statement."""
        if not self._is_open:
            await self._open()
        return await self._look_ups.rows(sql, values)

    def transaction(
        self, *, write: bool, single: bool = False
    ) -> AbstractAsyncContextManager[Transaction]:
        """Commits at the end, unless an exception passes: then nothing happened."""
        if self._is_open:
            if single:
                return SingleStatement(self._run_single)
            return _Transaction(self._pool, write=write)
        return self._first_transaction(write=write, single=single)

    @contextlib.asynccontextmanager
    async def _first_transaction(self, *, write: bool, single: bool) -> AsyncIterator[Transaction]:
        await self._open()
        async with self.transaction(write=write, single=single) as transaction:
            yield transaction

    async def publish(self, event: Notification, /) -> None:
        """Tell the listeners what rests on nothing written: no other writer waits for it."""
        assert event.is_fleeting, "what is remembered is published by a transaction"
        # Through the same table as all others, and not as the payload of a notification: that
        # somebody waits to be greeted must not overtake, nor be overtaken by, that they have met;
        # and a process that was cut off for a moment is told too.
        # A statement is a transaction by itself.
        async with self._lent() as connection:
            await publish(connection, [event])

    def subscribe(self, listener: Listener, /) -> Callable[[], None]:
        """Have a function called for each event; returns what ends it."""
        return self._delivery.subscribe(listener)

    async def catch_up(self) -> None:
        """Returns when the listeners were told of all that was committed before.

        Raises StorageError.
        """
        async with self._lent() as connection:
            await self._delivery.catch_up(connection)

    async def lost(self) -> StorageError:
        """Comes only when the database is lost for good, and says why."""
        return await self._delivery.lost()

    async def close(self) -> None:
        """Finish what was begun, and let the database go."""
        await self._delivery.close()
        await self._pool.close()

    # --- Connections ---

    async def _run_single(self, sql: str, values: Mapping[str, Value]) -> Sequence[Row]:
        statement = numbered(sql)
        return await run_alone(self._pool, statement.text, statement.arguments(values))

    async def _open(self) -> None:
        """At the first use: whatever is published from now on will be delivered."""
        async with self._opening:
            if self._is_open:
                return
            connection = await self._connect_patiently()
            self._pool.adopt(connection)
            await self._delivery.begin(connection)
            for _ in range(self._database.min_connections - 2):
                self._pool.adopt(await self._connect())
            self._is_open = True

    @contextlib.asynccontextmanager
    async def _lent(self) -> AsyncIterator[PostgresqlConnection]:
        await self._open()
        connection = await self._pool.acquire()
        try:
            yield connection
        except BaseException:
            # It may be broken, or in the middle of a statement.
            connection.terminate()
            raise
        finally:
            self._pool.release(connection)

    async def _connect_patiently(
        self, *, statement_seconds: float | None = STATEMENT_SECONDS
    ) -> PostgresqlConnection:
        attempt = 1
        while True:
            try:
                return await connect(self._database, statement_seconds=statement_seconds)
            except OutOfReachError as error:
                if attempt >= self._database.attempts:
                    raise StorageError(f"{error} (attempts: {attempt})", hint=error.hint) from error
                _log.warning("database out of reach", attempt=attempt, error=str(error))
            attempt += 1
            await asyncio.sleep(self._database.pause)

    async def _connect(self) -> PostgresqlConnection:
        return await connect(self._database)

    async def _ear(self) -> PostgresqlConnection:
        """For listening: not before it is known from which event on."""
        await self._open()
        return await connect(self._database, statement_seconds=EAR_SECONDS)


class _Transaction(AbstractAsyncContextManager[Transaction]):
    # A class, as a generator around each transaction would cost more.
    __slots__ = ("_connection", "_events", "_pool", "_write")

    def __init__(self, pool: Pool[PostgresqlConnection], *, write: bool) -> None:
        self._pool = pool
        self._write = write
        self._connection: PostgresqlConnection | None = None
        self._events: list[AnyEvent] = []

    async def __aenter__(self) -> Transaction:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            await self._abandon(error)
            return
        try:
            await self._commit()
        except BaseException as failure:
            await self._abandon(failure)
            raise

    async def rows(self, sql: str, /, **values: Value) -> Sequence[Row]:
        """Run one statement, with values for its `:name` parameters."""
        statement = numbered(sql)
        connection = await self._ready()
        return await connection.rows(statement.text, *statement.arguments(values))

    async def lock(self, topic: str, /, *, share: bool = False) -> None:
        """Keep other writers away from a topic until the end; lock first, then read."""
        assert self._write, f"{topic} is locked by a transaction that cannot write"
        number = _lock_number(topic)
        if self._connection is None:
            # On the way of the BEGIN: a statement behind it still sees what was committed before.
            await self._begin(f"{_BEGIN_WRITE}; {_LOCK_NOW[share]}('{number}')")
        else:
            await self._connection.rows(_LOCK_SHARED if share else _LOCK, number)

    def publish(self, event: AnyEvent, /) -> None:
        """Tell the listeners, once and only if the transaction commits."""
        assert self._write, "a transaction that cannot write publishes nothing"
        self._events.append(event)

    async def _commit(self) -> None:
        """Make it last, and known."""
        if self._events:
            await publish(await self._ready(), self._events)
        if self._connection is not None:
            await self._connection.run("COMMIT")
            self._give_back(self._connection)

    async def _abandon(self, error: BaseException) -> None:
        """Make it as if nothing had happened."""
        connection = self._connection
        if connection is None:
            return
        try:
            if may_be_broken(error):
                connection.terminate()
            elif not connection.is_closed():
                await connection.run("ROLLBACK")
        except BaseException as failure:
            connection.terminate()
            if not isinstance(failure, StorageError):
                raise
        finally:
            self._give_back(connection)

    async def _ready(self) -> PostgresqlConnection:
        """The connection, lent and begun at the first need."""
        if self._connection is not None:
            return self._connection
        return await self._begin(_BEGIN_WRITE if self._write else _BEGIN_READ)

    async def _begin(self, script: str) -> PostgresqlConnection:
        self._connection = await self._pool.acquire()
        await self._connection.run(script)
        return self._connection

    def _give_back(self, connection: PostgresqlConnection) -> None:
        self._connection = None
        self._pool.release(connection)


def _lock_number(topic: str) -> int:
    """Sixty-four bits: that two topics share a number only makes their writers wait."""
    digest = hashlib.blake2b(topic.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


# --- Migrations ---


async def _applied(transaction: Transaction | PostgresqlConnection) -> dict[str, str]:
    columns = {(table, column) for table, column in await transaction.rows(_COLUMNS)}
    if not columns:
        return {}
    if ("migration", "checksum") not in columns:
        raise SchemaError("the database holds tables of another program")
    rows = await transaction.rows(migrations.APPLIED)
    return {name: checksum for name, checksum in rows}  # noqa: C416  (rows are no pairs)


async def _migrate(connection: PostgresqlConnection, known: Sequence[Migration]) -> None:
    """All in one transaction, so that nobody starts on what is half done."""
    await connection.run(_BEGIN_WRITE)
    # Of several processes that find an empty database, one fills it and the others wait.
    await connection.rows(_LOCK, _lock_number(_MIGRATION_LOCK))
    pending = migrations.pending_migrations(await _applied(connection), known)
    try:
        for migration in pending:
            await _apply(connection, migration)
    except SchemaError:
        await connection.run("COMMIT")
        raise
    await connection.run("COMMIT")


async def _apply(connection: PostgresqlConnection, migration: Migration) -> None:
    """Raises SchemaError; then nothing of it stays."""
    record = numbered(migrations.RECORD)
    values = {
        "number": migration.number,
        "name": migration.name,
        "checksum": migration.checksum,
    }
    await connection.run("SAVEPOINT migration")
    try:
        await connection.run(postgresql_schema(migrations.CREATE_TABLE))
        await connection.run(postgresql_schema(migration.sql))
        await connection.rows(record.text, *record.arguments(values))
    except StorageError as error:
        await connection.run("ROLLBACK TO migration")
        raise SchemaError(f"{migration.name} failed: {error}") from error
    await connection.run("RELEASE migration")
