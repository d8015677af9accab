"""One-time codes on a database (server-core.md 12, 20)."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from parsec.crypto.keys import SecretKey
from parsec.crypto.totp import time_step, totp_code
from parsec.data.ids import AccessToken, UserID
from parsec.data.people import UserProfile
from parsec.protocol import totp as wire
from parsec.protocol.command import Reply, reply_status
from parsec.protocol.statuses import BadToken, InvalidOneTimePassword, Ok, Throttled
from parsec.server.rules.refusal import Refused, Rejected, Verdict
from parsec.server.service import administration
from parsec.server.service.context import AdministrationContext
from tests.support.server_records import NOW, sixteen_bytes
from tests.support.server_totp import Codes, made_up_key
from tests.support.server_world import ORGANIZATION, World, world

DAY = 86_400


@pytest.fixture
async def place() -> AsyncIterator[World]:
    async with world() as made:
        yield made


@pytest.fixture
async def bob(place: World) -> Codes:
    """A member who has set up one-time codes."""
    bob = Codes(place, await place.add_member("bob"))
    await bob.set_up()
    return bob


def released(key: SecretKey) -> Reply:
    return wire.TotpFetchOpaqueKeyOk(opaque_key=key)


def statuses(replies: list[Reply]) -> Counter[str]:
    return Counter(reply_status(type(reply)) for reply in replies)


async def freeze(place: World, user_id: UserID, *, frozen: bool) -> None:
    context = AdministrationContext(server=place.server, now=place.now)
    await administration.freeze_user(
        context, ORGANIZATION, user_id=user_id, user_email=None, frozen=frozen
    )


async def stored(place: World) -> str:
    """All that the tables of one-time codes hold, bytes as hex digits."""
    async with place.engine.transaction(write=False) as transaction:
        rows = [
            row
            for table in ("totp", "totp_opaque_key", "totp_stray_failure")
            for row in await transaction.rows(f"SELECT * FROM {table}")
        ]
    return repr([[v.hex() if isinstance(v, bytes) else v for v in row] for row in rows])


# --- Set-up ---


async def test_a_set_up_that_two_devices_begin_at_once_has_one_secret(place: World) -> None:
    member = await place.add_member("alice", UserProfile.ADMIN)
    first, second = Codes(place, member), Codes(place, member)

    await asyncio.gather(first.begin(), second.begin())

    assert first.secret == second.secret


async def test_codes_of_one_user_are_nothing_to_another(place: World, bob: Codes) -> None:
    alice = Codes(place, await place.add_member("alice"))
    await alice.begin()

    with pytest.raises(Refused) as refused:
        await alice.confirm(bob.code())

    assert refused.value.reply == InvalidOneTimePassword()


async def test_who_guesses_with_a_device_or_a_token_does_not_make_the_user_wait(
    place: World,
) -> None:
    carl = Codes(place, await place.add_member("carl"))
    await carl.begin()

    for _ in range(20):
        with pytest.raises(Refused):
            await carl.confirm(carl.wrong_code())

    assert await carl.confirm(carl.code()) == Ok()


# --- Keys ---


async def test_a_key_is_released_again_and_again(bob: Codes) -> None:
    key_id, key = await bob.create_key()

    for _ in range(3):
        assert await bob.fetch(key_id, bob.code()) == released(key)
        bob.wait(DAY)


async def test_a_code_that_is_used_again_is_logged(bob: Codes) -> None:
    key_id, _ = await bob.create_key()
    await bob.fetch(key_id, bob.code())

    with capture_logs() as log:
        await bob.fetch(key_id, bob.code(steps=1))
        await bob.fetch(key_id, bob.code())

    assert log == [
        {
            "event": "one-time code used again",
            "log_level": "warning",
            "user": bob.user_id.hex(),
            "key": key_id.hex(),
        }
    ]


async def test_without_quota_a_user_creates_many_keys(bob: Codes) -> None:
    keys = {(await bob.create_key())[0] for _ in range(50)}

    assert len(keys) == 50


async def test_a_quota_counts_the_keys_of_each_user_even_at_once() -> None:
    async with world(totp_opaque_keys_per_user=3) as place:
        alice, bob = [Codes(place, await place.add_member(name)) for name in ("alice", "bob")]

        results = await asyncio.gather(
            *(alice.create_key() for _ in range(10)), return_exceptions=True
        )
        await bob.create_key()

    refused = [result for result in results if isinstance(result, Rejected)]
    assert len(refused) == 7
    assert {one.verdict for one in refused} == {Verdict.TOO_MANY}


# --- Waiting after wrong codes ---


async def test_of_a_hundred_codes_at_once_one_is_looked_at(bob: Codes) -> None:
    """server-core.md 20, 10: two were."""
    key_id, _ = await bob.create_key()

    replies = await asyncio.gather(*(bob.fetch(key_id, bob.wrong_code()) for _ in range(100)))

    assert statuses(replies) == {"invalid_one_time_password": 1, "throttled": 99}


async def test_of_codes_for_a_hundred_keys_at_once_six_are_looked_at(bob: Codes) -> None:
    """server-core.md 20, 9: all were."""
    keys = [(await bob.create_key())[0] for _ in range(100)]

    replies = await asyncio.gather(*(bob.fetch(key_id, bob.wrong_code()) for key_id in keys))

    assert statuses(replies) == {"invalid_one_time_password": 6, "throttled": 94}


async def test_of_a_hundred_codes_for_a_key_that_was_never_created_one_is_looked_at(
    bob: Codes,
) -> None:
    key_id = made_up_key()

    replies = await asyncio.gather(*(bob.fetch(key_id, bob.code()) for _ in range(100)))

    assert statuses(replies) == {"invalid_one_time_password": 1, "throttled": 99}


async def test_right_codes_at_once_are_all_right(bob: Codes) -> None:
    key_id, key = await bob.create_key()

    replies = await asyncio.gather(*(bob.fetch(key_id, bob.code()) for _ in range(20)))

    assert replies == [released(key)] * 20


async def test_the_owner_waits_an_hour_at_most(bob: Codes) -> None:
    """server-core.md 20, 11."""
    key_id, key = await bob.create_key()
    for _ in range(30):
        assert await bob.fetch(key_id, bob.wrong_code()) == InvalidOneTimePassword()
        bob.wait(3600.001)

    assert await bob.fetch(key_id, bob.code()) == released(key)


async def test_a_right_code_ends_the_waiting_of_the_user(bob: Codes) -> None:
    keys = [(await bob.create_key())[0] for _ in range(7)]
    for key_id in keys[:6]:
        await bob.fetch(key_id, bob.wrong_code())
    bob.wait(33)
    await bob.fetch(keys[6], bob.code())

    reply = await bob.fetch(keys[5], bob.code())

    assert isinstance(reply, wire.TotpFetchOpaqueKeyOk)


async def test_who_knows_no_key_cannot_make_the_owner_wait(bob: Codes) -> None:
    key_id, key = await bob.create_key()
    for _ in range(50):
        await bob.fetch(made_up_key(), bob.wrong_code())

    assert await bob.fetch(key_id, bob.code()) == released(key)


async def test_nothing_tells_whether_a_key_was_ever_created(bob: Codes) -> None:
    """server-core.md 20, 14: real keys had to wait, others not."""
    real, _ = await bob.create_key()
    strangers = (made_up_key(), bob.user_id), (made_up_key(), UserID(sixteen_bytes()))

    for pause in (0, 0, 0.5, 1, 2, 1, 5, 9, 17, 33, 33, 5000):
        bob.wait(pause)
        expected = await bob.fetch(real, bob.wrong_code())
        for key_id, user_id in strangers:
            assert await bob.fetch(key_id, bob.wrong_code(), user_id) == expected


async def test_a_key_that_was_never_created_costs_a_write_too(place: World, bob: Codes) -> None:
    before = await stored(place)

    await bob.fetch(made_up_key(), bob.wrong_code())

    assert await stored(place) != before


@pytest.mark.parametrize("is_known", [True, False])
async def test_where_no_code_can_help_nobody_waits(place: World, is_known: bool) -> None:
    """Neither before the set-up nor while the user is frozen, whatever key is named."""
    carl = Codes(place, await place.add_member("carl"))
    key_id, _ = await carl.create_key()
    asked = key_id if is_known else made_up_key()
    await carl.begin()

    before = [await carl.fetch(asked, carl.code()) for _ in range(3)]
    await carl.confirm(carl.code())
    await freeze(place, carl.user_id, frozen=True)
    frozen = [await carl.fetch(asked, carl.code()) for _ in range(3)]

    assert before == frozen == [InvalidOneTimePassword()] * 3


async def test_a_user_that_is_let_in_again_need_not_wait(place: World, bob: Codes) -> None:
    key_id, key = await bob.create_key()
    await freeze(place, bob.user_id, frozen=True)
    await bob.fetch(key_id, bob.wrong_code())
    await freeze(place, bob.user_id, frozen=False)

    assert await bob.fetch(key_id, bob.code()) == released(key)


async def test_a_key_belongs_to_its_user(place: World, bob: Codes) -> None:
    alice = Codes(place, await place.add_member("alice"))
    await alice.set_up()
    key_id, _ = await bob.create_key()

    reply = await alice.fetch(key_id, alice.code())

    assert reply == InvalidOneTimePassword()


# --- Reset ---


async def test_a_reset_keeps_the_keys_and_ends_their_waiting(bob: Codes) -> None:
    key_id, key = await bob.create_key()
    stray = made_up_key()
    for asked in (key_id, stray):
        await bob.fetch(asked, bob.wrong_code())
        assert isinstance(await bob.fetch(asked, bob.wrong_code()), Throttled)

    token = await bob.reset()
    await bob.begin_with(token)
    await bob.confirm_with(token, bob.code())

    assert await bob.fetch(stray, bob.code()) == InvalidOneTimePassword()
    assert await bob.fetch(key_id, bob.code()) == released(key)


async def test_codes_of_before_a_reset_are_worth_nothing(bob: Codes) -> None:
    key_id, _ = await bob.create_key()
    former = bob.secret
    token = await bob.reset()
    await bob.begin_with(token)
    await bob.confirm_with(token, bob.code())

    code = totp_code(former, time_step(NOW))

    assert await bob.fetch(key_id, code) == InvalidOneTimePassword()


@pytest.mark.parametrize("lifetime", [None, DAY])
async def test_the_link_of_a_reset_may_go_stale(lifetime: int | None) -> None:
    settings = {} if lifetime is None else {"totp_reset_lifetime": lifetime}
    async with world(**settings) as place:
        carl = Codes(place, await place.add_member("carl"))
        token = await carl.reset()
        carl.wait(DAY)
        in_time = await carl.begin_with(token)
        carl.wait(1)

        if lifetime is None:
            late = await carl.confirm_with(token, carl.code())
        else:
            with pytest.raises(Refused) as refused:
                await carl.confirm_with(token, carl.code())
            late = refused.value.reply

    assert isinstance(in_time, wire.AnonymousTotpSetupGetSecretOk)
    assert late == (Ok() if lifetime is None else BadToken())


async def test_freezing_makes_the_link_of_a_reset_void(place: World, bob: Codes) -> None:
    """server-core.md 20, 15."""
    token = await bob.reset()
    await freeze(place, bob.user_id, frozen=True)
    await freeze(place, bob.user_id, frozen=False)

    with pytest.raises(Refused) as refused:
        await bob.begin_with(token)

    assert refused.value.reply == BadToken()


async def test_a_frozen_user_is_reset_and_sets_up_once_let_in(place: World, bob: Codes) -> None:
    await freeze(place, bob.user_id, frozen=True)
    token = await bob.reset()
    await freeze(place, bob.user_id, frozen=False)

    assert isinstance(await bob.begin_with(token), wire.AnonymousTotpSetupGetSecretOk)


async def test_the_token_of_another_user_opens_nothing(place: World, bob: Codes) -> None:
    alice = await place.add_member("alice")
    token = await bob.reset()

    for user_id in (alice.user_id, UserID(sixteen_bytes())):
        with pytest.raises(Refused) as refused:
            await bob.begin_with(token, user_id)

        assert refused.value.reply == BadToken()


# --- Secrets ---


async def test_neither_log_nor_database_hold_a_token(place: World, bob: Codes) -> None:
    """server-core.md 20, 17 and 18."""
    with capture_logs() as log:
        token = await bob.reset()
        await bob.begin_with(token)
        with pytest.raises(Refused):
            await bob.begin_with(AccessToken(sixteen_bytes()))

    told = repr(log) + await stored(place)
    assert log
    assert token.hex() not in told
    assert repr(bytes(token)) not in told


async def test_the_log_holds_neither_secret_nor_code_nor_key(bob: Codes) -> None:
    key_id, key = await bob.create_key()
    codes = [bob.code(), bob.wrong_code()]

    with capture_logs() as log:
        await bob.fetch(key_id, codes[0])
        await bob.fetch(key_id, codes[0])
        await bob.fetch(key_id, codes[1])
        await bob.fetch(made_up_key(), codes[1])

    told = repr(log)
    assert len(log) == 3
    assert bob.secret.hex() not in told
    assert bytes(key).hex() not in told
    assert not any(f"'{code}'" in told for code in codes)
