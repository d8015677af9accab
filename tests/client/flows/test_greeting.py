"""The dance of an invitation, with both sides joined in memory."""

from collections.abc import Callable
from typing import Any

import pytest

from parsec.client.dialogue import ChooseSASCode, OwnCode, Peer
from parsec.client.failure import Offline
from parsec.client.flows.greeting import (
    AttemptCancelled,
    Channel,
    GreetingFault,
    PeerTimeout,
    WrongCode,
    join_as_claimer,
    join_as_greeter,
    trust_as_claimer,
    trust_as_greeter,
)
from parsec.client.step import Call, Flow, Means, Step
from parsec.crypto.entropy import system_entropy
from parsec.crypto.keys import PrivateKey
from parsec.crypto.sas import SASCode
from parsec.data.greeting import InviteShamirRecoveryConfirmation, InviteShamirRecoveryData
from parsec.protocol import greeting as wire
from parsec.protocol.statuses import CancelledGreetingAttemptReason as Reason
from tests.support.flows import Clock, Meeting, NotYet, Side, carry_out, converse
from tests.support.lines import claimer_line, greeter_line


def claimer(means: Means) -> Flow[Channel]:
    joined = yield from join_as_claimer(claimer_line(), means)
    return (yield from joined.guarded(trust_as_claimer(joined)))


def greeter(means: Means) -> Flow[Channel]:
    joined = yield from join_as_greeter(greeter_line(), means)
    return (yield from joined.guarded(trust_as_greeter(joined)))


class Pair:
    """Two people who hear each other: each picks the code that the other one was shown."""

    def __init__(
        self,
        *,
        claimer_picks: Callable[[SASCode, ChooseSASCode], SASCode | None] = lambda real, _: real,
        greeter_picks: Callable[[SASCode, ChooseSASCode], SASCode | None] = lambda real, _: real,
    ) -> None:
        self.meeting = Meeting(Clock())
        means = self.meeting.clock.means()
        self.server = self.meeting.answer
        self.claimer = Side(
            claimer(means), self._serve, lambda question: self._pick(question, claimer_picks)
        )
        self.greeter = Side(
            greeter(means), self._serve, lambda question: self._pick(question, greeter_picks)
        )

    def converse(self) -> None:
        converse(self.meeting.clock, self.claimer, self.greeter)

    def _serve(self, request: Any) -> Any:
        return self.server(request)

    def _pick(
        self, question: Any, picks: Callable[[SASCode, ChooseSASCode], SASCode | None]
    ) -> SASCode | None:
        assert isinstance(question, ChooseSASCode)
        speaker = self.greeter if question.peer is Peer.GREETER else self.claimer
        said = [news.code for news in speaker.heard if isinstance(news, OwnCode)]
        if not said and not speaker.done:
            raise NotYet
        if not said:
            return None
        return picks(said[0], question)


def wrong(real: SASCode, question: ChooseSASCode) -> SASCode:
    return next(code for code in question.choices if code != real)


def none_of_them(_real: SASCode, _question: ChooseSASCode) -> None:
    return None


def test_both_sides_agree_on_a_key() -> None:
    pair = Pair()

    pair.converse()

    assert pair.claimer.error is pair.greeter.error is None
    assert pair.claimer.result.key == pair.greeter.result.key


def test_the_claimers_code_is_not_shown_before_the_greeters_was_chosen() -> None:
    pair = Pair(claimer_picks=wrong)

    pair.converse()

    assert not [news for news in pair.claimer.heard if isinstance(news, OwnCode)]


@pytest.mark.parametrize("pick", [wrong, none_of_them])
def test_a_claimer_who_does_not_find_the_code_cancels_and_both_are_told(pick: Any) -> None:
    pair = Pair(claimer_picks=pick)

    pair.converse()

    assert isinstance(pair.claimer.error, WrongCode)
    assert isinstance(pair.greeter.error, AttemptCancelled)
    assert pair.greeter.error.reason is Reason.INVALID_SAS_CODE
    assert pair.meeting.cancelled == [Reason.INVALID_SAS_CODE]


@pytest.mark.parametrize("pick", [wrong, none_of_them])
def test_a_greeter_who_does_not_find_the_code_cancels_and_both_are_told(pick: Any) -> None:
    pair = Pair(greeter_picks=pick)

    pair.converse()

    assert isinstance(pair.greeter.error, WrongCode)
    assert isinstance(pair.claimer.error, AttemptCancelled)
    assert pair.claimer.error.reason is Reason.INVALID_SAS_CODE
    assert not any(number > 5 for _side, number in pair.meeting.attempts[-1].steps)


def test_the_choices_are_three_different_codes() -> None:
    asked: list[ChooseSASCode] = []

    def look(real: SASCode, question: ChooseSASCode) -> SASCode:
        asked.append(question)
        return real

    pair = Pair(claimer_picks=look, greeter_picks=look)

    pair.converse()

    assert [len(set(question.choices)) for question in asked] == [3, 3]


def test_a_claimer_who_begins_again_early_is_met_again() -> None:
    pair = Pair()
    pair.meeting.answer(wire.InviteClaimerStartGreetingAttempt(greeter=claimer_line().greeter))

    pair.converse()

    assert pair.claimer.result.key == pair.greeter.result.key


def test_two_claimers_at_once_are_told_apart() -> None:
    """The one whose attempt the other took over learns that somebody claims elsewhere."""
    meeting = Meeting(Clock())
    means = meeting.clock.means()
    second_started = False

    def answer(step: Step) -> Any:
        nonlocal second_started
        assert isinstance(step, Call)
        reply = meeting.answer(step.request)
        if isinstance(step.request, wire.InviteClaimerStep) and not second_started:
            second_started = True
            meeting.answer(wire.InviteClaimerStartGreetingAttempt(greeter=claimer_line().greeter))
        return reply

    with pytest.raises(AttemptCancelled, match="started again elsewhere"):
        carry_out(claimer(means), _waiting(meeting, answer))


def test_a_peer_who_never_comes_is_waited_for_as_long_as_asked() -> None:
    meeting = Meeting(Clock())
    began = meeting.clock.now

    with pytest.raises(PeerTimeout):
        carry_out(
            join_as_claimer(claimer_line(), meeting.clock.means(timeout=60)),
            _waiting(meeting, lambda step: meeting.answer(step.request)),
        )

    assert 60 <= meeting.clock.now.seconds_since(began) < 62
    assert meeting.cancelled == [Reason.MANUALLY_CANCELLED]


def test_an_interruption_cancels_the_attempt() -> None:
    meeting = Meeting(Clock())

    def answer(step: Step) -> Any:
        if isinstance(step, Call) and isinstance(step.request, wire.InviteClaimerStep):
            raise KeyboardInterrupt
        assert isinstance(step, Call)
        return meeting.answer(step.request)

    with pytest.raises(KeyboardInterrupt):
        carry_out(join_as_claimer(claimer_line(), meeting.clock.means()), answer)

    assert meeting.cancelled == [Reason.MANUALLY_CANCELLED]


def test_a_nonce_that_was_not_promised_cancels_the_attempt() -> None:
    """Somebody in the middle who picks the claimer's nonce after seeing the greeter's."""
    pair = Pair()

    def tampered(request: Any) -> Any:
        reply = pair.meeting.answer(request)
        if isinstance(reply, wire.InviteGreeterStepOk) and isinstance(
            reply.claimer_step, wire.ClaimerStep3SendNonce
        ):
            return wire.InviteGreeterStepOk(
                claimer_step=wire.ClaimerStep3SendNonce(claimer_nonce=bytes(64))
            )
        return reply

    pair.server = tampered

    pair.converse()

    assert isinstance(pair.greeter.error, GreetingFault)
    assert pair.meeting.cancelled[0] is Reason.INVALID_NONCE_HASH


def test_somebody_in_the_middle_makes_the_codes_differ() -> None:
    pair = Pair()
    public_key = PrivateKey.generate(system_entropy).public_key

    def tampered(request: Any) -> Any:
        reply = pair.meeting.answer(request)
        if isinstance(reply, wire.InviteClaimerStepOk) and isinstance(
            reply.greeter_step, wire.GreeterStep0WaitPeer
        ):
            return wire.InviteClaimerStepOk(
                greeter_step=wire.GreeterStep0WaitPeer(public_key=public_key)
            )
        return reply

    pair.server = tampered

    pair.converse()

    # What the greeter reads aloud is not among the claimer's choices, or is not the right one.
    assert isinstance(pair.claimer.error, WrongCode)


def test_a_short_outage_does_not_end_the_dance() -> None:
    pair = Pair()
    outages = iter(range(5))

    def flaky(request: Any) -> Any:
        if isinstance(request, wire.InviteClaimerStep) and next(outages, None) is not None:
            raise Offline("The server cannot be reached")
        return pair.meeting.answer(request)

    pair.server = flaky

    pair.converse()

    assert pair.claimer.result.key == pair.greeter.result.key


def test_an_outage_at_the_very_start_is_waited_out() -> None:
    pair = Pair()
    outages = iter(range(3))

    def flaky(request: Any) -> Any:
        starts = isinstance(request, wire.InviteClaimerStartGreetingAttempt)
        if starts and next(outages, None) is not None:
            raise Offline("The server cannot be reached")
        return pair.meeting.answer(request)

    pair.server = flaky

    pair.converse()

    assert pair.claimer.result.key == pair.greeter.result.key


def test_a_long_outage_ends_the_dance() -> None:
    meeting = Meeting(Clock())

    def answer(step: Step) -> Any:
        assert isinstance(step, Call)
        if isinstance(step.request, wire.InviteClaimerStep):
            raise Offline("The server cannot be reached")
        return meeting.answer(step.request)

    with pytest.raises(Offline):
        carry_out(join_as_claimer(claimer_line(), meeting.clock.means()), _waiting(meeting, answer))


def test_payloads_pass_between_the_sides() -> None:
    pair = Pair()
    pair.converse()
    claimer_channel, greeter_channel = pair.claimer.result, pair.greeter.result
    answer = InviteShamirRecoveryConfirmation(weighted_share=[])

    def greeting() -> Flow[None]:
        yield from greeter_channel.receive_first(InviteShamirRecoveryData)
        yield from greeter_channel.answer(answer)

    def claiming() -> Flow[Any]:
        received = yield from claimer_channel.send_first(
            InviteShamirRecoveryData(), InviteShamirRecoveryConfirmation
        )
        yield from claimer_channel.acknowledge()
        return received

    claiming_side = Side(claiming(), pair.meeting.answer)
    greeting_side = Side(greeting(), pair.meeting.answer)
    converse(pair.meeting.clock, claiming_side, greeting_side)

    assert claiming_side.result == answer
    assert greeting_side.error is None


def _waiting(meeting: Meeting, answer: Callable[[Any], Any]) -> Callable[[Step], Any]:
    """Answers calls, and lets the clock move when the flow waits."""

    def answered(step: Step) -> Any:
        if isinstance(step, Call):
            return answer(step)
        seconds = getattr(step, "seconds", 0)
        meeting.clock.now = meeting.clock.now.plus(microseconds=int(seconds * 1_000_000))
        return None

    return answered
