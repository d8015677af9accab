"""Signals break off a step of a flow, but not the flow itself."""

import signal
import threading
from collections.abc import Callable, Iterator
from functools import partial
from types import FrameType
from unittest import mock

import pytest

from parsec.client.drive import drive
from parsec.client.failure import Offline
from parsec.client.interruption import Interruptions
from parsec.client.step import Flow, Step, Wait

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


class Left(KeyboardInterrupt):
    """What the handler under test raises."""


class BrokenOff(Exception):
    """The same for pytest, which a KeyboardInterrupt would end."""


class Unlucky:
    """Gets a signal just where Python ignores errors."""

    def __del__(self) -> None:
        end()


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    def leave(number: int, _: FrameType | None) -> None:
        raise Left(number)

    before = {number: signal.signal(number, leave) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run(flow: Flow[str], carry_out: Callable[[Step], object]) -> str:
    try:
        with Interruptions() as interruptions:
            return drive(flow, partial(interruptions.step, carry_out))
    except Left:
        raise BrokenOff from None


def end(number: int = signal.SIGTERM) -> None:
    signal.raise_signal(number)


def one_step() -> Flow[str]:
    """Says how it ended."""
    try:
        yield Wait(1)
    except Left:
        return "broken off"
    return "undisturbed"


def nothing(_: Step) -> None:
    pass


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_between_two_steps_arrives_at_the_next(number: int) -> None:
    seen: list[Step] = []

    def flow() -> Flow[str]:
        yield Wait(1)
        end(number)
        computed = "computed"
        try:
            yield Wait(2)
        except Left:
            return computed
        return "never told"

    assert run(flow(), seen.append) == "computed"
    assert seen == [Wait(1)]


def test_a_signal_breaks_off_the_step_that_is_carried_out() -> None:
    ended: list[str] = []

    def carry_out(_: Step) -> None:
        end()
        ended.append("this step")

    assert run(one_step(), carry_out) == "broken off"
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

    with pytest.raises(BrokenOff):
        run(flow(), nothing)
    assert reached == ["the first waits"]


def test_two_signals_that_arrived_as_one_do_not_arrive_again() -> None:
    seen: list[Step] = []

    def flow() -> Flow[str]:
        try:
            end()
            end()
        except Left:
            yield Wait(1)  # what is cancelled
        return "left"

    assert run(flow(), seen.append) == "left"
    assert seen == [Wait(1)]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_signal_that_python_drops_arrives_at_the_end_of_the_step() -> None:
    def carry_out(_: Step) -> None:
        Unlucky()

    assert run(one_step(), carry_out) == "broken off"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_signal_that_python_drops_arrives_at_the_end_of_a_step_that_fails() -> None:
    def carry_out(_: Step) -> None:
        Unlucky()
        raise Offline("The server cannot be reached")

    assert run(one_step(), carry_out) == "broken off"


def test_a_signal_waits_on_while_another_one_is_handled() -> None:
    handled: list[int] = []
    signal.signal(signal.SIGHUP, lambda number, _: handled.append(number))

    def flow() -> Flow[str]:
        end()
        end(signal.SIGHUP)
        return (yield from one_step())

    assert run(flow(), nothing) == "broken off"
    assert handled == [signal.SIGHUP]


def test_a_handler_that_lets_the_program_go_on_is_called_once() -> None:
    called: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: called.append(number))

    assert run(one_step(), lambda _: end()) == "undisturbed"
    assert called == [signal.SIGTERM]


def test_a_signal_after_the_last_step_arrives_at_the_end() -> None:
    def flow() -> Flow[str]:
        yield Wait(1)
        end()
        return "result"

    with pytest.raises(BrokenOff):
        run(flow(), nothing)


def test_one_world_within_another_hands_signals_on() -> None:
    """A question of one flow may be answered by running another one."""

    def inner() -> Flow[str]:
        end()
        yield Wait(2)
        return "never"

    def carry_out(_: Step) -> object:
        with Interruptions() as interruptions:
            return drive(inner(), partial(interruptions.step, nothing))

    assert run(one_step(), carry_out) == "broken off"


def test_handlers_are_back_afterwards() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]

    assert run(one_step(), nothing) == "undisturbed"
    assert [signal.getsignal(number) for number in SIGNALS] == before


@pytest.mark.parametrize("calls", range(2 * len(SIGNALS)))
def test_a_signal_at_the_beginning_or_the_end_makes_none_deaf(calls: int) -> None:
    """At worst, handlers of ours are left behind, and hand on what comes."""
    install, left = signal.signal, iter(range(calls))

    def interrupted(number: int, handler: Callable[[int, FrameType | None], None]) -> object:
        if next(left, None) is None:
            raise Left
        return install(number, handler)

    with pytest.raises(BrokenOff), mock.patch.object(signal, "signal", interrupted):
        run(one_step(), nothing)

    for number in SIGNALS:
        with pytest.raises(BrokenOff):
            _broken_off_by(number)


def _broken_off_by(number: int) -> None:
    try:
        end(number)
    except Left:
        raise BrokenOff from None


@pytest.mark.parametrize("left_alone", [signal.SIG_DFL, signal.SIG_IGN])
def test_signals_without_a_handler_are_left_alone(left_alone: signal.Handlers) -> None:
    signal.signal(signal.SIGTERM, left_alone)

    with Interruptions():
        assert signal.getsignal(signal.SIGTERM) is left_alone


def test_other_threads_run_flows_too() -> None:
    results: list[str] = []

    thread = threading.Thread(target=lambda: results.append(run(one_step(), nothing)))
    thread.start()
    thread.join()

    assert results == ["undisturbed"]
