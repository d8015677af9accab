"""Commands of every family to a server in process, and the states that people get into there."""

from dataclasses import dataclass, replace
from typing import Any

import msgspec

from parsec.crypto.entropy import system_entropy
from parsec.crypto.keys import SigningKey
from parsec.crypto.totp import accepted_codes, time_step, totp_code
from parsec.data.address import TOTPResetAddr
from parsec.data.certificates import (
    ShamirRecoveryBriefCertificate,
    ShamirRecoveryDeletionCertificate,
    ShamirRecoveryShareCertificate,
    UserUpdateCertificate,
)
from parsec.data.ids import AccessToken, DeviceID, TOTPOpaqueKeyID, UserID
from parsec.data.instant import Instant
from parsec.data.people import EmailAddress, UserProfile
from parsec.protocol import invite, totp
from parsec.protocol.authentication import invitation_authorization
from parsec.protocol.command import Reply, Request, dump_request, load_reply
from parsec.protocol.device import DeviceCreate
from parsec.protocol.shamir import ShamirRecoveryDelete, ShamirRecoverySetup
from parsec.protocol.statuses import Ok
from parsec.protocol.user import UserUpdate
from tests.support.asgi import Answer, request
from tests.support.newcomers import papers
from tests.support.server_app import MSGPACK, Device, ServerApp

REVEAL_TOKEN = AccessToken(b"reveal token !!!")


async def anonymous(server: ServerApp, command: Request[Any], organization: str = "Org") -> Answer:
    return await request(
        server.app, "POST", f"/anonymous/{organization}", MSGPACK, dump_request(command)
    )


async def invited(
    server: ServerApp, token: AccessToken, command: Request[Any], organization: str = "Org"
) -> Answer:
    headers = MSGPACK | {"Authorization": invitation_authorization(token)}
    return await request(
        server.app, "POST", f"/invited/{organization}", headers, dump_request(command)
    )


def reply(command: Request[Any], answer: Answer) -> Reply:
    """What the server replied to a command that it took."""
    assert answer.status == 200, answer
    found = load_reply(type(command), answer.body)
    assert isinstance(found, Reply)
    return found


# --- Users ---


async def change_profile(
    server: ServerApp, author: Device, user_id: UserID, profile: UserProfile
) -> Reply:
    certificate = UserUpdateCertificate(
        author=author.device_id, timestamp=server.clock(), user_id=user_id, new_profile=profile
    )
    return await server.reply(
        author, UserUpdate(user_update_certificate=certificate.sign(author.key))
    )


async def freeze(server: ServerApp, device: Device, *, frozen: bool = True) -> None:
    answer = await server.admin(
        "POST",
        f"organizations/{device.organization}/users/freeze",
        {"user_id": device.user_id.hex(), "frozen": frozen},
    )
    assert answer.status == 200, answer


async def add_device(server: ServerApp, device: Device) -> Device:
    """Another device of the same user."""
    other = replace(
        device,
        device_id=DeviceID.generate(system_entropy),
        key=SigningKey.generate(system_entropy),
    )
    made = papers(other, author=device.device_id, timestamp=server.clock()).signed(device.key)
    command = DeviceCreate(
        device_certificate=made["device_certificate"],
        redacted_device_certificate=made["redacted_device_certificate"],
    )
    assert await server.reply(device, command) == Ok()
    return other


# --- Invitations ---


async def invite_user(
    server: ServerApp, author: Device, email: str = "zack@example.com"
) -> AccessToken:
    command = invite.InviteNewUser(claimer_email=EmailAddress(email), send_email=False)
    made = await server.reply(author, command)
    assert isinstance(made, invite.InviteNewUserOk)
    return made.token


async def invite_device(server: ServerApp, author: Device) -> AccessToken:
    made = await server.reply(author, invite.InviteNewDevice(send_email=False))
    assert isinstance(made, invite.InviteNewDeviceOk)
    return made.token


async def invite_recovery(server: ServerApp, author: Device, claimer: Device) -> AccessToken:
    command = invite.InviteNewShamirRecovery(claimer_user_id=claimer.user_id, send_email=False)
    made = await server.reply(author, command)
    assert isinstance(made, invite.InviteNewShamirRecoveryOk)
    return made.token


# --- Shared recovery ---


@dataclass(kw_only=True)
class Recovery:
    """The certificates of a set-up, before they are signed; tests change what they like."""

    owner: Device
    brief: ShamirRecoveryBriefCertificate
    shares: list[ShamirRecoveryShareCertificate]
    key: SigningKey
    reveal_token: AccessToken = REVEAL_TOKEN

    @property
    def command(self) -> ShamirRecoverySetup:
        return ShamirRecoverySetup(
            ciphered_data=b"the device",
            reveal_token=self.reveal_token,
            shamir_recovery_brief_certificate=self.brief.sign(self.key),
            shamir_recovery_share_certificates=[share.sign(self.key) for share in self.shares],
        )

    def date(self, timestamp: Instant) -> None:
        """Give all certificates that date."""
        self.brief = msgspec.structs.replace(self.brief, timestamp=timestamp)
        self.shares = [msgspec.structs.replace(one, timestamp=timestamp) for one in self.shares]

    def deletion(self, timestamp: Instant) -> ShamirRecoveryDeletionCertificate:
        return ShamirRecoveryDeletionCertificate(
            author=self.owner.device_id,
            timestamp=timestamp,
            setup_to_delete_timestamp=self.brief.timestamp,
            setup_to_delete_user_id=self.owner.user_id,
            share_recipients=frozenset(self.brief.per_recipient_shares),
        )


def recovery(server: ServerApp, owner: Device, *recipients: Device) -> Recovery:
    """A set-up that nobody has sent yet, with one share for each recipient."""
    now = server.clock()
    return Recovery(
        owner=owner,
        brief=ShamirRecoveryBriefCertificate(
            author=owner.device_id,
            timestamp=now,
            user_id=owner.user_id,
            threshold=1,
            per_recipient_shares={one.user_id: 1 for one in recipients},
        ),
        shares=[
            ShamirRecoveryShareCertificate(
                author=owner.device_id,
                timestamp=now,
                user_id=owner.user_id,
                recipient=one.user_id,
                ciphered_share=b"share",
            )
            for one in recipients
        ],
        key=owner.key,
    )


async def set_up_recovery(server: ServerApp, owner: Device, *recipients: Device) -> Recovery:
    made = recovery(server, owner, *recipients)
    assert await server.reply(owner, made.command) == Ok()
    return made


async def delete_recovery(server: ServerApp, made: Recovery) -> Reply:
    certificate = made.deletion(server.clock()).sign(made.owner.key)
    return await server.reply(
        made.owner, ShamirRecoveryDelete(shamir_recovery_deletion_certificate=certificate)
    )


# --- One-time codes ---


@dataclass(kw_only=True)
class Codes:
    """A user's authenticator app, and who asks for the user's keys."""

    server: ServerApp
    device: Device
    secret: bytes = b""

    def code(self, *, steps: int = 0) -> str:
        return totp_code(self.secret, time_step(self.server.clock.now) + steps)

    def wrong_code(self) -> str:
        accepted = accepted_codes(self.secret, self.server.clock.now)
        return next(
            code for code in ("000000", "000001", "000002", "000003") if code not in accepted
        )

    async def set_up(self) -> None:
        self.secret = await self.ask_secret()
        assert await self.confirm() == Ok()

    async def ask_secret(self) -> bytes:
        made = await self.server.reply(self.device, totp.TotpSetupGetSecret())
        assert isinstance(made, totp.TotpSetupGetSecretOk)
        return made.totp_secret

    async def confirm(self, code: str | None = None) -> Reply:
        typed = self.code() if code is None else code
        return await self.server.reply(self.device, totp.TotpSetupConfirm(one_time_password=typed))

    async def create_key(self) -> TOTPOpaqueKeyID:
        made = await self.server.reply(self.device, totp.TotpCreateOpaqueKey())
        assert isinstance(made, totp.TotpCreateOpaqueKeyOk)
        return made.opaque_key_id

    async def fetch(self, key: TOTPOpaqueKeyID, code: str) -> Reply:
        command = totp.TotpFetchOpaqueKey(
            user_id=self.device.user_id, opaque_key_id=key, one_time_password=code
        )
        answer = await anonymous(self.server, command, self.device.organization)
        return reply(command, answer)

    async def reset(self) -> AccessToken:
        """What the administration does; the token of the link."""
        answer = await self.server.admin(
            "POST",
            f"organizations/{self.device.organization}/users/reset_totp",
            {"user_id": self.device.user_id.hex()},
        )
        assert answer.status == 200, answer
        return TOTPResetAddr.parse(answer.json["totp_reset_url"]).token

    async def ask_secret_with(self, token: AccessToken) -> Reply:
        command = totp.AnonymousTotpSetupGetSecret(user_id=self.device.user_id, token=token)
        found = reply(command, await anonymous(self.server, command, self.device.organization))
        if isinstance(found, totp.AnonymousTotpSetupGetSecretOk):
            self.secret = found.totp_secret
        return found

    async def confirm_with(self, token: AccessToken, code: str | None = None) -> Reply:
        typed = self.code() if code is None else code
        command = totp.AnonymousTotpSetupConfirm(
            user_id=self.device.user_id, token=token, one_time_password=typed
        )
        return reply(command, await anonymous(self.server, command, self.device.organization))

    def wait(self, seconds: float) -> None:
        self.server.clock.now = self.server.clock.now.plus(seconds=seconds)
