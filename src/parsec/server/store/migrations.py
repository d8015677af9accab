"""Which steps lead from an empty database to the schema of this version."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from importlib import resources

import msgspec

from parsec.server.store.engine import SchemaError

_FILE = re.compile(r"(?P<number>[0-9]{4})_[a-z0-9_]+\.sql")

CREATE_TABLE = """
CREATE TABLE IF NOT EXISTS migration (
    number INTEGER NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    checksum TEXT NOT NULL
)"""

APPLIED = "SELECT name, checksum FROM migration ORDER BY number"

LOCK = "migration"
"""Where several processes share a database: held by who migrates, shared by who looks."""

RECORD = "INSERT INTO migration (number, name, checksum) VALUES (:number, :name, :checksum)"


class Migration(msgspec.Struct, frozen=True, kw_only=True):
    """One numbered file of statements; never changed once released."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def known_migrations() -> Sequence[Migration]:
    """The migrations of this version, oldest first."""
    found = []
    for file in resources.files("parsec.server.store").joinpath("schema").iterdir():
        match = _FILE.fullmatch(file.name)
        if match:
            text = file.read_text(encoding="utf-8")
            found.append(Migration(number=int(match["number"]), name=file.name, sql=text))
    found.sort(key=lambda migration: migration.number)
    assert [one.number for one in found] == list(range(1, len(found) + 1))
    return found


def pending_migrations(
    applied: Mapping[str, str], known: Sequence[Migration]
) -> Sequence[Migration]:
    """What a database lacks, given the checksums by name of what it has.

    Raises SchemaError for a database that is not an earlier state of this version's.
    """
    for (name, checksum), expected in zip(applied.items(), known, strict=False):
        if name != expected.name or checksum != expected.checksum:
            raise SchemaError(f"the database was made by another program: {name} differs")
    if len(applied) > len(known):
        raise SchemaError("the database was made by a newer version")
    return known[len(applied) :]
