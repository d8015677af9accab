"""Attacks on one-time codes (server-core.md 20, rows 9 to 12, 15 and 16)."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from parsec.protocol.command import reply_status
from parsec.protocol.statuses import BadToken, InvalidOneTimePassword, Ok, Throttled
from parsec.protocol.totp import (
    AnonymousTotpSetupGetSecretOk,
    TotpCreateOpaqueKey,
    TotpFetchOpaqueKeyOk,
)
from tests.support.server_app import Device, ServerApp, server_app
from tests.support.server_calls import Codes, freeze

HOUR = 3_600
DAY = 24 * HOUR


@pytest.fixture
async def server() -> AsyncIterator[ServerApp]:
    async with server_app() as made:
        yield made


@pytest.fixture
async def alice(server: ServerApp) -> Device:
    return await server.bootstrap("Org")


@pytest.fixture
async def bob(server: ServerApp, alice: Device) -> Codes:
    """Who has set up one-time codes."""
    codes = Codes(server=server, device=await server.add_user(alice, "bob"))
    await codes.set_up()
    return codes


async def guesses_in_a_day(server: ServerApp, codes: Codes, *, keys: int) -> int:
    """How many wrong codes are looked at if somebody asks with all keys as often as it helps."""
    names = [await codes.create_key() for _ in range(keys)]
    end = server.clock.now.plus(seconds=DAY)
    looked_at = 0
    while server.clock.now < end:
        waits = []
        for name in names:
            told = await codes.fetch(name, codes.wrong_code())
            if isinstance(told, Throttled):
                waits.append(told.wait_until)
            else:
                looked_at += 1
        if len(waits) == len(names):
            server.clock.now = min(waits).plus(microseconds=1)
    return looked_at


async def test_many_keys_give_hardly_more_guesses_than_one(server: ServerApp, bob: Codes) -> None:
    """server-core 20 #9: wrong codes are counted for the user too."""
    looked_at = await guesses_in_a_day(server, bob, keys=8)

    # About one an hour, and those of before the wait grew that long.
    assert looked_at <= 24 + 24


async def test_the_sixth_wrong_code_makes_all_keys_wait(bob: Codes) -> None:
    """server-core 20 #9: also for who knows the code, and never tried that key."""
    keys = [await bob.create_key() for _ in range(7)]
    for key in keys[:6]:
        assert await bob.fetch(key, bob.wrong_code()) == InvalidOneTimePassword()

    untouched = await bob.fetch(keys[6], bob.code())

    assert isinstance(untouched, Throttled)


@pytest.mark.parametrize(("keys", "expected"), [(1, 1), (60, 6)])
async def test_of_codes_that_come_together_no_more_are_looked_at(
    bob: Codes, keys: int, expected: int
) -> None:
    """server-core 20 #10."""
    names = [await bob.create_key() for _ in range(keys)]
    code = bob.wrong_code()

    told = await asyncio.gather(*(bob.fetch(names[n % keys], code) for n in range(60)))

    statuses = Counter(reply_status(type(one)) for one in told)
    assert statuses == {"invalid_one_time_password": expected, "throttled": 60 - expected}


async def test_nobody_is_locked_out_for_more_than_an_hour(server: ServerApp, bob: Codes) -> None:
    """server-core 20 #11: however long somebody who knows the names of user and key goes on."""
    key = await bob.create_key()
    for _ in range(40):
        assert await bob.fetch(key, bob.wrong_code()) == InvalidOneTimePassword()
        waiting = await bob.fetch(key, bob.code())
        assert isinstance(waiting, Throttled)
        assert waiting.wait_until.microseconds_since(server.clock.now) <= HOUR * 1_000_000
        server.clock.now = waiting.wait_until.plus(microseconds=1)

    assert isinstance(await bob.fetch(key, bob.code()), TotpFetchOpaqueKeyOk)


async def test_the_administration_ends_the_waiting(bob: Codes) -> None:
    """server-core 20 #11."""
    key = await bob.create_key()
    for _ in range(12):
        await bob.fetch(key, bob.wrong_code())
        bob.wait(HOUR + 1)
    await bob.fetch(key, bob.wrong_code())

    token = await bob.reset()
    await bob.ask_secret_with(token)
    assert await bob.confirm_with(token) == Ok()

    assert isinstance(await bob.fetch(key, bob.code()), TotpFetchOpaqueKeyOk)


async def test_a_code_that_is_used_again_is_told_in_the_log(bob: Codes) -> None:
    """server-core 20 #12: an official client may fetch twice with one code."""
    key = await bob.create_key()
    code = bob.code()
    await bob.fetch(key, code)

    with capture_logs() as log:
        again = await bob.fetch(key, code)

    assert isinstance(again, TotpFetchOpaqueKeyOk)
    assert "one-time code used again" in [line["event"] for line in log]


async def test_a_code_is_worth_nothing_after_ninety_seconds(bob: Codes) -> None:
    """server-core 20 #12."""
    key = await bob.create_key()
    code = bob.code()
    await bob.fetch(key, code)

    bob.wait(90)

    assert await bob.fetch(key, code) == InvalidOneTimePassword()


# --- Row 15 ---


async def test_the_link_of_a_reset_expires() -> None:
    """server-core 20 #15: where the operator wants it."""
    async with server_app(totp_reset_lifetime=HOUR) as server:
        bob = Codes(server=server, device=await server.bootstrap("Org"))
        token = await bob.reset()
        bob.wait(HOUR - 1)
        in_time = await bob.ask_secret_with(token)

        bob.wait(2)

        assert isinstance(in_time, AnonymousTotpSetupGetSecretOk)
        assert await bob.ask_secret_with(token) == BadToken()
        assert await bob.confirm_with(token) == BadToken()


async def test_freezing_takes_the_link_of_a_reset_away(server: ServerApp, bob: Codes) -> None:
    """server-core 20 #15: for good, also once the user is let in again."""
    token = await bob.reset()
    await bob.ask_secret_with(token)
    await freeze(server, bob.device)
    meanwhile = await bob.confirm_with(token)

    await freeze(server, bob.device, frozen=False)

    assert meanwhile == BadToken()
    assert await bob.confirm_with(token) == BadToken()


async def test_revoking_takes_the_link_of_a_reset_away(
    server: ServerApp, alice: Device, bob: Codes
) -> None:
    """server-core 20 #15: nothing of it stays in the database."""
    token = await bob.reset()

    await server.revoke(alice, bob.device.user_id)

    async with server.server.engine.transaction(write=False) as transaction:
        rows = await transaction.rows("SELECT reset_token_digest FROM totp")
    assert await bob.ask_secret_with(token) == BadToken()
    assert [digest for (digest,) in rows] == [None]


@pytest.mark.parametrize("frozen_first", [True, False])
async def test_who_confirms_while_being_frozen_does_it_before_or_not_at_all(
    server: ServerApp, bob: Codes, frozen_first: bool
) -> None:
    """server-core 20 #15: no set-up is completed by a link behind the back of who freezes."""
    token = await bob.reset()
    await bob.ask_secret_with(token)
    freezing, confirming = freeze(server, bob.device), bob.confirm_with(token)

    if frozen_first:
        _, confirmed = await asyncio.gather(freezing, confirming)
    else:
        confirmed, _ = await asyncio.gather(confirming, freezing)

    async with server.server.engine.transaction(write=False) as transaction:
        ((completed_on,),) = await transaction.rows("SELECT completed_on FROM totp")
    assert (confirmed == Ok()) is (completed_on is not None)
    assert await bob.ask_secret_with(token) == BadToken()


@pytest.mark.parametrize("by", ["device", "link"])
async def test_a_set_up_is_completed_once_by_whoever_comes_first(bob: Codes, by: str) -> None:
    """server-core 20 #15: a device and the link read one secret, as vectors demand.

    So whoever completes it ends what the other could do.
    """
    token = await bob.reset()
    await bob.ask_secret_with(token)
    assert await bob.ask_secret() == bob.secret

    first = await (bob.confirm() if by == "device" else bob.confirm_with(token))

    assert first == Ok()
    assert await bob.ask_secret_with(token) == BadToken()
    assert reply_status(type(await bob.confirm())) == "already_setup"


# --- Row 16 ---


async def test_keys_beyond_a_quota_are_refused_and_none_is_deleted() -> None:
    """server-core 20 #16: an option, off by default."""
    async with server_app(totp_opaque_keys_per_user=3) as server:
        bob = Codes(server=server, device=await server.bootstrap("Org"))
        await bob.set_up()
        keys = [await bob.create_key() for _ in range(3)]

        beyond = await server.send(bob.device, TotpCreateOpaqueKey())

        assert beyond.status == 429
        for key in keys:
            assert isinstance(await bob.fetch(key, bob.code()), TotpFetchOpaqueKeyOk)
