"""Several processes that serve the same clients, and one that watches over them.

The supervisor listens, opens no connection and keeps no event loop but its own small one. Each
worker is a fresh process that inherits the listening socket. One that crashes is replaced, unless
that happens again and again. One that gives up says why, and what it says holds for all of them:
then the server ends as a single process would.
"""

import asyncio
import collections
import contextlib
import pickle
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import structlog

from parsec.server.build import prepare_database
from parsec.server.command.failure import Failure
from parsec.server.command.serve import check_http, tell_start, told_failures
from parsec.server.command.settle import Settled
from parsec.server.command.worker import Excuse, Job
from parsec.server.settings import Settings

MOST_CRASHES = 5
"""How many workers may crash within `CRASH_SECONDS` before that is no accident."""

CRASH_SECONDS = 60.0

# Longer than a worker takes for its last requests and its database.
_LAST_SECONDS = 30.0

_log = structlog.get_logger()


def supervise(
    settled: Settled,
    listener: socket.socket,
    metrics: Sequence[socket.socket],
    logs: Mapping[str, Any],
) -> None:
    """Serve until SIGINT or SIGTERM, by as many processes as wanted. Raises Failure."""
    # What no worker could do is told before any is started.
    check_http(settled.settings)
    with told_failures(settled.settings):
        asyncio.run(prepare_database(settled.settings))
    supervisor = _Supervisor(settled, listener, metrics, logs)
    try:
        asyncio.run(supervisor.run())
    except BaseExceptionGroup as group:
        failures = group.subgroup(Failure)
        if failures is None:
            raise
        # The first worker that gave up took the others with it.
        raise failures.exceptions[0] from None


class _Supervisor:
    def __init__(
        self,
        settled: Settled,
        listener: socket.socket,
        metrics: Sequence[socket.socket],
        logs: Mapping[str, Any],
    ) -> None:
        self._settled = settled
        self._listener = listener
        self._metrics = metrics
        self._logs = dict(logs)
        # Now: later on the folder may be gone.
        self._import_flags = import_flags()
        self._running: dict[int, asyncio.subprocess.Process] = {}
        self._crashes: collections.deque[float] = collections.deque(maxlen=MOST_CRASHES)
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Raises Failure, in a group."""
        loop = asyncio.get_running_loop()
        for kind in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(kind, self._stop, kind)
        # Who reads the start line may stop the server at once.
        tell_start(self._settled)
        async with asyncio.TaskGroup() as group:
            for number in range(1, self._settings.workers + 1):
                group.create_task(self._keep(number))
        _log.info("stopped")

    @property
    def _settings(self) -> Settings:
        return self._settled.settings

    def _stop(self, kind: signal.Signals) -> None:
        """Have the workers stop; a second SIGINT hurries them."""
        if self._stopping.is_set():
            self._send(kind)
            return
        self._stopping.set()
        # Nobody shall wait for a worker to take a connection which none will take.
        self._listener.close()
        loop = asyncio.get_running_loop()
        loop.call_later(_LAST_SECONDS, self._kill)
        # Whatever came: of SIGINT a worker that has only begun would make a traceback.
        self._send(signal.SIGTERM)

    def _send(self, kind: signal.Signals) -> None:
        for process in self._running.values():
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(kind)

    def _kill(self) -> None:
        """For those that did not stop."""
        for number, process in self._running.items():
            kill(number, process)

    async def _keep(self, number: int) -> None:
        """See that a worker runs. Raises Failure."""
        while not self._stopping.is_set():
            process = await self._start(number)
            try:
                excuse = await self._excuse(process)
            except asyncio.CancelledError:
                await _end(number, process)
                raise
            finally:
                del self._running[number]
            if self._stopping.is_set():
                return
            if excuse is not None:
                raise Failure(excuse.message, hint=excuse.hint)
            self._replace(number, process)

    async def _start(self, number: int) -> asyncio.subprocess.Process:
        metrics = self._metrics[number - 1].fileno() if self._metrics else None
        job = Job(
            number=number,
            settings=self._settings,
            clients=self._listener.fileno(),
            metrics=metrics,
            logs=self._logs,
        )
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *(*self._import_flags, "-m", "parsec.server.command.worker"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            pass_fds=[job.clients, *([metrics] if metrics is not None else [])],
            # Ctrl-C at a terminal is for the supervisor, who passes it on once.
            process_group=0,
        )
        self._running[number] = process
        if self._stopping.is_set():
            process.terminate()
        assert process.stdin is not None
        with contextlib.suppress(ConnectionError):
            # Not on its command line, where everybody could read the secrets.
            process.stdin.write(pickle.dumps(job))
            await process.stdin.drain()
        return process

    async def _excuse(self, process: asyncio.subprocess.Process) -> Excuse | None:
        """Wait for the end; why it gave up, unless it crashed."""
        assert process.stdout is not None
        told = await process.stdout.read()
        await process.wait()
        try:
            return msgspec.json.decode(told, type=Excuse)
        except msgspec.DecodeError:
            return None

    def _replace(self, number: int, process: asyncio.subprocess.Process) -> None:
        """Note a crash. Raises Failure for one too many."""
        how = _how(process.returncode)
        _log.error("worker crashed", crashed=number, how=how)
        now = asyncio.get_running_loop().time()
        self._crashes.append(now)
        if len(self._crashes) == MOST_CRASHES and now - self._crashes[0] < CRASH_SECONDS:
            raise Failure(
                f"workers crashed {MOST_CRASHES} times in {CRASH_SECONDS:.0f} seconds, "
                f"the last one by {how}",
                hint="the log and standard error may tell more",
            )


def import_flags() -> Sequence[str]:
    """With which a worker looks for modules where its supervisor found them."""
    # `-m` alone would look first into the folder in which the server was started, whoever put what
    # there; a supervisor that is a script did not.
    return ("-P",) if {"", str(Path.cwd())}.isdisjoint(sys.path) else ()


async def _end(number: int, process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(_LAST_SECONDS):
            await process.wait()
    except TimeoutError:
        kill(number, process)


def kill(number: int, process: asyncio.subprocess.Process) -> None:
    """End a worker that did not stop, whatever it is at."""
    with contextlib.suppress(ProcessLookupError):
        process.kill()
        # The exit code of the supervisor is 0 all the same.
        _log.error("worker killed", killed=number, waited_seconds=_LAST_SECONDS)


def _how(code: int | None) -> str:
    if code is not None and code < 0:
        return signal.Signals(-code).name
    return f"exit code {code}"
