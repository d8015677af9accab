"""Whatever happens while a race ends, every loser and an unwanted winner are told."""

import pytest

from parsec.client.drive import drive
from parsec.client.failure import Offline
from parsec.client.flows.race import Won, race
from parsec.client.step import Flow, Keep, Step, Wait, keep, wait
from tests.support.flows import Clock


def runner(name: str, seconds: float) -> Flow[str]:
    """Waits, then has its name as result; leaves a record when it is abandoned."""
    try:
        yield from wait(seconds)
    except KeyboardInterrupt:
        yield from leave(name)
        raise
    return name


def leave(name: str) -> Flow[None]:
    """Say so, and once more where just that is interrupted."""
    try:
        yield from keep(name)
    except KeyboardInterrupt:
        yield from keep(f"{name} again")
        raise


def undo(name: str) -> Flow[None]:
    yield from keep(f"undone {name}")


def run(
    *seconds: float, error: BaseException | None = None, at: Step | None = None
) -> tuple[object, list[object]]:
    """How a race of runners ends, one for each time, and what they kept.

    The error comes the first time that the race makes that step.
    """
    clock, kept = Clock(), list[object]()
    errors = [error] if error else []

    def carry_out(step: Step) -> None:
        if step == at and errors:
            raise errors.pop()
        if isinstance(step, Wait):
            clock.now = clock.now.plus(seconds=step.seconds)
        if isinstance(step, Keep):
            kept.append(step.record)

    runners = [runner(str(place), pause) for place, pause in enumerate(seconds)]
    try:
        return drive(race(runners, clock.means(), undo=undo), carry_out), kept
    except (Exception, KeyboardInterrupt) as ended:
        return ended, kept


def test_the_fastest_wins_and_the_others_leave() -> None:
    assert run(3, 1, 2) == (Won(1, "1"), ["0", "2"])


def test_an_interrupted_race_is_left_by_all() -> None:
    interruption = KeyboardInterrupt()

    assert run(3, 1, 2, error=interruption, at=Wait(1)) == (interruption, ["0", "1", "2"])


def test_a_race_with_a_bug_is_left_by_all() -> None:
    bug = ZeroDivisionError()

    assert run(3, 1, 2, error=bug, at=Wait(1)) == (bug, ["0", "1", "2"])


def test_a_loser_that_cannot_leave_changes_nothing() -> None:
    offline = Offline("The server cannot be reached")

    assert run(3, 1, 2, error=offline, at=Keep("0")) == (Won(1, "1"), ["2"])


@pytest.mark.parametrize(
    ("error", "first"), [(KeyboardInterrupt(), ["0 again"]), (ZeroDivisionError(), [])]
)
def test_whatever_disturbs_the_leaving_excuses_nobody(
    error: BaseException, first: list[str]
) -> None:
    assert run(3, 1, 2, error=error, at=Keep("0")) == (error, [*first, "2", "undone 1"])
