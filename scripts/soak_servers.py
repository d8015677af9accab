"""Servers that are killed and started again, on either database."""

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from scripts.stage import free_port, wait_for_port
from tests.support.own_cluster import OwnCluster, own_cluster
from tests.support.server_process import children, environment_at

TOKEN = "s3cr3t"

# One fewer than what ends a server whose workers crash again and again.
_MOST_WORKERS_KILLED = 4
_WITHIN_S = 65.0


class Server:
    """A server on a database of its own."""

    def __init__(self, name: str, folder: Path, database: str, *options: str) -> None:
        self.name = name
        self.port = free_port()
        self.kills = 0
        self._folder = folder
        self._command = [
            *(sys.executable, "-m", "parsec", "run", f"--port={self.port}", f"--db={database}"),
            *("--email-host=MOCKED", f"--server-key-file={folder / 'server.key'}", *options),
            *(f"--server-addr=parsec3://127.0.0.1:{self.port}?no_ssl=true",),
            *("--log-level=WARNING",),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        environment = environment_at(self._folder) | {"PARSEC_ADMINISTRATION_TOKEN": TOKEN}
        with (self._folder / "output").open("ab") as output:
            process = subprocess.Popen(self._command, env=environment, stdout=output, stderr=output)
        self._process = process
        wait_for_port(self.port, lambda: process.poll() is None)

    def stop(self) -> None:
        """End it properly."""
        assert self._process is not None
        self._process.terminate()
        self._process.wait(30)
        self._process = None

    def end(self) -> None:
        """Make sure that it is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)

    def ended(self) -> bool:
        """Whether it gave up, which it never should."""
        return self._process is not None and self._process.poll() is not None

    @property
    def output(self) -> str:
        return (self._folder / "output").read_text(errors="replace")

    def memory_kib(self) -> int:
        """Resident, of all its processes."""
        return sum(_resident_kib(pid) for pid in self.pids())

    def pids(self) -> list[int]:
        assert self._process is not None
        return [self._process.pid, *children(self._process)]

    async def strike(self, chance: random.Random) -> None:  # noqa: ARG002
        """Kill it, and start it again."""
        await self._kill_all()

    async def _kill_all(self) -> None:
        assert self._process is not None
        self.kills += 1
        self._process.kill()
        await asyncio.to_thread(self._process.wait)
        await asyncio.to_thread(self.start)


class WorkersServer(Server):
    """Two workers on PostgreSQL, whose cluster is restarted now and then."""

    def __init__(self, folder: Path, cluster: OwnCluster) -> None:
        super().__init__("PostgreSQL", folder, cluster.url, "--workers=2")
        self._cluster = cluster
        self._struck: deque[float] = deque(maxlen=_MOST_WORKERS_KILLED)

    async def strike(self, chance: random.Random) -> None:
        """A worker, all of them, or the database."""
        now = asyncio.get_running_loop().time()
        may_strike = len(self._struck) < _MOST_WORKERS_KILLED or self._struck[0] < now - _WITHIN_S
        kind = chance.choice(["worker", "worker", "all", "cluster"])
        if kind == "worker" and may_strike and len(self.pids()) == 3:
            self._struck.append(now)
            self.kills += 1
            with contextlib.suppress(ProcessLookupError):
                os.kill(chance.choice(self.pids()[1:]), signal.SIGKILL)
        elif kind == "cluster":
            self.kills += 1
            await asyncio.to_thread(self._cluster.crash)
        else:
            self._struck.clear()
            await self._kill_all()


@contextlib.contextmanager
def servers(folder: Path, *, only: str | None) -> Iterator[list[Server]]:
    """One on each database, or on that one."""
    with contextlib.ExitStack() as stack:
        found = []
        if only != "postgresql":
            (folder / "sqlite").mkdir()
            path = folder / "sqlite" / "parsec.sqlite"
            found.append(Server("SQLite", folder / "sqlite", f"sqlite:///{path}"))
        if only != "sqlite":
            (folder / "postgresql").mkdir()
            cluster = stack.enter_context(own_cluster())
            found.append(WorkersServer(folder / "postgresql", cluster))
        yield found


def _resident_kib(pid: int) -> int:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    return 0
