"""The commands about one-time codes, as machines send them and as their models take them."""

from parsec.data.ids import AccessToken, TOTPOpaqueKeyID, UserID
from parsec.protocol import totp as wire
from parsec.server.rules.administration import Objected
from parsec.server.service import administration
from parsec.server.service import totp as service
from tests.server.machines.model_totp import TotpModel
from tests.server.machines.serial import Asked, Told, told
from tests.server.machines.stage import Story, answer

NOBODY = "Nobody"
_NOBODY = UserID(b"nobody is that !")


class TotpRequests:
    """Those of the people of a story, of anybody, and of the administration."""

    def __init__(self, story: Story) -> None:
        self.story = story

    # --- Set-up ---

    def get_secret(self, author: str, server: int) -> Asked[TotpModel]:
        return Asked(
            ("get secret", author),
            lambda model, seen: model.get_secret(author, seen),
            lambda: answer(
                service.totp_setup_get_secret(
                    self.story.device(author, server), wire.TotpSetupGetSecret()
                )
            ),
        )

    def get_secret_with(self, name: str, token: AccessToken, server: int) -> Asked[TotpModel]:
        now = self.story.at(server)
        request = wire.AnonymousTotpSetupGetSecret(user_id=self._id(name), token=token)
        return Asked(
            ("get secret with", name, token, now),
            lambda model, seen: model.get_secret_with(name, token, now, seen),
            lambda: answer(
                service.anonymous_totp_setup_get_secret(self.story.anybody(server), request)
            ),
        )

    def confirm(self, author: str, code: str, server: int) -> Asked[TotpModel]:
        now = self.story.at(server)
        request = wire.TotpSetupConfirm(one_time_password=code)
        return Asked(
            ("confirm", author, code, now),
            lambda model, _: model.confirm(author, code, now),
            lambda: answer(service.totp_setup_confirm(self.story.device(author, server), request)),
        )

    def confirm_with(
        self, name: str, token: AccessToken, code: str, server: int
    ) -> Asked[TotpModel]:
        now = self.story.at(server)
        request = wire.AnonymousTotpSetupConfirm(
            user_id=self._id(name), token=token, one_time_password=code
        )
        return Asked(
            ("confirm with", name, token, code, now),
            lambda model, _: model.confirm_with(name, token, code, now),
            lambda: answer(
                service.anonymous_totp_setup_confirm(self.story.anybody(server), request)
            ),
        )

    # --- The administration ---

    def reset(self, name: str, server: int) -> Asked[TotpModel]:
        now = self.story.at(server)
        return Asked(
            ("reset", name, now),
            lambda model, seen: model.reset(name, now, seen),
            lambda: self._reset(name, server),
        )

    async def _reset(self, name: str, server: int) -> Told:
        try:
            reset = await administration.reset_totp(
                self.story.administration(server),
                self.story.organization_id,
                user_id=self.story.members[name].user_id,
                user_email=None,
                send_email=False,
            )
        except Objected as objected:
            return told(objected.objection.name.lower())
        return told("ok", token=reset.address.token)

    def freeze(self, name: str, server: int, *, frozen: bool) -> Asked[TotpModel]:
        return Asked(
            ("freeze", name, frozen),
            lambda model, _: model.freeze(name, frozen=frozen),
            lambda: self.story.freeze(name, server, frozen=frozen),
        )

    # --- Keys ---

    def create_key(self, author: str, server: int) -> Asked[TotpModel]:
        return Asked(
            ("create key", author),
            lambda model, seen: model.create_key(author, seen),
            lambda: answer(
                service.totp_create_opaque_key(
                    self.story.device(author, server), wire.TotpCreateOpaqueKey()
                )
            ),
        )

    def fetch(self, name: str, key_id: TOTPOpaqueKeyID, code: str, server: int) -> Asked[TotpModel]:
        now = self.story.at(server)
        request = wire.TotpFetchOpaqueKey(
            user_id=self._id(name), opaque_key_id=key_id, one_time_password=code
        )
        return Asked(
            ("fetch", name, key_id, code, now),
            lambda model, _: model.fetch(name, key_id, code, now),
            lambda: answer(service.totp_fetch_opaque_key(self.story.anybody(server), request)),
        )

    def _id(self, name: str) -> UserID:
        return _NOBODY if name == NOBODY else self.story.members[name].user_id
