"""All that a database holds, into another one of the same schema."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import TypeAlias

import msgspec

from parsec.server.store.engine import Row, StorageError, Transaction
from parsec.server.store.tables import Table

# On SQLite events are numbered for each organization, on PostgreSQL behind this counter, which must
# not fall behind what an organization has.
RAISE_COUNTER = """
UPDATE event_counter SET last = (SELECT MAX(number) FROM remembered_event)
WHERE last < (SELECT MAX(number) FROM remembered_event)"""

_BATCH = 100

_SIZE = 32

Told: TypeAlias = Callable[[str, int], None]
"""Called with the name of a table and how many of its rows are done."""


class Tally(msgspec.Struct, frozen=True):
    """How many rows a table has, and a digest of them that does not depend on their order.

    It tells damage and mistakes, not what somebody made on purpose.
    """

    rows: int = 0
    digest: bytes = bytes(_SIZE)

    def plus(self, rows: Sequence[Row]) -> "Tally":
        """With more rows."""
        total = int.from_bytes(self.digest, "big") + sum(_row_number(row) for row in rows)
        digest = (total % (1 << 8 * _SIZE)).to_bytes(_SIZE, "big")
        return Tally(self.rows + len(rows), digest)


Tallies: TypeAlias = Mapping[str, Tally]
"""By the name of the table."""


def _row_number(row: Row) -> int:
    encoded = msgspec.msgpack.encode(list(row))
    return int.from_bytes(hashlib.blake2b(encoded, digest_size=_SIZE).digest(), "big")


async def copy(
    source: Transaction, target: Transaction, tables: Sequence[Table], *, told: Told
) -> Tallies:
    """Replace all rows of the target by those of the source; what these were."""
    for table in reversed(tables):
        await target.rows(table.clear)
    return {table.name: await _copy_table(source, target, table, told) for table in tables}


async def tallies(transaction: Transaction, tables: Sequence[Table], *, told: Told) -> Tallies:
    """What the tables hold."""
    found = {}
    for table in tables:
        tally = Tally()
        async for rows in _batches(transaction, table):
            tally = tally.plus(rows)
            told(table.name, tally.rows)
        found[table.name] = tally
    return found


def check_same(expected: Tallies, found: Tallies) -> None:
    """Raises StorageError."""
    for name, tally in expected.items():
        other = found.get(name, Tally())
        if other != tally:
            raise StorageError(
                f"the table {name} is not the same on both sides "
                f"({tally.rows} and {other.rows} rows)"
            )


async def raise_counter(target: Transaction, tables: Sequence[Table]) -> None:
    """Let the engine of the target go on where that of the source stopped."""
    if any(table.name == "remembered_event" for table in tables):
        await target.rows(RAISE_COUNTER)


async def is_empty(transaction: Transaction) -> bool:
    """Whether a database holds nothing that somebody would miss."""
    # All else belongs to an organization, or is made at the start of a server.
    return not await transaction.rows("SELECT 1 FROM organization LIMIT 1")


async def _copy_table(source: Transaction, target: Transaction, table: Table, told: Told) -> Tally:
    tally = Tally()
    async for rows in _batches(source, table):
        # One statement for a full batch; other numbers of rows would each make one of its own.
        at_once = len(rows) if len(rows) == _BATCH else 1
        for begin in range(0, len(rows), at_once):
            part = rows[begin : begin + at_once]
            values = {
                f"c{column}_{number}": value
                for number, row in enumerate(part)
                for column, value in enumerate(row)
            }
            await target.rows(table.insert(at_once), **values)
        tally = tally.plus(rows)
        told(table.name, tally.rows)
    return tally


async def _batches(transaction: Transaction, table: Table) -> AsyncIterator[Sequence[Row]]:
    if not table.key:
        yield await transaction.rows(table.first)
        return
    places = [table.columns.index(column) for column in table.key]
    rows = await transaction.rows(table.first, count=_BATCH)
    while rows:
        # SQLite never waits: here it is noticed that somebody wants the work to end.
        await asyncio.sleep(0)
        yield rows
        last = {column: rows[-1][place] for column, place in zip(table.key, places, strict=True)}
        rows = await transaction.rows(table.following, **last, count=_BATCH)
