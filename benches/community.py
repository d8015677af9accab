"""An organization on a server, set up the same way whoever the server is by."""

import http.client
import json
import time
from typing import Any, NamedTuple, TypeVar

from benches.contestants import ADMINISTRATION_TOKEN, Contestant
from parsec.crypto.entropy import system_entropy
from parsec.crypto.keys import SigningKey
from parsec.data.address import OrganizationBootstrapAddr
from parsec.data.instant import Instant
from parsec.data.people import EmailAddress, OrganizationID, UserProfile
from parsec.protocol.authentication import device_authorization
from parsec.protocol.certificate import CertificateGet
from parsec.protocol.command import Request, UnknownStatus, dump_request, load_reply
from parsec.protocol.invite import InviteList, InviteNewDevice, InviteNewUser
from parsec.protocol.organization import OrganizationBootstrap, OrganizationInfo
from parsec.protocol.statuses import Ok
from parsec.protocol.totp import TotpCreateOpaqueKey
from parsec.protocol.user import UserCreate
from tests.support.newcomers import Newcomer, newcomer, papers

R = TypeVar("R")

INVITATIONS = 10

_HEADERS = {"Api-Version": "5.5", "Content-Type": "application/msgpack"}


class Subject(NamedTuple):
    """A command that servers are measured by."""

    name: str
    request: Request[Any]
    is_write: bool = False


SUBJECTS = (
    Subject("organization_info", OrganizationInfo()),
    Subject("invite_list", InviteList()),
    Subject(
        "certificate_get",
        CertificateGet(
            common_after=None, sequester_after=None, shamir_recovery_after=None, realm_after={}
        ),
    ),
    Subject("totp_create_opaque_key", TotpCreateOpaqueKey(), is_write=True),
)


class Community:
    """An administrator, further users, and some invitations."""

    def __init__(self, contestant: Contestant, *, users: int, name: str = "Bench") -> None:
        self.contestant = contestant
        self.organization = OrganizationID(name)
        self._connection = http.client.HTTPConnection("127.0.0.1", contestant.port, timeout=60)
        self._used = time.monotonic()
        self.admin = self._found()
        self.members = [self.admin]
        self.grow(users)

    @property
    def path(self) -> str:
        return f"/authenticated/{self.organization}"

    def grow(self, users: int) -> None:
        """Have that many users, the administrator included."""
        while len(self.members) < users:
            person = newcomer(f"person{len(self.members)}")
            drawn = papers(person, author=self.admin.device_id, timestamp=now())
            answer = self.call(UserCreate(**drawn.signed(self.admin.key)))
            assert answer == Ok(), answer
            self.members.append(person)

    def invite(self) -> None:
        """Have some invitations."""
        for number in range(INVITATIONS - 1):
            email = EmailAddress(f"invited{number}@example.com")
            self.call(InviteNewUser(claimer_email=email, send_email=False))
        self.call(InviteNewDevice(send_email=False))

    def call(self, request: Request[R]) -> R:
        """A command of the administrator."""
        reply = load_reply(type(request), self.post_request(request))
        assert not isinstance(reply, UnknownStatus), reply
        return reply

    def post_request(self, request: Request[Any]) -> bytes:
        """The same without reading what comes."""
        return self.post(self.path, dump_request(request), self.headers(self.admin))

    def headers(self, author: Newcomer, *, seconds_ago: int = 0) -> dict[str, str]:
        """What goes with a command of somebody; good for some minutes."""
        return _HEADERS | {
            "Authorization": device_authorization(
                author.device_id, author.key, now=now().plus(seconds=-seconds_ago)
            )
        }

    def post(self, path: str, body: bytes, headers: dict[str, str]) -> bytes:
        """The answer to a request that succeeds."""
        # Servers close what is idle for some seconds; once closed, it connects anew by itself.
        if time.monotonic() > self._used + 1:
            self._connection.close()
        self._used = time.monotonic()
        self._connection.request("POST", path, body, headers)
        response = self._connection.getresponse()
        answer = response.read()
        assert response.status == 200, (response.status, answer)
        return answer

    def close(self) -> None:
        self._connection.close()

    def _found(self) -> Newcomer:
        body = json.dumps({"organization_id": str(self.organization)}).encode()
        headers = {
            "Authorization": f"Bearer {ADMINISTRATION_TOKEN}",
            "Content-Type": "application/json",
        }
        created = json.loads(self.post("/administration/organizations", body, headers))
        token = OrganizationBootstrapAddr.parse(created["bootstrap_url"]).token
        admin, root_key = newcomer("admin", UserProfile.ADMIN), SigningKey.generate(system_entropy)
        request = OrganizationBootstrap(
            bootstrap_token=token,
            root_verify_key=root_key.verify_key,
            sequester_authority_certificate=None,
            **papers(admin, author=None, timestamp=now()).signed(root_key),
        )
        path = f"/anonymous/{self.organization}"
        answer = load_reply(OrganizationBootstrap, self.post(path, dump_request(request), _HEADERS))
        assert answer == Ok(), answer
        return admin


def now() -> Instant:
    return Instant(time.time_ns() // 1000)
