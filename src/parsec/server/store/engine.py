"""The small interface behind which a database stands."""

import enum
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeAlias

import msgspec

from parsec.server.records import AnyEvent, Notification

Value: TypeAlias = int | str | bytes | None
"""What a statement is given; a truth is 0 or 1, an instant its microseconds."""

Key: TypeAlias = int | str | bytes
"""What a row is looked up by."""

Row: TypeAlias = Sequence[Any]
"""What a statement yields, in the order of its columns."""

Listener: TypeAlias = Callable[[AnyEvent], None]


class StorageError(Exception):
    """The database cannot be opened, read or written; `hint` is what the operator can do."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class OutOfReachError(StorageError):
    """The database does not answer now, but may later."""


class SchemaError(StorageError):
    """The database has not the schema of this version."""


class MigrationState(msgspec.Struct, frozen=True, kw_only=True):
    """A step towards the schema of this version, and whether the database has taken it."""

    name: str
    applied: bool


class Reader(Protocol):
    """What looks up a few rows, be it in a transaction or by itself."""

    async def rows(self, sql: str, /, **values: Key) -> Sequence[Row]:
        """Run one statement, with values for its `:name` parameters."""


class Transaction(Reader, Protocol):
    """Statements that see one state of the database and take effect together."""

    async def rows(self, sql: str, /, **values: Value) -> Sequence[Row]:
        """Run one statement, with values for its `:name` parameters."""

    async def lock(self, topic: str, /, *, share: bool = False) -> None:
        """Keep other writers away from a topic until the end; lock first, then read.

        Those who `share` a topic only keep away who does not.
        """

    def publish(self, event: AnyEvent, /) -> None:
        """Tell the listeners, once and only if the transaction commits."""


class SingleStatement(AbstractAsyncContextManager[Transaction]):
    """A transaction of a single statement, which takes effect as soon as it has run."""

    __slots__ = ("_has_run", "_run")

    def __init__(self, run: Callable[[str, Mapping[str, Value]], Awaitable[Sequence[Row]]]) -> None:
        self._run = run
        self._has_run = False

    async def __aenter__(self) -> Transaction:
        return self

    async def __aexit__(self, *_: object) -> None:
        """There is nothing left to end."""

    async def rows(self, sql: str, /, **values: Value) -> Sequence[Row]:
        """Run the statement, with values for its `:name` parameters."""
        assert not self._has_run, "more than a single statement"
        self._has_run = True
        return await self._run(sql, values)

    async def lock(self, topic: str, /, *, share: bool = False) -> None:  # noqa: ARG002
        """For who runs several."""
        raise AssertionError(f"{topic} is locked by a single statement")

    def publish(self, event: AnyEvent, /) -> None:
        """For who runs several."""
        raise AssertionError(f"a single statement publishes no {event}")


class Use(enum.Enum):
    """What a database that is a file is opened for."""

    ALONE = enum.auto()
    """As a server does, which nobody else may be meanwhile; made if it is not there."""
    BESIDE = enum.auto()
    """What is there, whether or not a server has it; its listeners hear of no event."""
    READ = enum.auto()
    """What is there and nobody writes; nothing is left beside it."""


class Engine(Reader, Protocol):
    """A database. Its own `rows` looks up a few of them, in any order, with no transaction."""

    async def migrations(self) -> Sequence[MigrationState]:
        """The migrations of this version, oldest first. Raises SchemaError."""

    async def migrate(self, *, count: int | None = None) -> None:
        """Bring the schema to this version, or to what it was after so many migrations.

        Raises SchemaError; earlier steps then stay.
        """

    def transaction(
        self, *, write: bool, single: bool = False
    ) -> AbstractAsyncContextManager[Transaction]:
        """Commits at the end, unless an exception passes: then nothing happened.

        What runs a `single` statement costs less by saying so. It holds no lock, publishes nothing,
        and an exception that passes behind it need not undo it.
        """

    async def publish(self, event: Notification, /) -> None:
        """Tell the listeners what rests on nothing written: no other writer waits for it.

        It must be fleeting: whoever does not listen now is never told.
        """

    def subscribe(self, listener: Listener, /) -> Callable[[], None]:
        """Have a function called for each event; returns what ends it."""

    async def catch_up(self) -> None:
        """Returns when these functions were called for all that was committed before."""

    async def lost(self) -> StorageError:
        """Comes only when the database is lost for good, and says why."""

    async def close(self) -> None:
        """Finish what was begun, and let the database go."""
