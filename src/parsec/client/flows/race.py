"""Several conversations at once, of which the first to end wins.

Each is advanced until it waits; then the one that has waited long enough is next. The losers are
closed with a KeyboardInterrupt, which makes them cancel what they began. Should the person
interrupt just that, or should it fail, the winner's result is undone too, as nobody will get it.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from parsec.client.failure import FlowError
from parsec.client.step import Flow, Means, Step, Wait, wait
from parsec.data.instant import Instant

T = TypeVar("T")


@dataclass(frozen=True)
class Won(Generic[T]):
    """The result of the conversation that ended first, and its place among all."""

    place: int
    result: T


@dataclass
class _Runner(Generic[T]):
    place: int
    flow: Flow[T]
    wakes_at: Instant


def race(
    flows: Sequence[Flow[T]], means: Means, *, undo: Callable[[T], Flow[None]]
) -> Flow[Won[T]]:
    """Carry on all conversations; the answer is the first result.

    One that fails is left behind. When the last one fails, its error is raised.
    """
    runners = [_Runner(place, flow, means.now()) for place, flow in enumerate(flows)]
    try:
        won = yield from _first(runners, means)
    except (Exception, KeyboardInterrupt):
        yield from _abandon_all(runners)
        raise
    try:
        yield from _abandon_all(runners)
    except (Exception, KeyboardInterrupt):
        yield from undo(won.result)
        raise
    return won


def _first(runners: list[_Runner[T]], means: Means) -> Flow[Won[T]]:
    """Advance them in turn; those that have come to an end are removed."""
    while True:
        runner = min(runners, key=lambda runner: runner.wakes_at)
        pause = runner.wakes_at.seconds_since(means.now())
        if pause > 0:
            yield from wait(pause)
        try:
            seconds = yield from _advance(runner.flow)
        except _Ended as ended:
            runners.remove(runner)
            return Won(runner.place, ended.result)
        except FlowError:
            runners.remove(runner)
            if not runners:
                raise
            continue
        runner.wakes_at = means.now().plus(seconds=seconds)


class _Ended(Exception):
    def __init__(self, result: Any) -> None:
        super().__init__()
        self.result = result


def _advance(flow: Generator[Step, Any, Any]) -> Flow[float]:
    """Carry a conversation on until it waits; the answer is for how many seconds."""
    answer: Any = None
    try:
        while True:
            step = flow.send(answer)
            while not isinstance(step, Wait):
                try:
                    answer = yield step
                except (FlowError, KeyboardInterrupt) as error:
                    step = flow.throw(error)
                    continue
                step = flow.send(answer)
            return step.seconds
    except StopIteration as end:
        raise _Ended(end.value) from None


def _abandon_all(runners: Sequence[_Runner[Any]]) -> Flow[None]:
    """Abandon each, whatever happens meanwhile. Raises the last of it afterwards."""
    happened: BaseException | None = None
    for runner in runners:
        try:
            yield from _abandon(runner.flow)
        except (Exception, KeyboardInterrupt) as error:
            happened = error
    if happened is not None:
        raise happened


def _abandon(flow: Generator[Step, Any, Any]) -> Flow[None]:
    """Let a conversation cancel what it began. Raises KeyboardInterrupt if the person does."""
    ours = KeyboardInterrupt()
    resume: Callable[[], Step] = partial(flow.throw, ours)
    while True:
        try:
            step = resume()
        except (StopIteration, FlowError):
            return
        except KeyboardInterrupt as error:
            if error is ours:
                return
            raise
        try:
            answer = yield step
        except (FlowError, KeyboardInterrupt) as error:
            resume = partial(flow.throw, error)
        else:
            resume = partial(flow.send, answer)
