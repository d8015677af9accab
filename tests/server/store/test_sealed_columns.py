"""Secrets in a database that is in use: how they come to be sealed, and pass to another key."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from parsec.crypto.entropy import system_entropy
from parsec.crypto.keys import HashDigest, SecretKey
from parsec.crypto.totp import time_step, totp_code
from parsec.data.ids import AccessToken, TOTPOpaqueKeyID, UserID
from parsec.data.people import OrganizationID
from parsec.protocol.command import dump_request, load_reply
from parsec.protocol.totp import TotpFetchOpaqueKey, TotpFetchOpaqueKeyOk
from parsec.server.build import running_server
from parsec.server.settings import SqliteDatabase, key_path_beside
from parsec.server.store import organization, server_key, shamir
from parsec.server.store.engine import Engine
from parsec.server.store.key_file import KeyFile, KeysInMemory
from parsec.server.store.migrations import known_migrations
from parsec.server.store.sealed_columns import opened_sealing, seal_anew, uses
from parsec.server.store.sealing import (
    KeyID,
    KeyRing,
    SealError,
    ServerKeyError,
    totp_secret_place,
)
from parsec.server.store.sqlite import SqliteEngine
from tests.support.asgi import request
from tests.support.server_app import MSGPACK, server_app, some_settings
from tests.support.server_totp import Codes
from tests.support.server_world import World, world

SECRETS = "SELECT secret FROM totp ORDER BY user_id"
KEYS = "SELECT opaque_key FROM totp_opaque_key ORDER BY user_id"


@pytest.fixture
async def place() -> AsyncIterator[World]:
    async with world() as running:
        yield running


@pytest.fixture
async def alice(place: World) -> Codes:
    codes = Codes(place, await place.add_member("alice"))
    await codes.set_up()
    return codes


@pytest.fixture
async def bob(place: World) -> Codes:
    codes = Codes(place, await place.add_member("bob"))
    await codes.set_up()
    return codes


async def rows(engine: Engine, sql: str, **values: Any) -> list[Any]:
    """Those of one column."""
    async with engine.transaction(write=True) as transaction:
        return [bytes(row[0]) for row in await transaction.rows(sql, **values)]


async def ring(place: World) -> KeyRing:
    found = place.keys.read()
    assert found is not None
    return found


# --- What is written ---


async def test_nothing_secret_is_in_the_database(place: World, alice: Codes) -> None:
    _, key = await alice.create_key()

    kept = b"".join(await rows(place.engine, SECRETS) + await rows(place.engine, KEYS))

    assert alice.secret not in kept
    assert bytes(key) not in kept


async def test_what_was_sealed_for_one_user_is_of_no_use_to_another(
    place: World, alice: Codes, bob: Codes
) -> None:
    swap = "UPDATE totp SET secret = (SELECT secret FROM totp WHERE user_id = :alice)"
    await rows(place.engine, f"{swap} RETURNING secret", alice=alice.user_id)
    key_id, _ = await bob.create_key()

    with pytest.raises(SealError):
        await bob.fetch(key_id, alice.code())


async def test_one_key_of_a_user_is_not_given_for_another(place: World, alice: Codes) -> None:
    one, _ = await alice.create_key()
    other, _ = await alice.create_key()
    swap = """
        UPDATE totp_opaque_key SET opaque_key = (
            SELECT opaque_key FROM totp_opaque_key WHERE opaque_key_id = :other
        ) RETURNING opaque_key"""
    await rows(place.engine, swap, other=other)

    with pytest.raises(SealError):
        await alice.fetch(one, alice.code())


async def test_a_secret_that_somebody_wrote_in_clear_is_not_taken(
    place: World, alice: Codes
) -> None:
    key_id, _ = await alice.create_key()
    await rows(place.engine, "UPDATE totp SET secret = :s RETURNING secret", s=bytes(20))
    code = totp_code(bytes(20), time_step(place.now))

    with pytest.raises(SealError):
        await alice.fetch(key_id, code)


# --- The first start ---


async def filled_before_sealing(path: Path) -> None:
    """A database of before, with all that was in clear then."""
    names = [migration.name for migration in known_migrations()]
    engine = SqliteEngine(path)
    await engine.migrate(count=names.index("0007_server_key.sql"))
    async with engine.transaction(write=True) as transaction:
        for sql in _BEFORE:
            await transaction.rows(sql)
    await engine.close()


_BEFORE = (
    """INSERT INTO organization (
        organization_id, bootstrap_token, created_on, bootstrapped_on, root_verify_key,
        user_profile_outsider_allowed, realm_minimum_archiving_period
    ) VALUES ('Org', CAST('0123456789abcdef' AS BLOB), 1, 2, zeroblob(32), 1, 0)""",
    """INSERT INTO "user" (organization_id, user_id, email, label, profile, created_on)
    VALUES ('Org', CAST('uuuuuuuuuuuuuuuu' AS BLOB), 'a@example.com', 'A', 'ADMIN', 1)""",
    """INSERT INTO shamir_setup (
        organization_id, user_id, created_on, threshold, brief_certificate, reveal_token
    ) VALUES (
        'Org', CAST('uuuuuuuuuuuuuuuu' AS BLOB), 3, 1, x'00', CAST('fedcba9876543210' AS BLOB)
    )""",
    """INSERT INTO totp (organization_id, user_id, secret, completed_on)
    VALUES (
        'Org', CAST('uuuuuuuuuuuuuuuu' AS BLOB), CAST('secretsecretsecretse' AS BLOB), 4
    )""",
    """INSERT INTO totp_opaque_key (
        organization_id, user_id, opaque_key_id, opaque_key, created_on
    ) VALUES (
        'Org', CAST('uuuuuuuuuuuuuuuu' AS BLOB), CAST('kkkkkkkkkkkkkkkk' AS BLOB),
        CAST('opaqueopaqueopaqueopaqueopaqueop' AS BLOB), 5
    )""",
)
_ORG, _USER = OrganizationID("Org"), UserID(b"u" * 16)


@pytest.fixture
async def upgraded(tmp_path: Path) -> SqliteDatabase:
    """That database with the schema of this version, not started yet."""
    database = SqliteDatabase(tmp_path / "parsec.sqlite")
    await filled_before_sealing(database.path)
    engine = SqliteEngine(database.path)
    await engine.migrate()
    await engine.close()
    return database


async def test_the_first_start_seals_what_was_in_clear(upgraded: SqliteDatabase) -> None:
    async with server_app(database=upgraded) as server:
        code = totp_code(b"secretsecretsecretse", time_step(server.clock()))
        command = TotpFetchOpaqueKey(
            user_id=_USER, opaque_key_id=TOTPOpaqueKeyID(b"k" * 16), one_time_password=code
        )
        answer = await request(server.app, "POST", "/anonymous/Org", MSGPACK, dump_request(command))

    reply = load_reply(TotpFetchOpaqueKey, answer.body)
    assert reply == TotpFetchOpaqueKeyOk(opaque_key=SecretKey(b"opaque" * 5 + b"op"))


async def test_it_leaves_no_token_that_is_never_shown_again(upgraded: SqliteDatabase) -> None:
    async with (
        running_server(some_settings(database=upgraded)) as server,
        server.engine.transaction(write=False) as transaction,
    ):
        record = await organization.organization(transaction, _ORG)
        setup = await shamir.active_setup(transaction, _ORG, _USER)

    assert record is not None
    assert record.bootstrap_token_digest == HashDigest.of(b"0123456789abcdef")
    assert setup is not None
    assert setup.reveal_token_digest == HashDigest.of(AccessToken(b"fedcba9876543210"))


async def test_nothing_of_it_is_left_in_the_file(upgraded: SqliteDatabase) -> None:
    async with running_server(some_settings(database=upgraded)):
        pass

    kept = upgraded.path.read_bytes()

    for secret in (b"secretsecret", b"opaqueopaque", b"0123456789abcdef", b"fedcba9876543210"):
        assert secret not in kept


async def test_a_second_start_changes_nothing(upgraded: SqliteDatabase) -> None:
    found = []
    for _ in range(2):
        async with running_server(some_settings(database=upgraded)) as server:
            found.append(await rows(server.engine, SECRETS) + await rows(server.engine, KEYS))

    assert found[0] == found[1]


# --- Other starts ---


@pytest.fixture
async def used(tmp_path: Path) -> SqliteDatabase:
    """A database that a server has sealed."""
    database = SqliteDatabase(tmp_path / "parsec.sqlite")
    async with running_server(some_settings(database=database)):
        pass
    return database


async def test_the_key_is_beside_the_database(used: SqliteDatabase) -> None:
    assert KeyFile(used.path.with_name("parsec.sqlite.server-key")).read() is not None


async def test_a_start_without_the_key_is_refused_and_makes_none(used: SqliteDatabase) -> None:
    path = key_path_beside(used)
    path.unlink()

    with pytest.raises(ServerKeyError, match=r"parsec\.sqlite\.server-key is missing") as raised:
        async with running_server(some_settings(database=used)):
            pass

    assert raised.value.hint == "give the file that holds it by --server-key-file"
    assert not path.exists()


async def test_a_start_with_another_key_is_refused(used: SqliteDatabase, tmp_path: Path) -> None:
    other = tmp_path / "other"
    KeyFile(other).create(KeyRing.generate(system_entropy))

    with pytest.raises(ServerKeyError, match="other holds other keys"):
        async with running_server(some_settings(database=used, server_key_file=other)):
            pass


async def test_of_two_first_starts_the_second_takes_the_key_of_the_first(place: World) -> None:
    async with place.engine.transaction(write=True) as transaction:
        await transaction.rows(server_key.FORGET)
    keys = KeysInMemory()
    await opened_sealing(place.engine, keys, system_entropy)

    with pytest.raises(ServerKeyError, match="but this process is missing"):
        await opened_sealing(place.engine, KeysInMemory(), system_entropy)


# --- Rotation ---


async def switched(place: World) -> KeyRing:
    """Another key seals from now on; what was sealed stays as it was."""
    new = (await ring(place)).with_newest(SecretKey.generate(system_entropy))
    place.keys.replace(new)
    async with place.engine.transaction(write=True) as transaction:
        await server_key.switch(transaction, new.newest)
    return new


async def used_keys(place: World) -> dict[KeyID, int]:
    async with place.engine.transaction(write=False) as transaction:
        return await uses(transaction)


async def test_a_running_server_reads_and_writes_while_the_key_changes(
    place: World, alice: Codes
) -> None:
    old_id, old = await alice.create_key()

    await switched(place)
    new_id, new = await alice.create_key()

    replies = [await alice.fetch(key_id, alice.code()) for key_id in (old_id, new_id)]
    assert replies == [TotpFetchOpaqueKeyOk(opaque_key=key) for key in (old, new)]


async def test_what_is_written_behind_the_change_is_sealed_with_the_new_key(
    place: World, alice: Codes
) -> None:
    former = (await ring(place)).newest
    new = await switched(place)

    await alice.create_key()

    assert await used_keys(place) == {former: 1, new.newest: 1}


async def test_the_key_does_not_change_between_sealing_and_writing(
    place: World, alice: Codes
) -> None:
    order = []

    async def switch() -> None:
        await switched(place)
        order.append("switched")

    sealing, secret_place = place.server.sealing, totp_secret_place(_ORG, alice.user_id)
    async with (
        asyncio.TaskGroup() as tasks,
        place.engine.transaction(write=True) as transaction,
    ):
        await server_key.sealed_value(transaction, sealing, b"secret", secret_place)
        tasks.create_task(switch())
        for _ in range(20):
            await transaction.rows("SELECT 1")
            await asyncio.sleep(0)
        order.append("written")

    assert order == ["written", "switched"]


async def test_all_that_others_sealed_passes_to_the_new_key(
    place: World, alice: Codes, bob: Codes
) -> None:
    keys = [await codes.create_key() for codes in (alice, bob) for _ in range(120)]
    new = await switched(place)

    await seal_anew(place.engine, new, new.newest, system_entropy, told=lambda _: None)

    place.keys.replace(new.only(new.newest))
    (first, first_key), *_, (last, last_key) = keys
    assert await used_keys(place) == {new.newest: 242}
    assert await alice.fetch(first, alice.code()) == TotpFetchOpaqueKeyOk(opaque_key=first_key)
    assert await bob.fetch(last, bob.code()) == TotpFetchOpaqueKeyOk(opaque_key=last_key)


async def test_a_rotation_that_was_interrupted_goes_on(
    place: World, alice: Codes, bob: Codes
) -> None:
    new = await switched(place)

    def interrupt(_: int) -> None:
        raise InterruptedError

    for _ in range(150):
        await alice.create_key()
    with pytest.raises(InterruptedError):
        await seal_anew(place.engine, new, new.newest, system_entropy, told=interrupt)
    await seal_anew(place.engine, new, new.newest, system_entropy, told=lambda _: None)

    assert await used_keys(place) == {new.newest: 152}
