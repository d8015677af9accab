"""An engine whose transactions are counted."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType

from parsec.server.meter import Meter
from parsec.server.records import Notification
from parsec.server.store.engine import (
    Engine,
    Key,
    Listener,
    MigrationState,
    Row,
    StorageError,
    Transaction,
)


class CountedEngine:
    """Stands in front of another one."""

    def __init__(self, engine: Engine, meter: Meter) -> None:
        self._engine = engine
        self._meter = meter

    async def migrations(self) -> Sequence[MigrationState]:
        """The migrations of this version, oldest first. Raises SchemaError."""
        return await self._engine.migrations()

    async def migrate(self, *, count: int | None = None) -> None:
        """Bring the schema to this version, or to what it was after so many migrations.

        Raises SchemaError; earlier steps then stay.
        """
        await self._engine.migrate(count=count)

    async def rows(self, sql: str, /, **values: Key) -> Sequence[Row]:
        """Look up a few rows, with values for `:name` parameters; counted as a transaction."""
        failed = False
        try:
            return await self._engine.rows(sql, **values)
        except StorageError:
            failed = True
            raise
        finally:
            self._meter.transaction(write=False, failed=failed)

    def transaction(
        self, *, write: bool, single: bool = False
    ) -> AbstractAsyncContextManager[Transaction]:
        """Commits at the end, unless an exception passes; counted then."""
        inner = self._engine.transaction(write=write, single=single)
        return _CountedTransaction(inner, self._meter, write=write)

    async def publish(self, event: Notification, /) -> None:
        """Tell the listeners what rests on nothing written: no other writer waits for it."""
        await self._engine.publish(event)

    def subscribe(self, listener: Listener, /) -> Callable[[], None]:
        """Have a function called for each event; returns what ends it."""
        return self._engine.subscribe(listener)

    async def catch_up(self) -> None:
        """Returns when these functions were called for all that was committed before."""
        await self._engine.catch_up()

    async def lost(self) -> StorageError:
        """Comes only when the database is lost for good, and says why."""
        return await self._engine.lost()

    async def close(self) -> None:
        """Finish what was begun, and let the database go."""
        await self._engine.close()


class _CountedTransaction(AbstractAsyncContextManager[Transaction]):
    # A class, as a second generator around each transaction would cost three times as much.
    __slots__ = ("_inner", "_meter", "_write")

    def __init__(
        self, inner: AbstractAsyncContextManager[Transaction], meter: Meter, *, write: bool
    ) -> None:
        self._inner = inner
        self._meter = meter
        self._write = write

    async def __aenter__(self) -> Transaction:
        try:
            return await self._inner.__aenter__()
        except StorageError:
            self._meter.transaction(write=self._write, failed=True)
            raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        failed = isinstance(error, StorageError)
        try:
            return await self._inner.__aexit__(kind, error, traceback)
        except StorageError:
            failed = True
            raise
        finally:
            self._meter.transaction(write=self._write, failed=failed)
