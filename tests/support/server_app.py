"""The whole server in process: its application over ASGI, with a clock of our own."""

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from starlette.types import ASGIApp

from parsec.crypto.entropy import system_entropy
from parsec.crypto.keys import SigningKey
from parsec.data.address import OrganizationBootstrapAddr, ServerAddr
from parsec.data.certificates import (
    RevokedUserCertificate,
)
from parsec.data.ids import UserID
from parsec.data.instant import Instant
from parsec.data.people import EmailAddress, UserProfile
from parsec.protocol.authentication import device_authorization
from parsec.protocol.command import Reply, Request, dump_request, load_reply
from parsec.protocol.organization import OrganizationBootstrap
from parsec.protocol.statuses import Ok
from parsec.protocol.user import UserCreate, UserRevoke
from parsec.server.build import running_server
from parsec.server.http.app import make_app
from parsec.server.service.context import Server
from parsec.server.settings import (
    MailFolder,
    MailSettings,
    MockedDatabase,
    Secret,
    Settings,
)
from tests.support.asgi import Answer, request
from tests.support.newcomers import Newcomer, newcomer, papers

TOKEN = "s3cr3t"
BEGIN = Instant.parse("2026-01-02T03:04:05Z")
MSGPACK = {"Api-Version": "5.5", "Content-Type": "application/msgpack"}


@dataclass(frozen=True, kw_only=True)
class Device(Newcomer):
    """Somebody's device in an organization."""

    organization: str


class Clock:
    """Stands still until it is set, but for a microsecond a reading, as certificates need it."""

    def __init__(self, now: Instant) -> None:
        self.now = now

    def __call__(self) -> Instant:
        self.now = self.now.plus(microseconds=1)
        return self.now


class ServerApp:
    """Speaks to the application of a server."""

    def __init__(self, server: Server, app: ASGIApp, clock: Clock) -> None:
        self.server = server
        self.app = app
        self.clock = clock

    async def admin(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """A request with the administration token."""
        content = json.dumps(body).encode() if body is not None else b""
        given = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        target = f"/administration/{path}"
        return await request(self.app, method, target, given | headers, content)

    async def create(self, organization: str) -> OrganizationBootstrapAddr:
        answer = await self.admin("POST", "organizations", {"organization_id": organization})
        assert answer.status == 200, answer
        return OrganizationBootstrapAddr.parse(answer.json["bootstrap_url"])

    async def bootstrap(self, organization: str, name: str = "alice") -> Device:
        """An organization and its first device."""
        address = await self.create(organization)
        root = SigningKey.generate(system_entropy)
        first = newcomer(name, UserProfile.ADMIN)
        command = OrganizationBootstrap(
            bootstrap_token=address.token,
            root_verify_key=root.verify_key,
            sequester_authority_certificate=None,
            **papers(first, author=None, timestamp=self.clock()).signed(root),
        )
        headers = MSGPACK
        target = f"/anonymous/{organization}"
        answer = await request(self.app, "POST", target, headers, dump_request(command))
        assert load_reply(OrganizationBootstrap, answer.body) == Ok(), answer
        return _device(organization, first)

    async def add_user(
        self, author: Device, name: str, profile: UserProfile = UserProfile.STANDARD
    ) -> Device:
        """A new user and its device."""
        person = newcomer(name, profile)
        certificates = papers(person, author=author.device_id, timestamp=self.clock())
        command = UserCreate(**certificates.signed(author.key))
        assert await self.reply(author, command) == Ok()
        return _device(author.organization, person)

    async def revoke(self, author: Device, user_id: UserID) -> None:
        certificate = RevokedUserCertificate(
            author=author.device_id, timestamp=self.clock(), user_id=user_id
        )
        command = UserRevoke(revoked_user_certificate=certificate.sign(author.key))
        assert await self.reply(author, command) == Ok()

    def headers(self, device: Device, *, seconds: float = 0) -> dict[str, str]:
        """Those of a device's request, made so many seconds later than now."""
        now = self.clock().plus(seconds=seconds)
        return MSGPACK | {
            "Authorization": device_authorization(device.device_id, device.key, now=now)
        }

    async def send(self, device: Device, command: Request[Any]) -> Answer:
        target = f"/authenticated/{device.organization}"
        return await request(self.app, "POST", target, self.headers(device), dump_request(command))

    async def reply(self, device: Device, command: Request[Any]) -> Reply:
        answer = await self.send(device, command)
        assert answer.status == 200, answer
        reply = load_reply(type(command), answer.body)
        assert isinstance(reply, Reply)
        return reply


def _device(organization: str, person: Newcomer) -> Device:
    return Device(organization=organization, **vars(person))


def some_settings(**changes: Any) -> Settings:
    """Ordinary settings, in debug mode."""
    sender = EmailAddress("parsec@example.com")
    settings = Settings(
        server_addr=ServerAddr(hostname="localhost", port=6777, use_ssl=False),
        database=MockedDatabase(),
        administration_token=Secret(TOKEN),
        mail=MailSettings(sender=sender, by=MailFolder(Path("mails"))),
        debug=True,
    )
    return msgspec.structs.replace(settings, **changes)


@contextlib.asynccontextmanager
async def server_app(**settings: Any) -> AsyncIterator[ServerApp]:
    """A server with an empty database, until the end."""
    clock = Clock(BEGIN)
    async with running_server(some_settings(**settings), clock=clock) as server:
        yield ServerApp(server, make_app(server), clock)
