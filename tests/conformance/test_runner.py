"""What a machine that is too slow makes of a scenario says nothing about the server."""

from typing import Any

import pytest

from tests.conformance.scenarios import runner

SERVER: Any = None


class Time:
    """The clock of the runner."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def time(self) -> float:
        return self.now

    monotonic = time


class NothingToClose:
    """One play of a scenario, without a server."""

    def __init__(self, *_: object) -> None:
        pass

    def close(self) -> None:
        pass


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Time:
    clock = Time()
    monkeypatch.setattr(runner, "time", clock)
    return clock


@pytest.mark.parametrize(
    ("step", "seconds", "plays"),
    [
        ({"step": "rpc"}, 0.1, 1),
        ({"step": "rpc"}, 0.5, 4),
        ({"step": "sse_next"}, 20, 1),  # an event that never came
        ({"step": "sleep"}, 30, 1),
        ({"step": "sleep", "req": {"$totp": "secret"}}, 30, 4),  # another code counts
    ],
)
def test_a_scenario_that_differs_is_played_anew_if_it_was_late(
    clock: Time, monkeypatch: pytest.MonkeyPatch, step: Any, seconds: float, plays: int
) -> None:
    played: list[object] = []

    class Run(NothingToClose):
        def play(self, step: runner.Step) -> None:
            played.append(step)
            clock.now += seconds
            raise AssertionError("differs")

    monkeypatch.setattr(runner, "_Run", Run)

    with pytest.raises(AssertionError, match=r"^step 0 "):
        runner.play({"steps": [step]}, SERVER)

    assert len(played) == plays


def test_a_scenario_that_agrees_is_played_once(
    clock: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    played: list[object] = []

    class Run(NothingToClose):
        def play(self, step: runner.Step) -> None:
            played.append(step)
            clock.now += 1

    monkeypatch.setattr(runner, "_Run", Run)

    runner.play({"steps": [{"step": "rpc"}]}, SERVER)

    assert len(played) == 1
