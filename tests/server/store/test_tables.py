"""What copying knows of the tables."""

import sqlite3

from parsec.server.store.migrations import Migration, known_migrations
from parsec.server.store.tables import tables


def migration(sql: str) -> Migration:
    return Migration(number=1, name="0001_some.sql", sql=sql)


def test_what_is_referred_to_comes_first() -> None:
    sql = "CREATE TABLE a (b INTEGER REFERENCES b); CREATE TABLE b (id INTEGER PRIMARY KEY);"

    assert [table.name for table in tables([migration(sql)])] == ["b", "a"]


def test_the_key_is_in_its_own_order() -> None:
    (table,) = tables([migration("CREATE TABLE t (a TEXT, b TEXT, c TEXT, PRIMARY KEY (c, a));")])

    assert (table.columns, table.key) == (("a", "b", "c"), ("c", "a"))


def test_rows_are_read_behind_each_other_whatever_their_key() -> None:
    (table,) = tables([migration("CREATE TABLE t (a INTEGER, b INTEGER, PRIMARY KEY (a, b));")])
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE t (a INTEGER, b INTEGER, PRIMARY KEY (a, b))")
    rows = [(1, 1), (1, 2), (2, 0)]
    database.executemany("INSERT INTO t VALUES (?, ?)", rows)

    first = database.execute(table.first, {"count": 2}).fetchall()
    rest = database.execute(table.following, {"a": 1, "b": 2, "count": 2}).fetchall()

    database.close()
    assert first + rest == rows


def test_all_tables_of_this_version_are_known() -> None:
    database = sqlite3.connect(":memory:")
    for one in known_migrations():
        database.executescript(one.sql)
    names = {
        name for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
    }

    found = {table.name for table in tables(known_migrations())}

    database.close()
    assert found == names
