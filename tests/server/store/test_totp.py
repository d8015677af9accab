"""One-time codes in the database, and the failures that are kept out of it."""

from pathlib import Path

import pytest

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
from parsec.server.store import migrations
from parsec.server.store.sqlite import SqliteEngine
from parsec.server.store.stray_failures import StrayFailures
from tests.support.asgi import request
from tests.support.server_app import MSGPACK, Device, ServerApp, server_app
from tests.support.server_records import NOW
from tests.support.server_totp import made_up_key, wrong_code

ORGANIZATION = OrganizationID("Org")
ALICE, BOB = UserID(bytes(16)), UserID(b"\1" * 16)
ONCE = Failures(1, NOW)


# --- In memory ---


def test_what_nobody_made_up_never_failed() -> None:
    assert StrayFailures().failures(ORGANIZATION, ALICE, made_up_key()) == Failures()


def test_keys_that_were_made_up_take_bounded_memory() -> None:
    strays = StrayFailures(limit=2)
    first, second, third = made_up_key(), made_up_key(), made_up_key()

    for key in (first, second, first, third):
        strays.set_failures(ORGANIZATION, ALICE, key, ONCE)

    found = [strays.failures(ORGANIZATION, ALICE, key) for key in (first, second, third)]
    assert found == [ONCE, Failures(), ONCE]


def test_a_reset_forgets_the_keys_of_one_user() -> None:
    strays = StrayFailures()
    key = made_up_key()
    for user_id in (ALICE, BOB):
        strays.set_failures(ORGANIZATION, user_id, key, ONCE)

    strays.forget(ORGANIZATION, ALICE)

    found = [strays.failures(ORGANIZATION, user_id, key) for user_id in (ALICE, BOB)]
    assert found == [Failures(), ONCE]


# --- In the database ---


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


async def test_a_database_of_before_one_time_codes_is_upgraded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = SqliteDatabase(tmp_path / "parsec.sqlite")
    known = migrations.known_migrations()
    with monkeypatch.context() as patched:
        patched.setattr(migrations, "known_migrations", lambda: known[:1])
        async with server_app(database=database) as server:
            alice = await server.bootstrap("Org")
            bob = await server.add_user(alice, "bob")

    engine = SqliteEngine(database.path)
    await engine.migrate()
    await engine.close()

    async with server_app(database=database) as server:
        assert await set_up(server, bob)
