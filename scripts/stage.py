"""People at terminals: real processes of the real programs, driven through pseudo-terminals.

The demo and the scenario tests play their stories on it. A `Terminal` keeps what a person would
see: it understands the few control sequences that the command line sends.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pexpect

PATIENCE = 120.0
"""Seconds after which a line that does not come is a failure."""

_CONTROL = re.compile(r"\x1b\[(?P<args>[0-9;?]*)(?P<verb>[A-Za-z])|\x1b[=>78]|\x1b\][^\x07]*\x07")
_CURRENT_ITEM = re.compile(r"^> (.*)$", re.MULTILINE)


class Screen:
    """What a stream of characters leaves on a terminal that never scrolls away."""

    def __init__(self) -> None:
        self.lines: list[str] = [""]
        self.row = 0
        self.column = 0
        self._rest = ""

    def feed(self, text: str) -> None:
        """Show more characters."""
        text = self._rest + text
        self._rest = ""
        at = 0
        while at < len(text):
            if text[at] == "\x1b":
                match = _CONTROL.match(text, at)
                if match is None:
                    self._rest = text[at:]  # the sequence is not complete yet
                    return
                self._control(match["verb"], match["args"] or "")
                at = match.end()
                continue
            self._character(text[at])
            at += 1

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.lines)

    def _character(self, character: str) -> None:
        if character == "\n":
            self._move_to(self.row + 1)
        elif character == "\r":
            self.column = 0
        elif character == "\b":
            self.column = max(0, self.column - 1)
        elif character == "\t":
            self.column += 8 - self.column % 8
        elif character >= " ":
            line = self.lines[self.row].ljust(self.column)
            self.lines[self.row] = line[: self.column] + character + line[self.column + 1 :]
            self.column += 1

    def _control(self, verb: str | None, arguments: str) -> None:
        number = int(arguments) if arguments.isdigit() else 0
        line = self.lines[self.row]
        match verb:
            case "A":
                self.row = max(0, self.row - (number or 1))
            case "B":
                self._move_to(self.row + (number or 1))
            case "C":
                self.column += number or 1
            case "D":
                self.column = max(0, self.column - (number or 1))
            case "G":
                self.column = max(0, number - 1)
            case "K" if number == 2:
                self.lines[self.row] = ""
            case "K":
                self.lines[self.row] = line[: self.column]
            case "J":
                self.lines[self.row] = line[: self.column]
                del self.lines[self.row + 1 :]
            case _:
                pass  # colours, cursor shapes, modes

    def _move_to(self, row: int) -> None:
        while len(self.lines) <= row:
            self.lines.append("")
        self.row = row


class Terminal:
    """One command at a person's terminal."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        show: Callable[[str], None] = lambda _line: None,
    ) -> None:
        self.screen = Screen()
        self._show = show
        self._shown = 0
        self._mark = 0
        self._child = pexpect.spawn(
            command[0],
            list(command[1:]),
            env=dict(environment),
            dimensions=(50, 160),
            encoding="utf-8",
            codec_errors="replace",
            timeout=PATIENCE,
        )
        self._child.delaybeforesend = None

    def expect(self, pattern: str) -> re.Match[str]:
        """Wait until the text appears after what was seen before; the answer is the match."""
        deadline = time.monotonic() + PATIENCE
        while True:
            match = re.compile(pattern).search(self.screen.text, self._mark)
            if match:
                self._mark = match.end()
                self._show_finished()
                return match
            if not self._read(deadline):
                raise AssertionError(
                    f"{pattern!r} never came; the screen shows:\n{self.screen.text}"
                )

    def see(self, text: str) -> None:
        """Wait until exactly this text appears."""
        self.expect(re.escape(text))

    def type(self, text: str) -> None:
        """Type a line and press Enter."""
        self._child.sendline(text)

    def choose(self, prompt: str, item: str) -> None:
        """Move to an item of the list with that prompt by the arrow keys, and press Enter."""
        self.see(prompt)
        self.pick(item)

    def pick(self, item: str) -> None:
        """The same where the prompt was seen already."""
        self._settle(lambda: self._current_item() is not None)
        for _ in range(20):
            before = self._current_item() or ""
            if item in before:
                self._show_list()
                self._child.send("\r")
                return
            self._child.send("\x1b[B")
            self._settle(partial(self._moved, before))
        raise AssertionError(f"{item!r} is not to choose:\n{self.screen.text}")

    def press_control_c(self) -> None:
        """Interrupt the command."""
        self._child.sendintr()

    def kill(self) -> None:
        """End the command as a crash would."""
        self._child.kill(signal.SIGKILL)
        self._child.wait()

    def finish(self, code: int = 0) -> str:
        """Wait for the end; the answer is all that was on the screen."""
        deadline = time.monotonic() + PATIENCE
        while self._read(deadline):
            pass
        self._child.close()
        self._show_finished(everything=True)
        found = self._child.exitstatus
        assert found == code, f"exit code {found}, expected {code}:\n{self.screen.text}"
        return self.screen.text

    def _current_item(self) -> str | None:
        match = _CURRENT_ITEM.search(self.screen.text, self._mark)
        return match[1] if match else None

    def _moved(self, before: str) -> bool:
        return self._current_item() not in (None, before)

    def _settle(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not done():
            if not self._read(deadline):
                raise AssertionError(f"the command ended:\n{self.screen.text}")

    def _read(self, deadline: float) -> bool:
        """Take in what has come; False when nothing will come any more."""
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise AssertionError(f"nothing more came; the screen shows:\n{self.screen.text}")
        try:
            self.screen.feed(self._child.read_nonblocking(4096, timeout=remaining))
        except pexpect.TIMEOUT:
            raise AssertionError(f"nothing more came:\n{self.screen.text}") from None
        except pexpect.EOF:
            return False
        return True

    def _show_list(self) -> None:
        """What is on the screen but will be gone once something is chosen."""
        self._show_finished()
        for line in self.screen.text.split("\n")[self._shown :]:
            if line.strip():
                self._show(line)

    def _show_finished(self, *, everything: bool = False) -> None:
        lines = self.screen.text.split("\n")
        finished = len(lines) if everything else self.screen.row
        for line in lines[self._shown : finished]:
            if line.strip():
                self._show(line)
        self._shown = max(self._shown, finished)


class Script:
    """One command without a terminal: its input and output are pipes, its data JSON."""

    def __init__(self, command: Sequence[str], *, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            command,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # so that there is no terminal to fall back on either
        )
        # Whoever waits for a line must not wait for ever.
        self._watchdog = threading.Timer(PATIENCE, self._process.kill)
        self._watchdog.daemon = True
        self._watchdog.start()

    def write(self, *lines: str) -> None:
        """Give lines to its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write("".join(f"{line}\n" for line in lines))
        self._process.stdin.flush()

    def event(self, kind: str) -> dict[str, Any]:
        """The next event of that kind that it tells."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            told: dict[str, Any] = json.loads(line)
            if told.get("event") == kind:
                return told
        raise AssertionError(f"no event {kind!r} came; {self._process.communicate()[1]}")

    def kill(self) -> None:
        """End the command as a crash would."""
        self._process.kill()
        self._process.communicate()
        self._watchdog.cancel()

    def result(self) -> Any:
        """Wait for the end; the answer is the document that it wrote."""
        return json.loads(self.finish())

    def finish(self, code: int = 0) -> str:
        """Wait for the end; the answer is the rest of what it wrote."""
        output, errors = self._process.communicate()
        self._watchdog.cancel()
        assert self._process.returncode == code, f"{self._process.returncode}: {output}{errors}"
        self.errors = errors
        return output


class Person:
    """Somebody with a machine of their own."""

    def __init__(self, stage: "Stage", name: str) -> None:
        self.name = name
        self.email = f"{name.lower()}@example.com"
        self.password = f"{name}'s passw0rd"
        self.handle = f"{name} <{self.email}>"
        self.variables: dict[str, str] = {}
        """Of the person's own session, in addition."""
        self._stage = stage
        self.home = stage.folder / name.lower()
        self.home.mkdir()

    def run(self, *arguments: str) -> Terminal:
        """Start a command at this person's terminal."""
        self._stage.show("")
        self._stage.show(f"{self.name}$ parsec-cli {' '.join(_quoted(arguments))}")
        return Terminal(
            [*CLI, *arguments],
            environment=self.environment,
            show=lambda line: self._stage.show(f"{self.name:>8} │ {line}"),
        )

    def script(self, *arguments: str) -> Script:
        """Start a command from a script of this person."""
        password_file = self.home / "password"
        if not password_file.exists():
            password_file.write_text(f"{self.password}\n", encoding="utf-8")
        environment = {**self.environment, "PARSEC_DEVICE_PASSWORD_FILE": str(password_file)}
        return Script([*CLI, "--format", "json", *arguments], environment=environment)

    @property
    def environment(self) -> dict[str, str]:
        return {
            **_inherited(),
            "HOME": str(self.home),
            "PARSEC_BASE_CONFIG_DIR": str(self.home / "config"),
            "PARSEC_BASE_DATA_DIR": str(self.home / "data"),
            "_PARSEC_INVITE_POLLING_THROTTLE_MS": "100",
            "TERM": "xterm",
            **self.variables,
        }

    def lose_everything(self) -> None:
        """The machine is gone, and all that was on it."""
        shutil.rmtree(self.home)
        self.home.mkdir()


class Stage:
    """A server of its own in a temporary folder, and the people who use it."""

    def __init__(self, folder: Path, *, show: Callable[[str], None] = lambda _line: None) -> None:
        self.folder = folder
        self.show = show
        self.port = free_port()
        self.addr = f"parsec3://127.0.0.1:{self.port}?no_ssl=true"
        self.administration_token = "s3cr3t"
        self.members: list[str] = []
        self._server: subprocess.Popen[bytes] | None = None

    def person(self, name: str) -> Person:
        return Person(self, name)

    def start_server(self, *options: str, python: str = sys.executable) -> None:
        """Start a server and wait until it answers; another Python starts the one it has."""
        self._start([python, "-m", "parsec", "run", *self._common_options(), *options])

    def _common_options(self) -> list[str]:
        return [
            *("--port", str(self.port), "--server-addr", self.addr),
            *("--administration-token", self.administration_token),
        ]

    def _start(self, command: list[str]) -> None:
        with (self.folder / "server.log").open("ab") as log:
            self._server = subprocess.Popen(
                command, stdout=log, stderr=log, env={**_inherited(), "HOME": str(self.folder)}
            )
        process = self._server
        wait_for_port(self.port, lambda: process.poll() is None)

    def stop_server(self, *, kill: bool = False) -> int:
        """Stop the server; the answer is its exit code."""
        assert self._server is not None
        self._server.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        code = self._server.wait(timeout=PATIENCE)
        self._server = None
        return code

    def close(self) -> None:
        if self._server is not None:
            self.stop_server()


CLI = (sys.executable, "-m", "parsec.cli.main")


@contextlib.contextmanager
def stage(*, show: Callable[[str], None] = lambda _line: None) -> Iterator[Stage]:
    """A stage in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="parsec-stage-") as folder:
        built = Stage(Path(folder), show=show)
        try:
            yield built
        finally:
            built.close()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_port(port: int, alive: Callable[[], bool]) -> None:
    """Wait until somebody listens."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        assert alive(), "the server ended"
        time.sleep(0.05)
    raise AssertionError("the server does not listen")


def _inherited() -> dict[str, str]:
    # A person's own PARSEC_… settings must not leak into the story.
    kept = ("PATH", "LANG", "LC_ALL", "PYTHONPATH", "VIRTUAL_ENV", "COVERAGE_PROCESS_START")
    return {"LANG": "C.UTF-8"} | {name: os.environ[name] for name in kept if name in os.environ}


def _quoted(arguments: Sequence[str]) -> list[str]:
    return [f"'{word}'" if re.search(r"[^\w@./:+=-]", word) else word for word in arguments]
