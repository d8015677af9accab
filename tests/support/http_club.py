"""An organization on a server that is a process of its own, and what its founder was told."""

import base64
import contextlib
import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from parsec.crypto.keys import SigningKey
from parsec.data.address import OrganizationBootstrapAddr
from parsec.data.instant import Instant
from parsec.data.people import UserProfile
from parsec.protocol.authentication import device_authorization
from parsec.protocol.certificate import CertificateGet
from parsec.protocol.command import Request, dump_request, load_reply
from parsec.protocol.events import EventsListen
from parsec.protocol.organization import OrganizationBootstrap
from parsec.protocol.statuses import Ok
from parsec.protocol.user import UserCreate
from parsec.server.service.context import system_clock
from tests.support.newcomers import Newcomer, newcomer, papers
from tests.support.server_process import PATIENCE_S, TOKEN

_MSGPACK = {"Api-Version": "5.5", "Content-Type": "application/msgpack"}


@dataclass(frozen=True, kw_only=True)
class Club:
    """Speaks to a server for Alice."""

    place: str
    alice: Newcomer
    told: list[bytes] = field(default_factory=list)
    """The certificates that the server has acknowledged."""
    dates: list[Instant] = field(default_factory=list)
    """Those of the users among them, Alice first."""

    @classmethod
    def founded(cls, place: str) -> "Club":
        """A new organization."""
        club = cls(place=place, alice=newcomer("alice", UserProfile.ADMIN))
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        body = msgspec.json.encode({"organization_id": "Org"})
        made = msgspec.json.decode(club._send("/administration/organizations", headers, body))
        address = OrganizationBootstrapAddr.parse(made["bootstrap_url"])
        root, now = SigningKey(bytes(32)), system_clock()
        command = OrganizationBootstrap(
            bootstrap_token=address.token,
            root_verify_key=root.verify_key,
            sequester_authority_certificate=None,
            **papers(club.alice, author=None, timestamp=now).signed(root),
        )
        answer = club._send("/anonymous/Org", _MSGPACK, dump_request(command))
        assert load_reply(OrganizationBootstrap, answer) == Ok()
        club.dates.append(now)
        club.told.extend([command.user_certificate, command.device_certificate])
        return club

    def at(self, place: str) -> "Club":
        """The same where the server is now."""
        return replace(self, place=place)

    def enroll(self, name: str) -> None:
        """Raises HTTPError."""
        now = system_clock()
        made = papers(newcomer(name), author=self.alice.device_id, timestamp=now)
        command = UserCreate(**made.signed(self.alice.key))
        assert self.ask(command) == Ok()
        self.dates.append(now)
        self.told.extend([command.user_certificate, command.device_certificate])

    @contextlib.contextmanager
    def events(self) -> Iterator[Iterator[Any]]:
        """What the server tells from now on."""
        proof = device_authorization(self.alice.device_id, self.alice.key, now=system_clock())
        headers = {"Api-Version": "5.5", "Accept": "text/event-stream", "Authorization": proof}
        request = urllib.request.Request(
            f"http://{self.place}/authenticated/Org/events", headers=headers
        )
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            contents = _contents(answer)
            next(contents)  # the configuration
            yield contents

    def certificates(self) -> list[bytes]:
        """Those that the server has."""
        command = CertificateGet(
            common_after=None, sequester_after=None, shamir_recovery_after=None, realm_after={}
        )
        return list(self.ask(command).common_certificates)

    def ask(self, command: Request[Any]) -> Any:
        """Raises HTTPError."""
        proof = device_authorization(self.alice.device_id, self.alice.key, now=system_clock())
        headers = _MSGPACK | {"Authorization": proof}
        return load_reply(
            type(command), self._send("/authenticated/Org", headers, dump_request(command))
        )

    def _send(self, path: str, headers: dict[str, str], body: bytes) -> bytes:
        request = urllib.request.Request(f"http://{self.place}{path}", body, headers)
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            content: bytes = answer.read()
            return content


def _contents(lines: Iterable[bytes]) -> Iterator[Any]:
    for line in lines:
        if line.startswith(b"data:") and len(line) > len(b"data:\n"):
            yield load_reply(EventsListen, base64.b64decode(line.removeprefix(b"data:")))
    raise AssertionError("the stream ended")
