"""Servers that are measured: real processes, what they cost, and the database beside them."""

import asyncio
import contextlib
import os
import resource
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg  # type: ignore[import-untyped]

from scripts.stage import free_port, wait_for_port

ADMINISTRATION_TOKEN = "s3cr3t"

_TICKS = os.sysconf("SC_CLK_TCK")
_OFFICIAL_OPTIONS = (
    *("--blockstore", "POSTGRESQL", "--email-host", "MOCKED"),
    *("--fake-account-password-algorithm-seed", "F4k3"),
)


class Contestant:
    """One running server."""

    def __init__(
        self,
        name: str,
        folder: Path,
        python: str,
        options: Sequence[str],
        *,
        cluster: "Cluster | None" = None,
    ) -> None:
        """The first option is its database, which may be one of a cluster."""
        self.name = name
        self._cluster = cluster
        self.folder = folder
        self.port = free_port()
        self.is_official = python != sys.executable
        self.database = options[1]
        folder.mkdir()
        command = [
            *(python, "-m", "parsec", "run", "--port", str(self.port)),
            *("--server-addr", f"parsec3://127.0.0.1:{self.port}?no_ssl=true"),
            *("--administration-token", ADMINISTRATION_TOKEN),
            *("--log-file", str(folder / "server.log")),
            *options,
        ]
        with (folder / "output").open("wb") as output:
            self._process = subprocess.Popen(
                command,
                stdout=output,
                stderr=output,
                env=_environment(folder, is_official=self.is_official),
                cwd=folder,
            )
        wait_for_port(self.port, lambda: self._process.poll() is None)

    def cpu(self) -> float:
        """Seconds that it has computed, its children included."""
        return _cpu(self._process.pid)

    def whole_cpu(self) -> float:
        """The same together with what the cluster of its database has computed."""
        return self.cpu() + (self._cluster.cpu() if self._cluster is not None else 0)

    def memory(self) -> int:
        """Resident bytes, its children included."""
        return sum(_resident(pid) for pid in _family(self._process.pid))

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Cluster:
    """The private PostgreSQL cluster that `scripts/postgresql.sh` has started."""

    def __init__(self, url: str) -> None:
        self._url = url
        folder = url.rpartition("host=")[2]
        pid_file = Path(folder, "data", "postmaster.pid")
        self._postmaster = int(pid_file.read_text(encoding="utf-8").split()[0])

    @classmethod
    def found(cls) -> "Cluster | None":
        url = os.environ.get("PARSEC_TEST_POSTGRESQL")
        return cls(url) if url else None

    def cpu(self) -> float:
        """Seconds that it has computed."""
        return _cpu(self._postmaster)

    def create(self, name: str) -> str:
        """The URL of a new database."""
        asyncio.run(self._run(f'CREATE DATABASE "{name}"'))
        return urlsplit(self._url)._replace(path=f"/{name}").geturl()

    def version(self) -> str:
        return f"PostgreSQL {asyncio.run(self._run('SHOW server_version')).split()[0]}"

    async def _run(self, statement: str) -> str:
        connection = await asyncpg.connect(self._url)
        try:
            return str(await connection.fetchval(statement))
        finally:
            await connection.close()


@contextlib.contextmanager
def contestants(folder: Path, cluster: Cluster | None) -> Iterator[list[Contestant]]:
    """All servers that can run here: ours on each engine, and the official one."""
    _raise_file_limit()
    with contextlib.ExitStack() as stack:

        def start(
            name: str, python: str, *options: str, cluster: Cluster | None = None
        ) -> Contestant:
            place = folder / name.replace(" ", "-")
            contestant = Contestant(name, place, python, options, cluster=cluster)
            stack.callback(contestant.stop)
            return contestant

        official = os.environ.get("PARSEC_OFFICIAL_PYTHON")
        started = []
        if cluster is not None:
            ours = ("--db", cluster.create("ours"), "--email-host", "MOCKED")
            started.append(start("PostgreSQL", sys.executable, *ours, cluster=cluster))
        path = folder / "ours.sqlite"
        mail = ("--email-host", "MOCKED")
        started.append(start("SQLite", sys.executable, "--db", f"sqlite:///{path}", *mail))
        if cluster is not None and official is not None:
            url = cluster.create("official")
            environment = _environment(folder, is_official=True)
            migrate = [official, "-m", "parsec", "migrate", "--db", url]
            subprocess.run(migrate, check=True, capture_output=True, env=environment)
            started.append(
                start("official", official, "--db", url, *_OFFICIAL_OPTIONS, cluster=cluster)
            )
        yield started


@contextlib.contextmanager
def our_server(folder: Path, cluster: Cluster, *, workers: int) -> Iterator[Contestant]:
    """A server of ours on PostgreSQL, with so many worker processes."""
    name = f"workers-{workers}"
    options = ("--db", cluster.create(name), "--email-host", "MOCKED", "--workers", str(workers))
    contestant = Contestant(name, folder / name, sys.executable, options, cluster=cluster)
    try:
        yield contestant
    finally:
        contestant.stop()


def _environment(home: Path, *, is_official: bool) -> dict[str, str]:
    # Settings of whoever measures must not leak into a server, nor our import path into theirs.
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8"}
    if not is_official and "PYTHONPATH" in os.environ:
        environment["PYTHONPATH"] = os.environ["PYTHONPATH"]
    return environment


def _raise_file_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


# --- /proc ---


def _cpu(pid: int) -> float:
    return sum(_ticks(one) for one in _family(pid)) / _TICKS


def _ticks(pid: int) -> int:
    """Its own, and of its children that have ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(map(int, fields[11:15]))


def _resident(pid: int) -> int:
    try:
        pages = Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1]
    except OSError:
        return 0
    return int(pages) * resource.getpagesize()


def _family(pid: int) -> list[int]:
    """A process and its living descendants."""
    found = [pid]
    for one in found:
        for children in Path(f"/proc/{one}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += map(int, children.read_text(encoding="utf-8").split())
    return found
