"""Several processes behind one port (docs/operate-production.md)."""

import asyncio
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from parsec.server.command import workers
from parsec.server.command.settle import Settled
from parsec.server.command.workers import import_flags
from tests.support.postgresql import needs_postgresql, new_place_for_a_process, run_on
from tests.support.server_app import some_settings
from tests.support.server_process import (
    PATIENCE_S,
    ServerProcess,
    children,
    run_to_its_end,
    started,
)


@pytest.mark.parametrize("database", ["MOCKED", "sqlite:///parsec.sqlite"])
def test_sqlite_means_one_process(tmp_path: Path, database: str) -> None:
    result = run_to_its_end(tmp_path, "--workers=2", f"--db={database}")

    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == (
        "Error: several --workers need PostgreSQL: SQLite means one process\n"
        "hint: give --db postgresql://…, or leave --workers away\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_ports_for_metrics_that_there_are_not_are_told(tmp_path: Path) -> None:
    result = run_to_its_end(
        tmp_path, "--workers=3", "--db=postgresql:///x", "--metrics-address=127.0.0.1:65534"
    )

    assert result.returncode == 1
    assert result.stderr.startswith("Error: there are not enough ports ")


def test_workers_import_nothing_from_where_the_server_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])

    assert import_flags() == ("-P",)


def test_workers_import_from_there_what_their_supervisor_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(Path.cwd())

    assert import_flags() == ()


async def test_a_worker_that_does_not_stop_is_killed_and_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(workers, "_LAST_SECONDS", 0)
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", "input()", stdin=-1)
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED)  # noqa: ASYNC222  (at once)
    settled = Settled(some_settings(), [])
    with socket.socket() as listener, capture_logs() as logs:
        supervisor = workers._Supervisor(settled, listener, [], {})
        supervisor._running[2] = process

        supervisor._stop(signal.SIGTERM)

        assert await process.wait() == -signal.SIGKILL
    assert [(line["log_level"], line["event"], line["killed"]) for line in logs] == [
        ("error", "worker killed", 2)
    ]


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until something becomes true that nobody tells us of."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def wait_for_lines(server: ServerProcess, event: str, count: int) -> None:
    eventually(lambda: len(lines(server, event)) >= count)


@pytest.fixture
def place() -> Iterator[str]:
    with new_place_for_a_process() as url:
        yield url


@pytest.fixture
def server(tmp_path: Path, place: str) -> Iterator[ServerProcess]:
    options = ("--workers=2", f"--db={place}")
    with started(tmp_path, *options) as server:
        wait_for_lines(server, "worker started", 2)
        yield server


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """The same for tests that leave it as it is."""
    with new_place_for_a_process() as url:
        options = ("--workers=2", f"--db={url}", "--metrics-address=127.0.0.1:0")
        with started(tmp_path_factory.mktemp("standing"), *options) as server:
            wait_for_lines(server, "worker started", 2)
            yield server


def lines(server: ServerProcess, event: str) -> list[dict[str, object]]:
    """Those of the log that are whole."""
    text = server.log.read_text()
    found = [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]
    return [line for line in found if line["event"] == event]


@needs_postgresql
def test_service_goes_on_when_a_worker_is_killed(server: ServerProcess) -> None:
    first, second = children(server.process)

    os.kill(first, signal.SIGKILL)

    assert [server.get("/ready")[0] for _ in range(20)] == [200] * 20
    wait_for_lines(server, "worker started", 3)
    assert second in children(server.process)
    assert len(children(server.process)) == 2
    (told,) = lines(server, "worker crashed")
    assert told["how"] == "SIGKILL"


@needs_postgresql
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_all_workers_stop_with_their_supervisor(
    server: ServerProcess, number: signal.Signals
) -> None:
    workers = children(server.process)

    server.process.send_signal(number)

    assert server.end() == "bye ;-)\n"
    assert server.process.returncode == 0
    assert not any(is_alive(worker) for worker in workers)
    assert lines(server, "worker crashed") == []


@needs_postgresql
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_workers_that_have_only_begun_stop_without_a_word(
    tmp_path: Path, place: str, number: signal.Signals
) -> None:
    with started(tmp_path, "--workers=2", f"--db={place}") as server:
        eventually(lambda: len(children(server.process)) == 2)

        server.process.send_signal(number)

        assert server.end() == "bye ;-)\n"
        assert server.process.returncode == 0
    assert "Traceback" not in (tmp_path / "stderr").read_text()


@needs_postgresql
def test_workers_do_not_outlive_their_supervisor(server: ServerProcess) -> None:
    workers = children(server.process)

    server.process.kill()

    server.process.wait(timeout=PATIENCE_S)
    eventually(lambda: not any(is_alive(worker) for worker in workers))


def is_alive(pid: int) -> bool:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    # Who ended but is not yet buried by its parent.
    return text.rpartition(")")[2].split()[0] != "Z"


@needs_postgresql
def test_workers_that_crash_again_and_again_end_the_server(server: ServerProcess) -> None:
    for crashes in range(5):
        wait_for_lines(server, "worker started", 2 + crashes)
        os.kill(children(server.process)[0], signal.SIGKILL)
        wait_for_lines(server, "worker crashed", 1 + crashes)

    server.end()

    assert server.process.returncode == 1
    errors = (server.log.parent / "stderr").read_text()
    assert "Error: workers crashed 5 times in 60 seconds, the last one by SIGKILL\n" in errors


@needs_postgresql
def test_what_a_worker_cannot_go_on_without_ends_the_server_with_its_words(
    tmp_path: Path, place: str
) -> None:
    patience = (
        "--maximum-database-connection-attempts=2",
        "--pause-before-retry-database-connection=0.1",
    )
    with started(tmp_path, "--workers=2", f"--db={place}", *patience) as server:
        wait_for_lines(server, "worker started", 2)
        asyncio.run(run_on(place, "DROP TABLE event_counter; NOTIFY parsec_event"))
        server.end()

    assert server.process.returncode == 1
    assert (
        "Error: the database is lost; gave up after 2 attempts" in (tmp_path / "stderr").read_text()
    )


@needs_postgresql
def test_workers_are_given_no_secret_on_their_command_line(standing: ServerProcess) -> None:
    for pid in children(standing.process):
        words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")

        assert words[1:] == ["-m", "parsec.server.command.worker", ""]


@needs_postgresql
def test_each_worker_says_so_in_its_lines_of_the_log(standing: ServerProcess) -> None:
    assert {line["worker"] for line in lines(standing, "worker started")} == {1, 2}


@needs_postgresql
def test_each_worker_tells_what_it_counts(standing: ServerProcess) -> None:
    for _ in range(4):
        standing.get("/administration/stats", Authorization="Bearer wrong")

    counted = [
        float(line.rpartition(" ")[2])
        for text in standing.metrics()
        for line in text.splitlines()
        if line.startswith("parsec_requests_total")
    ]

    assert len(standing.metrics()) == 2
    assert sum(counted) == 4


@needs_postgresql
def test_a_busy_port_for_metrics_is_told_before_anything_starts(tmp_path: Path, place: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"

        result = run_to_its_end(
            tmp_path, "--workers=2", f"--db={place}", f"--metrics-address={address}"
        )

    assert (result.returncode, result.stdout) == (1, "")
    assert f"Error: cannot listen on {address}: " in result.stderr
