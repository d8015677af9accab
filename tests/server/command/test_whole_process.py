"""Backup, restore, move and the rotation of the key as processes, beside that of a server."""

import json
import os
import re
import resource
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.postgresql import needs_postgresql, new_place_for_a_process

_TOKEN = "s3cr3t"


class Machine:
    """A folder of one's own, in which commands run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        kept = {name: value for name, value in os.environ.items() if name[:7] != "PARSEC_"}
        self.environment = kept | {"HOME": str(folder), "XDG_DATA_HOME": str(folder / "data")}

    def db(self, name: str) -> str:
        return f"sqlite:///{self.folder / name}"

    def run(
        self, *arguments: str, limited: Callable[[], None] | None = None
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "parsec", *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            preexec_fn=limited,
        )

    def done(self, *arguments: str) -> str:
        """What a command that must succeed prints."""
        result = self.run(*arguments)
        assert result.returncode == 0, result
        return result.stdout

    @contextmanager
    def serving(self, database: str, *more: str) -> Iterator["Server"]:
        command = [sys.executable, "-m", "parsec", "run", "--port=0", f"--db={database}"]
        process = subprocess.Popen(
            [*command, f"--administration-token={_TOKEN}", "--email-host=MOCKED", *more],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert process.stdout is not None
        try:
            found = re.match(r"Starting Parsec server on (\S+?)\(", process.stdout.readline())
            assert found is not None
            yield Server(f"http://{found[1]}")
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
        finally:
            process.kill()
            process.communicate()


class Server:
    def __init__(self, address: str) -> None:
        self._address = f"{address}/administration"

    def create(self, name: str) -> None:
        self._send("organizations", json.dumps({"organization_id": name}).encode())

    def organizations(self) -> list[str]:
        stats = json.loads(self._send("stats"))["stats"]
        return [one["organization_id"] for one in stats]

    def _send(self, path: str, body: bytes | None = None) -> bytes:
        headers = {"Authorization": f"Bearer {_TOKEN}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self._address}/{path}", body, headers)
        with urllib.request.urlopen(request, timeout=20) as answer:
            content: bytes = answer.read()
            return content


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def filled(machine: Machine) -> str:
    """A database with three organizations, whose server has stopped."""
    with machine.serving(machine.db("old.sqlite")) as server:
        for name in ("A", "B", "C"):
            server.create(name)
    return machine.db("old.sqlite")


def test_backups_under_load_hold_what_was_there_when_they_began(machine: Machine) -> None:
    numbers = iter(range(10**6))
    created: list[str] = []
    with machine.serving(machine.db("old.sqlite")) as server:
        ended = threading.Event()

        def create() -> None:
            while not ended.is_set():
                name = f"Org{next(numbers):06}"
                server.create(name)
                created.append(name)

        server.create("First")
        load = threading.Thread(target=create)
        load.start()
        try:
            before = list(created)
            machine.done("backup", "--db", machine.db("old.sqlite"), "--with-key", "backup")
        finally:
            ended.set()
            load.join()

    machine.done("restore", "--db", machine.db("new.sqlite"), "--with-key", "backup")
    with machine.serving(machine.db("new.sqlite")) as server:
        restored = server.organizations()

    assert set(restored) >= {"First", *before}
    # Whatever was created is there in its order, up to some point in time.
    assert sorted(set(restored) - {"First"}) == created[: len(restored) - 1]


def test_what_is_restored_serves_as_before(machine: Machine, filled: str) -> None:
    machine.done("backup", "--db", filled, "--with-key", "backup")

    told = machine.done("restore", "--db", machine.db("new.sqlite"), "--with-key", "backup")

    assert re.search(r"new\.sqlite ✔ \d+ tables, \d+ rows$", told)
    with machine.serving(machine.db("new.sqlite")) as server:
        assert server.organizations() == ["A", "B", "C"]


def test_restoring_to_a_running_server_is_refused(machine: Machine, filled: str) -> None:
    machine.done("backup", "--db", filled, "backup")

    with machine.serving(machine.db("new.sqlite")):
        result = machine.run("restore", "--db", machine.db("new.sqlite"), "backup")

    path = machine.folder / "new.sqlite"
    told = f"Error: another server uses the database {path}\nhint: stop it first\n"
    assert (result.returncode, result.stderr) == (1, told)


def test_the_key_that_is_missing_stops_the_start(machine: Machine, filled: str) -> None:
    (machine.folder / "old.sqlite.server-key").unlink()

    result = machine.run("run", "--port=0", f"--db={filled}")

    assert result.returncode == 1
    assert re.search(
        r"^Error: the secrets in the database are sealed with the server key [0-9a-f]{16}, "
        r"but \S+/old\.sqlite\.server-key is missing\n"
        r"hint: give the file that holds it by --server-key-file$",
        result.stderr,
        re.MULTILINE,
    )


def test_the_key_may_be_elsewhere(machine: Machine, filled: str) -> None:
    path = machine.folder / "secrets" / "key"
    path.parent.mkdir()
    (machine.folder / "old.sqlite.server-key").rename(path)

    with machine.serving(filled, f"--server-key-file={path}") as server:
        assert server.organizations() == ["A", "B", "C"]


def test_a_key_that_everybody_reads_stops_the_start(machine: Machine, filled: str) -> None:
    path = machine.folder / "old.sqlite.server-key"
    path.chmod(0o644)

    result = machine.run("run", "--port=0", f"--db={filled}")

    assert result.returncode == 1
    assert f"hint: chmod 600 {path}\n" in result.stderr


def limit_of_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))


@pytest.mark.parametrize(
    "command", [("backup", "target"), ("restore", "good"), ("move",)], ids=lambda it: it[0]
)
def test_a_full_disk_leaves_nothing(
    machine: Machine, filled: str, command: tuple[str, ...]
) -> None:
    machine.done("backup", "--db", filled, "good")
    before = {path.name for path in machine.folder.iterdir()}
    new = machine.db("new.sqlite")
    places = {"backup": ("--db", filled), "restore": ("--db", new)}
    where = places.get(command[0], ("--from", filled, "--to", new))

    result = machine.run(*command, *where, limited=limit_of_files)

    assert result.returncode == 1
    assert result.stderr.startswith("Error: ")
    assert "Traceback" not in result.stderr
    assert {path.name for path in machine.folder.iterdir()} == before


def test_wrong_usage_is_told(machine: Machine) -> None:
    result = machine.run("rotate-key", "--only-file", "--forget-old")

    assert result.returncode == 2
    assert "--only-file and --forget-old are two steps" in result.stderr


def test_a_mocked_database_is_refused(machine: Machine) -> None:
    result = machine.run("backup", "--db", "MOCKED", "backup")

    assert result.returncode == 1
    assert "a MOCKED database ends with its server" in result.stderr


# --- The key ---


def keys(machine: Machine) -> list[str]:
    return (machine.folder / "old.sqlite.server-key").read_text().split()


def test_the_key_is_rotated_beside_a_running_server(machine: Machine) -> None:
    database = machine.db("old.sqlite")
    with machine.serving(database) as server:
        (first,) = keys(machine)

        machine.done("rotate-key", "--db", database)
        (second, former) = keys(machine)
        forgotten = machine.run("rotate-key", "--db", database, "--forget-old")

        assert re.fullmatch(r"Removed: [0-9a-f]{16}\. Backups .* need them\n", forgotten.stderr)
        assert first not in forgotten.stderr
        assert former == first != second
        assert keys(machine) == [second]
        server.create("A")
    with machine.serving(database) as server:
        assert server.organizations() == ["A"]


def test_a_key_that_was_put_in_the_file_is_taken(machine: Machine, filled: str) -> None:
    machine.done("rotate-key", "--db", filled, "--only-file")
    added = keys(machine)

    machine.done("rotate-key", "--db", filled)

    assert (len(added), keys(machine)) == (2, added)


def test_a_key_that_is_not_used_yet_is_not_forgotten(machine: Machine, filled: str) -> None:
    machine.done("rotate-key", "--db", filled, "--only-file")

    result = machine.run("rotate-key", "--db", filled, "--forget-old")

    assert (result.returncode, len(keys(machine))) == (1, 2)
    assert "is not used yet\nhint: rotate to it by" in result.stderr


def test_no_command_prints_a_key(machine: Machine, filled: str) -> None:
    results = [
        machine.run(*arguments, "--log-level=DEBUG")
        for arguments in (
            ("rotate-key", "--db", filled),
            ("backup", "--db", filled, "--with-key", "backup"),
            ("restore", "--db", machine.db("new.sqlite"), "--with-key", "backup"),
        )
    ]

    told = "".join(result.stdout + result.stderr for result in results)
    assert [result.returncode for result in results] == [0, 0, 0]
    assert not any(key in told for key in keys(machine))


# --- Move ---


def test_a_database_moves_and_is_verified(machine: Machine, filled: str) -> None:
    told = machine.done("move", "--from", filled, "--to", machine.db("new.sqlite"))

    assert told.endswith("\nverified\n")
    assert re.search(r"^organization +3 rows$", told, re.MULTILINE)


@needs_postgresql
def test_a_database_moves_to_postgresql_where_a_server_goes_on(
    machine: Machine, filled: str
) -> None:
    with new_place_for_a_process() as place:
        moved = machine.run("move", "--from", filled, "--to", place)
        key = machine.folder / "old.sqlite.server-key"
        with machine.serving(place, f"--server-key-file={key}") as server:
            server.create("D")
        back = machine.run("move", "--from", place, "--to", machine.db("new.sqlite"))
    key.rename(machine.folder / "new.sqlite.server-key")
    with machine.serving(machine.db("new.sqlite")) as server:
        found = server.organizations()

    assert [moved.returncode, back.returncode] == [0, 0]
    assert f"--server-key-file {key}" in moved.stderr
    assert found == ["A", "B", "C", "D"]
