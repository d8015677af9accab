"""The command line in processes that die where they are told to: at their n-th write, or at once.

Starting Python takes longer than most commands. So one process, the *mother*, has loaded everything
and forks a child for each command; the child is an ordinary process with pipes and without a
terminal. In it, every call that changes a disk or a keyring is a *step*, and before the step of a
given number the child kills itself. The command line itself knows nothing of this.
"""

import contextlib
import functools
import importlib
import json
import os
import select
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn, Self

_ROOT = Path(__file__).resolve().parents[2]
_PATIENCE = 60.0
_LONGEST_ORDER = 1 << 16
KILLED = -signal.SIGKILL


@dataclass(frozen=True)
class Ended:
    """How a command ended; `code` is negative for the number of a signal."""

    code: int
    out: str
    err: str

    @property
    def events(self) -> list[Any]:
        """The objects of a conversation."""
        return [json.loads(line) for line in self.out.splitlines()]


class Child:
    """A command at work."""

    def __init__(self, stdin: IO[str], stdout: int, stderr: Path, status: IO[str]) -> None:
        self._stdin, self._stdout, self._stderr, self._status = stdin, stdout, stderr, status
        self._out, self._read, self._is_over = "", b"", False
        self._code: int | None = None
        self.pid = int(status.readline())

    def write(self, *lines: str) -> None:
        """Give it lines to read; a dead one reads nothing."""
        with contextlib.suppress(BrokenPipeError):
            self._stdin.write("".join(f"{line}\n" for line in lines))
            self._stdin.flush()

    def event(self, kind: str, *, beside: "Child | None" = None) -> dict[str, Any] | None:
        """Read objects up to the next one of that kind; None where the command ends before.

        Should the one beside be killed meanwhile, this one is killed too: nobody is left to wait
        for.
        """
        while line := self._line(beside):
            self._out += line
            found: dict[str, Any] = json.loads(line)
            if found["event"] == kind:
                return found
        return None

    @property
    def is_over(self) -> bool:
        """Whether its end was waited for."""
        return self._code is not None

    def kill(self) -> None:
        """At once, whatever it is doing; a dead one stays dead."""
        if self._code is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def finish(self) -> Ended:
        """Wait for the end."""
        with contextlib.suppress(BrokenPipeError):
            self._stdin.close()
        while line := self._line():
            self._out += line
        ended = Ended(self._ended(), self._out, self._stderr.read_text(encoding="utf-8"))
        os.close(self._stdout)
        self._status.close()
        return ended

    def _line(self, beside: "Child | None" = None) -> str:
        while b"\n" not in self._read and not self._is_over:
            if beside is not None and beside._is_over and beside._ended() == KILLED:
                self.kill()
            watched = [each for each in (self, beside) if each is not None and not each._is_over]
            readable, _, _ = select.select([each._stdout for each in watched], [], [], _PATIENCE)
            if not readable:
                self.kill()
                raise AssertionError(f"no end: {self._out} {self._stderr.read_text()}")
            for each in watched:
                if each._stdout in readable:
                    each._fill()
        line, newline, self._read = self._read.partition(b"\n")
        return (line + newline).decode()

    def _fill(self) -> None:
        more = os.read(self._stdout, 65536)
        self._read += more
        self._is_over = not more

    def _ended(self) -> int:
        if self._code is None:
            self._code = int(self._status.readline())
        return self._code


class Mother:
    """Has all children of some tests. To be used as a context manager."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._children = 0

    def __enter__(self) -> Self:
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.mortal_client", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                cwd=_ROOT,
                stdin=subprocess.DEVNULL,
            )
        assert self._line.recv(16) == b"ready", "the mother did not start"
        return self

    def __exit__(self, *_: object) -> None:
        self._line.close()
        self._process.wait(_PATIENCE)

    def start(
        self, arguments: list[str], environment: Mapping[str, str], **conditions: object
    ) -> Child:
        """Start a command; `conditions` are the fields of `_Conditions`."""
        self._children += 1
        stderr = self._folder / f"stderr-{self._children}"
        theirs_in, ours_in = os.pipe()
        ours_out, theirs_out = os.pipe()
        ours_status, theirs_status = os.pipe()
        theirs_err = os.open(stderr, os.O_WRONLY | os.O_CREAT)
        order = {"arguments": arguments, "environment": {**environment}, "conditions": conditions}
        theirs = [theirs_in, theirs_out, theirs_err, theirs_status]
        socket.send_fds(self._line, [json.dumps(order).encode()], theirs)
        for descriptor in theirs:
            os.close(descriptor)
        return Child(
            os.fdopen(ours_in, "w", encoding="utf-8"),
            ours_out,
            stderr,
            os.fdopen(ours_status, encoding="utf-8"),
        )


# --- In the process of the mother ---

_LOADED = (
    *(
        f"parsec.cli.{name}"
        for name in (
            *("certificate", "desk", "device", "devices", "invite", "main", "organization"),
            *("recovery_file", "shared_recovery", "totp", "user"),
        )
    ),
    *(f"parsec.client.flows.{name}" for name in ("recovery_device", "shamir", "totp", "user")),
    "parsec.client.guards.keyring",
    # What these load when they are first used.
    *("encodings.idna", "h11", "httpcore2", "nacl.pwhash", "truststore"),
)


@dataclass(frozen=True)
class _Conditions:
    """Under which a child lives."""

    dies_at: int | None = None
    """Before which of its steps."""
    largest_file: int | None = None
    """Bytes; beyond that, writing fails."""
    clock_seconds: int = 0
    """How far its clock is ahead."""
    keyring: str | None = None
    """The file of its keyring."""


def _serve(line: socket.socket) -> None:
    for name in _LOADED:
        importlib.import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the keepers
    line.send(b"ready")
    while True:
        order, descriptors, _, _ = socket.recv_fds(line, _LONGEST_ORDER, 4)
        if not order:
            return
        if os.fork() == 0:
            line.close()
            _keep_child(json.loads(order), descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _keep_child(order: dict[str, Any], descriptors: list[int]) -> NoReturn:
    """Have the child, and tell its number and its end."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    *streams, status = descriptors
    pid = os.fork()
    if pid == 0:
        os.close(status)
        for place, descriptor in enumerate(streams):
            os.dup2(descriptor, place)
            os.close(descriptor)
        _live(order)
    # The pipes end with the child, not with its keeper.
    for descriptor in streams:
        os.close(descriptor)
    os.write(status, f"{pid}\n".encode())
    _, ended = os.waitpid(pid, 0)
    os.write(status, f"{os.waitstatus_to_exitcode(ended)}\n".encode())
    os._exit(0)


def _live(order: dict[str, Any]) -> NoReturn:
    from parsec.cli.main import main

    os.setsid()
    # Those of the mother were made for what her streams are.
    sys.stdin, sys.stdout, sys.stderr = (
        os.fdopen(place, mode, encoding="utf-8") for place, mode in enumerate("rww")
    )
    os.environ.clear()
    os.environ.update(order["environment"])
    conditions = _Conditions(**order["conditions"])
    _make_passwords_cheap()
    if conditions.keyring:
        _use_keyring(Path(conditions.keyring))
    if conditions.clock_seconds:
        _shift_clock(conditions.clock_seconds)
    if conditions.largest_file is not None:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (conditions.largest_file,) * 2)
    if conditions.dies_at is not None:
        _count_steps(_Steps(conditions.dies_at))
    sys.argv = ["parsec-cli", *order["arguments"]]
    code = 1
    try:
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


class _Steps:
    def __init__(self, last: int) -> None:
        self._left = last

    def __call__(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def _count_steps(step: Callable[[], None]) -> None:
    """Make every call that changes a disk or a keyring a step."""

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(call)
        def wrapped(*arguments: Any, **options: Any) -> Any:
            step()
            return call(*arguments, **options)

        return wrapped

    really_open = os.open

    def opened(path: Any, flags: int, *arguments: Any, **options: Any) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR):
            step()
        return really_open(path, flags, *arguments, **options)

    os.open = opened
    for name in ("fsync", "replace", "rename", "unlink", "rmdir", "mkdir", "chmod"):
        setattr(os, name, counted(getattr(os, name)))

    class Connection(sqlite3.Connection):
        def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
            if not sql.lstrip().startswith("SELECT"):
                step()
            return super().execute(sql, *arguments)

        def __exit__(self, *raised: object) -> Any:
            step()
            leave: Any = super().__exit__
            return leave(*raised)

    connect: Any = functools.partial(sqlite3.connect, factory=Connection)
    sqlite3.connect = connect
    if "keyring" in sys.modules:
        import keyring

        backend = keyring.get_keyring()
        for name in ("set_password", "delete_password"):
            setattr(backend, name, counted(getattr(backend, name)))


def _make_passwords_cheap() -> None:
    """Files are opened by the cost that they name, so that of a new one is all there is to say."""
    password = importlib.import_module("parsec.client.guards.password")
    vars(password).update(DEFAULT_MEMLIMIT_KB=8, DEFAULT_OPSLIMIT=1)


def _use_keyring(file: Path) -> None:
    import keyring
    import keyring.backend
    import keyring.errors

    class FileKeyring(keyring.backend.KeyringBackend):
        """Changes its file with one call, as a keyring's daemon does; it outlives its clients."""

        priority = 5

        def get_password(self, service: str, username: str) -> str | None:
            return self._entries().get(f"{service} {username}")

        def set_password(self, service: str, username: str, password: str) -> None:
            self._save({**self._entries(), f"{service} {username}": password})

        def delete_password(self, service: str, username: str) -> None:
            entries = self._entries()
            if entries.pop(f"{service} {username}", None) is None:
                raise keyring.errors.PasswordDeleteError
            self._save(entries)

        def _entries(self) -> dict[str, str]:
            found: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
            return found

        def _save(self, entries: dict[str, str]) -> None:
            file.write_text(json.dumps(entries))

    keyring.set_keyring(FileKeyring())  # type: ignore[no-untyped-call]


def _shift_clock(seconds: int) -> None:
    really = time.time_ns
    time.time_ns = lambda: really() + seconds * 1_000_000_000


@contextlib.contextmanager
def mother(folder: Path) -> Iterator[Mother]:
    """A mother whose children write what they complain about to that folder."""
    with Mother(folder) as started:
        yield started


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
