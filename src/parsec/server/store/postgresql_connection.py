"""One connection to PostgreSQL, and what its failures mean; the only importer of asyncpg."""

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import asyncpg  # type: ignore[import-untyped]

from parsec.server.settings import PostgresqlDatabase
from parsec.server.store.dialect import text_with_nul, text_without_nul
from parsec.server.store.engine import OutOfReachError, Row, StorageError

STATEMENT_SECONDS = 60.0
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
    # reads all of it for the few rows that most values mean. Every statement has its index.
    "enable_seqscan": "off",
    # Seen from its price, a plan that cannot do without is worth compiling. It is not.
    "jit": "off",
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
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)


class PostgresqlConnection:
    """Runs statements, one after the other."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def rows(self, sql: str, /, *values: object) -> Sequence[Row]:
        """Run one statement, with values for `$1`, `$2`… Raises StorageError."""
        try:
            rows: Sequence[Row] = await self._connection.fetch(sql, *values)
        except _BUGS:
            raise
        except _UNAVAILABLE as error:
            raise _failure(error) from error
        return rows

    async def run(self, script: str, /) -> None:
        """Run statements that take and give nothing. Raises StorageError."""
        try:
            await self._connection.execute(script)
        except _UNAVAILABLE as error:
            raise _failure(error) from error

    async def listen(self, channel: str, called: Callable[[], None]) -> None:
        """Have a function called at each notification, and at the end of the connection.

        Raises StorageError.
        """
        self._connection.add_termination_listener(lambda *_: called())
        try:
            await self._connection.add_listener(channel, lambda *_: called())
        except _UNAVAILABLE as error:
            raise _failure(error) from error

    def is_closed(self) -> bool:
        """Whether nothing can be done with it any more."""
        return bool(self._connection.is_closed())

    def terminate(self) -> None:
        """Let go at once, without a word to the other side; it undoes what is not committed."""
        self._connection.terminate()

    async def close(self) -> None:
        """Let go properly."""
        await self._connection.close()


async def connect(
    database: PostgresqlDatabase, *, statement_seconds: float | None = STATEMENT_SECONDS
) -> PostgresqlConnection:
    """A new connection. Raises OutOfReachError, or StorageError where no second try can help."""
    try:
        connection = await asyncpg.connect(
            timeout=_CONNECT_SECONDS,
            command_timeout=statement_seconds,
            **_arguments(database.url.reveal(), limits_idling=database.limits_idling),
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
        raise OutOfReachError(message) from error
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StorageError(f"the database {database} cannot be used: {_cause(error)}") from error
    except ValueError:
        # Without its text and cause, which may show a part of the password.
        message = "the URL of the database is malformed (is a password in it written with %XX?)"
        raise StorageError(message) from None
    return PostgresqlConnection(connection)


def _arguments(url: str, *, limits_idling: bool = True) -> dict[str, Any]:
    """What asyncpg is called with; the URL itself says most. Raises ValueError."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    cache_size = query.pop("statement_cache_size", None)
    if not limits_idling and cache_size != "0":
        # What the URL says of it is meant for a server.
        query[_IDLE_LIMIT] = "0"
    # What the URL sets wins.
    session = {name: value for name, value in _SESSION.items() if name not in query}
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


def _cause(error: Exception) -> str:
    return str(error) or type(error).__name__
