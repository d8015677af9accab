"""Of several things that are wrong with a request, the first one is told (server-core.md 2.2, 3).

Each family lists what may be wrong in the order in which it is checked. Each test does two of these
things wrong and expects the answer to the first.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from parsec.crypto.entropy import system_entropy
from parsec.crypto.keys import SigningKey
from parsec.data.ids import AccessToken, DeviceID
from parsec.data.people import OrganizationID
from parsec.protocol.authentication import device_authorization, invitation_authorization
from parsec.protocol.command import dump_request
from parsec.protocol.invite import InviteCancel, InviteInfo
from parsec.protocol.organization import OrganizationInfo
from parsec.protocol.ping import AnonymousPing
from parsec.protocol.server_config import ServerConfig
from parsec.protocol.tos import TosGet
from parsec.server.http.body import MAX_BODY
from parsec.server.store import user as users
from tests.support.asgi import Answer, request
from tests.support.server_app import Device, ServerApp, server_app
from tests.support.server_calls import freeze, invite_user


@dataclass
class Try:
    """A request that is right until something is done wrong."""

    server: ServerApp
    alice: Device
    bob: Device
    method: str = "POST"
    target: str = "/authenticated/{organization}"
    organization: str = "Org"
    headers: dict[str, str] = field(default_factory=dict)
    chunks: Sequence[bytes] = ()
    device_id: DeviceID | None = None
    key: SigningKey | None = None
    token: AccessToken | None = None
    seconds: float = 0

    async def send(self) -> Answer:
        target = self.target.format(organization=self.organization)
        headers = {"Authorization": self._authorization()} | self.headers
        return await request(self.server.app, self.method, target, headers, *self.chunks)

    def _authorization(self) -> str:
        if self.token is not None:
            return invitation_authorization(self.token)
        now = self.server.clock().plus(seconds=self.seconds)
        return device_authorization(
            self.device_id or self.bob.device_id, self.key or self.bob.key, now=now
        )


Wrong = Callable[[Try], Awaitable[None] | None]


# --- What can be wrong ---


def version(one: Try) -> None:
    one.headers["Api-Version"] = "4.0"


def organization_syntax(one: Try) -> None:
    one.organization = "not%20a%20name"


def content_type(one: Try) -> None:
    one.headers["Content-Type"] = "application/msgpack; charset=utf-8"


def accept(one: Try) -> None:
    one.headers["Accept"] = "text/html"


def authorization(one: Try) -> None:
    one.headers["Authorization"] = "Bearer nothing"


def declared_size(one: Try) -> None:
    one.headers["Content-Length"] = str(MAX_BODY + 1)


def unknown_organization(one: Try) -> None:
    one.organization = "Nowhere"


async def not_bootstrapped(one: Try) -> None:
    one.organization = f"Waiting-{one.method}"
    await one.server.create(one.organization)


def unknown_device(one: Try) -> None:
    one.device_id = DeviceID.generate(system_entropy)


def bad_signature(one: Try) -> None:
    one.key = SigningKey(bytes(32))


def old_date(one: Try) -> None:
    one.seconds = -320


async def expired(one: Try) -> None:
    await one.server.admin("PATCH", f"organizations/{one.alice.organization}", {"is_expired": True})


async def revoked(one: Try) -> None:
    # Not by a command: terms of service or an expiration could be in its way.
    organization_id = OrganizationID(one.alice.organization)
    async with one.server.server.engine.transaction(write=True) as transaction:
        await users.revoke(
            transaction, organization_id, one.bob.user_id, revoked_on=one.server.clock()
        )


async def frozen(one: Try) -> None:
    await freeze(one.server, one.bob)


async def terms_of_service(one: Try) -> None:
    terms = {"tos": {"en": "https://example.com"}}
    await one.server.admin("PATCH", f"organizations/{one.alice.organization}", terms)


def size(one: Try) -> None:
    one.chunks = [bytes(MAX_BODY), b"\0"]


def content(one: Try) -> None:
    if not one.chunks or len(one.chunks[0]) < MAX_BODY:
        one.chunks = [b"\xc1"]


def unknown_token(one: Try) -> None:
    one.token = AccessToken(bytes(16))


async def ended(one: Try) -> None:
    assert one.token is not None
    if bytes(one.token) != bytes(16):
        await one.server.send(one.alice, InviteCancel(token=one.token))


def stopping(one: Try) -> None:
    one.server.server.exchange.stop()


# --- In which order it is checked ---


@dataclass(frozen=True, kw_only=True)
class Family:
    begin: Mapping[str, Any]
    checks: Sequence[tuple[Wrong, int]]


_MSGPACK = {"Api-Version": "5.5", "Content-Type": "application/msgpack"}
_STATE: Sequence[tuple[Wrong, int]] = [(expired, 460), (revoked, 461), (frozen, 462)]
_PROOF: Sequence[tuple[Wrong, int]] = [
    (unknown_organization, 404),
    (not_bootstrapped, 404),
    (unknown_device, 403),
    (bad_signature, 403),
    (old_date, 498),
]
_BODY: Sequence[tuple[Wrong, int]] = [(size, 413), (content, 415)]

FAMILIES: Mapping[str, Family] = {
    "authenticated": Family(
        begin={"headers": _MSGPACK, "chunks": [dump_request(OrganizationInfo())]},
        # The proof comes before the state (server-core.md 20, 2), and both before the body (20, 3).
        checks=[
            (version, 422),
            (organization_syntax, 404),
            (content_type, 415),
            (authorization, 401),
            (declared_size, 413),
            *_PROOF,
            *_STATE,
            (terms_of_service, 463),
            *_BODY,
        ],
    ),
    "tos": Family(
        begin={
            "target": "/authenticated/{organization}/tos",
            "headers": _MSGPACK,
            "chunks": [dump_request(TosGet())],
        },
        checks=[
            (version, 422),
            (organization_syntax, 404),
            (content_type, 415),
            (authorization, 401),
            (declared_size, 413),
            *_PROOF,
            *_STATE,
            *_BODY,
        ],
    ),
    "events": Family(
        begin={
            "method": "GET",
            "target": "/authenticated/{organization}/events",
            "headers": {"Api-Version": "5.5", "Accept": "text/event-stream"},
        },
        checks=[
            (version, 422),
            (organization_syntax, 404),
            (accept, 406),
            (authorization, 401),
            *_PROOF,
            *_STATE,
            (terms_of_service, 463),
            (stopping, 503),
        ],
    ),
    "invited": Family(
        begin={
            "target": "/invited/{organization}",
            "headers": _MSGPACK,
            "chunks": [dump_request(InviteInfo())],
        },
        checks=[
            (version, 422),
            (organization_syntax, 404),
            (content_type, 415),
            (authorization, 401),
            (unknown_organization, 404),
            (not_bootstrapped, 404),
            (expired, 460),
            (unknown_token, 403),
            (ended, 410),
            (declared_size, 413),
            *_BODY,
        ],
    ),
    "anonymous": Family(
        begin={
            "target": "/anonymous/{organization}",
            "headers": _MSGPACK,
            "chunks": [dump_request(AnonymousPing(ping="x"))],
        },
        checks=[
            (version, 422),
            (organization_syntax, 404),
            (content_type, 415),
            (unknown_organization, 404),
            (expired, 460),
            (declared_size, 413),
            *_BODY,
        ],
    ),
    "anonymous_server": Family(
        begin={
            "target": "/anonymous_server",
            "headers": _MSGPACK,
            "chunks": [dump_request(ServerConfig())],
        },
        checks=[(version, 422), (content_type, 415), (declared_size, 413), *_BODY],
    ),
}

# One takes the other's place: there is no request with both.
_EXCLUSIVE = [{unknown_organization, not_bootstrapped}, {size, content}]


@pytest.fixture
async def server() -> AsyncIterator[ServerApp]:
    async with server_app(failed_lookups=None) as made:
        yield made


async def begin(server: ServerApp, family: str, organization: str = "Org") -> Try:
    alice = await server.bootstrap(organization)
    bob = await server.add_user(alice, "bob")
    made = Try(server=server, alice=alice, bob=bob, **FAMILIES[family].begin)
    made.organization, made.headers = organization, dict(made.headers)
    if family == "invited":
        made.token = await invite_user(server, alice)
    return made


async def do(wrong: Wrong, one: Try) -> None:
    done = wrong(one)
    if done is not None:
        await done


EACH = pytest.mark.parametrize(
    ("family", "number"),
    [
        pytest.param(name, number, id=f"{name}-{wrong.__name__}")
        for name, family in FAMILIES.items()
        for number, (wrong, _) in enumerate(family.checks)
    ],
)


@EACH
async def test_the_first_thing_that_is_wrong_is_told_whatever_else_is(
    server: ServerApp, family: str, number: int
) -> None:
    first, status = FAMILIES[family].checks[number]
    told = {}
    for second, _ in FAMILIES[family].checks[number + 1 :]:
        if {first, second} in _EXCLUSIVE:
            continue
        one = await begin(server, family, f"{second.__name__}")
        # What is done last wins where both change the same part of the request.
        await do(second, one)
        await do(first, one)
        told[second.__name__] = (await one.send()).status

    assert told == dict.fromkeys(told, status)


@EACH
async def test_each_thing_that_is_wrong_is_told(
    server: ServerApp, family: str, number: int
) -> None:
    wrong, status = FAMILIES[family].checks[number]
    one = await begin(server, family)
    await do(wrong, one)

    answer = await one.send()

    assert answer.status == status
    named = answer.headers.get("api-version")
    assert named == (None if status in (413, 422) else "5.5")
