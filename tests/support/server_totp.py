"""A member with one-time codes on a server without HTTP, and how the member and others use them."""

from parsec.crypto.keys import SecretKey
from parsec.crypto.totp import accepted_codes, time_step, totp_code
from parsec.data.ids import AccessToken, TOTPOpaqueKeyID, UserID
from parsec.protocol import totp as wire
from parsec.protocol.command import Reply
from parsec.protocol.statuses import Ok
from parsec.server.service import administration
from parsec.server.service import totp as service
from parsec.server.service.context import AdministrationContext
from tests.support.server_records import sixteen_bytes
from tests.support.server_world import ORGANIZATION, Member, World


def wrong_code(secret: bytes, at_us: int) -> str:
    """A code that none of the accepted time steps has."""
    accepted = accepted_codes(secret, at_us)
    return next(code for code in ("000000", "000001", "000002", "000003") if code not in accepted)


def made_up_key() -> TOTPOpaqueKeyID:
    """A key that nobody created."""
    return TOTPOpaqueKeyID(sixteen_bytes())


class Codes:
    """What a member and its authenticator app do."""

    def __init__(self, place: World, member: Member) -> None:
        self.place = place
        self.member = member
        self.secret = b""

    @property
    def user_id(self) -> UserID:
        return self.member.user_id

    async def begin(self) -> None:
        """Ask for a secret."""
        reply = await service.totp_setup_get_secret(
            self.place.device(self.member), wire.TotpSetupGetSecret()
        )
        assert isinstance(reply, wire.TotpSetupGetSecretOk)
        self.secret = reply.totp_secret

    async def confirm(self, code: str) -> Reply:
        return await service.totp_setup_confirm(
            self.place.device(self.member), wire.TotpSetupConfirm(one_time_password=code)
        )

    async def set_up(self) -> None:
        """The whole set-up."""
        await self.begin()
        assert await self.confirm(self.code()) == Ok()

    async def create_key(self) -> tuple[TOTPOpaqueKeyID, SecretKey]:
        reply = await service.totp_create_opaque_key(
            self.place.device(self.member), wire.TotpCreateOpaqueKey()
        )
        return reply.opaque_key_id, reply.opaque_key

    def code(self, *, steps: int = 0) -> str:
        """What the app shows now, or that many steps later."""
        return totp_code(self.secret, time_step(self.place.now) + steps)

    def wrong_code(self) -> str:
        return wrong_code(self.secret, self.place.now)

    async def fetch(self, key: TOTPOpaqueKeyID, code: str, user_id: UserID | None = None) -> Reply:
        """Anybody may ask for a key."""
        request = wire.TotpFetchOpaqueKey(
            user_id=user_id or self.user_id, opaque_key_id=key, one_time_password=code
        )
        return await service.totp_fetch_opaque_key(self.place.anybody(), request)

    async def reset(self) -> AccessToken:
        """What the administration does; the token of the link."""
        reset = await administration.reset_totp(
            AdministrationContext(server=self.place.server, now=self.place.now),
            ORGANIZATION,
            user_id=self.user_id,
            user_email=None,
            send_email=False,
        )
        return reset.address.token

    async def begin_with(self, token: AccessToken, user_id: UserID | None = None) -> Reply:
        """Ask for a secret with the link of a reset."""
        request = wire.AnonymousTotpSetupGetSecret(user_id=user_id or self.user_id, token=token)
        reply = await service.anonymous_totp_setup_get_secret(self.place.anybody(), request)
        if isinstance(reply, wire.AnonymousTotpSetupGetSecretOk):
            self.secret = reply.totp_secret
        return reply

    async def confirm_with(self, token: AccessToken, code: str) -> Reply:
        request = wire.AnonymousTotpSetupConfirm(
            user_id=self.user_id, token=token, one_time_password=code
        )
        return await service.anonymous_totp_setup_confirm(self.place.anybody(), request)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.place.now = self.place.now.plus(seconds=seconds)
