"""Shared recoveries on a database (server-core.md 11, 15, 20)."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from parsec.data.certificates import (
    ShamirRecoveryBriefCertificate,
    ShamirRecoveryDeletionCertificate,
    ShamirRecoveryShareCertificate,
)
from parsec.data.ids import AccessToken
from parsec.data.instant import Instant
from parsec.data.people import UserProfile
from parsec.protocol import invite, statuses
from parsec.protocol import shamir as wire
from parsec.protocol.command import Reply
from parsec.protocol.events import InvitationEvent, ShamirRecoveryCertificateEvent
from parsec.protocol.invite import InvitationStatus
from parsec.server.rules.refusal import Refused, Rejected
from parsec.server.service.invite import (
    invite_info,
    invite_list,
    invite_new_shamir_recovery,
)
from parsec.server.service.shamir import (
    invite_shamir_recovery_reveal,
    shamir_recovery_delete,
    shamir_recovery_setup,
)
from parsec.server.store.engine import Transaction
from tests.support.server_records import NOW, sixteen_bytes
from tests.support.server_world import Member, World, world

REVEAL_TOKEN = AccessToken(b"reveal token !!!")


class Recovery:
    """Bob, who sets up a recovery with Alice and Mallory, and Mike, who has no part in it."""

    def __init__(self, place: World, **members: Member) -> None:
        self.place = place
        self.bob, self.alice = members["bob"], members["alice"]
        self.mallory, self.mike = members["mallory"], members["mike"]

    async def set_up(self, at: Instant = NOW, data: bytes = b"data") -> Reply:
        shares = {self.alice.user_id: 2, self.mallory.user_id: 1}
        brief = ShamirRecoveryBriefCertificate(
            author=self.bob.device_id,
            timestamp=at,
            user_id=self.bob.user_id,
            threshold=2,
            per_recipient_shares=shares,
        )
        certificates = [
            ShamirRecoveryShareCertificate(
                author=self.bob.device_id,
                timestamp=at,
                user_id=self.bob.user_id,
                recipient=recipient,
                ciphered_share=b"share",
            ).sign(self.bob.key)
            for recipient in shares
        ]
        request = wire.ShamirRecoverySetup(
            ciphered_data=data,
            reveal_token=REVEAL_TOKEN,
            shamir_recovery_brief_certificate=brief.sign(self.bob.key),
            shamir_recovery_share_certificates=certificates,
        )
        return await shamir_recovery_setup(self.place.device(self.bob), request)

    async def delete(self, setup: Instant, at: Instant) -> Reply:
        certificate = ShamirRecoveryDeletionCertificate(
            author=self.bob.device_id,
            timestamp=at,
            setup_to_delete_timestamp=setup,
            setup_to_delete_user_id=self.bob.user_id,
            share_recipients=frozenset([self.alice.user_id, self.mallory.user_id]),
        )
        request = wire.ShamirRecoveryDelete(
            shamir_recovery_deletion_certificate=certificate.sign(self.bob.key)
        )
        return await shamir_recovery_delete(self.place.device(self.bob), request)

    async def invite(self, author: Member, *, send_email: bool = False) -> AccessToken:
        reply = await invite_new_shamir_recovery(
            self.place.device(author),
            invite.InviteNewShamirRecovery(claimer_user_id=self.bob.user_id, send_email=send_email),
        )
        assert isinstance(reply, invite.InviteNewShamirRecoveryOk)
        return reply.token

    async def reveal(self, token: AccessToken, reveal_token: AccessToken) -> Reply:
        return await invite_shamir_recovery_reveal(
            self.place.claimer(token),
            wire.InviteShamirRecoveryReveal(reveal_token=reveal_token),
        )


@pytest.fixture
async def recovery() -> AsyncIterator[Recovery]:
    async with world() as place:
        yield Recovery(
            place,
            bob=await place.add_member("bob"),
            alice=await place.add_member("alice", UserProfile.ADMIN),
            mallory=await place.add_member("mallory", UserProfile.OUTSIDER),
            mike=await place.add_member("mike"),
        )


async def test_owner_and_recipients_are_told_of_set_up_and_deletion(recovery: Recovery) -> None:
    later = NOW.plus(seconds=1)

    await recovery.set_up(NOW)
    await recovery.delete(NOW, later)

    certificates = [ShamirRecoveryCertificateEvent(timestamp=date) for date in (NOW, later)]
    told = recovery.place.told(recovery.bob, recovery.alice, recovery.mallory, recovery.mike)
    assert told == [certificates, certificates, certificates, []]


async def test_of_two_set_ups_made_together_one_exists(recovery: Recovery) -> None:
    results = await asyncio.gather(
        recovery.set_up(NOW), recovery.set_up(NOW), return_exceptions=True
    )

    # Which of them is up to the engine.
    (refused,) = (result for result in results if result != statuses.Ok())
    assert isinstance(refused, Refused)
    assert refused.reply == statuses.ShamirRecoveryAlreadyExists(
        last_shamir_certificate_timestamp=NOW
    )


async def test_nobody_waits_while_certificates_are_verified(
    recovery: Recovery, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds: list[bool] = []
    transaction = recovery.place.engine.transaction

    def recorded(
        *, write: bool, **more: bool
    ) -> contextlib.AbstractAsyncContextManager[Transaction]:
        kinds.append(write)
        return transaction(write=write, **more)

    monkeypatch.setattr(recovery.place.engine, "transaction", recorded)

    with pytest.raises(Refused):
        await recovery.set_up(NOW.plus(seconds=-3600))

    assert kinds == [False]


async def test_a_refused_set_up_changes_nothing(recovery: Recovery) -> None:
    await recovery.place.change(recovery.mallory, revoked_on=NOW)

    with pytest.raises(Refused):
        await recovery.set_up()

    assert recovery.place.events == []
    with pytest.raises(Refused):
        await recovery.invite(recovery.alice)


async def test_the_invitation_of_a_set_up_is_one_for_all_recipients(recovery: Recovery) -> None:
    await recovery.set_up()
    recovery.place.events.clear()

    first = await recovery.invite(recovery.alice)
    second = await recovery.invite(recovery.mallory)

    assert first == second
    event = InvitationEvent(token=first, invitation_status=InvitationStatus.PENDING)
    told = recovery.place.told(recovery.alice, recovery.mallory, recovery.bob)
    assert told == [[event, event], [event, event], []]


async def test_the_mail_goes_to_who_recovers_and_names_who_invites(recovery: Recovery) -> None:
    await recovery.set_up()

    await recovery.invite(recovery.mallory, send_email=True)

    (mail,) = recovery.place.mails.sent
    assert mail.to == recovery.bob.human_handle.email
    assert mail.greeter == recovery.mallory.human_handle


async def test_the_data_are_revealed_as_often_as_asked(recovery: Recovery) -> None:
    await recovery.set_up(data=b"ciphered device")
    token = await recovery.invite(recovery.alice)

    revealed = [await recovery.reveal(token, REVEAL_TOKEN) for _ in range(2)]

    assert revealed == [wire.InviteShamirRecoveryRevealOk(ciphered_data=b"ciphered device")] * 2


async def test_another_reveal_token_reveals_nothing(recovery: Recovery) -> None:
    await recovery.set_up()
    token = await recovery.invite(recovery.alice)

    with pytest.raises(Refused) as refused:
        await recovery.reveal(token, AccessToken(sixteen_bytes()))

    assert refused.value.reply == statuses.BadRevealToken()


async def test_deleting_a_set_up_ends_what_rested_on_it(recovery: Recovery) -> None:
    await recovery.set_up()
    token = await recovery.invite(recovery.alice)

    await recovery.delete(NOW, NOW.plus(seconds=1))

    with pytest.raises(Rejected):
        await recovery.reveal(token, REVEAL_TOKEN)
    listed = await invite_list(recovery.place.device(recovery.alice), invite.InviteList())
    assert [(one.token, one.status) for one in listed.invitations] == [
        (token, InvitationStatus.CANCELLED)
    ]


async def test_a_reveal_token_may_serve_again(recovery: Recovery) -> None:
    """The official server fails (server-core.md 20, 23)."""
    await recovery.set_up(NOW)
    old = await recovery.invite(recovery.alice)
    await recovery.delete(NOW, NOW.plus(seconds=1))

    await recovery.set_up(NOW.plus(seconds=2), data=b"second")
    token = await recovery.invite(recovery.alice)

    assert token != old
    assert await recovery.reveal(token, REVEAL_TOKEN) == wire.InviteShamirRecoveryRevealOk(
        ciphered_data=b"second"
    )


async def test_who_recovers_is_told_which_recipients_are_revoked(recovery: Recovery) -> None:
    await recovery.set_up()
    token = await recovery.invite(recovery.alice)
    await recovery.place.change(recovery.mallory, revoked_on=NOW)

    info = await invite_info(recovery.place.claimer(token), invite.InviteInfo())

    assert isinstance(info, invite.InviteInfoOkShamirRecovery)
    assert info.threshold == 2
    assert [(one.human_handle.label, one.shares, one.revoked_on) for one in info.recipients] == [
        ("Alice", 2, None),
        ("Mallory", 1, NOW),
    ]


async def test_a_revoked_user_recovers_nothing(recovery: Recovery) -> None:
    await recovery.set_up()
    token = await recovery.invite(recovery.alice)
    await recovery.place.change(recovery.bob, revoked_on=NOW)

    with pytest.raises(Rejected):
        await recovery.reveal(token, REVEAL_TOKEN)
    with pytest.raises(Refused) as refused:
        await recovery.invite(recovery.alice)
    assert refused.value.reply == statuses.UserNotFound()
