"""A server that dies at any point of a command has done it whole or not at all.

And whole if the client was told so: what people see afterwards, the events of those who come back,
a repeat of the command, and the database itself agree (`kill_points` says how that is looked at).
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.postgresql import SERVER
from tests.survival.commands import COMMANDS
from tests.survival.kill_points import WORKS

Ask = Callable[[str], tuple[int, list[str]]]

KIND = "sqlite" if SERVER is None else "postgresql"


@pytest.fixture(scope="module")
def ask() -> Iterator[Ask]:
    """What is found when servers are killed at all write points of a command."""
    # Processes are killed here, not machines: what they wrote need not reach a disk.
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.survival.kill_points", folder, KIND],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        writing, reading = process.stdin, process.stdout

        def asked(name: str) -> tuple[int, list[str]]:
            print(name, file=writing, flush=True)
            points, problems = json.loads(reading.readline())
            return points, problems

        yield asked
        writing.close()
        process.wait(20)
        reading.close()


@pytest.mark.skipif(sys.platform == "win32", reason="nobody forks there")
@pytest.mark.parametrize("name", [*COMMANDS, *WORKS])
def test_whoever_is_killed_leaves_all_or_nothing(name: str, ask: Ask) -> None:
    points, problems = ask(name)

    assert problems == []
    # Before and after what is written, were it a single statement, and before the answer.
    assert points >= 3
