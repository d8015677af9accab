"""A flow gets what came of its steps, and its chance to clean up."""

from collections.abc import Callable, Iterator

import pytest

from parsec.client.drive import drive
from parsec.client.failure import FlowError, Offline
from parsec.client.step import Ask, Flow, Keep, News, Question, Step, Tell, Wait


class Name(Question[str]):
    """A question."""


class Done(News):
    """Some news."""


def script(*outcomes: object) -> tuple[Callable[[Step], object], list[Step]]:
    """Carries steps out with these outcomes in turn, errors by raising them; and what it saw."""
    seen: list[Step] = []
    left: Iterator[object] = iter(outcomes)

    def carry_out(step: Step) -> object:
        seen.append(step)
        outcome = next(left)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    return carry_out, seen


def test_answers_go_into_the_flow_and_its_result_comes_out() -> None:
    def flow() -> Flow[str]:
        name = yield Ask(Name())
        yield Wait(1)
        return f"Hello {name}"

    carry_out, seen = script("Alice", None)

    assert drive(flow(), carry_out) == "Hello Alice"
    assert [type(step) for step in seen] == [Ask, Wait]


def test_a_flow_without_steps_has_a_result() -> None:
    def flow() -> Flow[int]:
        yield from ()
        return 3

    carry_out, seen = script()

    assert drive(flow(), carry_out) == 3
    assert seen == []


def test_what_fails_in_a_step_fails_in_the_flow() -> None:
    def flow() -> Flow[str]:
        try:
            yield Wait(1)
        except Offline as error:
            return str(error)
        return "never"

    carry_out, _ = script(Offline("gone"))

    assert drive(flow(), carry_out) == "gone"


def test_a_failure_that_the_flow_does_not_catch_comes_out() -> None:
    def flow() -> Flow[None]:
        yield Wait(1)

    carry_out, _ = script(FlowError("no"))

    with pytest.raises(FlowError, match="no"):
        drive(flow(), carry_out)


def test_an_interrupt_lets_the_flow_undo_what_it_began() -> None:
    def flow() -> Flow[None]:
        try:
            yield Ask(Name())
        except KeyboardInterrupt:
            yield Keep("undone")
            yield Tell(Done())
            raise

    carry_out, seen = script(KeyboardInterrupt(), None, None)

    with pytest.raises(KeyboardInterrupt):
        drive(flow(), carry_out)
    assert [type(step) for step in seen] == [Ask, Keep, Tell]


def test_a_failure_to_undo_goes_into_the_flow_too() -> None:
    def flow() -> Flow[None]:
        try:
            yield Ask(Name())
        except KeyboardInterrupt:
            try:
                yield Keep("undone")
            except FlowError:
                heard.append("failed")
            raise

    heard: list[str] = []
    carry_out, _ = script(KeyboardInterrupt(), FlowError("no"))

    with pytest.raises(KeyboardInterrupt):
        drive(flow(), carry_out)
    assert heard == ["failed"]


def test_a_second_interrupt_ends_at_once() -> None:
    def flow() -> Flow[None]:
        try:
            yield Ask(Name())
        finally:
            yield Keep("first")
            yield Keep("second")

    carry_out, seen = script(KeyboardInterrupt(), KeyboardInterrupt(), None)

    with pytest.raises(KeyboardInterrupt):
        drive(flow(), carry_out)
    assert [type(step) for step in seen] == [Ask, Keep]


@pytest.mark.parametrize("step", [Ask(Name()), Wait(60)], ids=["ask", "wait"])
def test_after_an_interrupt_nobody_is_asked_or_kept_waiting(step: Step) -> None:
    def flow() -> Flow[None]:
        try:
            yield Keep("begun")
        except KeyboardInterrupt:
            yield step

    carry_out, seen = script(KeyboardInterrupt())

    with pytest.raises(KeyboardInterrupt):
        drive(flow(), carry_out)
    assert [type(step) for step in seen] == [Keep]


def test_an_interrupt_between_steps_lets_the_flow_undo_too() -> None:
    def flow() -> Flow[None]:
        try:
            yield Wait(1)
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            yield Keep("undone")
            raise

    carry_out, seen = script(None, None)

    with pytest.raises(KeyboardInterrupt):
        drive(flow(), carry_out)
    assert [type(step) for step in seen] == [Wait, Keep]


def test_a_bug_of_the_world_lets_the_flow_cancel_what_it_began() -> None:
    """Or the peer would wait for somebody who is gone."""

    def flow() -> Flow[None]:
        try:
            yield Wait(1)
        except Exception:
            yield Keep("cancelled")
            raise

    carry_out, seen = script(ZeroDivisionError(), None)

    with pytest.raises(ZeroDivisionError):
        drive(flow(), carry_out)
    assert [type(step) for step in seen] == [Wait, Keep]


def test_a_flow_that_goes_on_after_an_interrupt_may_end_well() -> None:
    def flow() -> Flow[str]:
        try:
            yield Ask(Name())
        except KeyboardInterrupt:
            return "left"
        return "answered"

    carry_out, _ = script(KeyboardInterrupt())

    assert drive(flow(), carry_out) == "left"


def test_the_end_of_an_iterator_in_the_world_is_not_the_end_of_the_flow() -> None:
    def flow() -> Flow[str]:
        yield Wait(1)
        return "result"

    carry_out, _ = script(StopIteration("no result"))

    with pytest.raises(StopIteration, match="no result"):
        drive(flow(), carry_out)
