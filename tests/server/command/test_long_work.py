"""How work that takes long is told, and ends before its time."""

import asyncio
import os
import signal

import pytest

from parsec.server.command.failure import Failure
from parsec.server.command.long_work import carry_out, progress
from parsec.server.store.engine import StorageError


async def nothing() -> int:
    return 7


def test_what_it_comes_to_is_returned() -> None:
    assert carry_out(nothing(), interrupted="") == 7


def test_a_failure_of_the_database_is_told_with_its_hint() -> None:
    async def fail() -> None:
        raise StorageError("it is broken", hint="mend it")

    with pytest.raises(Failure) as raised:
        carry_out(fail(), interrupted="")

    assert raised.value.format_message() == "it is broken\nhint: mend it"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_interrupts_it_is_told_what_is_left(number: signal.Signals) -> None:
    cleaned_up = []

    async def wait() -> None:
        try:
            os.kill(os.getpid(), number)
            await asyncio.sleep(60)
        finally:
            cleaned_up.append(True)

    with pytest.raises(Failure, match="interrupted; nothing was written"):
        carry_out(wait(), interrupted="nothing was written")

    assert cleaned_up


def test_progress_is_written_now_and_then_where_there_is_no_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seconds = iter([0.0, 9.0, 10.0, 10.0, 19.0])
    monkeypatch.setattr("time.monotonic", lambda: next(seconds))

    with progress() as told:
        for count in (1000, 2000, 3000):
            told("device", count)

    assert capsys.readouterr() == ("", "device: 2,000\n")
