"""Attacks on the conversation of two people, each of which ends it with nothing given away.

Elsewhere: a man in the middle (`test_chosen_lies`), codes that are not found, nonces that were not
promised (`tests/client/flows/test_greeting.py`), shares of another set-up, too many of them, the
same twice or at zero (`tests/client/flows/test_recover.py`).
"""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from parsec.client.dialogue import GreetingIsAbout
from parsec.client.failure import Cancelled, FlowError
from parsec.client.flows.certificate import poll_certificates
from parsec.client.flows.greeting import GreetingFault, WrongCode, decrypted_payload
from parsec.client.records import NewDevice
from parsec.crypto.entropy import system_entropy
from parsec.crypto.keys import SecretKey
from parsec.data.greeting import InviteShamirRecoveryConfirmation
from parsec.protocol import greeting as wire
from parsec.protocol.command import Reply, dump_reply, load_reply
from parsec.protocol.invite import (
    InviteInfo,
    InviteInfoOkShamirRecovery,
    InviteList,
    InviteListItemShamirRecovery,
    InviteListOk,
)
from parsec.wire.frame import dump_frame
from parsec.wire.msgpack import dump
from tests.support.liar import Forward, Heard, Lie, Said, honest
from tests.support.served import Organization, Place, handle

KEY = SecretKey(bytes(32))


@pytest.fixture
def organization(place: Place) -> Organization:
    built = place.organization()
    built.found()
    return built


def step_of(said: Said, command: str | None) -> Any:
    """The peer's step in an answer, if there is one."""
    if command == "invite_claimer_step":
        reply = load_reply(wire.InviteClaimerStep, said.body)
        return reply.greeter_step if isinstance(reply, wire.InviteClaimerStepOk) else None
    if command == "invite_greeter_step":
        greeted = load_reply(wire.InviteGreeterStep, said.body)
        return greeted.claimer_step if isinstance(greeted, wire.InviteGreeterStepOk) else None
    return None


class Replay:
    """Remembers the steps of one conversation, and answers with one of them in the next."""

    def __init__(self, kind: type[Any]) -> None:
        self._kind = kind
        self._former: Said | None = None
        self.was_told = False

    def remember(self, heard: Heard, forward: Forward) -> Said | None:
        said = forward()
        if isinstance(step_of(said, heard.command), self._kind):
            self._former = said
        return said

    def tell(self, heard: Heard, forward: Forward) -> Said | None:
        said = forward()
        if isinstance(step_of(said, heard.command), self._kind):
            self.was_told = True
            return self._former
        return said


@pytest.mark.parametrize(
    "kind",
    [
        wire.GreeterStep0WaitPeer,
        wire.ClaimerStep0WaitPeer,
        wire.ClaimerStep1SendHashedNonce,
        wire.GreeterStep2SendNonce,
        wire.ClaimerStep3SendNonce,
        wire.ClaimerStep6SendPayload,
        wire.GreeterStep7SendPayload,
    ],
)
def test_what_belongs_to_another_conversation_ends_this_one(
    place: Place, organization: Organization, kind: type[Any]
) -> None:
    """Keys, promises, nonces, payloads: none of them can be used again."""
    replay = Replay(kind)
    first = organization.joining("bob")
    place.liar.tell(replay.remember)
    place.converse(*first)
    second = organization.joining("carol")
    place.liar.tell(replay.tell)

    place.converse(*second)

    place.liar.tell(honest)
    assert replay.was_told
    carol, _ = second
    assert isinstance(carol.error, Cancelled)
    assert not any(isinstance(record, NewDevice) for record in carol.kept)


def test_a_code_of_another_conversation_is_a_wrong_code(
    place: Place, organization: Organization
) -> None:
    replay = Replay(wire.GreeterStep2SendNonce)
    first = organization.joining("bob")
    place.liar.tell(replay.remember)
    place.converse(*first)
    second = organization.joining("carol")
    place.liar.tell(replay.tell)

    place.converse(*second)

    place.liar.tell(honest)
    assert any(isinstance(side.error, WrongCode) for side in second)


# --- Shared recovery ---


def changing(kind: Any, command: str, change: Callable[[Any], Reply]) -> Lie:
    def tell(heard: Heard, forward: Forward) -> Said | None:
        said = forward()
        if heard.command != command:
            return said
        return said.but(body=dump_reply(change(load_reply(kind, said.body))))

    return tell


def test_recipients_who_are_mixed_up_bring_no_other_account_back(
    place: Place, organization: Organization
) -> None:
    """The server calls each by the other's name: the lost person asks for the wrong voice."""
    for name in ("bob", "carol"):
        organization.join(name)
    organization.done(organization.setting_up("alice", "bob", "carol", threshold=2))

    def mix(info: InviteInfoOkShamirRecovery) -> Reply:
        one, other = info.recipients
        mixed = [
            msgspec.structs.replace(one, user_id=other.user_id),
            msgspec.structs.replace(other, user_id=one.user_id),
        ]
        return msgspec.structs.replace(info, recipients=mixed)

    sides = organization.recovering("alice", "bob", "carol")
    place.liar.tell(changing(InviteInfo, "invite_info", mix))

    place.converse(*sides)

    place.liar.tell(honest)
    own = organization.sessions["alice"].device
    made = [record.device for record in sides[0].kept if isinstance(record, NewDevice)]
    assert all(device.private_key == own.private_key for device in made)
    assert made or isinstance(sides[0].error, FlowError)


def test_the_person_is_told_whose_shares_are_given_whatever_the_server_says(
    place: Place, organization: Organization
) -> None:
    """The invitation is Alice's; the server wants Carol's shares for it."""
    for name in ("bob", "carol"):
        organization.join(name)
    organization.done(organization.setting_up("alice", "bob", threshold=1))
    organization.done([place.speaker("carol", poll_certificates(organization.sessions["carol"]))])
    organization.done(organization.setting_up("carol", "bob", threshold=1))
    lost, helper = organization.recovering("alice", "bob")
    bob = organization.sessions["bob"]
    organization.done([place.speaker("bob", poll_certificates(bob))])
    carol = organization.sessions["carol"].device.user_id
    setup = bob.ledger.shamir_setup(carol)
    assert setup is not None

    def as_carol(reply: InviteListOk) -> Reply:
        [item] = [
            msgspec.structs.replace(
                item, claimer_user_id=carol, shamir_recovery_created_on=setup.created_on
            )
            for item in reply.invitations
            if isinstance(item, InviteListItemShamirRecovery)
        ]
        return msgspec.structs.replace(reply, invitations=[item])

    place.liar.tell(changing(InviteList, "invite_list", as_carol))

    place.converse(lost, helper)

    place.liar.tell(honest)
    [about] = [news for news in helper.heard if isinstance(news, GreetingIsAbout)]
    assert str(handle("carol")) == about.whose
    # And to her who is not Carol they are of no use.
    assert not any(isinstance(record, NewDevice) for record in lost.kept)


# --- A peer who sends what is no payload ---


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00",
        dump_frame(b"\x91" * 100_000),
        dump_frame(b"\xdf\xff\xff\xff\xff"),
        dump_frame(bytes(40 * 1024 * 1024)),
        dump_frame(
            dump(
                {"type": "invite_shamir_recovery_confirmation", "weighted_share": [b"\1" * 3] * 300}
            )
        ),
        dump_frame(dump({"type": "invite_device_data"})),
    ],
    ids=["empty", "no frame", "deep", "huge", "bomb", "300 shares", "another payload"],
)
def test_a_payload_that_is_none_is_refused_by_name(content: bytes) -> None:
    ciphertext = KEY.encrypt(content, system_entropy)

    with pytest.raises(GreetingFault, match="cannot be understood"):
        decrypted_payload(ciphertext, KEY, InviteShamirRecoveryConfirmation)
