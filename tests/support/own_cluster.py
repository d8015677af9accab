"""A PostgreSQL cluster of one's own, which may crash."""

import asyncio
import contextlib
import os
import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from tests.support.postgresql import run_on

_SCRIPT = Path(__file__).parents[2] / "scripts" / "postgresql.sh"


@dataclass(frozen=True)
class OwnCluster:
    """A running cluster; what it has committed survives its crashes."""

    url: str
    programs: Path

    def another(self) -> str:
        """The URL of a new database in it."""
        name = f"parsec_{secrets.token_hex(8)}"
        asyncio.run(run_on(self.url, f"CREATE DATABASE {name}"))
        return urlsplit(self.url)._replace(path=f"/{name}").geturl()

    def crash(self) -> None:
        """End all its processes at once, and start it again."""
        folder = Path(dict(parse_qsl(urlsplit(self.url).query))["host"])
        command = [str(self.programs / "pg_ctl"), "-D", str(folder / "data"), "-w"]
        command += ["-m", "immediate", "-l", str(folder / "data" / "server.log"), "restart"]
        if os.geteuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=60, cwd=folder
        )
        assert done.returncode == 0, done


@contextlib.contextmanager
def own_cluster() -> Iterator[OwnCluster]:
    """A cluster until the end, made by `scripts/postgresql.sh`."""
    # The command tells where the cluster is, and lasts until its input ends.
    tell = 'echo "$PARSEC_TEST_POSTGRESQL"; cat'
    process = subprocess.Popen(
        [str(_SCRIPT), "sh", "-c", tell],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        url = process.stdout.readline().strip()
        assert url, "there is no PostgreSQL"
        # The cluster of tests answers before it has written; ours must keep its word.
        yield OwnCluster(f"{url}&synchronous_commit=on", _programs())
    finally:
        process.communicate(timeout=60)


def _programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), key=_version)
    if found:
        return found[-1].parent
    shown = subprocess.run(["pg_config", "--bindir"], capture_output=True, text=True, check=True)
    return Path(shown.stdout.strip())


def _version(path: Path) -> int:
    name = path.parent.parent.name
    return int(name) if name.isdigit() else 0
