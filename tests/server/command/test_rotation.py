"""The steps from one server key to another."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from parsec.crypto.entropy import system_entropy
from parsec.protocol.totp import TotpCreateOpaqueKey, TotpCreateOpaqueKeyOk, TotpSetupGetSecret
from parsec.server.build import make_engine
from parsec.server.command import rotation
from parsec.server.command.rotation import add_key, forget_old_keys, rotate
from parsec.server.settings import SqliteDatabase, key_path_beside
from parsec.server.store.engine import StorageError, Use
from parsec.server.store.key_file import KeyFile
from parsec.server.store.sealed_columns import uses
from parsec.server.store.sealing import KeyID, KeyRing, ServerKeyError, key_id
from tests.support.server_app import server_app


@pytest.fixture
def database(tmp_path: Path) -> SqliteDatabase:
    return SqliteDatabase(tmp_path / "parsec.sqlite")


@pytest.fixture
async def keys(database: SqliteDatabase) -> KeyFile:
    """Of a server that sealed three secrets."""
    async with server_app(database=database) as server:
        alice = await server.bootstrap("Org")
        await server.reply(alice, TotpSetupGetSecret())
        for _ in range(2):
            await server.reply(alice, TotpCreateOpaqueKey())
    return KeyFile(key_path_beside(database))


def ring(keys: KeyFile) -> KeyRing:
    found = keys.read()
    assert found is not None
    return found


async def sealed(database: SqliteDatabase) -> dict[KeyID, int]:
    engine = make_engine(database, use=Use.BESIDE)
    async with engine.transaction(write=False) as transaction:
        found = await uses(transaction)
    await engine.close()
    return found


async def test_a_rotation_adds_a_key_and_seals_all_with_it(
    database: SqliteDatabase, keys: KeyFile
) -> None:
    former = ring(keys)

    await rotate(database, keys, system_entropy)

    assert ring(keys).keys[1:] == former.keys
    assert await sealed(database) == {ring(keys).newest: 3}


async def test_a_running_server_takes_the_new_key(database: SqliteDatabase) -> None:
    async with server_app(database=database) as server:
        alice = await server.bootstrap("Org")
        keys = KeyFile(key_path_beside(database))
        await server.reply(alice, TotpCreateOpaqueKey())

        await rotate(database, keys, system_entropy)
        await forget_old_keys(database, keys, system_entropy)

        created = await server.reply(alice, TotpCreateOpaqueKey())
    assert isinstance(created, TotpCreateOpaqueKeyOk)
    assert len(ring(keys).keys) == 1
    assert await sealed(database) == {ring(keys).newest: 2}


async def test_a_running_server_that_first_opens_with_the_new_key_seals_with_it_too(
    database: SqliteDatabase,
) -> None:
    async with server_app(database=database) as server:
        alice = await server.bootstrap("Org")
        keys = KeyFile(key_path_beside(database))
        await server.reply(alice, TotpSetupGetSecret())
        await rotate(database, keys, system_entropy)
        await forget_old_keys(database, keys, system_entropy)
        await server.reply(alice, TotpSetupGetSecret())

        created = await server.reply(alice, TotpCreateOpaqueKey())

    assert isinstance(created, TotpCreateOpaqueKeyOk)


async def test_a_rotation_that_was_interrupted_is_finished_and_not_begun_again(
    database: SqliteDatabase, keys: KeyFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def interrupt(*_: Any, **__: Any) -> None:
        raise InterruptedError

    with monkeypatch.context() as patched:
        patched.setattr(rotation, "seal_anew", interrupt)
        with pytest.raises(InterruptedError):
            await rotate(database, keys, system_entropy)
    begun = ring(keys)

    await rotate(database, keys, system_entropy)

    assert ring(keys).keys == begun.keys
    assert await sealed(database) == {begun.newest: 3}


async def test_two_rotations_at_once_lose_no_key(database: SqliteDatabase, keys: KeyFile) -> None:
    path = key_path_beside(database)
    other = threading.Thread(
        target=lambda: asyncio.run(rotate(database, KeyFile(path), system_entropy))
    )

    class OvertakenFile(KeyFile):
        def read(self) -> KeyRing | None:
            found = super().read()
            if other.ident is None:
                other.start()
                # It ends only if nothing keeps it from overtaking.
                other.join(0.3)
            return found

    await rotate(database, OvertakenFile(path), system_entropy)
    other.join()

    assert set(await sealed(database)) <= {key_id(key) for key in ring(keys).keys}


async def test_a_key_that_is_in_use_is_not_forgotten(
    database: SqliteDatabase, keys: KeyFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stop(*_: Any, **__: Any) -> None:
        pass

    monkeypatch.setattr(rotation, "seal_anew", stop)
    with pytest.raises(StorageError, match="3 secrets are still sealed with a former key"):
        await rotate(database, keys, system_entropy)

    with pytest.raises(StorageError, match="3 secrets are still sealed with a former key"):
        await forget_old_keys(database, keys, system_entropy)

    assert len(ring(keys).keys) == 2


@pytest.mark.parametrize("work", [add_key, rotate, forget_old_keys])
async def test_without_the_current_key_nothing_is_done(
    database: SqliteDatabase, keys: KeyFile, work: Callable[..., Awaitable[None]]
) -> None:
    keys.replace(KeyRing.generate(system_entropy))
    before = ring(keys).keys

    with pytest.raises(ServerKeyError, match="holds other keys"):
        await work(database, keys, system_entropy)

    assert ring(keys).keys == before


async def test_an_older_database_is_refused(database: SqliteDatabase) -> None:
    engine = make_engine(database)
    await engine.migrate(count=2)
    await engine.close()

    with pytest.raises(StorageError, match="of an older version") as raised:
        await rotate(database, KeyFile(key_path_beside(database)), system_entropy)

    assert raised.value.hint == f"python -m parsec migrate --db {database}"


async def test_a_database_that_no_server_has_sealed_is_refused(database: SqliteDatabase) -> None:
    engine = make_engine(database)
    await engine.migrate()
    await engine.close()

    with pytest.raises(StorageError, match="nothing in the database is sealed yet"):
        await rotate(database, KeyFile(key_path_beside(database)), system_entropy)
