"""The official compiled types, as jobs for the process that has them (`official_worker.py`)."""

import os
import pickle
import select
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

Job: TypeAlias = tuple[Any, ...]
"""The name of a function of the worker, and its arguments."""

_PATIENCE = 60
_WORKER = Path(__file__).with_name("official_worker.py")


class Answer(NamedTuple):
    """What came of a job: a value, or the text of what the official types object to."""

    accepted: bool
    outcome: Any

    @property
    def value(self) -> Any:
        assert self.accepted, self.outcome
        return self.outcome

    @property
    def error(self) -> str:
        assert not self.accepted, self.outcome
        return str(self.outcome)


class Official:
    """One process with the official types; a batch of jobs costs one way there and back."""

    def __init__(self, python: str) -> None:
        # Nothing of our environment may reach it, least of all our import path. Its broken
        # invariants panic: their traces would bury everything else.
        environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "RUST_BACKTRACE": "0"}
        self._process = subprocess.Popen(
            [python, "-I", str(_WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )

    def answers(self, jobs: Iterable[Job]) -> Sequence[Answer]:
        """The answers to jobs, in their order."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        _BuiltInsOnly(self._process.stdin).dump(list(jobs))
        self._process.stdin.flush()
        readable, _, _ = select.select([self._process.stdout], [], [], _PATIENCE)
        assert readable, "the official types do not answer"
        return [Answer(*answer) for answer in pickle.load(self._process.stdout)]

    def answer(self, name: str, *arguments: Any) -> Answer:
        """The answer to one job."""
        (answer,) = self.answers([(name, *arguments)])
        return answer

    def ask(self, name: str, *arguments: Any) -> Any:
        """What comes of a job that succeeds."""
        return self.answer(name, *arguments).value

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


class _BuiltInsOnly(pickle.Pickler):
    """Objects to what the other process could not make sense of."""

    def reducer_override(self, value: object) -> Any:
        raise TypeError(f"a {type(value).__name__} cannot be sent")
