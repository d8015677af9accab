"""A database as one file of SQLite that nothing else belongs to, with what its tables must hold."""

import contextlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

from parsec.server.store.copying import Tallies, Tally
from parsec.server.store.engine import StorageError, Transaction
from parsec.server.store.whole_file import publish

CREATE = """
CREATE TABLE backup (
    table_name TEXT NOT NULL PRIMARY KEY,
    rows BIGINT NOT NULL,
    digest BLOB NOT NULL
)"""
ADD = "INSERT INTO backup (table_name, rows, digest) VALUES (:table_name, :rows, :digest)"
IS_BACKUP = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'backup'"
TALLIES = "SELECT table_name, rows, digest FROM backup"


async def write_tallies(transaction: Transaction, tallies: Tallies) -> None:
    """Write what the tables must hold."""
    await transaction.rows(CREATE)
    for name, tally in tallies.items():
        await transaction.rows(ADD, table_name=name, rows=tally.rows, digest=tally.digest)


async def expected_tallies(transaction: Transaction) -> Tallies | None:
    """What the tables must hold; None for a database that is no backup."""
    if not await transaction.rows(IS_BACKUP):
        return None
    found = await transaction.rows(TALLIES)
    return {name: Tally(rows, bytes(digest)) for name, rows, digest in found}


@contextlib.contextmanager
def new_file(target: Path) -> Iterator[Path]:
    """Where to make a file that is there as a whole at the end, or not at all; none is replaced.

    Raises StorageError.
    """
    folder: Path | None = None
    try:
        _check_free(target)
        # For its owner alone, whatever is put there.
        folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        yield folder / target.name
        publish(folder / target.name, target)
    except FileExistsError as error:
        raise _exists(target) from error
    except OSError as error:
        raise StorageError(f"cannot write {target}: {error.strerror}") from error
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def finish(path: Path) -> None:
    """Make one file of a database that was closed, and check it. Raises StorageError."""
    try:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")
            (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            stray = connection.execute("PRAGMA foreign_key_check").fetchone()
    except sqlite3.Error as error:
        raise StorageError(f"cannot write {path.name}: {error}") from error
    if verdict != "ok" or stray is not None:
        raise StorageError(f"what was written of {path.name} is damaged: {verdict}")
    path.chmod(0o600)
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _check_free(target: Path) -> None:
    if target.is_dir():
        raise StorageError(f"{target} is a folder", hint="name a file in it")
    if os.path.lexists(target):
        raise _exists(target)


def _exists(target: Path) -> StorageError:
    return StorageError(f"{target} is already there", hint="name another file, or remove that one")
