"""One-time codes in the database."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parsec.crypto.entropy import system_entropy
from parsec.crypto.totp import time_step, totp_code
from parsec.data.ids import TOTPOpaqueKeyID, UserID
from parsec.data.people import OrganizationID
from parsec.protocol.command import Reply, dump_request, load_reply
from parsec.protocol.statuses import InvalidOneTimePassword, Throttled
from parsec.protocol.totp import (
    TotpCreateOpaqueKey,
    TotpCreateOpaqueKeyOk,
    TotpFetchOpaqueKey,
    TotpSetupConfirm,
    TotpSetupGetSecret,
    TotpSetupGetSecretOk,
)
from parsec.server.records import Failures
from parsec.server.settings import SqliteDatabase
from parsec.server.store import migrations, totp
from parsec.server.store.engine import Transaction
from parsec.server.store.sqlite import SqliteEngine, TemporarySqliteEngine
from parsec.server.store.stray_failures import StrayFailures
from tests.support.asgi import request
from tests.support.server_app import MSGPACK, Device, ServerApp, server_app
from tests.support.server_records import NOW
from tests.support.server_totp import made_up_key, wrong_code

ORGANIZATION = OrganizationID("Org")
ALICE, BOB = UserID(bytes(16)), UserID(b"\1" * 16)
ONCE = Failures(1, NOW)


# --- Keys that were never created ---


@pytest.fixture
async def transaction() -> AsyncIterator[Transaction]:
    engine = TemporarySqliteEngine()
    await engine.migrate()
    async with engine.transaction(write=True) as transaction:
        yield transaction
    await engine.close()


async def strays_of(
    transaction: Transaction, strays: StrayFailures, user_id: UserID, key_id: TOTPOpaqueKeyID
) -> Failures:
    key = await strays.key(transaction, ORGANIZATION, user_id, key_id, entropy=system_entropy)
    return await strays.failures(transaction, key)


async def fail_once(
    transaction: Transaction, strays: StrayFailures, user_id: UserID, key_id: TOTPOpaqueKeyID
) -> None:
    key = await strays.key(transaction, ORGANIZATION, user_id, key_id, entropy=system_entropy)
    await strays.set_failures(transaction, key, ONCE)


async def test_what_nobody_made_up_never_failed(transaction: Transaction) -> None:
    found = await strays_of(transaction, StrayFailures(), ALICE, made_up_key())

    assert found == Failures()


async def test_what_one_process_wrote_of_a_made_up_key_another_knows(
    transaction: Transaction,
) -> None:
    one, other, key = StrayFailures(), StrayFailures(), made_up_key()

    await fail_once(transaction, one, ALICE, key)

    assert await strays_of(transaction, other, ALICE, key) == ONCE
    assert await strays_of(transaction, other, BOB, key) == Failures()


async def test_keys_that_were_made_up_take_bounded_room(transaction: Transaction) -> None:
    strays = StrayFailures(places=2)

    for _ in range(20):
        await fail_once(transaction, strays, ALICE, made_up_key())

    ((count,),) = await transaction.rows("SELECT count(*) FROM stray_failure")
    assert count <= 2


async def test_of_two_keys_that_meet_the_later_one_is_remembered(
    transaction: Transaction,
) -> None:
    strays, first, second = StrayFailures(places=1), made_up_key(), made_up_key()

    for key in (first, second):
        await fail_once(transaction, strays, ALICE, key)

    found = [await strays_of(transaction, strays, ALICE, key) for key in (first, second)]
    assert found == [Failures(), ONCE]


async def test_nobody_can_tell_which_keys_meet() -> None:
    """The places of keys are others in another database."""
    names, places = [made_up_key() for _ in range(8)], []
    for number in (1, 2):
        engine = TemporarySqliteEngine()
        await engine.migrate()
        async with engine.transaction(write=True) as transaction:
            keys = [
                await StrayFailures().key(
                    transaction,
                    ORGANIZATION,
                    ALICE,
                    name,
                    entropy=lambda size: bytes([number]) * size,  # noqa: B023
                )
                for name in names
            ]
            places.append([key.place for key in keys])
        await engine.close()

    assert places[0] != places[1]


async def test_a_reset_forgets_the_keys_of_one_user(transaction: Transaction) -> None:
    strays, key = StrayFailures(), made_up_key()
    for user_id in (ALICE, BOB):
        await fail_once(transaction, strays, user_id, key)

    await strays.forget(transaction, ORGANIZATION, ALICE, entropy=system_entropy)

    found = [await strays_of(transaction, strays, user_id, key) for user_id in (ALICE, BOB)]
    assert found == [Failures(), ONCE]


# --- Keys that were ---


async def set_up(server: ServerApp, device: Device) -> bytes:
    """Set one-time codes up; the secret."""
    begun = await server.reply(device, TotpSetupGetSecret())
    assert isinstance(begun, TotpSetupGetSecretOk)
    code = totp_code(begun.totp_secret, time_step(server.clock()))
    await server.reply(device, TotpSetupConfirm(one_time_password=code))
    return begun.totp_secret


async def fetch(server: ServerApp, device: Device, key_id: TOTPOpaqueKeyID, code: str) -> Reply:
    command = TotpFetchOpaqueKey(
        user_id=device.user_id, opaque_key_id=key_id, one_time_password=code
    )
    target = f"/anonymous/{device.organization}"
    answer = await request(server.app, "POST", target, MSGPACK, dump_request(command))
    reply = load_reply(TotpFetchOpaqueKey, answer.body)
    assert isinstance(reply, Reply)
    return reply


async def test_a_restart_does_not_end_the_waiting(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "parsec.sqlite")
    async with server_app(database=database) as server:
        alice = await server.bootstrap("Org")
        secret = await set_up(server, alice)
        created = await server.reply(alice, TotpCreateOpaqueKey())
        assert isinstance(created, TotpCreateOpaqueKeyOk)
        code = wrong_code(secret, server.clock())
        before = await fetch(server, alice, created.opaque_key_id, code)

    async with server_app(database=database) as server:
        after = await fetch(server, alice, created.opaque_key_id, code)

    assert before == InvalidOneTimePassword()
    assert isinstance(after, Throttled)


async def test_a_restart_does_not_end_the_waiting_of_keys_that_never_were(tmp_path: Path) -> None:
    database, key_id = SqliteDatabase(tmp_path / "parsec.sqlite"), made_up_key()
    async with server_app(database=database) as server:
        alice = await server.bootstrap("Org")
        await set_up(server, alice)
        before = await fetch(server, alice, key_id, "000000")

    async with server_app(database=database) as server:
        after = await fetch(server, alice, key_id, "000000")

    assert before == InvalidOneTimePassword()
    assert isinstance(after, Throttled)


async def test_the_last_reset_of_before_the_history_is_its_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = migrations.known_migrations()
    (history,) = [at for at, one in enumerate(known) if one.name.endswith("_totp_resets.sql")]
    engine = SqliteEngine(tmp_path / "parsec.sqlite")
    with monkeypatch.context() as patched:
        patched.setattr(migrations, "known_migrations", lambda: known[:history])
        await engine.migrate()
    async with engine.transaction(write=True) as transaction:
        await transaction.rows(
            "INSERT INTO organization (organization_id, created_on, user_profile_outsider_allowed,"
            " realm_minimum_archiving_period) VALUES ('Org', 1, 1, 0)"
        )
        await transaction.rows(
            'INSERT INTO "user" (organization_id, user_id, email, label, profile, created_on)'
            " VALUES ('Org', :user_id, 'alice@example.com', 'Alice', 'ADMIN', 1)",
            user_id=ALICE,
        )
        await transaction.rows(
            "INSERT INTO totp (organization_id, user_id, reset_on) VALUES ('Org', :user_id, :now)",
            user_id=ALICE,
            now=NOW,
        )

    await engine.migrate()
    async with engine.transaction(write=False) as transaction:
        found = await totp.standings(transaction, ORGANIZATION)
    await engine.close()

    assert (found[ALICE].resets, found[ALICE].last_resets) == (1, (NOW,))
