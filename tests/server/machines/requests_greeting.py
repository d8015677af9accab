"""The commands about greeting attempts, as machines send them and as their models take them."""

from typing import Any

from parsec.crypto.keys import HashDigest, PublicKey
from parsec.data.ids import AccessToken, GreetingAttemptID, UserID
from parsec.protocol import greeting as wire
from parsec.protocol.statuses import CancelledGreetingAttemptReason
from parsec.server.service import greeting as service
from tests.server.machines.model_greeting import Greetings
from tests.server.machines.serial import Asked, Told, told
from tests.server.machines.stage import Story, answer

NOBODY = "Nobody"
_NOBODY = UserID(b"nobody is that !")

# The steps and their only field (server-core.md 9.3).
_GREETER: list[tuple[type[Any], str | None]] = [
    (wire.GreeterStep0WaitPeer, "public_key"),
    (wire.GreeterStep1GetHashedNonce, None),
    (wire.GreeterStep2SendNonce, "greeter_nonce"),
    (wire.GreeterStep3GetNonce, None),
    (wire.GreeterStep4WaitPeerTrust, None),
    (wire.GreeterStep5SignifyTrust, None),
    (wire.GreeterStep6GetPayload, None),
    (wire.GreeterStep7SendPayload, "greeter_payload"),
    (wire.GreeterStep8WaitPeerAcknowledgment, None),
]
_CLAIMER: list[tuple[type[Any], str | None]] = [
    (wire.ClaimerStep0WaitPeer, "public_key"),
    (wire.ClaimerStep1SendHashedNonce, "hashed_nonce"),
    (wire.ClaimerStep2GetNonce, None),
    (wire.ClaimerStep3SendNonce, "claimer_nonce"),
    (wire.ClaimerStep4SignifyTrust, None),
    (wire.ClaimerStep5WaitPeerTrust, None),
    (wire.ClaimerStep6SendPayload, "claimer_payload"),
    (wire.ClaimerStep7GetPayload, None),
    (wire.ClaimerStep8Acknowledge, None),
]
_TYPES: dict[str, Any] = {"public_key": PublicKey, "hashed_nonce": HashDigest}


class GreetingRequests:
    """Those of the greeters and claimers of a story. Each is dated when it is made."""

    def __init__(self, story: Story) -> None:
        self.story = story

    def greeter_starts(self, author: str, token: AccessToken, server: int) -> Asked[Greetings]:
        now = self.story.at(server)
        request = wire.InviteGreeterStartGreetingAttempt(token=token)
        return Asked(
            ("greeter starts", author, token, now),
            lambda model, seen: model.greeter_starts(author, token, now, seen),
            lambda: answer(
                service.invite_greeter_start_greeting_attempt(
                    self.story.device(author, server), request
                )
            ),
        )

    def claimer_starts(self, token: AccessToken, greeter: str, server: int) -> Asked[Greetings]:
        now = self.story.at(server)
        user_id = _NOBODY if greeter == NOBODY else self.story.members[greeter].user_id
        request = wire.InviteClaimerStartGreetingAttempt(greeter=user_id)
        return Asked(
            ("claimer starts", token, greeter, now),
            lambda model, seen: model.claimer_starts(token, greeter, now, seen),
            lambda: answer(
                service.invite_claimer_start_greeting_attempt(
                    self.story.claimer(token, server), request
                )
            ),
        )

    def greeter_takes(
        self, author: str, name: GreetingAttemptID, number: int, variant: int, server: int
    ) -> Asked[Greetings]:
        now = self.story.at(server)
        step, data = _step(_GREETER, number, variant)
        request = wire.InviteGreeterStep(greeting_attempt=name, greeter_step=step)
        return Asked(
            ("greeter takes", author, name, number, variant, now),
            lambda model, seen: model.greeter_takes(author, name, number, data, now, seen),
            lambda: self._greeter_told(author, server, request),
        )

    async def _greeter_told(
        self, author: str, server: int, request: wire.InviteGreeterStep
    ) -> Told:
        context = self.story.device(author, server)
        status, fields = await answer(service.invite_greeter_step(context, request))
        if status != "ok":
            return status, fields
        return told("ok", peer_step=_content(_CLAIMER, fields["claimer_step"]))

    def claimer_takes(
        self,
        token: AccessToken,
        name: GreetingAttemptID,
        number: int,
        variant: int,
        server: int,
    ) -> Asked[Greetings]:
        now = self.story.at(server)
        step, data = _step(_CLAIMER, number, variant)
        request = wire.InviteClaimerStep(greeting_attempt=name, claimer_step=step)
        return Asked(
            ("claimer takes", token, name, number, variant, now),
            lambda model, seen: model.claimer_takes(token, name, number, data, now, seen),
            lambda: self._claimer_told(token, server, request),
        )

    async def _claimer_told(
        self, token: AccessToken, server: int, request: wire.InviteClaimerStep
    ) -> Told:
        context = self.story.claimer(token, server)
        status, fields = await answer(service.invite_claimer_step(context, request))
        if status != "ok":
            return status, fields
        return told("ok", peer_step=_content(_GREETER, fields["greeter_step"]))

    def greeter_cancels(
        self, author: str, name: GreetingAttemptID, reason: str, server: int
    ) -> Asked[Greetings]:
        now = self.story.at(server)
        request = wire.InviteGreeterCancelGreetingAttempt(
            greeting_attempt=name, reason=CancelledGreetingAttemptReason(reason)
        )
        return Asked(
            ("greeter cancels", author, name, reason, now),
            lambda model, seen: model.greeter_cancels(author, name, reason, now, seen),
            lambda: answer(
                service.invite_greeter_cancel_greeting_attempt(
                    self.story.device(author, server), request
                )
            ),
        )

    def claimer_cancels(
        self, token: AccessToken, name: GreetingAttemptID, reason: str, server: int
    ) -> Asked[Greetings]:
        now = self.story.at(server)
        request = wire.InviteClaimerCancelGreetingAttempt(
            greeting_attempt=name, reason=CancelledGreetingAttemptReason(reason)
        )
        return Asked(
            ("claimer cancels", token, name, reason, now),
            lambda model, seen: model.claimer_cancels(token, name, reason, now, seen),
            lambda: answer(
                service.invite_claimer_cancel_greeting_attempt(
                    self.story.claimer(token, server), request
                )
            ),
        )


def _step(
    kinds: list[tuple[type[Any], str | None]], number: int, variant: int
) -> tuple[Any, bytes]:
    """A step, in one of several variants where it carries something, and what that is."""
    kind, field = kinds[number]
    if field is None:
        return kind(), b""
    data = bytes([number, variant]) * 16
    return kind(**{field: _TYPES.get(field, bytes)(data)}), data


def _content(kinds: list[tuple[type[Any], str | None]], step: Any) -> tuple[int, bytes]:
    number = [kind for kind, _ in kinds].index(type(step))
    field = kinds[number][1]
    return number, bytes(getattr(step, field)) if field is not None else b""
