"""Limits of the mails with invitations, on a database (server-core.md 8.2, 20)."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import structlog

from parsec.data.people import EmailAddress, UserProfile
from parsec.protocol import invite as wire
from parsec.protocol.invite import InvitationEmailSentStatus, InvitationStatus
from parsec.server.service.invite import invite_list, invite_new_device, invite_new_user
from parsec.server.settings import InvitationEmailLimits, MailFolder, MailSettings
from tests.support.postgresql import needs_postgresql, new_place, some_database
from tests.support.server_app import server_app
from tests.support.server_world import Member, World, world

SENT = InvitationEmailSentStatus.SUCCESS
OVER = InvitationEmailSentStatus.SERVER_UNAVAILABLE


@contextlib.asynccontextmanager
async def limited(recipient: int, author: int, organization: int) -> AsyncIterator[World]:
    async with world() as place:
        limits = InvitationEmailLimits(
            per_recipient=recipient, per_author=author, per_organization=organization
        )
        limit(place, limits)
        yield place


def limit(place: World, limits: InvitationEmailLimits) -> None:
    settings = msgspec.structs.replace(place.server.settings, invitation_emails=limits)
    place.server = msgspec.structs.replace(place.server, settings=settings)


async def invite(place: World, author: Member, email: str) -> InvitationEmailSentStatus:
    reply = await invite_new_user(
        place.device(author), wire.InviteNewUser(claimer_email=EmailAddress(email), send_email=True)
    )
    assert isinstance(reply, wire.InviteNewUserOk)
    return reply.email_sent


async def remembered(place: World) -> int:
    async with place.engine.transaction(write=False) as transaction:
        ((count,),) = await transaction.rows("SELECT COUNT(*) FROM invitation_email")
    return int(count)


async def test_one_address_gets_so_many_whoever_invites_it() -> None:
    async with limited(2, 0, 0) as place:
        alice = await place.add_member("alice", UserProfile.ADMIN)
        zack = await place.add_member("zack", UserProfile.ADMIN)

        told = [
            await invite(place, alice, "new@example.com"),
            await invite(place, zack, "NEW@example.com"),
            await invite(place, alice, "new@Example.com"),
            await invite(place, alice, "other@example.com"),
        ]

    assert told == [SENT, SENT, OVER, SENT]
    assert [mail.to for mail in place.mails.sent] == [
        "new@example.com",
        "NEW@example.com",
        "other@example.com",
    ]


async def test_one_author_sends_so_many() -> None:
    async with limited(0, 2, 0) as place:
        alice = await place.add_member("alice", UserProfile.ADMIN)
        zack = await place.add_member("zack", UserProfile.ADMIN)

        told = [await invite(place, alice, f"new{number}@example.com") for number in range(3)]
        of_zack = await invite(place, zack, "new@example.com")

    assert (told, of_zack) == ([SENT, SENT, OVER], SENT)


async def test_one_organization_sends_so_many() -> None:
    async with limited(0, 0, 2) as place:
        members = [
            await place.add_member(name, UserProfile.ADMIN) for name in ("alice", "zack", "mallory")
        ]

        told = [await invite(place, member, "new@example.com") for member in members]

    assert told == [SENT, SENT, OVER]


async def test_over_the_limit_the_invitation_is_made_all_the_same() -> None:
    async with limited(0, 1, 0) as place:
        alice = await place.add_member("alice", UserProfile.ADMIN)
        await invite(place, alice, "first@example.com")

        told = await invite(place, alice, "second@example.com")

        listed = await invite_list(place.device(alice), wire.InviteList())
    assert told is OVER
    assert [item.status for item in listed.invitations] == [InvitationStatus.PENDING] * 2


async def test_after_an_hour_mails_are_sent_again() -> None:
    async with limited(1, 0, 0) as place:
        alice = await place.add_member("alice", UserProfile.ADMIN)
        begin = place.now
        told = []

        for seconds in (0, 3599, 3600):
            place.now = begin.plus(seconds=seconds)
            told.append(await invite(place, alice, "new@example.com"))

    assert told == [SENT, OVER, SENT]


async def test_mails_of_more_than_an_hour_ago_are_forgotten() -> None:
    async with limited(0, 5, 0) as place:
        alice = await place.add_member("alice", UserProfile.ADMIN)
        for number in range(5):
            await invite(place, alice, f"new{number}@example.com")
        before = await remembered(place)

        place.now = place.now.plus(seconds=3600)
        await invite(place, alice, "new@example.com")

        assert (before, await remembered(place)) == (5, 1)


async def test_mails_that_were_not_sent_take_no_place() -> None:
    async with limited(0, 1, 0) as place:
        alice = await place.add_member("alice", UserProfile.ADMIN)

        for number in range(3):
            await invite(place, alice, f"new{number}@example.com")

        assert await remembered(place) == 1


async def test_mails_that_the_server_would_not_take_count_too() -> None:
    async with limited(1, 0, 0) as place:
        alice = await place.add_member("alice", UserProfile.ADMIN)
        place.mails.outcome = InvitationEmailSentStatus.RECIPIENT_REFUSED

        first = await invite(place, alice, "new@example.com")
        second = await invite(place, alice, "new@example.com")

    assert (first, second) == (InvitationEmailSentStatus.RECIPIENT_REFUSED, OVER)


async def test_without_limits_nothing_is_remembered() -> None:
    async with limited(0, 0, 0) as place:
        alice = await place.add_member("alice", UserProfile.ADMIN)

        told = [await invite(place, alice, "new@example.com") for _ in range(20)]

        assert (set(told), await remembered(place)) == ({SENT}, 0)


async def test_an_invitation_without_mail_counts_nothing() -> None:
    async with limited(1, 1, 1) as place:
        alice = await place.add_member("alice", UserProfile.ADMIN)

        reply = await invite_new_device(place.device(alice), wire.InviteNewDevice(send_email=False))

        assert (reply.email_sent, await remembered(place)) == (SENT, 0)


async def test_devices_are_mailed_within_the_same_limits() -> None:
    async with limited(0, 1, 0) as place:
        alice = await place.add_member("alice", UserProfile.ADMIN)
        await invite(place, alice, "new@example.com")

        reply = await invite_new_device(place.device(alice), wire.InviteNewDevice(send_email=True))

    assert reply.email_sent is OVER


async def test_mails_at_once_keep_to_the_limit() -> None:
    async with limited(0, 3, 0) as place:
        alice = await place.add_member("alice", UserProfile.ADMIN)

        told = await asyncio.gather(
            *(invite(place, alice, f"new{number}@example.com") for number in range(8))
        )

    assert sorted(status.value for status in told) == [OVER.value] * 5 + [SENT.value] * 3


async def test_no_transaction_is_open_while_a_mail_is_on_its_way() -> None:
    async with limited(5, 5, 5) as place:
        alice = await place.add_member("alice", UserProfile.ADMIN)
        on_its_way, taken = asyncio.Event(), asyncio.Event()

        async def send(*_args: object, **_values: object) -> InvitationEmailSentStatus:
            on_its_way.set()
            await taken.wait()
            return SENT

        place.mails.send_invitation = send  # type: ignore[method-assign]
        sending = asyncio.create_task(invite(place, alice, "new@example.com"))
        await on_its_way.wait()

        async with asyncio.timeout(10), place.engine.transaction(write=True) as transaction:
            await transaction.lock("invitation_email")
            await transaction.lock("Org/invitation")

        taken.set()
        assert await sending is SENT


async def test_the_log_says_whose_limit_and_no_address() -> None:
    async with limited(1, 0, 0) as place:
        alice = await place.add_member("alice", UserProfile.ADMIN)
        await invite(place, alice, "new@example.com")

        with structlog.testing.capture_logs() as logs:
            await invite(place, alice, "new@example.com")

    (entry,) = logs
    assert (entry["log_level"], entry["limit"]) == ("warning", "recipient")
    assert "new@example.com" not in str(entry)


@needs_postgresql
async def test_processes_on_one_database_keep_to_one_limit(tmp_path: Path) -> None:
    mails = tmp_path / "mails"
    sender = EmailAddress("parsec@example.com")
    limits = InvitationEmailLimits(per_recipient=0, per_author=5, per_organization=0)
    async with new_place() as url:
        settings = {
            "database": some_database(url),
            "mail": MailSettings(sender=sender, by=MailFolder(mails)),
            "server_key_file": tmp_path / "server-key",
            "invitation_emails": limits,
        }
        async with server_app(**settings) as first, server_app(**settings) as second:
            alice = await first.bootstrap("Org")

            replies = await asyncio.gather(
                *(
                    place.reply(
                        alice,
                        wire.InviteNewUser(
                            claimer_email=EmailAddress(f"new{number}@example.com"),
                            send_email=True,
                        ),
                    )
                    for number in range(5)
                    for place in (first, second)
                )
            )

    told = [reply.email_sent for reply in replies if isinstance(reply, wire.InviteNewUserOk)]
    assert sorted(status.value for status in told) == [OVER.value] * 5 + [SENT.value] * 5
    assert len(os.listdir(mails)) == 5  # noqa: PTH208
