"""What the administration is told about users, on a database."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from parsec.server.records import TotpStanding
from parsec.server.service import administration
from parsec.server.service.administration import TotpOverview
from parsec.server.service.context import AdministrationContext
from tests.support.server_records import NOW
from tests.support.server_totp import Codes
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


async def overview(place: World) -> Sequence[TotpOverview]:
    context = AdministrationContext(server=place.server, now=place.now)
    return await administration.totp_overview(context, ORGANIZATION)


async def test_users_are_told_apart(place: World, bob: Codes) -> None:
    carl = Codes(place, await place.add_member("carl"))
    await place.add_member("dora")
    key, _ = await bob.create_key()
    await bob.create_key()
    await carl.create_key()
    await bob.fetch(key, bob.wrong_code())
    await carl.reset()

    found = {str(one.user.human_handle.label): one.standing for one in await overview(place)}

    assert (found["Bob"].keys, found["Bob"].failures.count, found["Bob"].resets) == (2, 1, 0)
    assert [failures.count for failures in found["Bob"].failing_keys] == [1]
    assert (found["Carl"].keys, found["Carl"].last_resets) == (1, (NOW,))
    assert found["Carl"].has_reset_token
    assert found["Dora"] == TotpStanding()


async def test_a_right_code_ends_the_row_of_failures(place: World, bob: Codes) -> None:
    key, _ = await bob.create_key()
    await bob.fetch(key, bob.wrong_code())
    bob.wait(2)
    await bob.fetch(key, bob.code())

    (found,) = await overview(place)

    assert found.throttled_until is None
    assert (found.standing.failures.count, found.standing.failing_keys) == (0, ())
    assert found.standing.last_success_on == place.now


async def test_resets_at_once_are_all_remembered(place: World, bob: Codes) -> None:
    await asyncio.gather(*(bob.reset() for _ in range(5)))

    (found,) = await overview(place)

    assert (found.standing.resets, found.standing.last_resets) == (5, (NOW,) * 5)


async def test_a_reset_whose_link_has_expired_is_history() -> None:
    async with world(totp_reset_lifetime=DAY) as place:
        bob = Codes(place, await place.add_member("bob"))
        await bob.reset()
        (before,) = await overview(place)
        bob.wait(DAY + 1)
        (after,) = await overview(place)

    assert (before.reset_pending_since, after.reset_pending_since) == (NOW, None)
    assert after.standing.last_resets == (NOW,)
