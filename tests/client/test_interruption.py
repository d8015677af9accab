"""Signals break off a step of a flow, but not the flow itself."""

import signal
import threading
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from parsec.client.drive import drive
from parsec.client.interruption import Interruptions
from parsec.client.step import Flow, Step, Wait


class Left(KeyboardInterrupt):
    """What the handler under test raises."""


@pytest.fixture(autouse=True)
def handler() -> Iterator[Callable[[int, object], None]]:
    def leave(number: int, _: object) -> None:
        raise Left(number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield leave
    finally:
        signal.signal(signal.SIGTERM, before)


def run(flow: Flow[str], carry_out: Callable[[Step], object]) -> str:
    with Interruptions() as interruptions:
        return drive(flow, partial(interruptions.step, carry_out))


def end() -> None:
    signal.raise_signal(signal.SIGTERM)


def nothing(_: Step) -> None:
    pass


def test_a_signal_between_two_steps_arrives_at_the_next() -> None:
    seen: list[float] = []

    def flow() -> Flow[str]:
        yield Wait(1)
        end()
        computed = "computed"
        try:
            yield Wait(2)
        except Left:
            return computed
        return "never told"

    def carry_out(step: Step) -> None:
        assert isinstance(step, Wait)
        seen.append(step.seconds)

    assert run(flow(), carry_out) == "computed"
    assert seen == [1]


def test_a_signal_breaks_off_the_step_that_is_carried_out() -> None:
    ended: list[str] = []

    def flow() -> Flow[str]:
        try:
            yield Wait(1)
        except Left:
            return "broken off"
        return "never told"

    def carry_out(_: Step) -> None:
        end()
        ended.append("this step")

    assert run(flow(), carry_out) == "broken off"
    assert not ended


def test_a_second_signal_does_not_wait() -> None:
    reached: list[str] = []

    def flow() -> Flow[str]:
        yield Wait(1)
        end()
        reached.append("the first waits")
        end()
        reached.append("for ever")
        return "never"

    with pytest.raises(Left):
        run(flow(), nothing)
    assert reached == ["the first waits"]


def test_a_signal_after_the_last_step_arrives_at_the_end() -> None:
    def flow() -> Flow[str]:
        yield Wait(1)
        end()
        return "result"

    with pytest.raises(Left):
        run(flow(), nothing)


def test_one_world_within_another_hands_signals_on() -> None:
    """A question of one flow may be answered by running another one."""

    def inner() -> Flow[str]:
        end()
        yield Wait(2)
        return "never"

    def outer() -> Flow[str]:
        try:
            yield Wait(1)
        except Left:
            return "left"
        return "never told"

    assert run(outer(), lambda _: run(inner(), nothing)) == "left"


def test_handlers_are_back_afterwards(handler: Callable[[int, object], None]) -> None:
    def flow() -> Flow[str]:
        yield Wait(1)
        return "result"

    assert run(flow(), nothing) == "result"
    assert signal.getsignal(signal.SIGTERM) is handler


def test_signals_that_nobody_handles_are_left_alone() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)

    with Interruptions():
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_other_threads_run_flows_too() -> None:
    results: list[str] = []

    def flow() -> Flow[str]:
        yield Wait(1)
        return "result"

    thread = threading.Thread(target=lambda: results.append(run(flow(), nothing)))
    thread.start()
    thread.join()

    assert results == ["result"]
