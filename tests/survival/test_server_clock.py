"""A server whose clock is wrong for a while: nothing is lost, and nobody is stuck."""

from collections.abc import AsyncIterator

import pytest

from parsec.data.instant import Instant
from parsec.data.people import EmailAddress
from parsec.protocol.certificate import CertificateGet
from parsec.protocol.invite import (
    InvitationStatus,
    InviteList,
    InviteListOk,
    InviteNewUser,
    InviteNewUserOk,
)
from parsec.protocol.statuses import InvalidOneTimePassword, Ok, RequireGreaterTimestamp, Throttled
from parsec.protocol.totp import TotpFetchOpaqueKeyOk
from parsec.protocol.user import UserCreate
from tests.support.newcomers import newcomer, papers
from tests.support.server_app import Device, ServerApp, server_app
from tests.support.server_calls import Codes

HOUR = 3_600.0
DAY = 24 * HOUR
LIFETIME = 7_200
"""Of invitations, in seconds."""

EVERYTHING = CertificateGet(
    common_after=None, sequester_after=None, shamir_recovery_after=None, realm_after={}
)


@pytest.fixture
async def server() -> AsyncIterator[ServerApp]:
    async with server_app(invitation_lifetime=LIFETIME) as made:
        yield made


@pytest.fixture
async def alice(server: ServerApp) -> Device:
    return await server.bootstrap("Org")


def turn(server: ServerApp, seconds: float) -> None:
    """Set the clock of the server, and of who uses it."""
    server.clock.now = server.clock.now.plus(seconds=seconds)


async def create(server: ServerApp, author: Device, name: str, timestamp: Instant) -> object:
    person = newcomer(name)
    made = papers(person, author=author.device_id, timestamp=timestamp).signed(author.key)
    return await server.reply(author, UserCreate(**made))


async def certificates(server: ServerApp, device: Device) -> list[bytes]:
    found = await server.reply(device, EVERYTHING)
    return list(found.common_certificates)  # type: ignore[attr-defined]


async def test_behind_a_clock_that_was_set_back_certificates_stay_in_their_order(
    server: ServerApp, alice: Device
) -> None:
    turn(server, 120)
    last = server.clock()
    assert await create(server, alice, "bob", last) == Ok()
    before = await certificates(server, alice)

    turn(server, -120)
    early = await create(server, alice, "carl", server.clock())
    late = await create(server, alice, "carl", last.plus(microseconds=1))

    assert early == RequireGreaterTimestamp(strictly_greater_than=last)
    assert late == Ok()
    assert (await certificates(server, alice))[:4] == before


@pytest.mark.parametrize("seconds", [-HOUR, DAY])
async def test_what_was_acknowledged_before_a_jump_is_there_behind_it(
    server: ServerApp, alice: Device, seconds: float
) -> None:
    await server.add_user(alice, "bob")
    before = await certificates(server, alice)

    turn(server, seconds)

    assert await certificates(server, alice) == before


async def test_behind_a_jump_forward_work_goes_on(server: ServerApp, alice: Device) -> None:
    turn(server, DAY)

    assert await create(server, alice, "bob", server.clock()) == Ok()


@pytest.fixture
async def codes(server: ServerApp, alice: Device) -> Codes:
    made = Codes(server=server, device=alice)
    await made.set_up()
    return made


async def test_a_clock_that_was_ahead_keeps_nobody_waiting_for_its_wrong_dates(
    server: ServerApp, codes: Codes
) -> None:
    key = await codes.create_key()
    turn(server, DAY)
    assert await codes.fetch(key, codes.wrong_code()) == InvalidOneTimePassword()

    turn(server, -DAY)

    assert isinstance(await codes.fetch(key, codes.code()), TotpFetchOpaqueKeyOk)


async def test_behind_a_clock_that_was_ahead_wrong_codes_are_still_counted(
    server: ServerApp, codes: Codes
) -> None:
    key = await codes.create_key()
    turn(server, DAY)
    await codes.fetch(key, codes.wrong_code())
    turn(server, -DAY)

    first = await codes.fetch(key, codes.wrong_code())
    second = await codes.fetch(key, codes.wrong_code())

    assert first == InvalidOneTimePassword()
    assert isinstance(second, Throttled)
    # The second failure in a row.
    assert second.wait_until.microseconds_since(server.clock.now) < 2_000_000


async def test_behind_a_small_step_back_a_wait_lasts(server: ServerApp, codes: Codes) -> None:
    key = await codes.create_key()
    await codes.fetch(key, codes.wrong_code())

    turn(server, -60)

    assert isinstance(await codes.fetch(key, codes.code()), Throttled)


@pytest.mark.parametrize(
    ("seconds", "status"),
    [
        (-HOUR, InvitationStatus.PENDING),
        (HOUR, InvitationStatus.PENDING),
        (DAY, InvitationStatus.CANCELLED),
    ],
)
async def test_an_invitation_ends_when_its_time_is_over_and_not_before(
    server: ServerApp, alice: Device, seconds: float, status: InvitationStatus
) -> None:
    command = InviteNewUser(claimer_email=EmailAddress("zack@example.com"), send_email=False)
    assert isinstance(await server.reply(alice, command), InviteNewUserOk)

    turn(server, seconds)

    listed = await server.reply(alice, InviteList())
    assert isinstance(listed, InviteListOk)
    assert [one.status for one in listed.invitations] == [status]


async def test_an_invitation_that_a_wrong_clock_ended_comes_back_with_the_right_one(
    server: ServerApp, alice: Device
) -> None:
    command = InviteNewUser(claimer_email=EmailAddress("zack@example.com"), send_email=False)
    await server.reply(alice, command)

    turn(server, DAY)
    await server.reply(alice, InviteList())
    turn(server, -DAY)

    listed = await server.reply(alice, InviteList())
    assert isinstance(listed, InviteListOk)
    assert [one.status for one in listed.invitations] == [InvitationStatus.PENDING]
