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


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Time:
    clock = Time()
    monkeypatch.setattr(runner, "time", clock)
    return clock


@pytest.mark.parametrize(
    ("step", "seconds", "plays"),
    [
        ("rpc", 0.1, 1),
        ("rpc", 0.5, 4),
        ("sleep", 0.5, 1),
        ("sleep", 30, 4),  # another one-time code counts
    ],
)
def test_a_scenario_that_differs_is_played_anew_if_it_was_late(
    clock: Time, monkeypatch: pytest.MonkeyPatch, step: str, seconds: float, plays: int
) -> None:
    played: list[object] = []

    def play(scenario: object, _server: object, watch: runner._Watch) -> None:
        played.append(scenario)
        clock.now += seconds
        watch.after({"step": step})
        raise AssertionError("step 1 differs")

    monkeypatch.setattr(runner, "_play", play)

    with pytest.raises(AssertionError, match="differs"):
        runner.play({}, SERVER)

    assert len(played) == plays


def test_a_scenario_that_agrees_is_played_once(
    clock: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    played: list[object] = []
    monkeypatch.setattr(runner, "_play", lambda scenario, *_: played.append(scenario))

    runner.play({}, SERVER)

    assert len(played) == 1
