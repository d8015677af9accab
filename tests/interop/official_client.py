"""A client made of the official types: they write what it sends, and read what comes back."""

import http.client
import json
import time
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Iterator
from typing import Any, TypeVar

from parsec.crypto.entropy import system_entropy
from parsec.crypto.keys import SigningKey, VerifyKey
from parsec.data.address import OrganizationBootstrapAddr
from parsec.data.certificates import Certificate
from parsec.data.ids import AccessToken, DeviceID
from parsec.data.instant import Instant
from parsec.data.people import OrganizationID, UserProfile
from parsec.protocol.command import Family, Reply, Request, UnknownStatus, load_reply
from parsec.protocol.events import EventsListen
from parsec.protocol.families import command_name
from parsec.protocol.organization import OrganizationBootstrap
from parsec.protocol.statuses import Ok
from parsec.protocol.user import UserCreate
from tests.interop.peer import Official
from tests.interop.pictures import Picture, picture
from tests.support.newcomers import Newcomer, Papers, newcomer, papers

R = TypeVar("R")

_PATIENCE = 30
_ROUTES = {
    Family.ANONYMOUS: "/anonymous/{}",
    Family.ANONYMOUS_SERVER: "/anonymous_server",
    Family.AUTHENTICATED: "/authenticated/{}",
    Family.AUTHENTICATED_ACCOUNT: "/authenticated_account",
    Family.INVITED: "/invited/{}",
    Family.TOS: "/authenticated/{}/tos",
}
_HEADERS = {"Api-Version": "5.5", "Content-Type": "application/msgpack"}


class OfficialClient:
    """Founds an organization, and calls commands in it for whoever is named.

    Our messages only say what is meant: the bytes that travel are made and read by the official
    types, and what they read is compared with what we read.
    """

    def __init__(self, official: Official, port: int, administration_token: str) -> None:
        self.official = official
        self.root_key = SigningKey.generate(system_entropy)
        self.organization = OrganizationID(f"Org-{system_entropy(8).hex()}")
        self._port = port
        self._administration_token = administration_token

    def create(self) -> OrganizationBootstrapAddr:
        """Have the organization created, so that somebody can found it."""
        answer = self._administration("POST", "", organization_id=str(self.organization))
        return OrganizationBootstrapAddr.parse(answer["bootstrap_url"])

    def configure(self, **config: Any) -> None:
        """Have the organization configured otherwise."""
        self._administration("PATCH", f"/{self.organization}", **config)

    def found(self) -> Newcomer:
        """Have the organization created and found it: the first administrator."""
        alice = newcomer("alice", UserProfile.ADMIN)
        assert self.anonymous(self.bootstrap(alice, self.create().token)) == Ok()
        return alice

    def bootstrap(self, first: Newcomer, token: AccessToken | None) -> OrganizationBootstrap:
        """The request that makes somebody the first user."""
        drawn = papers(first, author=None, timestamp=self.now())
        return OrganizationBootstrap(
            bootstrap_token=token,
            root_verify_key=self.root_key.verify_key,
            sequester_authority_certificate=None,
            **self.signed_papers(drawn, self.root_key),
        )

    def enroll(
        self, author: Newcomer, name: str, profile: UserProfile = UserProfile.STANDARD
    ) -> Newcomer:
        """A new user, created by an administrator."""
        person = newcomer(name, profile)
        drawn = papers(person, author=author.device_id, timestamp=self.now())
        assert self.call(author, UserCreate(**self.signed_papers(drawn, author.key))) == Ok()
        return person

    def now(self) -> Instant:
        return Instant(time.time_ns() // 1000)

    def sign(self, certificate: Certificate, key: SigningKey) -> bytes:
        """A certificate as the official types write and sign it."""
        signed: bytes = self.official.ask("sign_certificate", picture(certificate), bytes(key))
        return signed

    def signed_papers(self, drawn: Papers, key: SigningKey) -> dict[str, bytes]:
        """The certificates of a newcomer as the commands take them."""
        return {
            f"{name}_certificate": self.sign(certificate, key)
            for name, certificate in vars(drawn).items()
        }

    def load(
        self, kind: type[Certificate], signed: bytes, key: VerifyKey, author: DeviceID | None
    ) -> Picture:
        """What the official types read in a certificate once they verified it."""
        expectations = {} if author is None else {"expected_author": picture(author)}
        return self.official.ask(
            "load_certificate", kind.__name__, signed, bytes(key), expectations
        )

    def call(self, author: Newcomer, request: Request[R]) -> R:
        """A command of a device."""
        return self._exchange(request, self.authorization(author))

    def invited(self, token: AccessToken, request: Request[R]) -> R:
        """A command of whoever has an invitation."""
        return self._exchange(request, f"Bearer {token.hex()}")

    def anonymous(self, request: Request[R]) -> R:
        """A command of anybody."""
        return self._exchange(request, None)

    def post(
        self, family: Family, body: bytes, authorization: str | None = None
    ) -> tuple[int, bytes]:
        """Status and body of the answer to a request of any bytes."""
        headers = dict(_HEADERS)
        if authorization is not None:
            headers["Authorization"] = authorization
        return self._http("POST", _ROUTES[family].format(self.organization), body, headers)

    def built(self, request: Request[Any]) -> bytes:
        """A request as the official types write it."""
        name = command_name(type(request))
        body: bytes = self.official.ask(
            "build_request", request.FAMILY.value, name, picture(request)
        )
        return body

    def read(self, kind: type[Request[R]], answer: bytes) -> R:
        """A reply, in which both sides read the same."""
        seen, _ = self.official.ask("load_reply", kind.FAMILY.value, command_name(kind), answer)
        reply = load_reply(kind, answer)
        assert not isinstance(reply, UnknownStatus), reply
        assert picture(reply) == seen
        return reply

    def authorization(self, author: Newcomer) -> str:
        """Proof of a device, signed by the official types."""
        text = f"PARSEC-SIGN-ED25519.{author.device_id.hex()}.{self.now().seconds}"
        _, signature = self.official.ask("sign", bytes(author.key), text.encode())
        return f"Bearer {text}.{urlsafe_b64encode(signature).decode()}"

    def events(self, author: Newcomer) -> "Events":
        """The event stream of a device."""
        connection = self._connection()
        headers = {
            "Api-Version": "5.5",
            "Accept": "text/event-stream",
            "Authorization": self.authorization(author),
        }
        connection.request("GET", f"/authenticated/{self.organization}/events", headers=headers)
        response = connection.getresponse()
        assert response.status == 200
        return Events(self, connection, response)

    def _exchange(self, request: Request[R], authorization: str | None) -> R:
        status, answer = self.post(request.FAMILY, self.built(request), authorization)
        assert status == 200, (status, answer)
        return self.read(type(request), answer)

    def _administration(self, method: str, path: str, **content: Any) -> Any:
        headers = {
            "Authorization": f"Bearer {self._administration_token}",
            "Content-Type": "application/json",
        }
        path = f"/administration/organizations{path}"
        status, answer = self._http(method, path, json.dumps(content).encode(), headers)
        assert status == 200, answer
        return json.loads(answer)

    def _http(
        self, method: str, path: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        connection = self._connection()
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self._port, timeout=_PATIENCE)


class Events:
    """An event stream whose data is read by the official types too."""

    def __init__(
        self,
        client: OfficialClient,
        connection: http.client.HTTPConnection,
        response: http.client.HTTPResponse,
    ) -> None:
        self._client = client
        self._connection = connection
        self._response = response
        self._events = self._read()

    def next(self) -> Reply:
        """The next event."""
        return next(self._events)

    def close(self) -> None:
        self._response.close()
        self._connection.close()

    def _read(self) -> Iterator[Reply]:
        for line in self._response:
            assert not line.startswith(b"event:"), "nothing happened for a long time"
            if line.startswith(b"data:") and line.strip() != b"data:":
                yield self._client.read(EventsListen, b64decode(line[5:].strip(), validate=True))
