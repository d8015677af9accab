"""Attacks by certificates: on users, profiles and shared recoveries (rows 1, 21 to 24 and 37)."""

import base64
from collections.abc import AsyncIterator

import msgspec
import pytest

from parsec.crypto.entropy import system_entropy
from parsec.crypto.keys import SigningKey
from parsec.data.people import UserProfile
from parsec.protocol.command import Reply, load_reply
from parsec.protocol.device import DeviceCreate
from parsec.protocol.events import (
    CommonCertificateEvent,
    EventsListen,
    ShamirRecoveryCertificateEvent,
)
from parsec.protocol.invite import InviteInfo, InviteNewShamirRecovery
from parsec.protocol.organization import OrganizationBootstrap
from parsec.protocol.shamir import InviteShamirRecoveryReveal, InviteShamirRecoveryRevealOk
from parsec.protocol.statuses import (
    AuthorNotAllowed,
    InvalidCertificate,
    InvalidCertificateShareCorrupted,
    Ok,
    UserNotFound,
)
from parsec.protocol.user import UserCreate
from tests.support.asgi import Stream, stream
from tests.support.newcomers import Papers, newcomer, papers
from tests.support.server_app import Device, ServerApp, server_app
from tests.support.server_calls import (
    REVEAL_TOKEN,
    add_device,
    anonymous,
    change_profile,
    delete_recovery,
    invite_device,
    invite_recovery,
    invited,
    recovery,
    reply,
    set_up_recovery,
)

EVENTS = "/authenticated/Org/events"


@pytest.fixture
async def server() -> AsyncIterator[ServerApp]:
    async with server_app() as made:
        yield made


@pytest.fixture
async def alice(server: ServerApp) -> Device:
    return await server.bootstrap("Org")


# --- Row 1 ---


def redacted(made: Papers, which: str) -> Papers:
    """The same with one full certificate that is none."""
    if which == "user":
        return made.but("user", human_handle=None)
    return made.but("device", device_label=None)


@pytest.mark.parametrize("which", ["user", "device"])
async def test_nobody_is_created_without_name(server: ServerApp, alice: Device, which: str) -> None:
    """server-core 20 #1: and the administration can still list the users."""
    made = papers(newcomer(), author=alice.device_id, timestamp=server.clock())

    refused = await server.reply(alice, UserCreate(**redacted(made, which).signed(alice.key)))

    users = await server.admin("GET", "organizations/Org/users")
    assert refused == InvalidCertificate()
    assert [user["user_name"] for user in users.json["users"]] == ["Alice"]


@pytest.mark.parametrize("which", ["user", "device"])
async def test_no_organization_begins_without_names(server: ServerApp, which: str) -> None:
    """server-core 20 #1."""
    address = await server.create("New")
    root = SigningKey.generate(system_entropy)
    first = newcomer("carol", UserProfile.ADMIN)
    made = papers(first, author=None, timestamp=server.clock())
    command = OrganizationBootstrap(
        bootstrap_token=address.token,
        root_verify_key=root.verify_key,
        sequester_authority_certificate=None,
        **redacted(made, which).signed(root),
    )

    refused = reply(command, await anonymous(server, command, "New"))

    assert refused == InvalidCertificate()


async def test_no_device_is_created_without_label(server: ServerApp, alice: Device) -> None:
    """server-core 20 #1."""
    made = papers(newcomer(), author=alice.device_id, timestamp=server.clock())
    signed = redacted(made.but(user_id=alice.user_id), "device").signed(alice.key)
    command = DeviceCreate(
        device_certificate=signed["device_certificate"],
        redacted_device_certificate=signed["redacted_device_certificate"],
    )

    assert await server.reply(alice, command) == InvalidCertificate()


# --- Row 21 ---


async def become_external(server: ServerApp, alice: Device) -> list[Reply]:
    """Both ways to have an external user."""
    bob = await server.add_user(alice, "bob")
    made = papers(
        newcomer("oscar", UserProfile.OUTSIDER), author=alice.device_id, timestamp=server.clock()
    )
    return [
        await server.reply(alice, UserCreate(**made.signed(alice.key))),
        await change_profile(server, alice, bob.user_id, UserProfile.OUTSIDER),
    ]


@pytest.mark.parametrize(
    ("is_enforced", "is_allowed", "expected"),
    [
        (False, False, Ok()),
        (True, True, Ok()),
        (True, False, AuthorNotAllowed()),
    ],
)
async def test_external_users_are_refused_where_the_operator_wants_it(
    is_enforced: bool, is_allowed: bool, expected: Reply
) -> None:
    """server-core 20 #21: an option, as official clients read the setting as advice."""
    async with server_app(enforce_user_profile_outsider_allowed=is_enforced) as server:
        alice = await server.bootstrap("Org")
        change = {"user_profile_outsider_allowed": is_allowed}
        await server.admin("PATCH", "organizations/Org", change)

        replies = await become_external(server, alice)

    assert replies == [expected, expected]


# --- Rows 22 to 24: shared recovery ---


async def test_a_share_is_of_who_sets_up(server: ServerApp, alice: Device) -> None:
    """server-core 20 #22: a share that names another owner is refused."""
    bob, mallory = await server.add_user(alice, "bob"), await server.add_user(alice, "mallory")
    made = recovery(server, mallory, bob)
    made.shares = [msgspec.structs.replace(made.shares[0], user_id=alice.user_id)]

    refused = await server.reply(mallory, made.command)

    assert refused == InvalidCertificateShareCorrupted()


async def test_a_reveal_token_may_be_that_of_somebody_else(
    server: ServerApp, alice: Device
) -> None:
    """server-core 20 #23: each invitation still reveals the data of its own set-up."""
    bob, carl = await server.add_user(alice, "bob"), await server.add_user(alice, "carl")

    for owner in (bob, carl):
        await set_up_recovery(server, owner, alice)

    revealed = []
    for owner in (bob, carl):
        token = await invite_recovery(server, alice, owner)
        command = InviteShamirRecoveryReveal(reveal_token=REVEAL_TOKEN)
        revealed.append(reply(command, await invited(server, token, command)))
    assert [type(one) for one in revealed] == [InviteShamirRecoveryRevealOk] * 2


async def told(events: Stream) -> object:
    frame = await events.next()
    data = frame.split(b"\n")[0].removeprefix(b"data:")
    return load_reply(EventsListen, base64.b64decode(data))


async def test_owner_and_recipients_hear_of_a_recovery_and_nobody_else(
    server: ServerApp, alice: Device
) -> None:
    """server-core 20 #24: at its set-up and at its deletion."""
    bob, mike = await server.add_user(alice, "bob"), await server.add_user(alice, "mike")
    headers = [server.headers(one) | {"Accept": "text/event-stream"} for one in (alice, bob, mike)]
    async with (
        stream(server.app, EVENTS, headers[0]) as (_, to_alice),
        stream(server.app, EVENTS, headers[1]) as (_, to_bob),
        stream(server.app, EVENTS, headers[2]) as (_, to_mike),
    ):
        for events in (to_alice, to_bob, to_mike):
            await events.next()

        made = await set_up_recovery(server, bob, alice)
        assert await delete_recovery(server, made) == Ok()

        for events in (to_alice, to_bob):
            first, second = await told(events), await told(events)
            assert first == ShamirRecoveryCertificateEvent(timestamp=made.brief.timestamp)
            assert isinstance(second, ShamirRecoveryCertificateEvent)
        # What comes next is what everybody is told.
        await add_device(server, bob)
        assert isinstance(await told(to_mike), CommonCertificateEvent)


# --- Row 37 ---


async def test_nobody_invites_a_revoked_user_to_recover(server: ServerApp, alice: Device) -> None:
    """server-core 20 #37."""
    bob = await server.add_user(alice, "bob")
    await set_up_recovery(server, bob, alice)
    await server.revoke(alice, bob.user_id)

    command = InviteNewShamirRecovery(claimer_user_id=bob.user_id, send_email=False)

    assert await server.reply(alice, command) == UserNotFound()


async def test_a_revoked_user_comes_back_by_no_invitation(server: ServerApp, alice: Device) -> None:
    """server-core 20 #37: neither by one for a device nor by one to recover."""
    bob = await server.add_user(alice, "bob")
    await set_up_recovery(server, bob, alice)
    tokens = [await invite_device(server, bob), await invite_recovery(server, alice, bob)]

    await server.revoke(alice, bob.user_id)

    reveal = InviteShamirRecoveryReveal(reveal_token=REVEAL_TOKEN)
    answers = [await invited(server, token, InviteInfo()) for token in tokens]
    answers.append(await invited(server, tokens[1], reveal))
    assert [answer.status for answer in answers] == [410, 410, 410]
