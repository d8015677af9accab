"""A process in service: it is watched, has work to finish when it must stop, or cannot start."""

import http.client
import json
import re
import signal
import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from parsec.protocol.command import dump_request
from parsec.protocol.server_config import ServerConfig
from tests.support.server_process import (
    PATIENCE_S,
    ServerProcess,
    run_to_its_end,
    started,
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with started(tmp_path, "--metrics-address=127.0.0.1:0", "--debug") as server:
        yield server


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """The same for tests that leave it as it is."""
    folder = tmp_path_factory.mktemp("standing")
    with started(folder, "--metrics-address=127.0.0.1:0") as server:
        yield server


# --- In service ---


def test_it_is_watched(standing: ServerProcess) -> None:
    assert standing.get("/health") == (200, b'{"status":"alive"}')
    assert standing.get("/ready") == (200, b'{"status":"ready"}')


def test_its_metrics_are_at_another_address(standing: ServerProcess) -> None:
    standing.get("/administration/stats", Authorization="Bearer wrong")

    (text,) = standing.metrics()

    sample = 'parsec_requests_total{command="server_stats",family="administration",status="403"}'
    assert f"{sample} 1.0" in text.splitlines()
    assert re.search(r"^process_resident_memory_bytes [0-9.e+]+$", text, re.MULTILINE)
    assert standing.get("/metrics")[0] == 404


def test_without_being_asked_it_counts_nothing(tmp_path: Path) -> None:
    with started(tmp_path, "--db=MOCKED") as server:
        assert [line for line in server.lines if "etrics" in line] == []


# --- It stops ---


def slow_request(server: ServerProcess) -> tuple[socket.socket, bytes]:
    """A request whose body has only begun, and the rest of it."""
    body = dump_request(ServerConfig())
    head = (
        "POST /anonymous_server HTTP/1.1\r\nHost: x\r\nApi-Version: 5.5\r\n"
        f"Content-Type: application/msgpack\r\nContent-Length: {len(body)}\r\n"
    )
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S)
    connection.sendall(head.encode() + b"Expect: 100-continue\r\n\r\n")
    # The server asks for the body: it is in the middle of the request.
    assert connection.recv(1024).startswith(b"HTTP/1.1 100")
    connection.sendall(body[:3])
    return connection, body[3:]


def idle_connection(server: ServerProcess) -> socket.socket:
    """A connection that had an answer, and may have others."""
    client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)
    client.request("GET", "/health")
    assert client.getresponse().read()
    assert client.sock is not None
    return client.sock


def test_a_running_request_is_answered_before_it_stops(server: ServerProcess) -> None:
    connection, rest = slow_request(server)
    with connection, idle_connection(server) as idle:
        server.process.send_signal(signal.SIGTERM)
        # Who waits for nothing is sent away: it has begun to stop.
        assert idle.recv(4096) == b""
        connection.sendall(rest)
        answer = connection.recv(65_536)

    assert answer.startswith(b"HTTP/1.1 200")
    assert server.end() == "bye ;-)\n"
    assert server.process.returncode == 0


def test_a_second_interrupt_hurries_it(server: ServerProcess) -> None:
    connection, _ = slow_request(server)
    with connection, idle_connection(server) as idle:
        server.process.send_signal(signal.SIGINT)
        assert idle.recv(4096) == b""
        server.process.send_signal(signal.SIGINT)

        # Less than the ten seconds that the request would have.
        assert server.process.wait(timeout=8) == 0


# --- It cannot start ---


def test_an_older_schema_is_told_with_the_command_for_it(tmp_path: Path) -> None:
    file = tmp_path / "old.sqlite"
    with started(tmp_path, f"--db=sqlite:///{file}") as server:
        server.process.send_signal(signal.SIGTERM)
        server.end()
    database = sqlite3.connect(file, isolation_level=None)
    number, name = database.execute(
        "SELECT number, name FROM migration ORDER BY number DESC"
    ).fetchone()
    database.execute("DELETE FROM migration WHERE number = ?", (number,))
    database.close()

    result = run_to_its_end(tmp_path, f"--db=sqlite:///{file}")

    assert result.returncode == 1
    assert "Starting" not in result.stdout
    assert result.stderr == (
        f"Error: the database lacks 1 migrations: {name}\n"
        f"hint: python -m parsec migrate --db sqlite:///{file}\n"
    )


def test_a_busy_port_for_metrics_is_told(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"

        result = run_to_its_end(tmp_path, "--db=MOCKED", f"--metrics-address={address}")

    assert result.returncode == 1
    assert f"Error: cannot listen on {address}: Address already in use\nhint: " in result.stderr


def test_a_second_server_on_a_database_is_told(standing: ServerProcess) -> None:
    result = run_to_its_end(standing.log.parent)

    assert result.returncode == 1
    assert result.stderr.startswith("Error: ")


@pytest.mark.parametrize("name", ["administration-token", "fake-account-seed", "server-key"])
def test_a_kept_secret_that_everybody_can_read_is_told(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "parsec-server"
    folder.mkdir()
    file = folder / f"parsec.sqlite.{name}"
    file.write_text("s3cr3t\n")
    file.chmod(0o644)

    result = run_to_its_end(tmp_path)

    assert result.returncode == 1
    assert f"Error: {file} holds a secret, but everybody can read" in result.stderr
    assert f"\nhint: chmod 600 {file}\n" in result.stderr
    assert "s3cr3t" not in result.stderr


# --- Its log ---


def test_a_log_that_was_emptied_under_it_goes_on(server: ServerProcess) -> None:
    with server.log.open("w"):
        pass

    server.get("/administration/stats")

    lines = [json.loads(line) for line in server.log.read_text().splitlines()]
    assert [line["event"] for line in lines] == ["administration"]
