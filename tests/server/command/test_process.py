"""The server as a process: how it starts, fails and stops (server-core.md 1)."""

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from parsec.crypto.keys import SigningKey
from parsec.data.address import OrganizationBootstrapAddr
from parsec.data.people import UserProfile
from parsec.protocol.authentication import device_authorization
from parsec.protocol.command import dump_request, load_reply
from parsec.protocol.organization import OrganizationBootstrap
from parsec.protocol.ping import Ping
from parsec.protocol.statuses import Ok
from parsec.server.service.context import system_clock
from parsec.server.store.migrations import known_migrations
from tests.support.newcomers import Newcomer, newcomer, papers

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


@dataclass(frozen=True)
class Running:
    process: Process
    token: str
    address: str

    def post(self, path: str, body: bytes, headers: dict[str, str]) -> bytes:
        request = urllib.request.Request(f"{self.address}{path}", body, headers)
        with urllib.request.urlopen(request, timeout=20) as answer:
            content: bytes = answer.read()
            return content


@contextlib.contextmanager
def started(
    environment: dict[str, str], *arguments: str, scheme: str = "http", token: str | None = None
) -> Iterator[Running]:
    """A server with a generated token unless one is given, on a free port."""
    process = subprocess.Popen(
        [sys.executable, "-m", "parsec", "run", "--port", "0", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    try:
        lines, starting = "", re.compile(r"^Starting Parsec server on (\S+?)\(db=", re.MULTILINE)
        while (host := starting.search(lines)) is None:
            line = process.stdout.readline()
            assert line, lines
            lines += line
        if token is None:
            found = re.search(r"^Generated administration-token .*: (\S+)$", lines, re.MULTILINE)
            assert found is not None
            token = found[1]
        yield Running(process, token, f"{scheme}://{host[1]}")
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def running(environment: dict[str, str]) -> Iterator[Running]:
    """A server without any option but its port."""
    with started(environment) as server:
        yield server


def test_it_serves_without_any_option(running: Running) -> None:
    with urllib.request.urlopen(running.address, timeout=20) as answer:
        assert answer.headers["Server"] == "parsec/3"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_when_told_and_says_goodbye(running: Running, number: signal.Signals) -> None:
    running.process.send_signal(number)
    output, _ = running.process.communicate(timeout=20)

    assert (running.process.returncode, output.splitlines()[-1]) == (0, "bye ;-)")


def test_streams_end_before_it_stops(running: Running) -> None:
    device = bootstrapped(running)
    proof = device_authorization(device.device_id, device.key, now=system_clock())
    headers = {"Api-Version": "5.5", "Accept": "text/event-stream", "Authorization": proof}
    target = f"{running.address}/authenticated/Org/events"
    with urllib.request.urlopen(urllib.request.Request(target, headers=headers)) as stream:
        first = stream.readline()

        running.process.send_signal(signal.SIGTERM)
        rest = stream.read()

    assert first.startswith(b"data:")
    assert rest == b"\n"
    # Less than the ten seconds that are given to requests which do not end.
    assert running.process.wait(timeout=8) == 0


def test_a_client_is_told_what_it_missed_although_the_server_was_killed(
    environment: dict[str, str],
) -> None:
    settled = ["--debug", "--administration-token=s3cr3t"]
    with started(environment, *settled, token="s3cr3t") as running:
        device = bootstrapped(running)
        with events(running, device) as stream:
            for text in ("a", "b", "c"):
                ping(running, device, text)
            told = [message(stream) for _ in range(3)]
        running.process.kill()
        running.process.wait()

    with (
        started(environment, *settled, token="s3cr3t") as running,
        events(running, device, **{"Last-Event-ID": told[0][1].removeprefix("id:")}) as stream,
    ):
        assert [message(stream), message(stream)] == told[1:]


@contextlib.contextmanager
def events(running: Running, device: Newcomer, **more: str) -> Iterator[http.client.HTTPResponse]:
    """A stream behind its first message."""
    proof = device_authorization(device.device_id, device.key, now=system_clock())
    headers = {"Api-Version": "5.5", "Accept": "text/event-stream", "Authorization": proof} | more
    target = f"{running.address}/authenticated/Org/events"
    request = urllib.request.Request(target, headers=headers)
    with urllib.request.urlopen(request, timeout=20) as stream:
        message(stream)
        yield stream


def message(stream: http.client.HTTPResponse) -> list[str]:
    return [line.decode().strip() for line in iter(stream.readline, b"\n")]


def ping(running: Running, device: Newcomer, text: str) -> None:
    headers = {
        "Api-Version": "5.5",
        "Content-Type": "application/msgpack",
        "Authorization": device_authorization(device.device_id, device.key, now=system_clock()),
    }
    running.post("/authenticated/Org", dump_request(Ping(ping=text)), headers)


def bootstrapped(running: Running) -> Newcomer:
    """The first device of the organization Org."""
    created = running.post(
        "/administration/organizations",
        json.dumps({"organization_id": "Org"}).encode(),
        {"Authorization": f"Bearer {running.token}", "Content-Type": "application/json"},
    )
    root, first = SigningKey(bytes(32)), newcomer("alice", UserProfile.ADMIN)
    command = OrganizationBootstrap(
        bootstrap_token=OrganizationBootstrapAddr.parse(json.loads(created)["bootstrap_url"]).token,
        root_verify_key=root.verify_key,
        sequester_authority_certificate=None,
        **papers(first, author=None, timestamp=system_clock()).signed(root),
    )
    headers = {"Api-Version": "5.5", "Content-Type": "application/msgpack"}
    reply = running.post("/anonymous/Org", dump_request(command), headers)
    assert load_reply(OrganizationBootstrap, reply) == Ok()
    return first


def test_it_speaks_tls(environment: dict[str, str], tmp_path: Path) -> None:
    authority = trustme.CA()
    files = tmp_path / "chain.pem", tmp_path / "key.pem"
    issued = authority.issue_cert("127.0.0.1")
    files[0].write_bytes(issued.cert_chain_pems[0].bytes())
    files[1].write_bytes(issued.private_key_pem.bytes())
    files[1].chmod(0o600)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)

    options = f"--ssl-certfile={files[0]}", f"--ssl-keyfile={files[1]}"
    with started(environment, *options, scheme="https") as server:
        with urllib.request.urlopen(server.address, timeout=20, context=trusting) as answer:
            assert answer.status == 200
        assert refuses(server.address, ssl.TLSVersion.TLSv1_1, trusting)


def refuses(address: str, version: ssl.TLSVersion, context: ssl.SSLContext) -> bool:
    """Whether a server does not talk to who speaks nothing newer than that."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = version
    # OpenSSL would not even try otherwise.
    context.set_ciphers("ALL:@SECLEVEL=0")
    try:
        urllib.request.urlopen(address, timeout=20, context=context)
    except urllib.error.URLError as error:
        return isinstance(error.reason, ssl.SSLError)
    return False


def test_a_certificate_that_is_none_is_told(environment: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "chain.pem"
    file.write_text("no certificate")
    file.chmod(0o600)

    result = parsec(environment, "run", "--port", "0", "--ssl-certfile", str(file))

    assert result.returncode == 1
    assert result.stderr.startswith("Error: cannot use the certificate or its key: ")


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
    left = list(tmp_path.glob("new.sqlite*"))
    applied = parsec(environment, "migrate", "--db", url)
    again = parsec(environment, "migrate", "--db", url)

    assert [one.returncode for one in (looked, applied, again)] == [0, 0, 0]
    assert looked.stdout.splitlines()[0] == f"{name} (to be applied)"
    assert left == []
    assert applied.stdout.splitlines()[0] == f"{name} ✔"
    assert again.stdout.splitlines()[0] == f"{name} (already applied)"


@pytest.mark.usefixtures("running")
def test_whether_the_schema_changes_is_shown_while_the_server_runs(
    environment: dict[str, str],
) -> None:
    looked = parsec(environment, "migrate", "--dry-run")

    assert looked.returncode == 0
    assert looked.stdout.splitlines()[0] == "0001_core.sql (already applied)"


def test_a_file_that_is_no_database_is_told_plainly(
    environment: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "diary.txt"
    path.write_text("Dear diary, " * 1000)

    result = parsec(environment, "migrate", "--db", f"sqlite:///{path}")

    assert result.returncode == 1
    assert result.stderr == f"Error: cannot open the database {path}: file is not a database\n"


def test_a_database_that_does_not_answer_is_told_after_so_many_attempts(
    environment: dict[str, str],
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{nobody.getsockname()[1]}/parsec"
        patience = {
            "PARSEC_MAXIMUM_DATABASE_CONNECTION_ATTEMPTS": "2",
            "PARSEC_PAUSE_BEFORE_RETRY_DATABASE_CONNECTION": "0",
        }

        result = parsec(
            environment | patience, "run", "--port=0", f"--db=postgresql://alice:s3cr3t@{place}"
        )

    assert result.returncode == 1
    assert f"Error: the database postgresql://{place} does not answer: " in result.stderr
    assert result.stderr.endswith(
        ": Connection refused (attempts: 2)\nhint: is PostgreSQL running, and its address right?\n"
    )
    assert "s3cr3t" not in result.stderr + result.stdout


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
