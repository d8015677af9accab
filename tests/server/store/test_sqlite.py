"""The engine on SQLite: the contract of all engines, and what a file adds to it."""

import asyncio
import contextlib
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from parsec.server.store import migrations, sqlite
from parsec.server.store.authentication import AUTHOR
from parsec.server.store.engine import SchemaError, StorageError
from parsec.server.store.migrations import Migration
from parsec.server.store.sqlite import SqliteEngine, TemporarySqliteEngine
from tests.support.engine_contract import EngineContract, add, names


class TestSqlite(EngineContract):
    @pytest.fixture
    async def engine(self, tmp_path: Path) -> AsyncIterator[SqliteEngine]:
        engine = SqliteEngine(tmp_path / "parsec.sqlite")
        await engine.migrate()
        yield engine
        await engine.close()


class TestTemporarySqlite(EngineContract):
    @pytest.fixture
    async def engine(self) -> AsyncIterator[TemporarySqliteEngine]:
        engine = TemporarySqliteEngine()
        await engine.migrate()
        yield engine
        await engine.close()


def file_modes(folder: Path) -> dict[str, int]:
    return {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}


async def filled(path: Path) -> None:
    engine = SqliteEngine(path)
    await engine.migrate()
    async with engine.transaction(write=True) as transaction:
        await add(transaction, "a")
    await engine.close()


async def test_what_was_written_is_there_after_a_restart(tmp_path: Path) -> None:
    await filled(tmp_path / "parsec.sqlite")

    engine = SqliteEngine(tmp_path / "parsec.sqlite")

    assert await names(engine) == ["a"]
    await engine.close()


async def test_only_the_owner_can_read_the_files(tmp_path: Path) -> None:
    engine = SqliteEngine(tmp_path / "parsec.sqlite")
    await engine.migrate()

    modes = file_modes(tmp_path)
    await engine.close()

    assert set(modes.values()) == {0o600}
    assert "parsec.sqlite-wal" in modes


async def test_a_second_server_on_one_file_is_refused(tmp_path: Path) -> None:
    first = SqliteEngine(tmp_path / "parsec.sqlite")

    with pytest.raises(StorageError, match="another server"):
        SqliteEngine(tmp_path / "parsec.sqlite")

    await first.close()


async def test_a_closed_database_can_be_opened_again(tmp_path: Path) -> None:
    await SqliteEngine(tmp_path / "parsec.sqlite").close()

    await SqliteEngine(tmp_path / "parsec.sqlite").close()


async def test_closing_waits_for_those_who_wait_for_the_commit(tmp_path: Path) -> None:
    engine = SqliteEngine(tmp_path / "parsec.sqlite")
    await engine.migrate()

    async def write() -> None:
        async with engine.transaction(write=True) as transaction:
            await add(transaction, "a")

    writer = asyncio.create_task(write())
    await asyncio.sleep(0)
    await engine.close()
    await writer

    again = SqliteEngine(tmp_path / "parsec.sqlite")
    assert await names(again) == ["a"]
    await again.close()


async def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="No such file"):
        SqliteEngine(tmp_path / "nowhere" / "parsec.sqlite")


async def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "parsec.sqlite"
    await filled(path)
    content = bytearray(path.read_bytes())
    content[4096:12288] = b"\xff" * 8192
    path.write_bytes(content)

    with pytest.raises(StorageError, match=r"damaged|not a readable"):
        SqliteEngine(path)


async def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "parsec.sqlite"
    path.write_text("Dear diary, " * 1000)

    with pytest.raises(StorageError, match="not a database"):
        SqliteEngine(path)


async def test_the_database_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "parsec.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE bookmark (url TEXT)")
    connection.close()
    engine = SqliteEngine(path)

    with pytest.raises(SchemaError, match="another program"):
        await engine.migrate()

    await engine.close()


async def test_an_upgrade_keeps_what_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "parsec.sqlite"
    await filled(path)
    later = Migration(
        number=99, name="0099_more.sql", sql="ALTER TABLE organization ADD COLUMN more TEXT;\n"
    )
    known = [*migrations.known_migrations(), later]
    monkeypatch.setattr(migrations, "known_migrations", lambda: known)
    engine = SqliteEngine(path)
    before = await engine.migrations()

    await engine.migrate()

    assert [one.name for one in before if not one.applied] == ["0099_more.sql"]
    assert all(one.applied for one in await engine.migrations())
    assert await names(engine) == ["a"]
    await engine.close()


async def test_a_migration_that_fails_leaves_no_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "parsec.sqlite"
    await filled(path)
    sql = "CREATE TABLE more (a TEXT);\nCREATE TABLE organization (a TEXT);\n"
    broken = Migration(number=99, name="0099_broken.sql", sql=sql)
    known = [*migrations.known_migrations(), broken]
    monkeypatch.setattr(migrations, "known_migrations", lambda: known)
    engine = SqliteEngine(path)

    with pytest.raises(SchemaError, match=r"0099_broken\.sql failed"):
        await engine.migrate()

    async with engine.transaction(write=False) as transaction:
        tables = await transaction.rows("SELECT name FROM sqlite_schema WHERE name = 'more'")
    assert tables == []
    await engine.close()


async def test_migrations_that_are_interrupted_leave_an_empty_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply = SqliteEngine._apply

    def interrupted(engine: SqliteEngine, migration: Migration) -> None:
        apply(engine, migration)
        raise KeyboardInterrupt

    monkeypatch.setattr(SqliteEngine, "_apply", interrupted)
    engine = SqliteEngine(tmp_path / "parsec.sqlite")

    with pytest.raises(KeyboardInterrupt):
        await engine.migrate()

    async with engine.transaction(write=False) as transaction:
        assert await transaction.rows("SELECT name FROM sqlite_schema") == []
    await engine.close()


_WRITER = """
import asyncio, sys
from pathlib import Path
from parsec.server.store.sqlite import SqliteEngine
from tests.support.engine_contract import add

async def main():
    engine = SqliteEngine(Path(sys.argv[1]))
    await engine.migrate()
    number = 0
    while True:
        async with engine.transaction(write=True) as transaction:
            await add(transaction, f"{number:06}")
        print(number, flush=True)
        number += 1

asyncio.run(main())
"""


def confirmed_before_a_kill(path: Path) -> list[int]:
    writer = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(path)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    )
    assert writer.stdout is not None
    confirmed = [int(writer.stdout.readline()) for _ in range(50)]
    writer.kill()
    writer.communicate()
    return confirmed


async def test_what_was_confirmed_survives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "parsec.sqlite"

    confirmed = confirmed_before_a_kill(path)

    engine = SqliteEngine(path)
    found = await names(engine)
    assert found[:50] == [f"{number:06}" for number in confirmed]
    # Those that follow are whole and in order, whether anybody heard of them or not.
    assert found == [f"{number:06}" for number in range(len(found))]
    await engine.close()


async def filled_up(path: Path) -> SqliteEngine:
    """An engine whose database takes a little more, not much."""
    engine = SqliteEngine(path)
    await engine.migrate()
    async with engine.transaction(write=True) as transaction:
        await transaction.rows("CREATE TABLE heap (content BLOB)")
        ((pages,),) = await transaction.rows("PRAGMA page_count")
    async with engine.transaction(write=True) as transaction:
        await transaction.rows(f"PRAGMA max_page_count = {pages + 5}")
    return engine


async def pile(engine: SqliteEngine, size: int) -> None:
    async with engine.transaction(write=True) as transaction:
        await transaction.rows("INSERT INTO heap VALUES (:content)", content=bytes(size))


async def pile_at_once(engine: SqliteEngine, size: int) -> None:
    async with engine.transaction(write=True, single=True) as transaction:
        await transaction.rows("INSERT INTO heap VALUES (:content)", content=bytes(size))


async def heap(engine: SqliteEngine) -> list[int]:
    async with engine.transaction(write=False) as transaction:
        return [size for (size,) in await transaction.rows("SELECT length(content) FROM heap")]


async def test_what_was_told_to_fail_by_a_full_disk_was_not_kept(tmp_path: Path) -> None:
    """SQLite undoes the whole batch at once, not only who found the disk full."""
    engine = await filled_up(tmp_path / "parsec.sqlite")

    results = await asyncio.gather(
        *(pile(engine, size) for size in (1, 200_000, 2)), return_exceptions=True
    )

    assert [type(result) for result in results] == [StorageError, StorageError, type(None)]
    assert await heap(engine) == [2]
    await engine.close()


async def test_single_statements_that_found_the_disk_full_take_their_batch_along(
    tmp_path: Path,
) -> None:
    engine = await filled_up(tmp_path / "parsec.sqlite")

    results = await asyncio.gather(
        *(pile_at_once(engine, size) for size in (1, 200_000, 2)),
        pile(engine, 3),
        return_exceptions=True,
    )
    await pile_at_once(engine, 4)

    assert [type(result) for result in results] == [StorageError] * 4
    assert await heap(engine) == [4]
    await engine.close()


async def test_a_single_statement_that_fails_takes_no_other_along(tmp_path: Path) -> None:
    engine = SqliteEngine(tmp_path / "parsec.sqlite")
    await engine.migrate()

    async def write(name: str) -> None:
        async with engine.transaction(write=True, single=True) as transaction:
            await add(transaction, name)

    results = await asyncio.gather(*map(write, "abab"), return_exceptions=True)

    assert list(map(type, results)) == [type(None)] * 2 + [sqlite3.IntegrityError] * 2
    assert await names(engine) == ["a", "b"]
    await engine.close()


@pytest.mark.parametrize("size", [3, 200_000])
async def test_a_single_statement_whose_caller_hangs_up_is_not_run(
    tmp_path: Path, size: int
) -> None:
    engine = await filled_up(tmp_path / "parsec.sqlite")
    tasks = [asyncio.create_task(pile_at_once(engine, one)) for one in (1, 2, size)]
    await asyncio.sleep(0)

    tasks[1].cancel()
    ends = await asyncio.gather(*tasks, return_exceptions=True)

    assert await heap(engine) == ([1, 3] if size == 3 else [])
    assert [isinstance(end, StorageError) for end in ends] == [size != 3, False, size != 3]
    await engine.close()


class HeldCommits:
    """Commits that take as long as a test wants, and then fail if it wants that."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, fail: bool = False) -> None:
        self.count = 0
        self.begun = asyncio.Event()
        self.go_on = threading.Event()
        self._fail = fail
        self._loop = asyncio.get_running_loop()
        monkeypatch.setattr(sqlite, "_run", self._run)

    def _run(self, connection: sqlite3.Connection, sql: str, values: object = ()) -> list[object]:
        if sql == "COMMIT":
            self.count += 1
            self._loop.call_soon_threadsafe(self.begun.set)
            self.go_on.wait()
            if self._fail:
                raise sqlite3.DatabaseError("no")
        return _run(connection, sql, values)


@pytest.mark.parametrize("fail", [False, True])
async def test_whoever_hangs_up_on_a_commit_leaves_the_others_their_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fail: bool
) -> None:
    engine = await filled_up(tmp_path / "parsec.sqlite")
    commits = HeldCommits(monkeypatch, fail=fail)
    tasks = [asyncio.create_task(pile_at_once(engine, size)) for size in (1, 2, 3)]
    await commits.begun.wait()

    tasks[1].cancel()
    await asyncio.wait([tasks[1]])
    commits.go_on.set()
    ends = await asyncio.gather(*tasks, return_exceptions=True)

    assert [isinstance(end, StorageError) for end in ends] == [fail, False, fail]
    assert await heap(engine) == ([] if fail else [1, 2, 3])
    await engine.close()


async def test_writers_who_wait_for_a_commit_are_in_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also those who come behind a single statement."""
    engine = await filled_up(tmp_path / "parsec.sqlite")
    commits = HeldCommits(monkeypatch)
    first = asyncio.create_task(pile(engine, 1))
    await commits.begun.wait()

    tasks = []
    for size, write in enumerate((pile_at_once, pile, pile_at_once, pile), 2):
        tasks.append(asyncio.create_task(write(engine, size)))
        # One after the other: each asks for what it waits for.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    commits.go_on.set()
    await asyncio.gather(first, *tasks)

    assert commits.count == 2
    assert sorted(await heap(engine)) == [1, 2, 3, 4, 5]
    await engine.close()


async def test_who_goes_on_after_a_full_disk_is_stopped(tmp_path: Path) -> None:
    engine = await filled_up(tmp_path / "parsec.sqlite")

    async def go_on() -> None:
        async with engine.transaction(write=True) as transaction:
            with contextlib.suppress(StorageError):
                await transaction.rows("INSERT INTO heap VALUES (zeroblob(200000))")
            await transaction.rows("INSERT INTO heap VALUES (x'00')")

    with pytest.raises(StorageError):
        await go_on()

    assert await heap(engine) == []
    await engine.close()


_run = sqlite._run


def failing_commit(connection: sqlite3.Connection, sql: str, values: object = ()) -> list[object]:
    if sql == "COMMIT":
        raise sqlite3.DatabaseError("database disk image is malformed")
    return _run(connection, sql, values)


async def test_a_commit_that_fails_in_whatever_way_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = await filled_up(tmp_path / "parsec.sqlite")

    with monkeypatch.context() as patch:
        patch.setattr(sqlite, "_run", failing_commit)
        with pytest.raises(StorageError, match="malformed"):
            await pile(engine, 1)
    await pile(engine, 2)

    assert await heap(engine) == [2]
    await engine.close()


async def test_who_fails_over_what_another_wrote_waits_until_that_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = SqliteEngine(tmp_path / "parsec.sqlite")
    await engine.migrate()

    async def write(*, single: bool) -> None:
        async with engine.transaction(write=True, single=single) as transaction:
            await add(transaction, "Org")

    with monkeypatch.context() as patch:
        patch.setattr(sqlite, "_run", failing_commit)
        first, *others = await asyncio.gather(
            write(single=False), write(single=True), write(single=False), return_exceptions=True
        )

    assert {type(error) for error in (first, *others)} == {StorageError}
    assert await names(engine) == []
    await engine.close()


async def test_another_program_keeps_its_statistics(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript("CREATE TABLE t (a); INSERT INTO t VALUES (1); ANALYZE")

        engine = SqliteEngine(path)
        with pytest.raises(SchemaError):
            await engine.migrations()
        await engine.close()

        assert connection.execute("SELECT * FROM sqlite_stat1").fetchall() != []


@pytest.mark.parametrize("write", [False, True])
async def test_statistics_of_a_small_database_are_not_gone_by(tmp_path: Path, write: bool) -> None:
    path = tmp_path / "parsec.sqlite"
    await filled(path)
    plan = f"EXPLAIN QUERY PLAN {AUTHOR}"
    names: dict[str, Any] = {"organization_id": "", "device_id": b""}
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("ANALYZE")
        assert "SCAN" in str(connection.execute(plan, names).fetchall())

    engine = SqliteEngine(path)

    async with engine.transaction(write=write) as transaction:
        assert "SCAN" not in str(await transaction.rows(plan, **names))
    await engine.close()


async def test_a_file_damaged_while_it_is_used_is_told(tmp_path: Path) -> None:
    path = tmp_path / "parsec.sqlite"
    await filled(path)
    engine = SqliteEngine(path)
    with path.open("r+b") as file:
        file.write(b"\xff" * 4096)

    with pytest.raises(StorageError):
        await names(engine)

    await engine.close()
