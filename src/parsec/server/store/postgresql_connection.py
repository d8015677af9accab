"""One connection to PostgreSQL, and what its failures mean; the only importer of asyncpg."""

import asyncio
import os
import ssl
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import Any, TypeGuard, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

import asyncpg  # type: ignore[import-untyped]
import structlog

from parsec.server.settings import PostgresqlDatabase
from parsec.server.store.dialect import text_with_nul, text_without_nul
from parsec.server.store.engine import OutOfReachError, Row, StorageError
from parsec.server.store.pool import Pool

STATEMENT_SECONDS = 60.0
"""After which PostgreSQL is to give a statement up by itself."""
_PATIENCE = 1.2
"""How many times that it may take to say so."""
_CONNECT_SECONDS = 10.0

_IDLE_LIMIT = "idle_in_transaction_session_timeout"

# For a process that was stopped or cut off in the middle of a transaction: it must not keep others
# for ever from what it locked.
_SESSION = {
    "application_name": "parsec",
    _IDLE_LIMIT: "60000",
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    # A statement that is planned once for all values is planned for a third of a table, and then
    # reads all of it for the few rows that most values mean; or all users of an organization, to
    # join them with a few invitations. Every statement has its index.
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    # So no plan is better for some values; but PostgreSQL would make one for each poll of a large
    # organization, which takes longer than the poll.
    "plan_cache_mode": "force_generic_plan",
    # Seen from its price, a plan for all values is worth compiling, and worth two more processes to
    # share the work. For the values that come it is not.
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
}

_UNAVAILABLE = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    # At a connection that the other side is just closing.
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)

# What a statement was given, not what happened to the database: bugs, as with SQLite.
_BUGS = (asyncpg.IntegrityConstraintViolationError, asyncpg.DataError)

_FOR_NOW = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
)

# What a connection says that ends, or has ended.
_CUT_OFF = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.QueryCanceledError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)

_log = structlog.get_logger()

T = TypeVar("T")


class PostgresqlConnection:
    """Runs statements, one after the other."""

    def __init__(self, connection: Any, *, statement_seconds: float | None) -> None:
        self._connection = connection
        # For a database that does not answer at all.
        self._limit = statement_seconds * _PATIENCE if statement_seconds is not None else None
        self._begun: float | None = None
        self._watch: asyncio.TimerHandle | None = None

    async def rows(self, sql: str, /, *values: object) -> Sequence[Row]:
        """Run one statement, with values for `$1`, `$2`… Raises StorageError."""
        return await self._answer(self._connection.fetch(sql, *values), bugs=_BUGS)

    async def run(self, script: str, /) -> None:
        """Run statements that take and give nothing. Raises StorageError."""
        await self._answer(self._connection.execute(script))

    async def listen(self, channel: str, called: Callable[[], None]) -> None:
        """Have a function called at each notification, and at the end of the connection.

        Raises StorageError.
        """
        self._connection.add_termination_listener(lambda *_: called())
        await self._answer(self._connection.add_listener(channel, lambda *_: called()))

    def is_closed(self) -> bool:
        """Whether nothing can be done with it any more."""
        return bool(self._connection.is_closed())

    def terminate(self) -> None:
        """Let go at once, without a word to the other side; it undoes what is not committed."""
        self._end_watch()
        self._connection.terminate()

    async def close(self) -> None:
        """Let go properly."""
        self._end_watch()
        await self._connection.close()

    async def _answer(self, awaited: Awaitable[T], *, bugs: tuple[type[Exception], ...] = ()) -> T:
        """What the database answers, if it does in time. Raises StorageError, or one of `bugs`."""
        self._begin()
        try:
            return await awaited
        except bugs:
            raise
        except _UNAVAILABLE as error:
            raise _failure(error) from error
        finally:
            self._begun = None

    def _begin(self) -> None:
        self._begun = monotonic()
        if self._watch is None and self._limit is not None:
            self._look_after(self._limit)

    def _look_after(self, seconds: float) -> None:
        # One timer for many statements: asyncpg's own, one for each, are a sixth of what it costs.
        self._watch = asyncio.get_running_loop().call_later(seconds, self._look)

    def _look(self) -> None:
        self._watch = None
        if self._begun is None or self._limit is None:
            return
        seconds_left = self._begun + self._limit - monotonic()
        if seconds_left > 0:
            self._look_after(seconds_left)
            return
        _log.warning("the database does not answer", seconds=self._limit)
        self.terminate()

    def _end_watch(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None


async def connect(
    database: PostgresqlDatabase, *, statement_seconds: float | None = STATEMENT_SECONDS
) -> PostgresqlConnection:
    """A new connection. Raises OutOfReachError, or StorageError where no second try can help."""
    try:
        connection = await asyncpg.connect(
            timeout=_CONNECT_SECONDS,
            **_arguments(
                database.url.reveal(),
                limits_idling=database.limits_idling,
                statement_seconds=statement_seconds,
            ),
        )
        await connection.set_type_codec(
            "text",
            schema="pg_catalog",
            encoder=text_without_nul,
            decoder=text_with_nul,
            format="text",
        )
    except _FOR_NOW as error:
        message = f"the database {database} does not answer: {_cause(error)}"
        raise OutOfReachError(message, hint=_hint(error)) from error
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StorageError(f"the database {database} cannot be used: {_cause(error)}") from error
    except ValueError:
        # Without its text and cause, which may show a part of the password.
        message = "the URL of the database is malformed (is a password in it written with %XX?)"
        raise StorageError(message) from None
    return PostgresqlConnection(connection, statement_seconds=statement_seconds)


async def run_alone(
    pool: Pool[PostgresqlConnection], sql: str, values: Sequence[object]
) -> Sequence[Row]:
    """Run one statement that is a transaction by itself, its connection lent no longer than that.

    Raises StorageError.
    """
    connection = await pool.acquire()
    try:
        return await connection.rows(sql, *values)
    except BaseException as error:
        if may_be_broken(error):
            connection.terminate()
        raise
    finally:
        pool.release(connection)


def may_be_broken(error: BaseException) -> bool:
    """Or still wait for others in a statement that was cancelled."""
    return isinstance(error, StorageError) or not isinstance(error, Exception)


def _arguments(
    url: str,
    *,
    limits_idling: bool = True,
    statement_seconds: float | None = None,
) -> dict[str, Any]:
    """What asyncpg is called with; the URL itself says most. Raises ValueError."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    cache_size = query.pop("statement_cache_size", None)
    if not limits_idling and cache_size != "0":
        # What the URL says of it is meant for a server.
        query[_IDLE_LIMIT] = "0"
    session = dict(_SESSION)
    if statement_seconds is not None:
        session["statement_timeout"] = f"{statement_seconds * 1000:.0f}"
    # What the URL sets wins.
    session = {name: value for name, value in session.items() if name not in query}
    arguments = {"dsn": parts._replace(query=urlencode(query)).geturl()}
    if cache_size is None:
        return {**arguments, "server_settings": session}
    if cache_size == "0":
        # For proxies that lend a connection for one transaction; they take no such settings either.
        session = {}
    return {**arguments, "server_settings": session, "statement_cache_size": int(cache_size)}


def _failure(error: Exception) -> StorageError:
    kind = OutOfReachError if isinstance(error, _CUT_OFF) else StorageError
    return kind(f"the database failed: {_cause(error)}")


def _hint(error: Exception) -> str | None:
    return "is PostgreSQL running, and its address right?" if _is_of_system(error) else None


def _is_of_system(error: Exception) -> TypeGuard[OSError]:
    # Errors of TLS are OSErrors too, but their numbers and words are OpenSSL's.
    return isinstance(error, OSError) and not isinstance(error, ssl.SSLError)


def _cause(error: Exception) -> str:
    if _is_of_system(error) and error.errno:
        # Without the number, and the same words whoever raised it; those of names are negative.
        text = os.strerror(error.errno) if error.errno > 0 else error.strerror
        return text or type(error).__name__
    return str(error) or type(error).__name__
