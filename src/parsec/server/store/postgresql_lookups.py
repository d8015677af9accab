"""Look-ups that are asked for at the same time are one statement.

A round trip costs a process more than what it does with a row: under load this is a fifth of a
small request. Nothing is kept: what is found was read after it was asked for.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextvars import Context

from parsec.server.store.dialect import for_many, numbered, text_without_nul
from parsec.server.store.engine import Row, Value
from parsec.server.store.pool import Pool
from parsec.server.store.postgresql_connection import PostgresqlConnection, run_alone

MOST = 64
"""How many look-ups share a statement: a failure is one of all."""


class _LookUp:
    """One that is asked for, and who waits for what it finds."""

    __slots__ = ("found", "values")

    def __init__(self, values: Mapping[str, Value]) -> None:
        self.values = values
        self.found: asyncio.Future[Sequence[Row]] = asyncio.get_running_loop().create_future()


class LookUps:
    """Gathers look-ups until the turn of the event loop ends in which the first one came."""

    def __init__(self, pool: Pool[PostgresqlConnection]) -> None:
        self._pool = pool
        # By statement: those that still take another one.
        self._open: dict[str, list[_LookUp]] = {}
        self._running: set[asyncio.Task[None]] = set()

    async def rows(self, sql: str, values: Mapping[str, Value]) -> Sequence[Row]:
        """Run one statement, with values for its `:name` parameters. Raises StorageError."""
        gathered = self._open.get(sql)
        if gathered is None or len(gathered) >= MOST:
            gathered = self._open[sql] = []
            self._begin(sql, gathered)
        look_up = _LookUp(values)
        gathered.append(look_up)
        return await look_up.found

    def _begin(self, sql: str, gathered: list[_LookUp]) -> None:
        # On behalf of all of them: what it logs names none of their requests.
        task = asyncio.get_running_loop().create_task(self._run(sql, gathered), context=Context())
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _run(self, sql: str, gathered: list[_LookUp]) -> None:
        if self._open.get(sql) is gathered:
            del self._open[sql]
        # Whoever hung up meanwhile does not wait any more.
        wanted = [look_up for look_up in gathered if not look_up.found.done()]
        try:
            found = await self._found(sql, wanted)
        except BaseException as error:
            for look_up in wanted:
                if not look_up.found.done():
                    look_up.found.set_exception(error)
            if not isinstance(error, Exception):
                raise
            return
        for look_up, rows in zip(wanted, found, strict=True):
            if not look_up.found.done():
                look_up.found.set_result(rows)

    async def _found(self, sql: str, wanted: Sequence[_LookUp]) -> Sequence[Sequence[Row]]:
        """The rows of each."""
        if not wanted:
            return []
        statement = numbered(sql)
        if len(wanted) == 1:
            values = [wanted[0].values[name] for name in statement.names]
            return [await run_alone(self._pool, statement.text, values)]
        columns = [[one.values[name] for one in wanted] for name in statement.names]
        shared = for_many(sql, tuple(_type(values[0]) for values in columns))
        found: list[list[Row]] = [[] for _ in wanted]
        for row in await run_alone(self._pool, shared.text, list(map(_array, columns))):
            found[row[0] - 1].append(row[1:])
        return found


def _type(value: Value) -> str:
    match value:
        case str():
            return "text"
        case bytes():
            return "bytea"
        case int():
            return "bigint"
        case None:
            raise AssertionError("nothing is looked up by what is not there")


def _array(values: Sequence[Value]) -> Sequence[Value]:
    # Within arrays, texts are not written as our connections write them elsewhere.
    return [text_without_nul(one) if isinstance(one, str) else one for one in values]
