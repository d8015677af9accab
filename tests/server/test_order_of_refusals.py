"""Of several reasons to refuse a command, the first one is told (server-core.md 5 to 13).

Each class below is a command that is right until something is done wrong; its methods do so, and
`order` lists them with the replies that they deserve, in the order in which they are checked.
"""

import inspect
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import msgspec
import pytest

from parsec.crypto.entropy import system_entropy
from parsec.crypto.keys import PublicKey, SigningKey
from parsec.data.certificates import Certificate, RevokedUserCertificate, UserUpdateCertificate
from parsec.data.ids import AccessToken, DeviceID, GreetingAttemptID, UserID
from parsec.data.people import EmailAddress, UserProfile
from parsec.protocol import greeting, invite, totp
from parsec.protocol.authentication import invitation_authorization
from parsec.protocol.command import Request, dump_request, reply_status
from parsec.protocol.device import DeviceCreate
from parsec.protocol.organization import OrganizationBootstrap
from parsec.protocol.shamir import InviteShamirRecoveryReveal, ShamirRecoveryDelete
from parsec.protocol.statuses import CancelledGreetingAttemptReason
from parsec.protocol.tos import TosAccept
from parsec.protocol.user import UserCreate, UserRevoke, UserUpdate
from tests.support.asgi import Answer, request
from tests.support.newcomers import Newcomer, Papers, newcomer, papers
from tests.support.server_app import MSGPACK, Device, ServerApp, server_app
from tests.support.server_calls import (
    REVEAL_TOKEN,
    Codes,
    change_profile,
    delete_recovery,
    freeze,
    invite_device,
    invite_recovery,
    invite_user,
    recovery,
    reply,
    set_up_recovery,
)

OTHER_KEY = SigningKey(bytes(32))
NOBODY = UserID(bytes(16))
TOO_OLD = -400
MANUALLY = CancelledGreetingAttemptReason.MANUALLY_CANCELLED


class Draft:
    """A command by an administrator, in an organization of hers and Bob's."""

    order: ClassVar[Sequence[tuple[str, str]]]
    impossible: ClassVar[Sequence[frozenset[str]]] = ()
    """Which of them cannot be done wrong together."""

    def __init__(self, server: ServerApp, alice: Device, bob: Device) -> None:
        self.server = server
        self.alice = alice
        self.bob = bob
        self.author = alice
        self.organization = alice.organization

    async def prepare(self) -> None:
        """What must have happened before."""

    def command(self) -> Request[Any]:
        raise NotImplementedError

    async def send(self) -> str:
        """The status of the reply, or that of HTTP."""
        command = self.command()
        return _status(command, await self.answer(command))

    async def answer(self, command: Request[Any]) -> Answer:
        return await self.server.send(self.author, command)

    async def not_an_administrator(self) -> None:
        await change_profile(self.server, self.alice, self.bob.user_id, UserProfile.STANDARD)
        self.author = self.bob


def _status(command: Request[Any], answer: Answer) -> str:
    if answer.status != 200:
        return str(answer.status)
    return reply_status(type(reply(command, answer)))


# --- Organizations, users, devices ---


class Enrollment(Draft):
    """Four certificates."""

    papers: Papers
    key: SigningKey

    def wrong_signature(self) -> None:
        self.key = OTHER_KEY

    def dates_differ(self) -> None:
        moved = self.papers.device.timestamp.plus(microseconds=1)
        self.papers = self.papers.but("device", "redacted_device", timestamp=moved)

    def too_old(self) -> None:
        for one in ("user", "device"):
            old = getattr(self.papers, one).timestamp.plus(seconds=TOO_OLD)
            self.papers = self.papers.but(one, f"redacted_{one}", timestamp=old)

    def another_users_device(self) -> None:
        self.papers = self.papers.but("device", "redacted_device", user_id=NOBODY)

    def user_not_redacted(self) -> None:
        self.papers = self.papers.but("redacted_user", human_handle=self.papers.user.human_handle)

    def device_not_redacted(self) -> None:
        self.papers = self.papers.but(
            "redacted_device", device_label=self.papers.device.device_label
        )


class Bootstrap(Enrollment):
    order = (
        ("wrong_signature", "invalid_certificate"),
        ("not_as_administrator", "invalid_certificate"),
        ("dates_differ", "invalid_certificate"),
        ("another_users_device", "invalid_certificate"),
        ("too_old", "timestamp_out_of_ballpark"),
        ("user_not_redacted", "invalid_certificate"),
        ("device_not_redacted", "invalid_certificate"),
        ("bootstrapped", "organization_already_bootstrapped"),
        ("wrong_token", "invalid_bootstrap_token"),
    )

    async def prepare(self) -> None:
        self.named = f"New-{self.organization}"
        self.token = (await self.server.create(self.named)).token
        self.root = self.key = SigningKey.generate(system_entropy)
        person = newcomer("carol", UserProfile.ADMIN)
        self.papers = papers(person, author=None, timestamp=self.server.clock())

    def command(self) -> OrganizationBootstrap:
        return OrganizationBootstrap(
            bootstrap_token=self.token,
            root_verify_key=self.root.verify_key,
            sequester_authority_certificate=None,
            **self.papers.signed(self.key),
        )

    async def answer(self, command: Request[Any]) -> Answer:
        target = f"/anonymous/{self.named}"
        return await request(self.server.app, "POST", target, MSGPACK, dump_request(command))

    def not_as_administrator(self) -> None:
        self.papers = self.papers.but("user", "redacted_user", profile=UserProfile.STANDARD)

    async def bootstrapped(self) -> None:
        self.named = self.organization

    def wrong_token(self) -> None:
        self.token = AccessToken(bytes(16))


class UserCreation(Enrollment):
    order = (
        ("not_an_administrator", "author_not_allowed"),
        ("wrong_signature", "invalid_certificate"),
        ("dates_differ", "invalid_certificate"),
        ("too_old", "timestamp_out_of_ballpark"),
        ("another_users_device", "invalid_certificate"),
        ("user_not_redacted", "invalid_certificate"),
        ("device_not_redacted", "invalid_certificate"),
        ("not_later", "require_greater_timestamp"),
        ("address_taken", "human_handle_already_taken"),
        ("too_many_users", "active_users_limit_reached"),
        ("user_exists", "user_already_exists"),
    )

    async def prepare(self) -> None:
        self.key = self.alice.key
        self.papers = papers(
            newcomer("carol"), author=self.alice.device_id, timestamp=self.server.clock()
        )

    def command(self) -> UserCreate:
        return UserCreate(**self.papers.signed(self.key))

    def not_later(self) -> None:
        earlier = self.papers.user.timestamp.plus(seconds=-60)
        self.papers = self.papers.but(timestamp=earlier)

    def address_taken(self) -> None:
        taken = self.bob.handle
        self.papers = self.papers.but("user", human_handle=taken)
        if self.papers.redacted_user.human_handle is not None:
            self.papers = self.papers.but("redacted_user", human_handle=taken)

    async def too_many_users(self) -> None:
        await self.server.admin(
            "PATCH", f"organizations/{self.organization}", {"active_users_limit": 2}
        )

    def user_exists(self) -> None:
        self.papers = self.papers.but(user_id=self.bob.user_id)


class DeviceCreation(Enrollment):
    order = (
        ("wrong_signature", "invalid_certificate"),
        ("too_old", "timestamp_out_of_ballpark"),
        ("another_users_device", "invalid_certificate"),
        ("device_not_redacted", "invalid_certificate"),
        ("not_later", "require_greater_timestamp"),
        ("device_exists", "device_already_exists"),
    )

    async def prepare(self) -> None:
        self.key = self.alice.key
        person: Newcomer = replace(self.alice, device_id=DeviceID.generate(system_entropy))
        self.papers = papers(person, author=self.alice.device_id, timestamp=self.server.clock())

    def command(self) -> DeviceCreate:
        signed = self.papers.signed(self.key)
        return DeviceCreate(
            device_certificate=signed["device_certificate"],
            redacted_device_certificate=signed["redacted_device_certificate"],
        )

    def not_later(self) -> None:
        earlier = self.papers.device.timestamp.plus(seconds=-60)
        self.papers = self.papers.but(timestamp=earlier)

    def device_exists(self) -> None:
        self.papers = self.papers.but("device", "redacted_device", device_id=self.bob.device_id)


class AboutSomebody(Draft):
    """One certificate about another user."""

    certificate: Any

    async def prepare(self) -> None:
        self.carl = await self.server.add_user(self.alice, "carl")
        self.key = self.alice.key
        self.certificate = self.make()

    def make(self) -> Certificate:
        raise NotImplementedError

    def change(self, **fields: Any) -> None:
        self.certificate = msgspec.structs.replace(self.certificate, **fields)

    def wrong_signature(self) -> None:
        self.key = OTHER_KEY

    def too_old(self) -> None:
        self.change(timestamp=self.certificate.timestamp.plus(seconds=TOO_OLD))

    def oneself(self) -> None:
        self.change(user_id=self.alice.user_id)

    def unknown(self) -> None:
        self.change(user_id=NOBODY)

    async def revoked(self) -> None:
        await self.server.revoke(self.alice, self.carl.user_id)

    def not_later(self) -> None:
        self.change(timestamp=self.certificate.timestamp.plus(seconds=-60))


class Update(AboutSomebody):
    order = (
        ("not_an_administrator", "author_not_allowed"),
        ("wrong_signature", "invalid_certificate"),
        ("too_old", "timestamp_out_of_ballpark"),
        ("oneself", "invalid_certificate"),
        ("unknown", "user_not_found"),
        ("revoked", "user_revoked"),
        ("nothing_new", "user_no_changes"),
        ("not_later", "require_greater_timestamp"),
    )

    def make(self) -> UserUpdateCertificate:
        return UserUpdateCertificate(
            author=self.alice.device_id,
            timestamp=self.server.clock(),
            user_id=self.carl.user_id,
            new_profile=UserProfile.OUTSIDER,
        )

    def command(self) -> UserUpdate:
        return UserUpdate(user_update_certificate=self.certificate.sign(self.key))

    def nothing_new(self) -> None:
        self.change(new_profile=UserProfile.STANDARD)


class Revocation(AboutSomebody):
    order = (
        ("not_an_administrator", "author_not_allowed"),
        ("wrong_signature", "invalid_certificate"),
        ("too_old", "timestamp_out_of_ballpark"),
        ("oneself", "invalid_certificate"),
        ("unknown", "user_not_found"),
        ("revoked", "user_already_revoked"),
        ("not_later", "require_greater_timestamp"),
    )

    def make(self) -> RevokedUserCertificate:
        return RevokedUserCertificate(
            author=self.alice.device_id,
            timestamp=self.server.clock(),
            user_id=self.carl.user_id,
        )

    def command(self) -> UserRevoke:
        return UserRevoke(revoked_user_certificate=self.certificate.sign(self.key))


# --- Invitations ---


class UserInvitation(Draft):
    order = (
        ("not_an_administrator", "author_not_allowed"),
        ("enrolled", "claimer_email_already_enrolled"),
    )
    email = "zack@example.com"

    def command(self) -> invite.InviteNewUser:
        return invite.InviteNewUser(claimer_email=EmailAddress(self.email), send_email=False)

    def enrolled(self) -> None:
        self.email = "bob@example.com"


class RecoveryInvitation(Draft):
    order = (
        ("unknown", "user_not_found"),
        ("revoked", "user_not_found"),
        ("no_recipient", "author_not_allowed"),
    )

    async def prepare(self) -> None:
        self.carl = await self.server.add_user(self.alice, "carl")
        await set_up_recovery(self.server, self.carl, self.alice)
        self.claimer = self.carl.user_id

    def command(self) -> invite.InviteNewShamirRecovery:
        return invite.InviteNewShamirRecovery(claimer_user_id=self.claimer, send_email=False)

    def unknown(self) -> None:
        self.claimer = NOBODY

    async def revoked(self) -> None:
        await self.server.revoke(self.alice, self.carl.user_id)

    def no_recipient(self) -> None:
        self.author = self.bob


class OfInvitation(Draft):
    """A command about an invitation of a user."""

    async def prepare(self) -> None:
        self.token = await invite_user(self.server, self.alice)

    def unknown(self) -> None:
        self.token = AccessToken(bytes(16))

    async def completed(self) -> None:
        await self.server.send(self.alice, invite.InviteComplete(token=self.token))

    async def cancelled(self) -> None:
        await self.server.send(self.alice, invite.InviteCancel(token=self.token))


class Cancellation(OfInvitation):
    order = (
        ("unknown", "invitation_not_found"),
        ("completed", "invitation_completed"),
        ("cancelled", "invitation_already_cancelled"),
        ("not_an_administrator", "author_not_allowed"),
    )
    impossible = (frozenset(["completed", "cancelled"]),)

    def command(self) -> invite.InviteCancel:
        return invite.InviteCancel(token=self.token)


class Completion(OfInvitation):
    order = (
        ("unknown", "invitation_not_found"),
        ("completed", "invitation_already_completed"),
        ("cancelled", "invitation_cancelled"),
        ("not_an_administrator", "author_not_allowed"),
    )
    impossible = (frozenset(["completed", "cancelled"]),)

    def command(self) -> invite.InviteComplete:
        return invite.InviteComplete(token=self.token)


# --- Greeting ---


class GreeterStart(OfInvitation):
    order = (
        ("unknown", "invitation_not_found"),
        ("completed", "invitation_completed"),
        ("cancelled", "invitation_cancelled"),
        ("not_an_administrator", "author_not_allowed"),
    )
    impossible = (frozenset(["completed", "cancelled"]),)

    def command(self) -> greeting.InviteGreeterStartGreetingAttempt:
        return greeting.InviteGreeterStartGreetingAttempt(token=self.token)


class ByClaimer(Draft):
    """A command by who holds an invitation."""

    token: AccessToken
    version = "5.5"

    async def answer(self, command: Request[Any]) -> Answer:
        headers = MSGPACK | {
            "Authorization": invitation_authorization(self.token),
            "Api-Version": self.version,
        }
        return await request(
            self.server.app, "POST", f"/invited/{self.organization}", headers, dump_request(command)
        )

    def old_revision(self) -> None:
        self.version = "5.1"


class ClaimerStart(ByClaimer):
    # An invitation that ended says nothing of users, whoever is named: the official server would
    # tell of an unknown or revoked greeter first where only the shared recovery was deleted.
    order = (
        ("recovery_deleted", "410"),
        ("unknown_greeter", "greeter_not_found"),
        ("revoked_greeter", "greeter_revoked"),
        ("no_recipient", "greeter_not_allowed"),
    )
    impossible = (frozenset(["revoked_greeter", "no_recipient"]),)

    async def prepare(self) -> None:
        self.carl = await self.server.add_user(self.alice, "carl")
        self.made = await set_up_recovery(self.server, self.carl, self.bob)
        self.token = await invite_recovery(self.server, self.bob, self.carl)
        self.greeter = self.bob.user_id

    def command(self) -> greeting.InviteClaimerStartGreetingAttempt:
        return greeting.InviteClaimerStartGreetingAttempt(greeter=self.greeter)

    async def recovery_deleted(self) -> None:
        await delete_recovery(self.server, self.made)

    def unknown_greeter(self) -> None:
        self.greeter = NOBODY

    async def revoked_greeter(self) -> None:
        await self.server.revoke(self.alice, self.bob.user_id)

    def no_recipient(self) -> None:
        self.greeter = self.alice.user_id


class Attempt(Draft):
    """A greeting between Bob, an administrator, and the holder of an invitation."""

    number = 0
    data = b"k" * 32

    async def prepare(self) -> None:
        self.author = self.bob
        self.token = await invite_user(self.server, self.alice)
        self.attempt = GreetingAttemptID(bytes(16))
        self.is_joined = {"greeter": True, "claimer": True}

    async def begin(self) -> None:
        """Join, as far as nothing was done wrong."""
        if self.is_joined["greeter"]:
            start = greeting.InviteGreeterStartGreetingAttempt(token=self.token)
            made = await self.server.reply(self.bob, start)
            assert isinstance(made, greeting.InviteGreeterStartGreetingAttemptOk)
            self.attempt = made.greeting_attempt
        if self.is_joined["claimer"]:
            claim = greeting.InviteClaimerStartGreetingAttempt(greeter=self.bob.user_id)
            found = reply(claim, await self.claim(claim))
            assert isinstance(found, greeting.InviteClaimerStartGreetingAttemptOk)
            self.attempt = found.greeting_attempt

    async def claim(self, command: Request[Any]) -> Answer:
        headers = MSGPACK | {"Authorization": invitation_authorization(self.token)}
        return await request(
            self.server.app, "POST", f"/invited/{self.organization}", headers, dump_request(command)
        )

    async def unknown(self) -> None:
        self.attempt = GreetingAttemptID(bytes(16))

    async def completed(self) -> None:
        await self.server.reply(self.alice, invite.InviteComplete(token=self.token))

    async def cancelled(self) -> None:
        await self.server.reply(self.alice, invite.InviteCancel(token=self.token))

    async def attempt_cancelled(self) -> None:
        by_greeter = greeting.InviteGreeterCancelGreetingAttempt(
            greeting_attempt=self.attempt, reason=MANUALLY
        )
        by_claimer = greeting.InviteClaimerCancelGreetingAttempt(
            greeting_attempt=self.attempt, reason=MANUALLY
        )
        if self.is_joined["greeter"]:
            await self.server.send(self.bob, by_greeter)
        else:
            await self.claim(by_claimer)

    async def no_more_an_administrator(self) -> None:
        await change_profile(self.server, self.alice, self.bob.user_id, UserProfile.STANDARD)

    async def revoked(self) -> None:
        await self.server.revoke(self.alice, self.bob.user_id)

    async def somebody_elses(self) -> None:
        self.author = self.alice

    async def too_advanced(self) -> None:
        self.number = 1


class GreeterStep(Attempt):
    order = (
        ("old_revision", "422"),
        ("unknown", "greeting_attempt_not_found"),
        ("completed", "invitation_completed"),
        ("cancelled", "invitation_cancelled"),
        ("somebody_elses", "greeting_attempt_not_found"),
        ("no_more_an_administrator", "author_not_allowed"),
        ("attempt_cancelled", "greeting_attempt_cancelled"),
        ("not_joined", "greeting_attempt_not_joined"),
        ("too_advanced", "step_too_advanced"),
    )
    impossible = (frozenset(["completed", "cancelled"]),)
    version = "5.5"

    def command(self) -> greeting.InviteGreeterStep:
        steps: Mapping[int, greeting.GreeterStep] = {
            0: greeting.GreeterStep0WaitPeer(public_key=PublicKey(self.data)),
            1: greeting.GreeterStep1GetHashedNonce(),
        }
        return greeting.InviteGreeterStep(
            greeting_attempt=self.attempt, greeter_step=steps[self.number]
        )

    async def answer(self, command: Request[Any]) -> Answer:
        headers = self.server.headers(self.author) | {"Api-Version": self.version}
        target = f"/authenticated/{self.organization}"
        return await request(self.server.app, "POST", target, headers, dump_request(command))

    async def old_revision(self) -> None:
        self.version = "5.1"

    async def not_joined(self) -> None:
        self.is_joined["greeter"] = False


class GreeterCancel(Attempt):
    order = (
        ("unknown", "greeting_attempt_not_found"),
        ("completed", "invitation_completed"),
        ("cancelled", "invitation_cancelled"),
        ("somebody_elses", "greeting_attempt_not_found"),
        ("no_more_an_administrator", "author_not_allowed"),
        ("attempt_cancelled", "greeting_attempt_already_cancelled"),
        ("not_joined", "greeting_attempt_not_joined"),
    )
    impossible = (frozenset(["completed", "cancelled"]),)

    def command(self) -> greeting.InviteGreeterCancelGreetingAttempt:
        return greeting.InviteGreeterCancelGreetingAttempt(
            greeting_attempt=self.attempt, reason=MANUALLY
        )

    async def not_joined(self) -> None:
        self.is_joined["greeter"] = False


class ClaimerStep(Attempt):
    # Whether the invitation still counts is known before the command is read.
    order = (
        ("completed", "410"),
        ("old_revision", "422"),
        ("unknown", "greeting_attempt_not_found"),
        ("revoked", "greeter_revoked"),
        ("no_more_an_administrator", "greeter_not_allowed"),
        ("attempt_cancelled", "greeting_attempt_cancelled"),
        ("not_joined", "greeting_attempt_not_joined"),
        ("too_advanced", "step_too_advanced"),
    )
    version = "5.5"

    def command(self) -> greeting.InviteClaimerStep:
        steps: Mapping[int, greeting.ClaimerStep] = {
            0: greeting.ClaimerStep0WaitPeer(public_key=PublicKey(self.data)),
            1: greeting.ClaimerStep2GetNonce(),
        }
        return greeting.InviteClaimerStep(
            greeting_attempt=self.attempt, claimer_step=steps[self.number]
        )

    async def answer(self, command: Request[Any]) -> Answer:
        headers = MSGPACK | {
            "Authorization": invitation_authorization(self.token),
            "Api-Version": self.version,
        }
        return await request(
            self.server.app, "POST", f"/invited/{self.organization}", headers, dump_request(command)
        )

    async def old_revision(self) -> None:
        self.version = "5.1"

    async def not_joined(self) -> None:
        self.is_joined["claimer"] = False


class ClaimerCancel(Attempt):
    order = (
        ("completed", "410"),
        ("unknown", "greeting_attempt_not_found"),
        ("revoked", "greeter_revoked"),
        ("no_more_an_administrator", "greeter_not_allowed"),
        ("attempt_cancelled", "greeting_attempt_already_cancelled"),
        ("not_joined", "greeting_attempt_not_joined"),
    )

    def command(self) -> greeting.InviteClaimerCancelGreetingAttempt:
        return greeting.InviteClaimerCancelGreetingAttempt(
            greeting_attempt=self.attempt, reason=MANUALLY
        )

    async def answer(self, command: Request[Any]) -> Answer:
        return await self.claim(command)

    async def not_joined(self) -> None:
        self.is_joined["claimer"] = False


# --- Shared recovery ---


class Setup(Draft):
    order = (
        ("exists", "shamir_recovery_already_exists"),
        ("wrong_signature", "invalid_certificate_brief_corrupted"),
        ("too_old", "timestamp_out_of_ballpark"),
        ("somebody_elses", "invalid_certificate_user_id_must_be_self"),
        ("share_missing", "invalid_certificate_missing_share_for_recipient"),
        ("share_corrupted", "invalid_certificate_share_corrupted"),
        ("share_of_another_date", "invalid_certificate_share_inconsistent_timestamp"),
        ("share_for_somebody_else", "invalid_certificate_share_recipient_not_in_brief"),
        ("two_shares_for_one", "invalid_certificate_duplicate_share_for_recipient"),
        ("share_for_oneself", "invalid_certificate_author_included_as_recipient"),
        ("unknown_recipient", "recipient_not_found"),
        ("revoked_recipient", "revoked_recipient"),
        ("not_later", "require_greater_timestamp"),
    )
    # The second and third share serve for these.
    impossible = (
        frozenset(["share_missing", "share_for_oneself"]),
        frozenset(["two_shares_for_one", "share_for_oneself"]),
        frozenset(["share_missing", "two_shares_for_one"]),
    )

    async def prepare(self) -> None:
        people = [await self.server.add_user(self.alice, name) for name in ("carl", "dora")]
        self.recipients = [self.bob, *people]
        self.made = recovery(self.server, self.alice, *self.recipients)
        self.key_of_first: SigningKey | None = None

    def command(self) -> Request[Any]:
        command = self.made.command
        if self.key_of_first is None:
            return command
        _, *rest = command.shamir_recovery_share_certificates
        forged = self.made.shares[0].sign(self.key_of_first)
        return msgspec.structs.replace(command, shamir_recovery_share_certificates=[forged, *rest])

    def change(self, number: int, **fields: Any) -> None:
        changed = msgspec.structs.replace(self.made.shares[number], **fields)
        self.made.shares[number] = changed

    async def exists(self) -> None:
        now = self.server.clock()
        before = recovery(self.server, self.alice, self.bob)
        await self.server.reply(self.alice, before.command)
        # The dates of what follows are all later still.
        assert before.brief.timestamp > now

    def wrong_signature(self) -> None:
        self.made.key = OTHER_KEY

    def too_old(self) -> None:
        self.made.date(self.made.brief.timestamp.plus(seconds=TOO_OLD))

    def somebody_elses(self) -> None:
        self.made.brief = msgspec.structs.replace(self.made.brief, user_id=self.bob.user_id)

    def share_missing(self) -> None:
        del self.made.shares[2]

    def share_corrupted(self) -> None:
        self.key_of_first = OTHER_KEY

    def share_of_another_date(self) -> None:
        self.change(0, timestamp=self.made.brief.timestamp.plus(seconds=1))

    def share_for_somebody_else(self) -> None:
        self.change(0, recipient=UserID(b"somebody else !!"))

    def two_shares_for_one(self) -> None:
        self.change(2, recipient=self.made.shares[1].recipient)

    def share_for_oneself(self) -> None:
        self._replace_recipient(2, self.alice.user_id)

    def unknown_recipient(self) -> None:
        self._replace_recipient(0, NOBODY)

    async def revoked_recipient(self) -> None:
        await self.server.revoke(self.alice, self.recipients[1].user_id)

    def not_later(self) -> None:
        self.made.date(self.made.brief.timestamp.plus(seconds=-60))

    def _replace_recipient(self, number: int, user_id: UserID) -> None:
        weights = dict(self.made.brief.per_recipient_shares)
        weights.pop(self.recipients[number].user_id)
        weights[user_id] = 1
        self.made.brief = msgspec.structs.replace(self.made.brief, per_recipient_shares=weights)
        if number < len(self.made.shares):
            self.change(number, recipient=user_id)


class Deletion(Draft):
    order = (
        ("wrong_signature", "invalid_certificate_corrupted"),
        ("too_old", "timestamp_out_of_ballpark"),
        ("somebody_elses", "invalid_certificate_user_id_must_be_self"),
        ("unknown", "shamir_recovery_not_found"),
        ("other_recipients", "recipients_mismatch"),
        ("deleted", "shamir_recovery_already_deleted"),
        ("not_later", "require_greater_timestamp"),
    )

    async def prepare(self) -> None:
        self.made = await set_up_recovery(self.server, self.alice, self.bob)
        self.certificate = self.made.deletion(self.server.clock())
        self.key = self.alice.key

    def command(self) -> ShamirRecoveryDelete:
        return ShamirRecoveryDelete(
            shamir_recovery_deletion_certificate=self.certificate.sign(self.key)
        )

    def change(self, **fields: Any) -> None:
        self.certificate = msgspec.structs.replace(self.certificate, **fields)

    def wrong_signature(self) -> None:
        self.key = OTHER_KEY

    def too_old(self) -> None:
        self.change(timestamp=self.certificate.timestamp.plus(seconds=TOO_OLD))

    def somebody_elses(self) -> None:
        self.change(setup_to_delete_user_id=self.bob.user_id)

    def unknown(self) -> None:
        self.change(setup_to_delete_timestamp=self.made.brief.timestamp.plus(seconds=-1))

    def other_recipients(self) -> None:
        self.change(share_recipients=frozenset([NOBODY]))

    async def deleted(self) -> None:
        await delete_recovery(self.server, self.made)

    def not_later(self) -> None:
        self.change(timestamp=self.made.brief.timestamp)


class Reveal(ByClaimer):
    order = (
        ("cancelled", "410"),
        ("for_a_device", "bad_invitation_type"),
        ("wrong_token", "bad_reveal_token"),
    )
    reveal_token = REVEAL_TOKEN

    async def prepare(self) -> None:
        await set_up_recovery(self.server, self.alice, self.bob)
        self.token = await invite_recovery(self.server, self.bob, self.alice)

    def command(self) -> InviteShamirRecoveryReveal:
        return InviteShamirRecoveryReveal(reveal_token=self.reveal_token)

    async def cancelled(self) -> None:
        await self.server.reply(self.alice, invite.InviteCancel(token=self.token))

    async def for_a_device(self) -> None:
        self.token = await invite_device(self.server, self.alice)

    def wrong_token(self) -> None:
        self.reveal_token = AccessToken(bytes(16))


# --- One-time codes, terms of service ---


class Confirmation(Draft):
    order: ClassVar[Sequence[tuple[str, str]]] = (
        ("complete", "already_setup"),
        ("wrong_code", "invalid_one_time_password"),
    )

    async def prepare(self) -> None:
        self.codes = Codes(server=self.server, device=self.alice)
        self.codes.secret = await self.codes.ask_secret()
        self.code = self.codes.code()

    def command(self) -> Request[Any]:
        return totp.TotpSetupConfirm(one_time_password=self.code)

    async def complete(self) -> None:
        await self.codes.confirm(self.codes.code())

    def wrong_code(self) -> None:
        self.code = self.codes.wrong_code()


class ConfirmationByLink(Confirmation):
    order = (
        ("frozen", "bad_token"),
        ("wrong_token", "bad_token"),
        ("complete", "bad_token"),
        ("wrong_code", "invalid_one_time_password"),
    )

    async def prepare(self) -> None:
        self.codes = Codes(server=self.server, device=self.bob)
        self.link = await self.codes.reset()
        await self.codes.ask_secret_with(self.link)
        self.code = self.codes.code()

    def command(self) -> Request[Any]:
        return totp.AnonymousTotpSetupConfirm(
            user_id=self.bob.user_id, token=self.link, one_time_password=self.code
        )

    async def answer(self, command: Request[Any]) -> Answer:
        return await request(
            self.server.app,
            "POST",
            f"/anonymous/{self.organization}",
            MSGPACK,
            dump_request(command),
        )

    async def frozen(self) -> None:
        await freeze(self.server, self.bob)

    def wrong_token(self) -> None:
        self.link = AccessToken(bytes(16))


class Fetching(ConfirmationByLink):
    order = (
        ("frozen", "invalid_one_time_password"),
        ("reset", "invalid_one_time_password"),
        ("waiting", "throttled"),
        ("wrong_code", "invalid_one_time_password"),
    )

    async def prepare(self) -> None:
        self.codes = Codes(server=self.server, device=self.bob)
        await self.codes.set_up()
        self.opaque_key_id = await self.codes.create_key()
        self.code = self.codes.code()

    def command(self) -> Request[Any]:
        return totp.TotpFetchOpaqueKey(
            user_id=self.bob.user_id,
            opaque_key_id=self.opaque_key_id,
            one_time_password=self.code,
        )

    async def reset(self) -> None:
        await self.codes.reset()

    async def waiting(self) -> None:
        await self.codes.fetch(self.opaque_key_id, self.codes.wrong_code())


class Consent(Draft):
    order = (
        ("no_terms", "no_tos"),
        ("of_another_date", "tos_mismatch"),
    )

    async def prepare(self) -> None:
        self.updated_on = self.server.clock()
        await self.server.admin("PATCH", f"organizations/{self.organization}", {"tos": {}})

    def command(self) -> TosAccept:
        return TosAccept(tos_updated_on=self.updated_on)

    async def answer(self, command: Request[Any]) -> Answer:
        headers = self.server.headers(self.alice)
        target = f"/authenticated/{self.organization}/tos"
        return await request(self.server.app, "POST", target, headers, dump_request(command))

    async def no_terms(self) -> None:
        await self.server.admin("PATCH", f"organizations/{self.organization}", {"tos": None})

    def of_another_date(self) -> None:
        self.updated_on = self.updated_on.plus(seconds=1)


DRAFTS: Sequence[type[Draft]] = (
    Bootstrap,
    UserCreation,
    DeviceCreation,
    Update,
    Revocation,
    UserInvitation,
    RecoveryInvitation,
    Cancellation,
    Completion,
    GreeterStart,
    ClaimerStart,
    GreeterStep,
    GreeterCancel,
    ClaimerStep,
    ClaimerCancel,
    Setup,
    Deletion,
    Reveal,
    Confirmation,
    ConfirmationByLink,
    Fetching,
    Consent,
)


@pytest.fixture
async def server() -> AsyncIterator[ServerApp]:
    async with server_app(failed_lookups=None) as made:
        yield made


async def outcome(server: ServerApp, kind: type[Draft], *wrongs: str) -> str:
    """What comes of a command with all these wrongs."""
    alice = await server.bootstrap("-".join(wrongs)[:28])
    bob = await server.add_user(alice, "bob", UserProfile.ADMIN)
    draft = kind(server, alice, bob)
    await draft.prepare()
    joining = [wrong for wrong in wrongs if wrong == "not_joined"]
    others = [wrong for wrong in wrongs if wrong != "not_joined"]
    for wrong in joining:
        await _do(draft, wrong)
    if isinstance(draft, Attempt):
        await draft.begin()
    for wrong in others:
        await _do(draft, wrong)
    return await draft.send()


async def _do(draft: Draft, wrong: str) -> None:
    done = getattr(draft, wrong)()
    if inspect.isawaitable(done):
        await done


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        pytest.param(kind, number, id=f"{kind.__name__}-{wrong}")
        for kind in DRAFTS
        for number, (wrong, _) in enumerate(kind.order)
    ],
)
async def test_the_first_reason_to_refuse_is_told_whatever_the_others_are(
    server: ServerApp, kind: type[Draft], number: int
) -> None:
    first, status = kind.order[number]
    alone = await outcome(server, kind, first)

    told = {
        # What is done last wins where both change the same part of the command.
        second: await outcome(server, kind, second, first)
        for second, _ in kind.order[number + 1 :]
        if frozenset([first, second]) not in kind.impossible
    }

    assert alone == status
    assert told == dict.fromkeys(told, status)
