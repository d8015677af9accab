"""The engine on SQLite: one file, one process.

Readers run where they stand, on the event loop, because a read takes microseconds. Writers take
turns on one connection, each inside a savepoint of its own. The first of them opens a batch and
asks for its commit; those that wait for their turn before that commit join the batch. Single
statements need no turn: the commit runs them first. It waits for the disk in a worker thread and
answers for the whole batch: nobody is told anything, neither caller nor listener, before what it
rests on is on the disk. A full disk makes SQLite undo the whole batch in the middle: all its
members then fail, and who comes next begins another one.
"""

import asyncio
import contextlib
import io
import os
import shutil
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import IO, Any

from parsec.server.records import AnyEvent, Notification
from parsec.server.store import migrations
from parsec.server.store.engine import (
    Key,
    Listener,
    MigrationState,
    Row,
    SchemaError,
    SingleStatement,
    StorageError,
    Transaction,
    Use,
    Value,
)
from parsec.server.store.event_memory import (
    FORGET,
    REMEMBER,
    forgets_others,
    forgetting_values,
    is_remembered,
    memory_values,
)
from parsec.server.store.migrations import Migration

try:
    import fcntl
except ImportError:  # Windows, where an open database cannot be moved away, but can be shared.
    fcntl = None  # type: ignore[assignment]

_PRAGMAS = (
    "PRAGMA foreign_keys = ON",
    "PRAGMA busy_timeout = 5000",
    "PRAGMA trusted_schema = OFF",
    # What was in clear before it was sealed does not stay in unused parts of the file.
    "PRAGMA secure_delete = ON",
)


# Not those of another program, whose database is refused later.
_STATISTICS = """
SELECT name FROM sqlite_schema
WHERE name LIKE 'sqlite\\_stat%' ESCAPE '\\'
    AND EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'migration')"""


class SqliteEngine:
    """A database in a file."""

    def __init__(self, path: Path, *, use: Use = Use.ALONE, durable: bool = True) -> None:
        """Open or create. Raises StorageError.

        Without `durable` a crash of the machine may lose everything: for throw-away databases.
        """
        self._path = path
        self._use = use
        self._durable = durable
        with contextlib.ExitStack() as on_failure:
            self._lock_file = on_failure.enter_context(
                _lock(path) if use is Use.ALONE else _checked_to_be_there(path)
            )
            self._writer = self._connect()
            on_failure.callback(self._writer.close)
            _check_integrity(self._writer, path)
            _forget_statistics(self._writer)
            on_failure.pop_all()
        self._readers: list[sqlite3.Connection] = []
        self._turn = asyncio.Lock()
        self._batch: _Batch | None = None
        self._commits: set[asyncio.Task[None]] = set()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="sqlite-commit")
        self._listeners: list[Listener] = []

    async def migrations(self) -> Sequence[MigrationState]:
        """The migrations of this version, and which of them were applied. Raises SchemaError."""
        known = migrations.known_migrations()
        pending = migrations.pending_migrations(self._applied(), known)
        return [MigrationState(name=one.name, applied=one not in pending) for one in known]

    async def migrate(self, *, count: int | None = None) -> None:
        """Bring the schema to this version, or to what it was after so many migrations.

        Raises SchemaError; earlier steps then stay.
        """
        known = migrations.known_migrations()[:count]
        # All in one transaction: who is killed while an empty database is filled leaves it empty,
        # and not at an older schema, with which no server starts.
        _run(self._writer, "BEGIN IMMEDIATE")
        try:
            pending = migrations.pending_migrations(self._applied(), known)
            _run(self._writer, migrations.CREATE_TABLE)
            for migration in pending:
                self._apply(migration)
        except SchemaError:
            if self._writer.in_transaction:
                _run(self._writer, "COMMIT")
            raise
        except BaseException:
            _abandon(self._writer)
            raise
        _run(self._writer, "COMMIT")

    async def rows(self, sql: str, /, **values: Key) -> Sequence[Row]:
        """Look up a few rows, with values for the `:name` parameters of the statement."""
        return await self._read_single(sql, values)

    def transaction(
        self, *, write: bool, single: bool = False
    ) -> AbstractAsyncContextManager[Transaction]:
        """Commits at the end, unless an exception passes: then nothing happened."""
        if single:
            return SingleStatement(self._write_single if write else self._read_single)
        return self._write() if write else _Reading(self._lend, self._readers)

    async def publish(self, event: Notification, /) -> None:
        """Tell the listeners what rests on nothing written, and at once."""
        assert event.is_fleeting, "what is remembered is published by a transaction"
        self._deliver(event)

    def subscribe(self, listener: Listener, /) -> Callable[[], None]:
        """Have a function called for each event; returns what ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    async def catch_up(self) -> None:
        """Returns when the listeners were told of all that was committed before.

        Callers hear of a commit after the listeners, but a reader may see it a moment before.
        """
        if self._commits:
            await asyncio.wait(tuple(self._commits))

    async def lost(self) -> StorageError:
        """Never comes: a file stays where it is."""
        never: asyncio.Future[StorageError] = asyncio.get_running_loop().create_future()
        return await never

    async def close(self) -> None:
        """Finish the batch that is open, and let the file go."""
        while self._commits:
            await asyncio.wait(self._commits)
        self._worker.shutdown()
        for connection in (*self._readers, self._writer):
            connection.close()
        self._lock_file.close()

    # --- Reading ---

    def _lend(self) -> sqlite3.Connection:
        return self._readers.pop() if self._readers else self._connect(query_only=True)

    async def _read_single(self, sql: str, values: Any) -> Sequence[Row]:
        reader = self._lend()
        try:
            return _run(reader, sql, values)
        finally:
            self._readers.append(reader)

    # --- Writing ---

    @contextlib.asynccontextmanager
    async def _write(self) -> AsyncIterator["_Writing"]:
        batch: _Batch | None = None
        try:
            async with self._turn:
                batch = self._next_batch()
                self._begin(batch)
                transaction = _Writing(self._writer)
                try:
                    with _savepoint(self._writer):
                        yield transaction
                        self._remember(transaction.events)
                except BaseException as error:
                    if not self._writer.in_transaction:
                        self._fail(batch, error)
                    raise
                batch.is_dirty = True
                batch.events += transaction.events
        finally:
            # A refusal waits too: it may rest on what another one of the batch wrote.
            if batch is not None:
                await asyncio.shield(batch.done)

    async def _write_single(self, sql: str, values: Any) -> Sequence[Row]:
        """A statement that needs no turn of its own: the commit of a batch runs it."""
        single = _Single(sql, values)
        self._next_batch().singles.append(single)
        return await single.kept

    def _remember(self, events: Sequence[AnyEvent]) -> None:
        for event in filter(is_remembered, events):
            _run(self._writer, REMEMBER, memory_values(event))
            if forgets_others(event):
                _run(self._writer, FORGET, forgetting_values(event))

    def _next_batch(self) -> "_Batch":
        """The one that can still be joined; who joins first asks for its commit."""
        if self._batch is None:
            self._batch = _Batch()
            commit = asyncio.create_task(self._commit(self._batch))
            self._commits.add(commit)
            commit.add_done_callback(self._commits.discard)
        return self._batch

    def _begin(self, batch: "_Batch") -> None:
        if not batch.has_begun:
            # Where a failure was so bad that undoing failed too, that is made good first.
            _abandon(self._writer)
            _run(self._writer, "BEGIN IMMEDIATE")
            batch.has_begun = True

    async def _commit(self, batch: "_Batch") -> None:
        # Turns are given in the order of demand: who already waits for one joins the batch.
        if not batch.has_begun:
            # Single statements opened it, maybe during a commit: writers who wait for that to
            # end join it too.
            async with self._turn:
                pass
        async with self._turn:
            if batch.done.done():
                return
            self._batch = None
            try:
                self._run_singles(batch)
                await self._end(batch)
            except StorageError as error:
                self._fail(batch, error)
                return
            except BaseException as error:
                self._fail(batch, error)
                raise
        try:
            for event in batch.events:
                self._deliver(event)
        finally:
            batch.tell_kept()

    def _run_singles(self, batch: "_Batch") -> None:
        """One that fails has undone by itself what it did, unless all of the batch is undone."""
        for single in batch.singles:
            if single.kept.done():
                # Whoever asked for it has hung up.
                continue
            self._begin(batch)
            try:
                single.rows = _run(self._writer, single.sql, single.values)
                batch.is_dirty = True
            except Exception as error:
                single.error = error
                if not self._writer.in_transaction:
                    raise

    def _fail(self, batch: "_Batch", error: BaseException) -> None:
        """Tell all members that nothing of the batch was kept."""
        if self._batch is batch:
            self._batch = None
        failure = StorageError(f"the database did not keep the transaction: {error}")
        failure.__cause__ = error
        batch.tell_lost(failure)
        _abandon(self._writer)

    async def _end(self, batch: "_Batch") -> None:
        if not batch.has_begun:
            return
        if batch.is_dirty:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._worker, _run, self._writer, "COMMIT")
        else:
            _run(self._writer, "ROLLBACK")

    def _deliver(self, event: AnyEvent) -> None:
        for listener in tuple(self._listeners):
            listener(event)

    # --- The file ---

    def _connect(self, *, query_only: bool = False) -> sqlite3.Connection:
        try:
            connection = sqlite3.connect(
                f"{self._path.absolute().as_uri()}?mode={'ro' if self._use is Use.READ else 'rw'}",
                uri=True,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=512,
            )
            for pragma in _PRAGMAS:
                connection.execute(pragma)
            if self._use is not Use.READ:
                connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA synchronous = {'FULL' if self._durable else 'OFF'}")
            connection.execute(f"PRAGMA query_only = {int(query_only)}")
        except sqlite3.Error as error:
            raise StorageError(f"cannot open the database {self._path}: {error}") from error
        return connection

    def _applied(self) -> dict[str, str]:
        tables = "SELECT name FROM sqlite_schema WHERE type = 'table'"
        names = [name for (name,) in self._writer.execute(tables)]
        if not names:
            return {}
        if "migration" not in names:
            raise SchemaError(f"{self._path} is the database of another program")
        return dict(self._writer.execute(migrations.APPLIED).fetchall())

    def _apply(self, migration: Migration) -> None:
        values = {
            "number": migration.number,
            "name": migration.name,
            "checksum": migration.checksum,
        }
        try:
            with _savepoint(self._writer):
                for statement in _statements(migration.sql):
                    self._writer.execute(statement)
                self._writer.execute(migrations.RECORD, values)
        except sqlite3.Error as error:
            raise SchemaError(f"{migration.name} failed: {error}") from error


class TemporarySqliteEngine(SqliteEngine):
    """A database that nobody sees and that ends with the process."""

    def __init__(self) -> None:
        # On disk and not in memory, where readers would have to wait for writers.
        self._folder = tempfile.mkdtemp(prefix="parsec-")
        super().__init__(Path(self._folder, "parsec.sqlite"), durable=False)

    async def close(self) -> None:
        """Let the file go, and remove it."""
        await super().close()
        shutil.rmtree(self._folder, ignore_errors=True)


class _Single:
    """A statement that is a transaction by itself, and what becomes of it."""

    def __init__(self, sql: str, values: Any) -> None:
        self.sql = sql
        self.values = values
        self.rows: Sequence[Row] = ()
        self.error: Exception | None = None
        self.kept: asyncio.Future[Sequence[Row]] = asyncio.get_running_loop().create_future()


class _Batch:
    """Transactions that share a commit."""

    def __init__(self) -> None:
        self.has_begun = False
        self.is_dirty = False
        self.events: list[AnyEvent] = []
        self.singles: list[_Single] = []
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def tell_kept(self) -> None:
        """To all members: what they wrote, or stumbled over, is on the disk."""
        self.done.set_result(None)
        for single in self.singles:
            if single.kept.done():
                continue
            if single.error is None:
                single.kept.set_result(single.rows)
            else:
                single.kept.set_exception(single.error)

    def tell_lost(self, failure: StorageError) -> None:
        """To all members: nothing of the batch was kept."""
        self.done.set_exception(failure)
        # Those who would ask may all be cancelled.
        self.done.exception()
        for single in self.singles:
            if not single.kept.done():
                single.kept.set_exception(failure)


class _Reading(AbstractAsyncContextManager[Transaction]):
    """Borrows a connection at its first statement."""

    # A class, as a generator around each transaction would cost more.
    __slots__ = ("_connection", "_lend", "_readers")

    def __init__(
        self, lend: Callable[[], sqlite3.Connection], readers: list[sqlite3.Connection]
    ) -> None:
        self._lend = lend
        self._readers = readers
        self._connection: sqlite3.Connection | None = None

    async def __aenter__(self) -> Transaction:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._connection is not None:
            _abandon(self._connection)
            self._readers.append(self._connection)

    async def rows(self, sql: str, /, **values: Value) -> Sequence[Row]:
        """Run one statement, with values for its `:name` parameters."""
        connection = self._connection
        if connection is None:
            connection = self._connection = self._lend()
            _run(connection, "BEGIN")
        else:
            _check_may_go_on(connection)
        return _run(connection, sql, values)

    async def lock(self, topic: str, /, *, share: bool = False) -> None:  # noqa: ARG002
        """For who writes."""
        raise AssertionError(f"{topic} is locked by a transaction that cannot write")

    def publish(self, event: AnyEvent, /) -> None:
        """For who writes."""
        raise AssertionError(f"a transaction that cannot write publishes no {event}")


class _Writing:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.events: list[AnyEvent] = []

    async def rows(self, sql: str, /, **values: Value) -> Sequence[Row]:
        """Run one statement, with values for its `:name` parameters."""
        _check_may_go_on(self._connection)
        return _run(self._connection, sql, values)

    async def lock(self, topic: str, /, *, share: bool = False) -> None:
        """Nothing to do: there is only one writer at a time."""

    def publish(self, event: AnyEvent, /) -> None:
        """Tell the listeners, once and only if the transaction commits."""
        self.events.append(event)


def _check_may_go_on(connection: sqlite3.Connection) -> None:
    if not connection.in_transaction:
        # It would be a transaction of its own.
        raise StorageError("the transaction has failed before")


def _run(connection: sqlite3.Connection, sql: str, values: Any = ()) -> list[Any]:
    try:
        return connection.execute(sql, values).fetchall()
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
        # Our own mistakes.
        raise
    except sqlite3.Error as error:
        raise StorageError(f"the database failed: {error}") from error


@contextlib.contextmanager
def _savepoint(connection: sqlite3.Connection) -> Iterator[None]:
    _run(connection, "SAVEPOINT one_of_batch")
    try:
        yield
        _run(connection, "RELEASE one_of_batch")
    except BaseException:
        _undo_savepoint(connection)
        raise


def _undo_savepoint(connection: sqlite3.Connection) -> None:
    # Some failures have ended the transaction already, and the savepoint with it.
    if not connection.in_transaction:
        return
    try:
        _run(connection, "ROLLBACK TO one_of_batch")
        _run(connection, "RELEASE one_of_batch")
    except StorageError:
        _abandon(connection)


def _abandon(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        _run(connection, "ROLLBACK")


def _statements(sql: str) -> Iterator[str]:
    statement = ""
    for line in sql.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    assert not statement.strip(), "a migration ends in the middle of a statement"


def _checked_to_be_there(path: Path) -> IO[bytes]:
    """Nothing to hold; SQLite's own words would not say what is missing."""
    try:
        path.stat()
    except OSError as error:
        raise StorageError(f"cannot open the database {path}: {error.strerror}") from error
    return io.BytesIO()


def _check_integrity(connection: sqlite3.Connection, path: Path) -> None:
    try:
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as error:
        raise StorageError(f"{path} is not a readable database: {error}") from error
    if verdict != "ok":
        raise StorageError(f"the database {path} is damaged: {verdict}")


def _forget_statistics(connection: sqlite3.Connection) -> None:
    """Those of an ANALYZE, by which SQLite reads as a whole for ever what was small at that time.

    Nobody needs them: every statement has its index. That they stay is no reason not to start.
    """
    with contextlib.suppress(StorageError):
        for (name,) in _run(connection, _STATISTICS):
            _run(connection, f"DROP TABLE {name}")
            # Else this connection would go on by what it has read of it.
            _run(connection, "PRAGMA writable_schema = RESET")


def _lock(path: Path) -> IO[bytes]:
    """Make sure that no other server has the file: it would not hear of our events."""
    try:
        # Made by us, so that what SQLite puts beside it is not readable by others either.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        file = os.fdopen(os.open(f"{path}.lock", os.O_CREAT | os.O_RDWR, 0o600), "rb")
    except OSError as error:
        raise StorageError(f"cannot open the database {path}: {error.strerror}") from error
    if fcntl is not None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.close()
            raise StorageError(
                f"another server uses the database {path}", hint="stop it first"
            ) from error
    return file
