"""Which migrations a database lacks."""

import re

import pytest

from parsec.server.store.engine import SchemaError
from parsec.server.store.migrations import Migration, known_migrations, pending_migrations

FIRST = Migration(number=1, name="0001_first.sql", sql="SELECT 1;")
SECOND = Migration(number=2, name="0002_second.sql", sql="SELECT 2;")


def test_an_empty_database_lacks_all() -> None:
    assert pending_migrations({}, [FIRST, SECOND]) == [FIRST, SECOND]


def test_an_older_database_lacks_the_later_ones() -> None:
    assert pending_migrations({FIRST.name: FIRST.checksum}, [FIRST, SECOND]) == [SECOND]


def test_a_newer_database_is_refused() -> None:
    applied = {one.name: one.checksum for one in (FIRST, SECOND)}

    with pytest.raises(SchemaError, match="newer version"):
        pending_migrations(applied, [FIRST])


def test_a_migration_that_was_changed_since_is_refused() -> None:
    with pytest.raises(SchemaError, match=re.escape("0001_first.sql differs")):
        pending_migrations({FIRST.name: "0" * 64}, [FIRST, SECOND])


def test_the_migrations_of_the_package_are_numbered_without_hole() -> None:
    numbers = [migration.number for migration in known_migrations()]

    assert numbers == list(range(1, len(numbers) + 1))
