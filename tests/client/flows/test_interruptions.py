"""Wherever one side of a greeting is interrupted, the other one is not left waiting."""

import itertools
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest

from parsec.client.dialogue import (
    ChooseAdministrator,
    ChooseProfile,
    ChooseProtection,
    ChooseSASCode,
    EnterDeviceLabel,
    EnterHumanHandle,
    GreeterIs,
    OwnCode,
    Peer,
)
from parsec.client.failure import Offline
from parsec.client.flows.certificate import Session
from parsec.client.flows.invite import claim_device, claim_user, greet
from parsec.client.guards.password import PasswordGuard
from parsec.client.protection import ChosenProtection
from parsec.client.rules.certificates import integrate
from parsec.client.step import Flow
from parsec.crypto.entropy import system_entropy
from parsec.data.address import InvitationType
from parsec.data.ids import UserID
from parsec.data.local_device import LocalDevice, first_device
from parsec.data.people import DeviceLabel, EmailAddress, HumanHandle, UserProfile
from parsec.protocol import certificate, greeting, invite, statuses
from parsec.protocol.device import DeviceCreate
from parsec.protocol.server_config import ServerConfig
from parsec.protocol.statuses import CancelledGreetingAttemptReason as Reason
from parsec.protocol.user import UserCreate
from tests.support import certificates
from tests.support.flows import START, Clock, Meeting, NotYet, Side, converse_once
from tests.support.interrupted import Interrupted
from tests.support.lines import ORGANIZATION, SERVER, invitation_addr

_SOON = 100
"""Looks at the peer. Left alone, each side goes on looking for many times as long."""

ALICE = HumanHandle(EmailAddress("alice@example.com"), "Alice")
EVE = HumanHandle(EmailAddress("eve@example.com"), "Eve")


class Encounter:
    """Somebody with an invitation, Alice who greets, and the server between them."""

    def __init__(
        self, kind: InvitationType, administrators: Sequence[str], *, unheard: Peer | None = None
    ) -> None:
        """The code of `unheard` is not found among those shown."""
        self._unheard = unheard
        self.clock = Clock()
        self.addr = invitation_addr(kind)
        self.alice = _alice()
        self.meetings = {certificates.user_id(name): Meeting(self.clock) for name in administrators}

    def converse(self, claim: Flow[Any], greet: Flow[Any]) -> tuple[Side, Side]:
        self.claimer = Side(claim, self._serve, self._answer)
        self.greeter = Side(greet, self._serve, self._answer)
        for _ in range(_SOON):
            converse_once(self.clock, self.claimer, self.greeter)
        return self.claimer, self.greeter

    def claim(self) -> Flow[LocalDevice]:
        means = self.clock.means()
        by = invite.InvitationCreatedByUser(user_id=self.alice.user_id, human_handle=ALICE)
        if self.addr.type is InvitationType.DEVICE:
            info = invite.InviteInfoOkDevice(
                claimer_human_handle=ALICE, claimer_user_id=self.alice.user_id, created_by=by
            )
            return claim_device(self.addr, info, means)
        return claim_user(
            self.addr,
            invite.InviteInfoOkUser(
                administrators=[_administrator(user) for user in self.meetings],
                claimer_email=EVE.email,
                created_by=by,
            ),
            means,
        )

    def greet(self) -> Flow[None]:
        ledger = certificates.empty_ledger()
        first = certificates.answer(
            common=certificates.newcomer("alice", 1, by=None, profile=UserProfile.ADMIN)
        )
        session = Session(self.alice, integrate(ledger, first).ledger, self.clock.means())
        return greet(session, self.addr.token)

    def open_attempts(self, among: set[Any]) -> list[Any]:
        return [
            attempt.attempt_id
            for meeting in self.meetings.values()
            for attempt in meeting.attempts
            if attempt.attempt_id in among and not attempt.cancelled
        ]

    @property
    def reasons(self) -> set[Reason]:
        """Why attempts were cancelled."""
        return {reason for meeting in self.meetings.values() for reason in meeting.cancelled}

    def _serve(self, request: Any) -> Any:
        match request:
            case greeting.InviteClaimerStartGreetingAttempt(greeter=greeter):
                return self.meetings[greeter].answer(request)
            case greeting.InviteGreeterStartGreetingAttempt():
                return self.meetings[self.alice.user_id].answer(request)
            case ServerConfig():
                raise Offline("The server cannot be reached")
            case certificate.CertificateGet():
                return certificates.answer()
            case invite.InviteList():
                return invite.InviteListOk(invitations=[self._item()])
            case UserCreate() | DeviceCreate() | invite.InviteComplete():
                return statuses.Ok()
        return next(
            meeting.answer(request)
            for meeting in self.meetings.values()
            if request.greeting_attempt in {attempt.attempt_id for attempt in meeting.attempts}
        )

    def _item(self) -> invite.InviteListItem:
        by = invite.InvitationCreatedByUser(user_id=self.alice.user_id, human_handle=ALICE)
        status, token = invite.InvitationStatus.PENDING, self.addr.token
        if self.addr.type is InvitationType.DEVICE:
            return invite.InviteListItemDevice(
                created_by=by, created_on=START, status=status, token=token
            )
        return invite.InviteListItemUser(
            claimer_email=EVE.email, created_by=by, created_on=START, status=status, token=token
        )

    def _answer(self, question: Any) -> Any:
        match question:
            case ChooseAdministrator():
                return None
            case ChooseSASCode(peer=peer):
                speaker = self.greeter if peer is Peer.GREETER else self.claimer
                said = [news.code for news in speaker.heard if isinstance(news, OwnCode)]
                if not said:
                    raise NotYet
                return said[0] if peer is not self._unheard else None
            case EnterDeviceLabel():
                return DeviceLabel("phone")
            case EnterHumanHandle():
                return EVE
            case ChooseProfile():
                return UserProfile.STANDARD
            case ChooseProtection():
                return ChosenProtection(PasswordGuard("secret"))
        raise AssertionError(f"unexpected {question!r}")


def _alice() -> LocalDevice:
    return first_device(
        server_url=SERVER,
        organization_id=ORGANIZATION,
        root_verify_key=certificates.signing_key(None).verify_key,
        user_id=certificates.user_id("alice"),
        device_id=certificates.device_id("alice@pc1"),
        human_handle=ALICE,
        device_label=DeviceLabel("pc1"),
        profile=UserProfile.ADMIN,
        signing_key=certificates.signing_key("alice@pc1"),
        private_key=certificates.private_key("alice"),
        entropy=system_entropy,
    )


def _administrator(user: UserID) -> invite.UserGreetingAdministrator:
    return invite.UserGreetingAdministrator(
        human_handle=ALICE,
        last_greeting_attempt_joined_on=None,
        online_status=invite.UserOnlineStatus.UNKNOWN,
        user_id=user,
    )


ENCOUNTERS = {
    "a further device": lambda: Encounter(InvitationType.DEVICE, ["alice"]),
    "a new user": lambda: Encounter(InvitationType.USER, ["alice"]),
    "a new user whom any of three may greet": lambda: Encounter(
        InvitationType.USER, ["carol", "alice", "dan"]
    ),
}
LISTENERS = {
    f"a wrong code of the {peer.name.lower()}": partial(
        Encounter, InvitationType.DEVICE, ["alice"], unheard=peer
    )
    for peer in Peer
}
ALL = ENCOUNTERS | LISTENERS

encounters = pytest.mark.parametrize("encounter", ALL.values(), ids=ALL.keys())
moments = pytest.mark.parametrize("after", [False, True], ids=["before", "after"])


@pytest.mark.parametrize("encounter", ENCOUNTERS.values(), ids=ENCOUNTERS.keys())
def test_undisturbed_both_come_to_their_end(encounter: Callable[[], Encounter]) -> None:
    met = encounter()

    claimer, greeter = met.converse(met.claim(), met.greet())

    assert claimer.error is greeter.error is None
    assert isinstance(claimer.result, LocalDevice)
    assert [news for news in claimer.heard if isinstance(news, GreeterIs)] == [GreeterIs(ALICE)]


@encounters
@moments
def test_an_interrupted_claimer_leaves_nobody_waiting(
    encounter: Callable[[], Encounter], after: bool
) -> None:
    for at in itertools.count():
        met = encounter()
        claim = Interrupted(met.claim(), at, after)
        claimer, greeter = met.converse(claim.run(), met.greet())
        if not claim.happened:
            return
        assert isinstance(claimer.error, KeyboardInterrupt)
        _check_nobody_waits(met, claim, greeter)


@encounters
@moments
def test_an_interrupted_greeter_leaves_nobody_waiting(
    encounter: Callable[[], Encounter], after: bool
) -> None:
    for at in itertools.count():
        met = encounter()
        welcome = Interrupted(met.greet(), at, after)
        claimer, greeter = met.converse(met.claim(), welcome.run())
        if not welcome.happened:
            return
        assert isinstance(greeter.error, KeyboardInterrupt)
        _check_nobody_waits(met, welcome, claimer)


def _check_nobody_waits(met: Encounter, interrupted: Interrupted, peer: Side) -> None:
    went_well = peer.done and peer.error is None
    assert went_well or met.open_attempts(interrupted.attempts) == [], f"step {interrupted.at}"
    assert met.reasons <= {Reason.MANUALLY_CANCELLED, Reason.INVALID_SAS_CODE}
