"""Getting an account back: the claimer against recipients and a server in memory."""

import itertools
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest

from parsec.client.dialogue import (
    ChooseProtection,
    ChooseRecipient,
    ChooseSASCode,
    EnterDeviceLabel,
    OwnCode,
    Peer,
    RecipientUnavailable,
    RetryOffline,
    ShareMissing,
    SharesNeeded,
    SharesRejected,
)
from parsec.client.failure import Conflict, InvalidAnswer, Offline, Refused
from parsec.client.flows.greeting import (
    AttemptCancelled,
    GreeterLine,
    GreetingFault,
    join_as_greeter,
    trust_as_greeter,
)
from parsec.client.flows.shamir import check_given_shares, no_shares, recover
from parsec.client.guards.password import PasswordGuard
from parsec.client.protection import ChosenProtection
from parsec.client.records import GatheredShares, NewDevice, RecoveryDone, RecoverySaves
from parsec.client.step import Flow
from parsec.crypto.entropy import system_entropy
from parsec.crypto.keys import SecretKey
from parsec.crypto.shamir import ShamirShare
from parsec.data.address import InvitationType, ServerAddr
from parsec.data.certificates import DeviceCertificate, DevicePurpose
from parsec.data.greeting import InviteShamirRecoveryConfirmation, InviteShamirRecoveryData
from parsec.data.ids import AccessToken, UserID
from parsec.data.local_device import further_device
from parsec.data.people import DeviceLabel, EmailAddress, HumanHandle, UserProfile
from parsec.data.recovery import ShamirRecoverySecret, deal_shares
from parsec.protocol import greeting as wire
from parsec.protocol import invite, statuses
from parsec.protocol.device import DeviceCreate
from parsec.protocol.server_config import ServerConfig
from parsec.protocol.shamir import InviteShamirRecoveryReveal, InviteShamirRecoveryRevealOk
from tests.support.flows import START, Clock, Meeting, NotYet, Side, converse_once
from tests.support.interrupted import Interrupted
from tests.support.lines import invitation_addr, some_device

NAMES = ("Alice", "Arnold", "Carol", "Dave")


class World:
    """A user who lost everything, the recipients, and the server between them."""

    def __init__(self, weights: Iterable[int], threshold: int) -> None:
        self.clock = Clock()
        self.addr = invitation_addr(InvitationType.SHAMIR_RECOVERY)
        self.lost = some_device("bob", UserProfile.STANDARD)
        self.people = {
            name: UserID.generate(system_entropy) for name, _ in zip(NAMES, weights, strict=False)
        }
        self.weights = dict(zip(self.people.values(), weights, strict=True))
        self.recovery_device = further_device(
            self.lost, DeviceLabel("shamir-recovery"), system_entropy
        )
        self.secret = ShamirRecoverySecret(
            data_key=SecretKey.generate(system_entropy),
            reveal_token=AccessToken.generate(system_entropy),
        )
        self.shares = deal_shares(
            self.secret, threshold=threshold, weights=self.weights, entropy=system_entropy
        )
        self.meetings = {user: Meeting(self.clock) for user in self.weights}
        self.threshold = threshold
        self.revoked: set[UserID] = set()
        self.outages = 0
        self.created: list[DeviceCreate] = []
        self.completed = False
        self.greeters: list[Side] = []
        self.order: list[str] = list(self.people)

    @property
    def info(self) -> invite.InviteInfoOkShamirRecovery:
        return invite.InviteInfoOkShamirRecovery(
            claimer_user_id=self.lost.user_id,
            claimer_human_handle=self.lost.human_handle,
            created_by=invite.InvitationCreatedByExternalService(service_label="test"),
            shamir_recovery_created_on=START,
            threshold=self.threshold,
            recipients=[
                invite.ShamirRecoveryRecipient(
                    user_id=user,
                    human_handle=handle(name),
                    shares=self.weights[user],
                    revoked_on=START if user in self.revoked else None,
                    online_status=invite.UserOnlineStatus.UNKNOWN,
                )
                for name, user in self.people.items()
            ],
        )

    def run(self, gathered: GatheredShares | None = None) -> Side:
        """Let the claimer speak to the recipients in `order` until the recovery ends."""
        flow = recover(
            self.addr,
            self.info,
            gathered or no_shares(self.addr, self.info),
            self.clock.means(),
        )
        claimer = Side(flow, self.serve, self.answer)
        self.claimer = claimer
        for _ in range(10_000):
            if claimer.done and all(greeter.done for greeter in self.greeters):
                return claimer
            converse_once(self.clock, claimer, *self.greeters)
        raise AssertionError("the recovery does not end")

    def serve(self, request: Any) -> Any:
        match request:
            case wire.InviteClaimerStartGreetingAttempt(greeter=greeter):
                if greeter in self.revoked:
                    return statuses.GreeterRevoked()
                return self.meetings[greeter].answer(request)
            case wire.InviteClaimerStep() | wire.InviteClaimerCancelGreetingAttempt():
                return self._meeting_of(request.greeting_attempt).answer(request)
            case invite.InviteInfo():
                return self.info
            case InviteShamirRecoveryReveal(reveal_token=token):
                return self._reveal(token)
            case DeviceCreate():
                self.created.append(request)
                return statuses.Ok()
            case ServerConfig():
                raise Offline("The server cannot be reached")
            case invite.InviteComplete():
                self.completed = True
                return statuses.Ok()
        raise AssertionError(f"unexpected {request!r}")

    def _meeting_of(self, attempt_id: Any) -> Meeting:
        return next(
            meeting
            for meeting in self.meetings.values()
            if any(attempt.attempt_id == attempt_id for attempt in meeting.attempts)
        )

    def _reveal(self, token: AccessToken) -> Any:
        if self.outages:
            self.outages -= 1
            raise Offline("The server cannot be reached")
        if token != self.secret.reveal_token:
            return statuses.BadRevealToken()
        ciphered = self.secret.data_key.encrypt(self.recovery_device.dump(), system_entropy)
        return InviteShamirRecoveryRevealOk(ciphered_data=ciphered)

    def answer(self, question: Any) -> Any:
        match question:
            case ChooseRecipient(recipients=people):
                chosen = next(
                    self.people[name]
                    for name in self.order
                    if self.people[name] in {person.user_id for person in people}
                )
                self._summon(chosen)
                return chosen
            case ChooseSASCode(peer=Peer.GREETER):
                return spoken(self.greeters[-1])
            case ChooseSASCode(peer=Peer.CLAIMER):
                return spoken(self.claimer)
            case EnterDeviceLabel():
                return DeviceLabel("label")
            case RetryOffline():
                return True
            case ChooseProtection():
                return ChosenProtection(PasswordGuard("secret"))
        raise AssertionError(f"unexpected {question!r}")

    def _summon(self, user: UserID) -> None:
        if user not in self.revoked:
            means = self.clock.means()
            line = GreeterLine(some_device(), self.addr.token)
            flow = hand_over(line, means, self.shares[user])
            self.greeters.append(Side(flow, self.meetings[user].answer, self.answer))


def hand_over(line: GreeterLine, means: Any, shares: list[ShamirShare]) -> Flow[None]:
    joined = yield from join_as_greeter(line, means)
    channel = yield from trust_as_greeter(joined)
    yield from channel.receive_first(InviteShamirRecoveryData)
    yield from channel.answer(InviteShamirRecoveryConfirmation(weighted_share=shares))


def spoken(side: Side) -> Any:
    """The code that side said last; it is forgotten once it was picked."""
    for news in reversed(side.heard):
        if isinstance(news, OwnCode):
            side.heard.remove(news)
            return news.code
    raise NotYet


def handle(name: str) -> HumanHandle:
    return HumanHandle(email=EmailAddress(f"{name.lower()}@example.com"), label=name)


def spoiled(shares: list[ShamirShare]) -> list[ShamirShare]:
    return [ShamirShare(bytes([share.x]) + bytes(len(share.ys))) for share in shares]


def told(side: Side, kind: type[Any]) -> list[Any]:
    return [news for news in side.heard if isinstance(news, kind)]


@pytest.mark.parametrize(
    ("weights", "threshold", "order"),
    [
        ([1, 1], 2, ["Alice", "Arnold"]),
        ([1, 1], 2, ["Arnold", "Alice"]),
        ([1, 1, 1], 2, ["Carol", "Alice"]),
        ([2, 1, 1], 3, ["Arnold", "Alice"]),
        ([1], 1, ["Alice"]),
        ([255], 255, ["Alice"]),
    ],
)
def test_enough_shares_in_any_order_bring_the_account_back(
    weights: list[int], threshold: int, order: list[str]
) -> None:
    world = World(weights, threshold)
    world.order = order + [name for name in world.people if name not in order]

    claimer = world.run()

    assert claimer.error is None
    device = claimer.result
    assert device.user_id == world.lost.user_id
    assert device.private_key == world.lost.private_key
    assert device.device_id not in (world.lost.device_id, world.recovery_device.device_id)
    assert world.completed


def test_the_new_device_is_registered_by_the_recovery_device() -> None:
    world = World([1], 1)

    claimer = world.run()

    (request,) = world.created
    certificate = DeviceCertificate.load_signed(
        request.device_certificate, world.recovery_device.signing_key.verify_key
    )
    assert certificate.author == world.recovery_device.device_id
    assert certificate.purpose is DevicePurpose.STANDARD
    assert certificate.verify_key == claimer.result.signing_key.verify_key


def test_shares_are_kept_as_they_come_and_forgotten_once_the_device_is_saved() -> None:
    world = World([1, 1], 2)

    claimer = world.run()

    kinds = [type(record) for record in claimer.kept]
    assert kinds == [GatheredShares, GatheredShares, RecoverySaves, NewDevice, RecoveryDone]
    assert [len(record.shares) for record in claimer.kept[:2]] == [1, 2]


def test_an_interrupted_recovery_goes_on_with_the_shares_of_before() -> None:
    world = World([1, 1], 2)
    before = no_shares(world.addr, world.info).with_shares(
        {world.people["Alice"]: world.shares[world.people["Alice"]]}
    )

    claimer = world.run(before)

    assert told(claimer, SharesNeeded)[0] == SharesNeeded(2, 1)
    assert len(world.greeters) == 1
    assert claimer.error is None


def test_with_all_shares_gathered_nobody_is_asked_again() -> None:
    world = World([1, 1], 2)
    before = no_shares(world.addr, world.info).with_shares(world.shares)

    claimer = world.run(before)

    assert not world.greeters
    assert claimer.error is None


def test_with_shares_to_spare_a_wrong_one_is_found_and_dropped() -> None:
    world = World([1, 1, 1], 2)
    arnold = world.people["Arnold"]
    world.shares[arnold] = spoiled(world.shares[arnold])

    claimer = world.run()

    assert told(claimer, ShareMissing) == [ShareMissing()]
    assert told(claimer, SharesRejected) == [SharesRejected((handle("Arnold"),))]
    assert claimer.error is None


def test_a_wrong_share_and_nobody_left_to_ask_ends_with_a_clear_message() -> None:
    world = World([1, 1], 2)
    arnold = world.people["Arnold"]
    world.shares[arnold] = spoiled(world.shares[arnold])

    claimer = world.run()

    assert isinstance(claimer.error, InvalidAnswer)
    assert "wrong" in str(claimer.error)
    assert isinstance(claimer.kept[-1], RecoveryDone)  # so that a later run asks anew
    assert not world.created


def test_a_share_at_zero_is_never_taken_for_the_secret() -> None:
    """Somebody who knows nothing could otherwise choose the secret."""
    world = World([1], 1)
    alice = world.people["Alice"]
    forged = ShamirRecoverySecret(
        data_key=SecretKey(bytes(32)), reveal_token=AccessToken(bytes(16))
    )
    world.shares[alice] = [ShamirShare(b"\x00" + forged.dump())]

    claimer = world.run()

    assert isinstance(claimer.error, GreetingFault)
    assert not claimer.kept


def test_a_recipient_who_gives_more_than_its_shares_is_refused() -> None:
    """Two forged shares would reach the threshold of two alone."""
    world = World([1, 1], 2)
    alice = world.people["Alice"]
    forged = ShamirRecoverySecret(
        data_key=SecretKey(bytes(32)), reveal_token=AccessToken(bytes(16))
    )
    world.shares[alice] = deal_shares(
        forged, threshold=2, weights={alice: 2}, entropy=system_entropy
    )[alice]

    claimer = world.run()

    assert isinstance(claimer.error, GreetingFault)
    assert not claimer.kept


@pytest.mark.parametrize("raws", [[], [b"\x01a", b"\x01b"], [b"\x01a", b"\x02bb"]])
def test_shares_that_cannot_be_those_of_the_set_up_are_refused(raws: list[bytes]) -> None:
    with pytest.raises(GreetingFault):
        check_given_shares([ShamirShare(raw) for raw in raws], expected=2)


def test_shares_are_kept_before_the_recipient_is_told_that_they_arrived() -> None:
    world = World([1], 1)
    serve = world.serve

    def interrupted(request: Any) -> Any:
        if isinstance(request, wire.InviteClaimerStep) and isinstance(
            request.claimer_step, wire.ClaimerStep8Acknowledge
        ):
            raise KeyboardInterrupt
        return serve(request)

    flow = recover(world.addr, world.info, no_shares(world.addr, world.info), world.clock.means())
    claimer = world.claimer = Side(flow, interrupted, world.answer)

    while not claimer.done:
        converse_once(world.clock, claimer, *world.greeters)

    assert [type(record) for record in claimer.kept] == [GatheredShares]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_recovery_interrupted_wherever_leaves_no_recipient_waiting(after: bool) -> None:
    for at in itertools.count():
        world = World([1, 1], 2)
        flow = recover(
            world.addr, world.info, no_shares(world.addr, world.info), world.clock.means()
        )
        interrupted = Interrupted(flow, at, after)
        world.claimer = Side(interrupted.run(), world.serve, world.answer)
        for _ in range(100):
            converse_once(world.clock, world.claimer, *world.greeters)
        if not interrupted.happened:
            return
        assert isinstance(world.claimer.error, KeyboardInterrupt)
        for meeting, greeter in zip(world.meetings.values(), world.greeters, strict=False):
            left = [attempt for attempt in meeting.attempts if not attempt.cancelled]
            known = [attempt for attempt in left if attempt.attempt_id in interrupted.attempts]
            assert not known or (greeter.done and greeter.error is None), f"step {at}"


def test_a_lost_answer_to_the_registration_does_not_end_the_recovery() -> None:
    """Each attempt registers another device, so that the first one does no harm."""
    world = World([1], 1)
    serve = world.serve

    def lossy(request: Any) -> Any:
        reply = serve(request)
        if isinstance(request, DeviceCreate) and len(world.created) == 1:
            raise Offline("The answer got lost")
        return reply

    flow = recover(world.addr, world.info, no_shares(world.addr, world.info), world.clock.means())
    claimer = world.claimer = Side(flow, lossy, world.answer)

    while not claimer.done:
        converse_once(world.clock, claimer, *world.greeters)

    first, second = (request.device_certificate for request in world.created)
    assert first != second
    assert claimer.error is None


def test_the_new_device_goes_where_the_invitation_led() -> None:
    world = World([1], 1)
    world.recovery_device = msgspec.structs.replace(
        world.recovery_device, server_url=ServerAddr(hostname="old.invalid")
    )

    claimer = world.run()

    assert claimer.result.server_url == world.addr.server


def test_kept_shares_of_somebody_the_server_no_longer_names_are_left_out() -> None:
    world = World([1, 1], 2)
    stranger = UserID.generate(system_entropy)
    before = no_shares(world.addr, world.info).with_shares(
        {stranger: [ShamirShare(b"\x05" + bytes(90))]}
    )

    claimer = world.run(before)

    assert claimer.error is None
    assert len(world.greeters) == 2


def test_a_recipient_revoked_meanwhile_is_left_out_and_another_one_asked() -> None:
    world = World([1, 1, 1], 2)
    started = recover(
        world.addr, world.info, no_shares(world.addr, world.info), world.clock.means()
    )
    started.close()
    info_before = world.info
    world.revoked.add(world.people["Alice"])
    flow = recover(world.addr, info_before, no_shares(world.addr, info_before), world.clock.means())
    claimer = world.claimer = Side(flow, world.serve, world.answer)

    while not claimer.done:
        converse_once(world.clock, claimer, *world.greeters)

    assert [news.human_handle for news in told(claimer, RecipientUnavailable)] == [handle("Alice")]
    assert claimer.error is None


def test_too_few_recipients_left_is_said_with_their_names() -> None:
    world = World([1, 1], 2)
    world.revoked.add(world.people["Arnold"])

    claimer = world.run()

    assert isinstance(claimer.error, Refused)
    assert "Arnold" in str(claimer.error)


def test_an_outage_while_recovering_can_be_retried() -> None:
    world = World([1], 1)
    world.outages = 2

    claimer = world.run()

    assert claimer.error is None


def test_shares_of_a_replaced_set_up_are_refused_by_the_server_and_said_so() -> None:
    world = World([1], 1)
    stale = world.shares
    world.secret = ShamirRecoverySecret(
        data_key=SecretKey.generate(system_entropy),
        reveal_token=AccessToken.generate(system_entropy),
    )
    world.shares = stale

    claimer = world.run()

    assert isinstance(claimer.error, Conflict)
    assert not world.created


def test_the_recovery_device_of_somebody_else_is_refused() -> None:
    world = World([1], 1)
    world.recovery_device = some_device("mallory")

    claimer = world.run()

    assert isinstance(claimer.error, InvalidAnswer)
    assert not world.created


def test_a_wrong_code_shares_nothing_and_keeps_what_was_gathered_before() -> None:
    world = World([1, 1], 2)
    right = world.answer

    def wrong_the_second_time(question: Any) -> Any:
        if isinstance(question, ChooseSASCode) and len(world.greeters) == 2:
            return None
        return right(question)

    flow = recover(world.addr, world.info, no_shares(world.addr, world.info), world.clock.means())
    claimer = world.claimer = Side(flow, world.serve, wrong_the_second_time)

    while not (claimer.done and all(side.done for side in world.greeters)):
        converse_once(world.clock, claimer, *world.greeters)

    assert [len(record.shares) for record in claimer.kept] == [1]
    assert isinstance(world.greeters[1].error, AttemptCancelled)
    assert not world.created


def test_a_hostile_server_cannot_swap_the_invitation_meanwhile() -> None:
    world = World([1, 1], 2)
    info_before = world.info
    world.revoked.add(world.people["Alice"])
    world.lost = some_device("mallory")
    flow = recover(world.addr, info_before, no_shares(world.addr, info_before), world.clock.means())
    claimer = world.claimer = Side(flow, world.serve, world.answer)

    while not claimer.done:
        converse_once(world.clock, claimer, *world.greeters)

    assert isinstance(claimer.error, InvalidAnswer)
