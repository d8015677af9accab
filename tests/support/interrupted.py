"""A flow that is broken off at one of its steps."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from parsec.client.failure import FlowError
from parsec.client.step import Ask, Call, Flow, Step, Wait
from parsec.protocol import greeting

STARTS = (
    greeting.InviteClaimerStartGreetingAttempt,
    greeting.InviteGreeterStartGreetingAttempt,
)


@dataclass
class Interrupted:
    """A flow whose step of that number is broken off, before or after the world carried it out."""

    flow: Flow[Any]
    at: int
    after: bool
    happened: bool = False
    attempts: set[Any] = field(default_factory=set)
    """Those that the flow knows of."""

    def run(self) -> Flow[Any]:
        resume: Callable[[], Step] = partial(next, self.flow)
        for number in itertools.count():
            try:
                step = resume()
            except StopIteration as end:
                return end.value
            resume = yield from self._carry_on(step, due=number == self.at)

    def _carry_on(self, step: Step, *, due: bool) -> Flow[Callable[[], Step]]:
        assert not (self.happened and isinstance(step, Ask | Wait)), "the person has left"
        if due and not self.after:
            return self._interrupt
        try:
            answer = yield step
        except FlowError as error:
            return self._interrupt if due else partial(self.flow.throw, error)
        if due:
            return self._interrupt
        if isinstance(step, Call) and isinstance(step.request, STARTS):
            self.attempts.add(answer.greeting_attempt)
        return partial(self.flow.send, answer)

    def _interrupt(self) -> Step:
        self.happened = True
        return self.flow.throw(KeyboardInterrupt())
