"""The tables that migrations make, as far as copying them needs to know."""

import contextlib
import sqlite3
from collections.abc import Mapping, Sequence
from functools import cached_property
from graphlib import TopologicalSorter

import msgspec

from parsec.server.store.migrations import Migration


class Table(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A table, and the columns that name a row of it: none where it has one row."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]

    @cached_property
    def first(self) -> str:
        """The statement for the first rows, `:count` at most."""
        return f"SELECT {self._list} FROM {_quoted(self.name)}{self._order}"  # noqa: S608

    @cached_property
    def following(self) -> str:
        """The same behind the row that the columns of the key name."""
        names = ", ".join(f":{column}" for column in self.key)
        return (
            f"SELECT {self._list} FROM {_quoted(self.name)} "  # noqa: S608
            f"WHERE ({_list(self.key)}) > ({names}){self._order}"
        )

    def insert(self, rows: int) -> str:
        """The statement that writes so many rows: `:c0_0`, `:c1_0`… `:c0_1`…"""
        values = ", ".join(
            f"({', '.join(f':c{column}_{row}' for column in range(len(self.columns)))})"
            for row in range(rows)
        )
        return f"INSERT INTO {_quoted(self.name)} ({self._list}) VALUES {values}"  # noqa: S608

    @cached_property
    def clear(self) -> str:
        """The statement that removes all rows."""
        return f"DELETE FROM {_quoted(self.name)}"  # noqa: S608

    @property
    def _list(self) -> str:
        return _list(self.columns)

    @property
    def _order(self) -> str:
        return f" ORDER BY {_list(self.key)} LIMIT :count" if self.key else ""


def tables(migrations: Sequence[Migration]) -> Sequence[Table]:
    """The tables after these migrations, those that others refer to before them."""
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        for migration in migrations:
            connection.executescript(migration.sql)
        names = [name for (name,) in connection.execute(_TABLES)]
        found = {name: _table(connection, name) for name in names}
        parents = {name: _parents(connection, name) - {name} for name in names}
    return [found[name] for name in _in_order(parents)]


_TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"


def _table(connection: sqlite3.Connection, name: str) -> Table:
    sql = "SELECT name, pk FROM pragma_table_info(?) ORDER BY cid"
    columns = connection.execute(sql, [name]).fetchall()
    key = sorted((place, column) for column, place in columns if place)
    return Table(
        name=name,
        columns=tuple(column for column, _ in columns),
        key=tuple(column for _, column in key),
    )


def _parents(connection: sqlite3.Connection, name: str) -> set[str]:
    sql = 'SELECT DISTINCT "table" FROM pragma_foreign_key_list(?)'
    return {parent for (parent,) in connection.execute(sql, [name])}


def _in_order(parents: Mapping[str, set[str]]) -> Sequence[str]:
    return list(TopologicalSorter(parents).static_order())


def _list(names: Sequence[str]) -> str:
    return ", ".join(_quoted(name) for name in names)


def _quoted(name: str) -> str:
    # Names of our own migrations, some of which mean something in SQL.
    return f'"{name}"'
