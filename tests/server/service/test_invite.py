"""Invitations on a database (server-core.md 8, 15, 17.1, 20)."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from parsec.data.address import InvitationType
from parsec.data.ids import AccessToken
from parsec.data.people import EmailAddress, UserProfile
from parsec.protocol import invite as wire
from parsec.protocol import statuses
from parsec.protocol.command import Reply
from parsec.protocol.events import InvitationEvent
from parsec.protocol.invite import InvitationEmailSentStatus, InvitationStatus
from parsec.server.records import InvitationRecord
from parsec.server.rules.refusal import Refused, Rejected
from parsec.server.service.invite import (
    invite_cancel,
    invite_complete,
    invite_info,
    invite_list,
    invite_new_device,
    invite_new_user,
)
from parsec.server.store import invite as store
from tests.support.postgresql import needs_postgresql
from tests.support.server_records import NOW
from tests.support.server_world import Member, World, world

NEW = EmailAddress("new@example.com")


@pytest.fixture
async def place() -> AsyncIterator[World]:
    async with world() as made:
        yield made


@pytest.fixture
async def alice(place: World) -> Member:
    return await place.add_member("alice", UserProfile.ADMIN)


async def invited_user(place: World, author: Member, *, send_email: bool = False) -> AccessToken:
    reply = await invite_new_user(
        place.device(author), wire.InviteNewUser(claimer_email=NEW, send_email=send_email)
    )
    assert isinstance(reply, wire.InviteNewUserOk)
    return reply.token


def pending(token: AccessToken) -> InvitationEvent:
    return InvitationEvent(token=token, invitation_status=InvitationStatus.PENDING)


async def listed(place: World, author: Member) -> list[tuple[AccessToken, InvitationStatus]]:
    reply = await invite_list(place.device(author), wire.InviteList())
    return [(item.token, item.status) for item in reply.invitations]


async def test_an_address_is_invited_once(place: World, alice: Member) -> None:
    first = await invited_user(place, alice)

    again = await invited_user(place, alice)

    assert again == first
    assert await listed(place, alice) == [(first, InvitationStatus.PENDING)]


async def test_administrators_are_told_each_time(place: World, alice: Member) -> None:
    zack = await place.add_member("zack", UserProfile.ADMIN)
    bob = await place.add_member("bob")

    token = await invited_user(place, alice)
    await invited_user(place, alice)

    assert place.told(alice, zack, bob) == [[pending(token)] * 2, [pending(token)] * 2, []]


async def test_frozen_administrators_are_not_told(place: World, alice: Member) -> None:
    zack = await place.add_member("zack", UserProfile.ADMIN)
    await place.change(zack, is_frozen=True)

    await invited_user(place, alice)

    assert place.told(zack) == [[]]


async def test_a_refused_invitation_leaves_no_trace(place: World, alice: Member) -> None:
    bob = await place.add_member("bob")

    with pytest.raises(Refused):
        await invited_user(place, bob, send_email=True)

    assert await listed(place, alice) == []
    assert place.events == []
    assert place.mails.sent == []


async def test_a_mail_is_sent_when_asked_for(place: World, alice: Member) -> None:
    await invited_user(place, alice)
    token = await invited_user(place, alice, send_email=True)

    (mail,) = place.mails.sent
    assert (mail.kind, mail.token, mail.to) == (InvitationType.USER, token, NEW)
    assert mail.greeter == alice.human_handle


async def test_a_mail_that_does_not_leave_undoes_nothing(place: World, alice: Member) -> None:
    place.mails.outcome = InvitationEmailSentStatus.RECIPIENT_REFUSED

    reply = await invite_new_device(place.device(alice), wire.InviteNewDevice(send_email=True))

    assert reply.email_sent is InvitationEmailSentStatus.RECIPIENT_REFUSED
    assert await listed(place, alice) == [(reply.token, InvitationStatus.PENDING)]


async def test_the_mail_for_a_device_goes_to_its_user(place: World, alice: Member) -> None:
    await invite_new_device(place.device(alice), wire.InviteNewDevice(send_email=True))

    (mail,) = place.mails.sent
    assert (mail.to, mail.greeter) == (alice.human_handle.email, None)


@pytest.mark.parametrize(
    ("end", "status", "again"),
    [
        (
            (invite_cancel, wire.InviteCancel),
            InvitationStatus.CANCELLED,
            statuses.InvitationAlreadyCancelled(),
        ),
        (
            (invite_complete, wire.InviteComplete),
            InvitationStatus.FINISHED,
            statuses.InvitationAlreadyCompleted(),
        ),
    ],
)
async def test_an_invitation_ends_once(
    place: World,
    alice: Member,
    end: tuple[type, type],
    status: InvitationStatus,
    again: Reply,
) -> None:
    command, request = end
    token = await invited_user(place, alice)

    assert await command(place.device(alice), request(token=token)) == statuses.Ok()

    with pytest.raises(Refused) as refused:
        await command(place.device(alice), request(token=token))
    assert refused.value.reply == again
    assert await listed(place, alice) == [(token, status)]
    assert place.told(alice) == [
        [pending(token), InvitationEvent(token=token, invitation_status=status)]
    ]


async def test_an_ended_invitation_is_followed_by_another(place: World, alice: Member) -> None:
    token = await invited_user(place, alice)
    await invite_cancel(place.device(alice), wire.InviteCancel(token=token))
    place.now = place.now.plus(seconds=1)

    other = await invited_user(place, alice)

    assert await listed(place, alice) == [
        (token, InvitationStatus.CANCELLED),
        (other, InvitationStatus.PENDING),
    ]


async def test_frozen_administrators_are_not_offered_as_greeters(
    place: World, alice: Member
) -> None:
    zack = await place.add_member("zack", UserProfile.ADMIN)
    await place.add_member("bob", UserProfile.ADMIN)
    token = await invited_user(place, alice)
    await place.change(zack, is_frozen=True)

    info = await invite_info(place.claimer(token), wire.InviteInfo())

    assert isinstance(info, wire.InviteInfoOkUser)
    assert [one.human_handle.label for one in info.administrators] == ["Alice", "Bob"]


async def test_the_device_of_a_revoked_user_cannot_be_claimed(place: World, alice: Member) -> None:
    reply = await invite_new_device(place.device(alice), wire.InviteNewDevice(send_email=False))
    await place.change(alice, revoked_on=NOW)

    with pytest.raises(Rejected) as rejected:
        await invite_info(place.claimer(reply.token), wire.InviteInfo())

    assert rejected.value.verdict.status == 410


# --- Invitations that grow old ---


@pytest.fixture
async def strict_place() -> AsyncIterator[World]:
    async with world(invitation_lifetime=60) as made:
        yield made


@pytest.fixture
async def strict_alice(strict_place: World) -> Member:
    return await strict_place.add_member("alice", UserProfile.ADMIN)


async def test_an_old_invitation_counts_as_cancelled(
    strict_place: World, strict_alice: Member
) -> None:
    token = await invited_user(strict_place, strict_alice)

    strict_place.now = NOW.plus(seconds=61)

    assert await listed(strict_place, strict_alice) == [(token, InvitationStatus.CANCELLED)]


async def test_an_old_invitation_opens_nothing(strict_place: World, strict_alice: Member) -> None:
    token = await invited_user(strict_place, strict_alice)

    strict_place.now = NOW.plus(seconds=61)

    with pytest.raises(Rejected) as rejected:
        await invite_info(strict_place.claimer(token), wire.InviteInfo())
    assert rejected.value.verdict.status == 410


async def test_an_old_invitation_is_replaced_by_a_new_one(
    strict_place: World, strict_alice: Member
) -> None:
    token = await invited_user(strict_place, strict_alice)
    strict_place.now = NOW.plus(seconds=61)

    other = await invited_user(strict_place, strict_alice)

    assert await listed(strict_place, strict_alice) == [
        (token, InvitationStatus.CANCELLED),
        (other, InvitationStatus.PENDING),
    ]


@needs_postgresql
async def test_an_old_invitation_that_somebody_has_just_completed_stays_completed(
    strict_place: World, strict_alice: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await invited_user(strict_place, strict_alice)
    in_time = strict_place.device(strict_alice)
    find = store.pending_user_invitation

    async def overtaken(*arguments: Any) -> InvitationRecord | None:
        found = await find(*arguments)
        await invite_complete(in_time, wire.InviteComplete(token=token))
        return found

    monkeypatch.setattr(store, "pending_user_invitation", overtaken)
    strict_place.now = NOW.plus(seconds=61)

    other = await invited_user(strict_place, strict_alice)

    assert await listed(strict_place, strict_alice) == [
        (token, InvitationStatus.FINISHED),
        (other, InvitationStatus.PENDING),
    ]
