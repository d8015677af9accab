"""Several server processes on one PostgreSQL database, as real processes (server-core.md 17.4)."""

import asyncio
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

import msgspec
import pytest

from parsec.crypto.keys import SigningKey
from parsec.data.address import OrganizationBootstrapAddr
from parsec.data.certificates import RevokedUserCertificate
from parsec.data.ids import AccessToken
from parsec.data.people import EmailAddress, UserProfile
from parsec.protocol.authentication import device_authorization, invitation_authorization
from parsec.protocol.certificate import CertificateGet
from parsec.protocol.command import Request, dump_request, load_reply
from parsec.protocol.invite import (
    InviteInfo,
    InviteInfoOkUser,
    InviteNewUser,
    UserOnlineStatus,
)
from parsec.protocol.organization import OrganizationBootstrap
from parsec.protocol.ping import Ping, PingOk
from parsec.protocol.statuses import Ok
from parsec.protocol.user import UserCreate, UserRevoke
from parsec.server.service.context import system_clock
from parsec.server.service.presence import SILENCE_SECONDS
from tests.support.newcomers import Newcomer, newcomer, papers
from tests.support.postgresql import (
    cut_off,
    named,
    needs_postgresql,
    new_place_for_a_process,
    run_on,
)

pytestmark = needs_postgresql

_TOKEN = "s3cr3t"
_PATIENCE_S = 60
_CLAIMER = EmailAddress("zack@example.com")
_SILENT = f"UPDATE server_process SET seen_on = seen_on - {(SILENCE_SECONDS + 1) * 1_000_000}"


@dataclass(frozen=True, kw_only=True)
class Server:
    """One of the processes."""

    process: "subprocess.Popen[str]"
    address: str
    name: str
    """That of its connections to the database."""

    def send(self, path: str, body: bytes | None, headers: dict[str, str]) -> Any:
        request = urllib.request.Request(f"{self.address}{path}", body, headers)
        return urllib.request.urlopen(request, timeout=_PATIENCE_S)

    def ask(self, device: Newcomer, command: Request[Any]) -> Any:
        headers = _headers(device) | {"Content-Type": "application/msgpack"}
        with self.send("/authenticated/Org", dump_request(command), headers) as answer:
            return load_reply(type(command), answer.read())

    def administrators(self, token: AccessToken) -> list[UserOnlineStatus]:
        """Which of them a claimer is told to be there."""
        headers = {
            "Api-Version": "5.5",
            "Authorization": invitation_authorization(token),
            "Content-Type": "application/msgpack",
        }
        with self.send("/invited/Org", dump_request(InviteInfo()), headers) as answer:
            info = load_reply(InviteInfo, answer.read())
        assert isinstance(info, InviteInfoOkUser)
        return [one.online_status for one in info.administrators]

    @contextlib.contextmanager
    def stream(self, device: Newcomer, last: str | None = None) -> Iterator["Stream"]:
        headers = _headers(device) | {"Accept": "text/event-stream"}
        if last is not None:
            headers["Last-Event-Id"] = last
        with self.send("/authenticated/Org/events", None, headers) as answer:
            stream = Stream(answer)
            stream.next()  # the configuration
            yield stream


class Stream:
    """Messages as their lines."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def next(self) -> list[str]:
        """The lines of the next message; none at the end."""
        lines: list[str] = []
        while line := self._answer.readline().decode():
            if line == "\n":
                break
            lines.append(line.rstrip("\n"))
        return lines


def _headers(device: Newcomer) -> dict[str, str]:
    proof = device_authorization(device.device_id, device.key, now=system_clock())
    return {"Api-Version": "5.5", "Authorization": proof}


@contextlib.contextmanager
def started(folder: Path, database: str) -> Iterator[Server]:
    database, name = named(database)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PARSEC_")}
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "parsec", "run", "--debug", "--port=0", f"--db={database}"),
            *(f"--administration-token={_TOKEN}", "--sse-keepalive=0", "--email-host=MOCKED"),
            *("--maximum-database-connection-attempts=3",),
            *("--pause-before-retry-database-connection=0.2", "--tell-presence"),
        ],
        env=kept | {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        while not (found := re.match(r"Starting Parsec server on (\S+?)\(db=", line)):
            assert line, process.communicate()
            line = process.stdout.readline()
        yield Server(process=process, address=f"http://{found[1]}", name=name)
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def place() -> Iterator[str]:
    with new_place_for_a_process() as url:
        yield url


@pytest.fixture
def servers(tmp_path: Path, place: str) -> Iterator[tuple[Server, Server]]:
    """Two processes, started on an empty database at once."""
    with started(tmp_path, place) as one, started(tmp_path, place) as other:
        yield one, other


@pytest.fixture
def alice(servers: tuple[Server, Server]) -> Newcomer:
    """The first user of the organization Org."""
    headers = {"Authorization": f"Bearer {_TOKEN}", "Content-Type": "application/json"}
    body = msgspec.json.encode({"organization_id": "Org"})
    with servers[0].send("/administration/organizations", body, headers) as answer:
        address = OrganizationBootstrapAddr.parse(
            msgspec.json.decode(answer.read())["bootstrap_url"]
        )
    root, first = SigningKey(bytes(32)), newcomer("alice", UserProfile.ADMIN)
    command = OrganizationBootstrap(
        bootstrap_token=address.token,
        root_verify_key=root.verify_key,
        sequester_authority_certificate=None,
        **papers(first, author=None, timestamp=system_clock()).signed(root),
    )
    headers = {"Api-Version": "5.5", "Content-Type": "application/msgpack"}
    with servers[1].send("/anonymous/Org", dump_request(command), headers) as answer:
        assert load_reply(OrganizationBootstrap, answer.read()) == Ok()
    return first


def enrolled(server: Server, author: Newcomer, name: str) -> Newcomer:
    person = newcomer(name)
    certificates = papers(person, author=author.device_id, timestamp=system_clock())
    assert server.ask(author, UserCreate(**certificates.signed(author.key))) == Ok()
    return person


def test_an_event_of_one_process_reaches_the_clients_of_the_other(
    servers: tuple[Server, Server], alice: Newcomer
) -> None:
    one, other = servers

    with one.stream(alice) as near, other.stream(alice) as far:
        assert one.ask(alice, Ping(ping="hello")) == PingOk(pong="hello")

        first = near.next()
        assert [line.partition(":")[0] for line in first] == ["data", "id"]
        assert far.next() == first


def test_who_comes_back_to_the_other_process_is_told_what_it_missed(
    servers: tuple[Server, Server], alice: Newcomer
) -> None:
    one, other = servers
    with one.stream(alice) as near:
        for text in ("a", "b", "c"):
            one.ask(alice, Ping(ping=text))
        messages = [near.next() for _ in range(3)]

    last = messages[0][1].removeprefix("id:")
    with other.stream(alice, last=last) as far:
        assert [far.next(), far.next()] == messages[1:]


def test_who_comes_back_after_all_processes_were_killed_is_told_what_it_missed(
    servers: tuple[Server, Server], alice: Newcomer, tmp_path: Path, place: str
) -> None:
    one, _ = servers
    with one.stream(alice) as near:
        for text in ("a", "b", "c"):
            one.ask(alice, Ping(ping=text))
        messages = [near.next() for _ in range(3)]
    for server in servers:
        server.process.kill()
        server.process.wait()

    last = messages[0][1].removeprefix("id:")
    with started(tmp_path, place) as again, again.stream(alice, last=last) as stream:
        assert [stream.next(), stream.next()] == messages[1:]


def test_who_is_there_at_one_process_is_there_for_the_other_until_that_is_killed(
    servers: tuple[Server, Server], alice: Newcomer, place: str
) -> None:
    one, other = servers
    made = one.ask(alice, InviteNewUser(claimer_email=_CLAIMER, send_email=False))

    with one.stream(alice):
        during = other.administrators(made.token)
        one.process.kill()
        one.process.wait()
        # As if it were so much later.
        asyncio.run(run_on(place, _SILENT))
        after = other.administrators(made.token)

    assert (during, after) == ([UserOnlineStatus.ONLINE], [UserOnlineStatus.UNKNOWN])


def test_what_one_process_wrote_the_other_knows_at_once(
    servers: tuple[Server, Server], alice: Newcomer
) -> None:
    one, other = servers

    for number in range(5):
        person = enrolled(one, alice, f"user{number}")
        found = other.ask(
            person,
            CertificateGet(
                common_after=None,
                sequester_after=None,
                shamir_recovery_after=None,
                realm_after={},
            ),
        )

        assert len(found.common_certificates) == 2 + 2 * (number + 1)


def test_who_is_revoked_by_one_process_is_out_of_the_other(
    servers: tuple[Server, Server], alice: Newcomer
) -> None:
    one, other = servers
    bob = enrolled(one, alice, "bob")

    with other.stream(bob) as stream:
        certificate = RevokedUserCertificate(
            author=alice.device_id, timestamp=system_clock(), user_id=bob.user_id
        )
        revoke = UserRevoke(revoked_user_certificate=certificate.sign(alice.key))
        assert one.ask(alice, revoke) == Ok()
        with pytest.raises(urllib.error.HTTPError, match="461"):
            other.ask(bob, Ping(ping="still here"))

        # That of the revocation itself, and the end.
        assert stream.next() != []
        assert stream.next() == []


def test_events_that_come_while_a_process_lost_its_connections_reach_its_clients(
    servers: tuple[Server, Server], alice: Newcomer
) -> None:
    one, other = servers

    with one.stream(alice) as near, other.stream(alice) as far:
        for number in range(3):
            asyncio.run(cut_off(other.name))
            one.ask(alice, Ping(ping=f"{number}"))

        assert [far.next() for _ in range(3)] == [near.next() for _ in range(3)]


def test_a_process_that_lost_the_database_for_good_ends(
    servers: tuple[Server, Server], alice: Newcomer, place: str
) -> None:
    one, _ = servers

    asyncio.run(run_on(place, "DROP TABLE event_counter; NOTIFY parsec_event"))
    _, errors = one.process.communicate(timeout=_PATIENCE_S)

    assert one.process.returncode == 1
    assert "Error: the database is lost; gave up after 3 attempts" in errors


def test_the_schema_is_made_by_hand(place: str) -> None:
    command = [sys.executable, "-m", "parsec", "migrate", "--db", place]

    looked, applied, again = (
        subprocess.run(arguments, capture_output=True, text=True, check=True).stdout.splitlines()[0]
        for arguments in ([*command, "--dry-run"], command, command)
    )

    assert (looked, applied, again) == (
        "0001_core.sql (to be applied)",
        "0001_core.sql ✔",
        "0001_core.sql (already applied)",
    )
