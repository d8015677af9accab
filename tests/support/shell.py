"""The command line without a terminal: what was typed, printed, returned.

In this process where a command talks to nobody, in processes of their own where two people meet.
"""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from parsec.cli import console
from parsec.cli.main import run

_KEPT = (
    "PATH",
    "LANG",
    "LC_ALL",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONPYCACHEPREFIX",
    "PYTHON_KEYRING_BACKEND",
)
_PATIENCE = 60.0


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str


class Running:
    """A command in a process of its own, read and written line by line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._out: list[str] = []

    def type(self, *lines: str) -> None:
        """Give it lines to read."""
        assert self._process.stdin is not None
        self._process.stdin.write("".join(f"{line}\n" for line in lines))
        self._process.stdin.flush()

    def event(self, kind: str) -> dict[str, Any]:
        """Read objects up to the next one of that kind."""
        while True:
            found: dict[str, Any] = json.loads(self._next_line(kind))
            if found["event"] == kind:
                return found

    def line(self, prefix: str) -> str:
        """Read lines up to the next one that begins like this; the answer is the rest of it."""
        while True:
            line = self._next_line(prefix)
            if line.startswith(prefix):
                return line.removeprefix(prefix).rstrip("\n")

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self._process.send_signal(signal.SIGINT)

    def end(self) -> None:
        """End it as a system that shuts down does."""
        self._process.terminate()

    def finish(self) -> Outcome:
        """Wait for the end; who does not come to it is killed, and TimeoutExpired raised."""
        try:
            out, err = self._process.communicate(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            raise
        return Outcome(self._process.returncode, "".join(self._out) + out, err)

    def _next_line(self, wanted: str) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"no {wanted!r}: {self.finish()}"
        self._out.append(line)
        return line


@dataclass
class Shell:
    """A person's machine."""

    home: Path
    variables: dict[str, str] = field(default_factory=dict)

    def run(self, *arguments: str, stdin: str = "", **variables: str) -> Outcome:
        """Run a command that reads what is in `stdin`."""
        with environment({**self._environment(), **variables}), streams(stdin.encode()) as captured:
            code = run(arguments, os.environ)
        return Outcome(code, captured.out, captured.err)

    def start(self, *arguments: str) -> "Running":
        """Start a command in a process of its own, with pipes and without a terminal."""
        return Running(
            subprocess.Popen(
                [sys.executable, "-m", "parsec.cli.main", *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=self.environment,
                start_new_session=True,
                encoding="utf-8",
            )
        )

    @property
    def environment(self) -> dict[str, str]:
        """The variables of a process on this machine."""
        return {**_kept(), **self._environment()}

    def _environment(self) -> dict[str, str]:
        return {
            "HOME": str(self.home),
            "PARSEC_BASE_CONFIG_DIR": str(self.home / "config"),
            "PARSEC_BASE_DATA_DIR": str(self.home / "data"),
            "_PARSEC_INVITE_POLLING_THROTTLE_MS": "50",
            **self.variables,
        }


class Captured:
    """What went to the two output streams."""

    def __init__(self) -> None:
        self.stdout, self.stderr = _text(), _text()

    @property
    def out(self) -> str:
        return _content(self.stdout)

    @property
    def err(self) -> str:
        return _content(self.stderr)


class Printed:
    """What went to the two output streams so far."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self._out = self._err = ""

    @property
    def out(self) -> str:
        self._read()
        return self._out

    @property
    def err(self) -> str:
        self._read()
        return self._err

    def _read(self) -> None:
        out, err = self._capsys.readouterr()
        self._out += out
        self._err += err


@contextlib.contextmanager
def streams(stdin: bytes = b"") -> Iterator[Captured]:
    """Put pipes in place of the standard streams, and let there be no terminal."""
    captured = Captured()
    with (
        mock.patch.object(sys, "stdin", _text(stdin)),
        mock.patch.object(sys, "stdout", captured.stdout),
        mock.patch.object(sys, "stderr", captured.stderr),
        mock.patch.object(console, "_has_terminal", return_value=False),
    ):
        yield captured


@contextlib.contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Have these variables, and none of whoever runs the tests."""
    with mock.patch.dict(os.environ, {**_kept(), **variables}, clear=True):
        yield


def _kept() -> dict[str, str]:
    return {name: os.environ[name] for name in _KEPT if name in os.environ}


def _text(content: bytes = b"") -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(content), encoding="utf-8", newline="", write_through=True)


def _content(stream: io.TextIOWrapper) -> str:
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue().decode()
