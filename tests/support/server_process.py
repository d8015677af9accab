"""The server as a process of its own, as an operator starts it."""

import contextlib
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PATIENCE_S = 60
TOKEN = "s3cr3t"


def environment_at(folder: Path) -> dict[str, str]:
    """That of somebody whose home is a folder, with no setting of ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PARSEC_")}
    return kept | {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "TMPDIR": str(folder)}


def run_to_its_end(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Start a server that should not start."""
    return subprocess.run(
        [sys.executable, "-m", "parsec", "run", "--port=0", *arguments],
        env=environment_at(folder),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@dataclass(frozen=True, kw_only=True)
class ServerProcess:
    process: "subprocess.Popen[str]"
    lines: list[str]
    """What it told the operator up to the start line."""
    log: Path

    @property
    def place(self) -> str:
        """Where it listens."""
        found = re.match(r"Starting Parsec server on (\S+?)\(db=", self.lines[-1])
        assert found is not None
        return found[1]

    @property
    def port(self) -> int:
        return int(self.place.rpartition(":")[2])

    def metrics(self) -> list[str]:
        """What each of its processes counts."""
        (line,) = [line for line in self.lines if line.startswith("Metrics at ")]
        texts = []
        for url in line.split()[2:]:
            with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
                texts.append(answer.read().decode())
        return texts

    def get(self, path: str, **headers: str) -> tuple[int, bytes]:
        """Status and body of an answer."""
        request = urllib.request.Request(f"http://{self.place}{path}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def end(self) -> str:
        """Wait for the end; what it still told."""
        output, _ = self.process.communicate(timeout=PATIENCE_S)
        return output


@contextlib.contextmanager
def started(folder: Path, *arguments: str, **variables: str) -> Iterator[ServerProcess]:
    """A server on a free port, whose log at DEBUG is in a file."""
    log = folder / "server.log"
    with (folder / "stderr").open("a") as errors:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "parsec", "run", "--port=0"),
                *(f"--log-file={log}", "--log-format=JSON", "--log-level=DEBUG"),
                *arguments,
            ],
            env={"PARSEC_ADMINISTRATION_TOKEN": TOKEN} | environment_at(folder) | variables,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    assert process.stdout is not None
    try:
        lines = [process.stdout.readline()]
        while not lines[-1].startswith("Starting "):
            assert lines[-1], (folder / "stderr").read_text()
            lines.append(process.stdout.readline())
        yield ServerProcess(process=process, lines=lines, log=log)
    finally:
        process.kill()
        process.communicate()


def children(process: "subprocess.Popen[Any]") -> list[int]:
    """The processes that it started, on Linux."""
    text = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return [int(word) for word in text.split()]
