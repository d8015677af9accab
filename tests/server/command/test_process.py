"""The server as a process: how it starts, fails and stops (server-core.md 1)."""

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from parsec.server.store.migrations import known_migrations

Process = subprocess.Popen[str]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PARSEC_")}
    return kept | {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path / "data")}


def parsec(environment: dict[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "parsec", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def started(environment: dict[str, str]) -> Iterator[tuple[Process, str]]:
    """A server without any option but its port, and its address."""
    process = start(environment)
    try:
        yield process, listening_address(process)
    finally:
        process.kill()
        process.communicate()


def start(environment: dict[str, str], *arguments: str) -> Process:
    return subprocess.Popen(
        [sys.executable, "-m", "parsec", "run", "--port", "0", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def listening_address(process: Process) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        found = re.match(r"Starting Parsec server on (\S+?)\(db=", line)
        if found:
            return f"http://{found[1]}"
    raise AssertionError("the server did not start")


def test_it_serves_without_any_option(started: tuple[Process, str]) -> None:
    _, address = started

    with urllib.request.urlopen(address, timeout=10) as answer:
        assert answer.headers["Server"] == "parsec/3"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_when_told_and_says_goodbye(
    started: tuple[Process, str], number: signal.Signals
) -> None:
    process, _ = started

    process.send_signal(number)
    output, _ = process.communicate(timeout=20)

    assert (process.returncode, output.splitlines()[-1]) == (0, "bye ;-)")


def test_streams_end_before_it_stops(started: tuple[Process, str]) -> None:
    process, address = started
    device = asyncio.run(bootstrapped(address, token_of(process)))
    headers = {
        "Api-Version": "5.5",
        "Accept": "text/event-stream",
        "Authorization": device_authorization(device.device_id, device.key, now=now()),
    }
    request = urllib.request.Request(f"{address}/authenticated/Org/events", headers=headers)
    with urllib.request.urlopen(request, timeout=20) as stream:
        first = stream.readline()

        process.send_signal(signal.SIGTERM)
        rest = stream.read()

    assert first.startswith(b"data:")
    assert rest == b"\n"
    assert process.wait(timeout=5) == 0


def token_of(process: Process) -> str:
    (folder,) = (word for word in process.args if False) or (None,)  # type: ignore[union-attr]
    raise AssertionError(folder)


def test_a_taken_port_is_told_plainly(environment: dict[str, str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        result = parsec(environment, "run", "--port", str(port))

    assert result.returncode == 1
    assert f"Error: cannot listen on 127.0.0.1:{port}: Address already in use\nhint: " in (
        result.stderr
    )


def test_the_schema_of_a_new_database_is_made_by_hand(
    environment: dict[str, str], tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'new.sqlite'}"
    (name, *_) = [migration.name for migration in known_migrations()]

    looked = parsec(environment, "migrate", "--db", url, "--dry-run")
    applied = parsec(environment, "migrate", "--db", url)
    again = parsec(environment, "migrate", "--db", url)

    assert [one.returncode for one in (looked, applied, again)] == [0, 0, 0]
    assert looked.stdout.splitlines()[0] == f"{name} (to be applied)"
    assert applied.stdout.splitlines()[0] == f"{name} ✔"
    assert again.stdout.splitlines()[0] == f"{name} (already applied)"


def test_a_file_that_is_no_database_is_told_plainly(
    environment: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "diary.txt"
    path.write_text("Dear diary, " * 1000)

    result = parsec(environment, "migrate", "--db", f"sqlite:///{path}")

    assert result.returncode == 1
    assert result.stderr == f"Error: cannot open the database {path}: file is not a database\n"


def test_postgresql_is_not_there_yet(environment: dict[str, str]) -> None:
    result = parsec(environment, "run", "--port", "0", "--db", "postgresql://localhost/parsec")

    assert result.returncode == 1
    assert "cannot use PostgreSQL yet" in result.stderr


def test_wrong_usage_has_a_code_of_its_own(environment: dict[str, str]) -> None:
    result = parsec(environment, "run", "--port", "many")

    assert result.returncode == 2
    assert "Error: Invalid value for '--port'" in result.stderr


def test_the_version_is_told(environment: dict[str, str]) -> None:
    result = parsec(environment, "--version")

    assert re.fullmatch(r"parsec, version \d+\.\d+\.\d+\n", result.stdout)


def test_more_arguments_may_come_from_the_environment(environment: dict[str, str]) -> None:
    more = {"PARSEC_CMD_ARGS": "--port $WISH", "WISH": "many"}

    result = parsec(environment | more, "run")

    assert "'many' is not a valid integer" in result.stderr
