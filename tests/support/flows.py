"""Flows fed by hand: one alone, or the two sides of a greeting joined in memory."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest

from parsec.client.failure import FlowError
from parsec.client.step import Ask, Call, Flow, Keep, Means, Step, Tell, Wait
from parsec.crypto.entropy import Entropy, system_entropy
from parsec.data.ids import GreetingAttemptID
from parsec.data.instant import Instant
from parsec.protocol import greeting as wire
from parsec.protocol import statuses
from parsec.protocol.statuses import CancelledGreetingAttemptReason, GreeterOrClaimer

T = TypeVar("T")

START = Instant.parse("2026-01-02T03:04:05Z")


@dataclass
class Clock:
    """A clock that moves only when a flow waits."""

    now: Instant = START

    def means(self, entropy: Entropy = system_entropy, *, timeout: float = 600.0) -> Means:
        return Means(now=lambda: self.now, entropy=entropy, timeout_seconds=timeout)


def carry_out(flow: Flow[T], answer: Callable[[Step], Any]) -> T:
    """Run a flow, each step answered by the function; a FlowError it raises goes into the flow."""
    try:
        step = next(flow)
        while True:
            try:
                reply = answer(step)
            except (FlowError, KeyboardInterrupt) as error:
                step = flow.throw(error)
                continue
            step = flow.send(reply)
    except StopIteration as end:
        result: T = end.value
        return result


@dataclass
class Attempt:
    """What the server keeps of a greeting attempt, as far as two honest sides can tell."""

    attempt_id: GreetingAttemptID
    joined: set[GreeterOrClaimer] = field(default_factory=set)
    steps: dict[tuple[GreeterOrClaimer, int], Any] = field(default_factory=dict)
    cancelled: statuses.GreetingAttemptCancelled | None = None


class Meeting:
    """A stand-in for the server's greeting rules (`server-core.md` 9), for one greeter."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.attempts: list[Attempt] = []
        self.cancelled: list[CancelledGreetingAttemptReason] = []

    def answer(self, request: Any) -> Any:
        match request:
            case wire.InviteClaimerStartGreetingAttempt():
                attempt = self._start(GreeterOrClaimer.CLAIMER)
                return wire.InviteClaimerStartGreetingAttemptOk(greeting_attempt=attempt)
            case wire.InviteGreeterStartGreetingAttempt():
                attempt = self._start(GreeterOrClaimer.GREETER)
                return wire.InviteGreeterStartGreetingAttemptOk(greeting_attempt=attempt)
            case wire.InviteClaimerStep():
                return self._step(
                    GreeterOrClaimer.CLAIMER,
                    request.greeting_attempt,
                    request.claimer_step,
                    lambda step: wire.InviteClaimerStepOk(greeter_step=step),
                )
            case wire.InviteGreeterStep():
                return self._step(
                    GreeterOrClaimer.GREETER,
                    request.greeting_attempt,
                    request.greeter_step,
                    lambda step: wire.InviteGreeterStepOk(claimer_step=step),
                )
            case wire.InviteClaimerCancelGreetingAttempt():
                return self._cancel(GreeterOrClaimer.CLAIMER, request)
            case wire.InviteGreeterCancelGreetingAttempt():
                return self._cancel(GreeterOrClaimer.GREETER, request)
        raise AssertionError(f"unexpected {request!r}")

    def _start(self, side: GreeterOrClaimer) -> GreetingAttemptID:
        if self.attempts and not self.attempts[-1].cancelled:
            current = self.attempts[-1]
            if side not in current.joined:
                current.joined.add(side)
                return current.attempt_id
            self._end(current, side, CancelledGreetingAttemptReason.AUTOMATICALLY_CANCELLED)
        fresh = Attempt(GreetingAttemptID.generate(system_entropy), {side})
        self.attempts.append(fresh)
        return fresh.attempt_id

    def _step(
        self,
        side: GreeterOrClaimer,
        attempt_id: GreetingAttemptID,
        step: Any,
        ok: Callable[[Any], Any],
    ) -> Any:
        attempt = next(a for a in self.attempts if a.attempt_id == attempt_id)
        if attempt.cancelled:
            return attempt.cancelled
        number = step_number(step)
        attempt.steps.setdefault((side, number), step)
        assert attempt.steps[side, number] == step, "a step was sent twice with other contents"
        peer = attempt.steps.get((other(side), number))
        return ok(peer) if peer is not None else statuses.NotReady()

    def _cancel(self, side: GreeterOrClaimer, request: Any) -> Any:
        attempt = next(a for a in self.attempts if a.attempt_id == request.greeting_attempt)
        self._end(attempt, side, request.reason)
        self.cancelled.append(request.reason)
        return statuses.Ok()

    def _end(
        self, attempt: Attempt, side: GreeterOrClaimer, reason: CancelledGreetingAttemptReason
    ) -> None:
        attempt.cancelled = statuses.GreetingAttemptCancelled(
            origin=side, reason=reason, timestamp=self.clock.now
        )


def step_number(step: Any) -> int:
    """The number of a step, from its name on the wire."""
    tag = str(type(step).__struct_config__.tag)
    return int(tag.removeprefix("NUMBER_")[0])


def other(side: GreeterOrClaimer) -> GreeterOrClaimer:
    """The peer of a side."""
    if side is GreeterOrClaimer.CLAIMER:
        return GreeterOrClaimer.GREETER
    return GreeterOrClaimer.CLAIMER


class NotYet(Exception):
    """The person cannot answer before the peer has said something."""


@dataclass
class Side:
    """One side of a conversation: its flow, what it is asked, and how it ended."""

    flow: Flow[Any]
    server: Callable[[Any], Any]
    """From a request to its reply."""
    person: Callable[[Any], Any] = lambda question: pytest.fail(f"unexpected {question!r}")
    """From a question to its answer."""
    result: Any = None
    error: BaseException | None = None
    done: bool = False
    heard: list[Any] = field(default_factory=list)
    kept: list[Any] = field(default_factory=list)
    open_step: Step | None = None

    def advance(self) -> None:
        """Carry on until the flow waits, has a question that nobody can answer yet, or ends."""
        try:
            step = self.open_step or next(self.flow)
            self.open_step = None
            while not isinstance(step, Wait):
                try:
                    reply = self._reply(step)
                except NotYet:
                    self.open_step = step
                    return
                except (FlowError, KeyboardInterrupt) as raised:
                    step = self.flow.throw(raised)
                    continue
                step = self.flow.send(reply)
        except StopIteration as end:
            self.result, self.done = end.value, True
        except (FlowError, KeyboardInterrupt) as raised:
            self.error, self.done = raised, True

    def _reply(self, step: Step) -> Any:
        match step:
            case Tell():
                self.heard.append(step.news)
            case Keep():
                self.kept.append(step.record)
            case Call():
                return self.server(step.request)
            case Ask():
                return self.person(step.question)
        return None


def converse(clock: Clock, *sides: Side, ticks: int = 10_000) -> None:
    """Advance the sides in turn until all have ended; each gives way when it waits."""
    for _ in range(ticks):
        if all(side.done for side in sides):
            return
        converse_once(clock, *sides)
    raise AssertionError("the conversation does not end")


def converse_once(clock: Clock, *sides: Side) -> None:
    """Advance each side once, and the clock by half a second."""
    for side in sides:
        if not side.done:
            side.advance()
    clock.now = clock.now.plus(milliseconds=500)
