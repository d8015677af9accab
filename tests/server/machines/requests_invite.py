"""The commands about invitations, as machines send them and as their models take them."""

from typing import Any

from parsec.data.ids import AccessToken
from parsec.data.people import EmailAddress
from parsec.protocol import invite as wire
from parsec.server.service import invite as service
from tests.server.machines.model_invite import Invitations
from tests.server.machines.serial import Asked, Told, told
from tests.server.machines.stage import Story, answer


class InviteRequests:
    """Those of the people of a story. Each is dated when it is made."""

    def __init__(self, story: Story) -> None:
        self.story = story

    def new_user(self, author: str, email: str, server: int) -> Asked[Invitations]:
        now = self.story.at(server)
        request = wire.InviteNewUser(claimer_email=EmailAddress(email), send_email=False)
        return Asked(
            ("invite user", author, email, now),
            lambda model, seen: model.new_user(author, email, now, seen),
            lambda: answer(service.invite_new_user(self.story.device(author, server), request)),
        )

    def new_device(self, author: str, server: int) -> Asked[Invitations]:
        now = self.story.at(server)
        request = wire.InviteNewDevice(send_email=False)
        return Asked(
            ("invite device", author, now),
            lambda model, seen: model.new_device(author, now, seen),
            lambda: answer(service.invite_new_device(self.story.device(author, server), request)),
        )

    def new_shamir(self, author: str, claimer: str, server: int) -> Asked[Invitations]:
        now = self.story.at(server)
        request = wire.InviteNewShamirRecovery(
            claimer_user_id=self.story.members[claimer].user_id, send_email=False
        )
        return Asked(
            ("invite shamir", author, claimer, now),
            lambda model, seen: model.new_shamir(author, claimer, now, seen),
            lambda: answer(
                service.invite_new_shamir_recovery(self.story.device(author, server), request)
            ),
        )

    def cancel(self, author: str, token: AccessToken, server: int) -> Asked[Invitations]:
        now = self.story.at(server)
        request = wire.InviteCancel(token=token)
        return Asked(
            ("cancel", author, token, now),
            lambda model, _: model.cancel(author, token, now),
            lambda: answer(service.invite_cancel(self.story.device(author, server), request)),
        )

    def complete(self, author: str, token: AccessToken, server: int) -> Asked[Invitations]:
        now = self.story.at(server)
        request = wire.InviteComplete(token=token)
        return Asked(
            ("complete", author, token, now),
            lambda model, _: model.complete(author, token, now),
            lambda: answer(service.invite_complete(self.story.device(author, server), request)),
        )

    # --- What is shown, with the names of the model for people ---

    def list(self, author: str, server: int) -> Asked[Invitations]:
        now = self.story.at(server)
        return Asked(
            ("list", author, now),
            lambda model, _: model.listed(author, now),
            lambda: self._listed(author, server),
        )

    async def _listed(self, author: str, server: int) -> Told:
        context = self.story.device(author, server)
        status, fields = await answer(service.invite_list(context, wire.InviteList()))
        if status != "ok":
            return status, fields
        found = fields["invitations"]
        dates = [one.created_on for one in found]
        assert dates == sorted(dates), "not by date"
        items = [self._item(one) for one in found]
        return told("ok", invitations=sorted(items, key=lambda one: one["token"]))

    def _item(self, one: wire.InviteListItem) -> dict[str, Any]:
        item: dict[str, Any] = {
            "type": one.__struct_config__.tag,
            "token": one.token,
            "created_on": one.created_on,
            "created_by": self._creator(one.created_by),
            "status": one.status,
            "email": None,
            "claimer": None,
            "setup": None,
        }
        match one:
            case wire.InviteListItemUser():
                item["email"] = one.claimer_email
            case wire.InviteListItemShamirRecovery():
                item["claimer"] = self.story.name_of(one.claimer_user_id)
                item["setup"] = one.shamir_recovery_created_on
            case wire.InviteListItemDevice():
                pass
        return item

    def info(self, token: AccessToken, server: int) -> Asked[Invitations]:
        now = self.story.at(server)
        return Asked(
            ("info", token, now),
            lambda model, _: model.info(token, now),
            lambda: self._informed(token, server),
        )

    async def _informed(self, token: AccessToken, server: int) -> Told:
        context = self.story.claimer(token, server)
        status, fields = await answer(service.invite_info(context, wire.InviteInfo()))
        if status != "ok":
            return status, fields
        shown = told("ok", type=fields["type"], created_by=self._creator(fields["created_by"]))
        match fields["type"]:
            case "USER":
                shown[1]["email"] = fields["claimer_email"]
                shown[1]["greeters"] = [
                    (self.story.name_of(one.user_id), one.last_greeting_attempt_joined_on)
                    for one in fields["administrators"]
                ]
            case "DEVICE":
                shown[1]["claimer"] = self.story.name_of(fields["claimer_user_id"])
            case _:
                shown[1]["claimer"] = self.story.name_of(fields["claimer_user_id"])
                shown[1]["setup"] = fields["shamir_recovery_created_on"]
                shown[1]["threshold"] = fields["threshold"]
                shown[1]["recipients"] = [
                    (self.story.name_of(one.user_id), one.shares, one.revoked_on)
                    for one in fields["recipients"]
                ]
        return shown

    def _creator(self, by: wire.InvitationCreatedBy) -> str:
        assert isinstance(by, wire.InvitationCreatedByUser)
        return self.story.name_of(by.user_id)
