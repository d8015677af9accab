"""A recipient gives shares to whoever recovers an account."""

from dataclasses import dataclass
from typing import Any

import pytest

from parsec.client.flows import invite
from parsec.client.flows.greeting import Channel, InvitationEnded, InvitationUsed
from parsec.client.step import Flow
from parsec.crypto.entropy import system_entropy
from parsec.crypto.keys import SecretKey
from parsec.data.greeting import InviteShamirRecoveryData
from parsec.data.ids import GreetingAttemptID
from parsec.protocol import greeting as wire
from parsec.protocol.statuses import GreeterOrClaimer
from tests.support.flows import Clock, carry_out

KEY = SecretKey(bytes(32))


@dataclass
class EndingLine:
    """A line to a claimer who asks, and an invitation that ends before the claimer acknowledges."""

    end: InvitationEnded
    side: GreeterOrClaimer = GreeterOrClaimer.GREETER

    def start(self) -> Flow[GreetingAttemptID]:
        raise NotImplementedError

    def look(self, attempt: GreetingAttemptID, step: Any) -> Flow[Any]:
        yield from ()
        if not isinstance(step, wire.GreeterStep6GetPayload):
            raise self.end
        wish = InviteShamirRecoveryData().encrypt(KEY, system_entropy)
        return wire.ClaimerStep6SendPayload(claimer_payload=wish)

    def cancel(self, attempt: GreetingAttemptID, reason: Any) -> Flow[None]:
        yield from ()


def _give(end: InvitationEnded) -> None:
    channel = Channel(
        line=EndingLine(end), attempt=GreetingAttemptID(bytes(16)), key=KEY, means=Clock().means()
    )
    carry_out(invite._greet_shamir_recovery(channel, []), lambda _: None)


def test_a_recovered_device_may_complete_the_invitation_first() -> None:
    _give(InvitationUsed("Invitation already used"))


def test_a_cancelled_invitation_is_a_failure() -> None:
    with pytest.raises(InvitationEnded):
        _give(InvitationEnded("Invitation cancelled"))
