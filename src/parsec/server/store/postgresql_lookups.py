"""Look-ups that are asked for at the same time are one statement.

A round trip costs a process more than what it does with a row: under load this is a fifth of a
small request. Nothing is kept: what is found was read after it was asked for.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextvars import Context

from parsec.server.store.dialect import for_many, numbered, text_without_nul
from parsec.server.store.engine import Key, Row
from parsec.server.store.pool import Pool
from parsec.server.store.postgresql_connection import PostgresqlConnection, run_alone

MOST = 64
"""How many look-ups share a statement: a failure is one of all."""


class _LookUp:
    """One that is asked for, and who waits for what it finds."""

    __slots__ = ("found", "values")

    def __init__(self, values: Mapping[str, Key]) -> None:
        self.values = values
        self.found: asyncio.Future[Sequence[Row]] = asyncio.get_running_loop().create_future()


class LookUps:
    """Gathers look-ups until the turn of the event loop ends in which the first one came."""

    def __init__(self, pool: Pool[PostgresqlConnection]) -> None:
        self._pool = pool
        # By statement: those that still take another look-up.
        self._open: dict[str, _Group] = {}

    async def rows(self, sql: str, values: Mapping[str, Key]) -> Sequence[Row]:
        """Run one statement, with values for its `:name` parameters. Raises StorageError."""
        group = self._open.get(sql)
        if group is None or len(group.look_ups) >= MOST:
            group = self._open[sql] = _Group(self, sql)
        look_up = _LookUp(values)
        group.look_ups.append(look_up)
        try:
            return await look_up.found
        except asyncio.CancelledError:
            group.end_if_unwanted()
            raise

    def close_group(self, group: "_Group") -> None:
        """It takes no more."""
        if self._open.get(group.sql) is group:
            del self._open[group.sql]

    async def found(self, sql: str, wanted: Sequence[_LookUp]) -> Sequence[Sequence[Row]]:
        """The rows of each."""
        statement = numbered(sql)
        if len(wanted) == 1:
            values = statement.arguments(wanted[0].values)
            return [await run_alone(self._pool, statement.text, values)]
        columns = list(zip(*(statement.arguments(one.values) for one in wanted), strict=True))
        shared = for_many(sql, tuple(_type(values[0]) for values in columns))
        found: list[list[Row]] = [[] for _ in wanted]
        for row in await run_alone(self._pool, shared.text, list(map(_array, columns))):
            found[row[0] - 1].append(row[1:])
        return found


class _Group:
    """Look-ups that share a statement."""

    def __init__(self, owner: LookUps, sql: str) -> None:
        self._owner = owner
        self.sql = sql
        self.look_ups: list[_LookUp] = []
        # On behalf of all of them: what it logs names none of their requests.
        self._task = asyncio.get_running_loop().create_task(self._run(), context=Context())

    def end_if_unwanted(self) -> None:
        """Once the last caller has hung up, no connection is held for them."""
        if not self._wanted():
            self._owner.close_group(self)
            self._task.cancel()

    def _wanted(self) -> list[_LookUp]:
        """Those whose callers have not hung up."""
        return [look_up for look_up in self.look_ups if not look_up.found.done()]

    async def _run(self) -> None:
        self._owner.close_group(self)
        wanted = self._wanted()
        if not wanted:
            return
        try:
            found = await self._owner.found(self.sql, wanted)
        except BaseException as error:
            for look_up in self._wanted():
                look_up.found.set_exception(error)
            if not isinstance(error, Exception):
                raise
            return
        for look_up, rows in zip(wanted, found, strict=True):
            if not look_up.found.done():
                look_up.found.set_result(rows)


def _type(value: Key) -> str:
    match value:
        case str():
            return "text"
        case bytes():
            return "bytea"
        case int():
            return "bigint"


def _array(values: Sequence[Key]) -> Sequence[Key]:
    # Within arrays, texts are not written as our connections write them elsewhere.
    return [text_without_nul(one) if isinstance(one, str) else one for one in values]
