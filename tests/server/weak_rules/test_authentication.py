"""Attacks on who may call at all (server-core.md 20, rows 2 to 6 and 8)."""

from collections.abc import AsyncIterator, Callable

import pytest

from parsec.crypto.entropy import system_entropy
from parsec.crypto.keys import SigningKey, VerifyKey
from parsec.data.ids import DeviceID
from parsec.data.people import UserProfile
from parsec.protocol.authentication import device_authorization
from parsec.protocol.command import dump_request
from parsec.protocol.organization import OrganizationBootstrap, OrganizationInfo
from parsec.protocol.ping import AnonymousPing, InvitedPing, Ping
from parsec.protocol.statuses import InvalidCertificate
from parsec.protocol.tos import TosGet
from parsec.protocol.user import ListFrozenUsers
from parsec.server.rules import authentication as rules
from tests.support.asgi import Answer, request
from tests.support.newcomers import newcomer, papers
from tests.support.server_app import MSGPACK, Device, ServerApp, server_app
from tests.support.server_calls import anonymous, freeze, invite_user, invited, reply

OTHER_KEY = SigningKey(bytes(32))


@pytest.fixture
async def server() -> AsyncIterator[ServerApp]:
    async with server_app() as made:
        yield made


@pytest.fixture
async def alice(server: ServerApp) -> Device:
    return await server.bootstrap("Org")


@pytest.fixture
async def bob(server: ServerApp, alice: Device) -> Device:
    return await server.add_user(alice, "bob")


async def call(server: ServerApp, authorization: str) -> Answer:
    headers = MSGPACK | {"Authorization": authorization}
    body = dump_request(OrganizationInfo())
    return await request(server.app, "POST", "/authenticated/Org", headers, body)


@pytest.mark.parametrize("state", ["expired", "revoked", "frozen", "terms of service"])
async def test_who_cannot_sign_learns_no_state(
    server: ServerApp, alice: Device, bob: Device, state: str
) -> None:
    """server-core 20 #2: the same answer as for a device that does not exist."""
    if state == "expired":
        await server.admin("PATCH", "organizations/Org", {"is_expired": True})
    elif state == "revoked":
        await server.revoke(alice, bob.user_id)
    elif state == "frozen":
        await freeze(server, bob)
    else:
        await server.admin("PATCH", "organizations/Org", {"tos": {}})
    nobody = DeviceID.generate(system_entropy)

    forged, unknown = [
        await call(server, device_authorization(device, OTHER_KEY, now=server.clock()))
        for device in (bob.device_id, nobody)
    ]

    assert forged.status == unknown.status == 403
    assert forged.body == unknown.body


async def test_a_device_that_does_not_exist_costs_as_much_work(
    server: ServerApp, bob: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """server-core 20 #2: one signature is verified, against a key of nobody."""
    verified: list[VerifyKey] = []
    verify = VerifyKey.verify_with_signature

    def record(key: VerifyKey, signature: bytes, message: bytes) -> bytes | None:
        verified.append(key)
        return verify(key, signature, message)

    monkeypatch.setattr(VerifyKey, "verify_with_signature", record)
    nobody = DeviceID.generate(system_entropy)

    for device in (bob.device_id, nobody):
        await call(server, device_authorization(device, OTHER_KEY, now=server.clock()))

    assert len(verified) == 2
    assert verified[0] == bob.key.verify_key != verified[1]


async def test_nothing_answers_in_an_expired_organization(server: ServerApp, alice: Device) -> None:
    """server-core 20 #4: nor to a device that was known a moment ago."""
    token = await invite_user(server, alice)
    assert (await server.send(alice, Ping(ping="x"))).status == 200

    await server.admin("PATCH", "organizations/Org", {"is_expired": True})

    stream = server.headers(alice) | {"Accept": "text/event-stream"}
    terms = server.headers(alice)
    answers = [
        await server.send(alice, Ping(ping="x")),
        await server.send(alice, OrganizationInfo()),
        await server.send(alice, ListFrozenUsers()),
        await request(server.app, "POST", "/authenticated/Org/tos", terms, dump_request(TosGet())),
        await request(server.app, "GET", "/authenticated/Org/events", stream),
        await invited(server, token, InvitedPing(ping="x")),
        await anonymous(server, AnonymousPing(ping="x")),
    ]
    assert [answer.status for answer in answers] == [460] * 7


async def test_what_is_remembered_of_callers_is_bounded_and_tells_no_state(
    server: ServerApp, alice: Device, bob: Device
) -> None:
    """server-core 20 #5: only that a signature is right, which never changes."""
    remembered = rules._verify
    remembered.cache_clear()
    same = device_authorization(bob.device_id, bob.key, now=server.clock())
    first = await call(server, same)

    await freeze(server, bob)
    second = await call(server, same)
    forged = await call(server, device_authorization(bob.device_id, OTHER_KEY, now=server.clock()))

    assert [first.status, second.status, forged.status] == [200, 462, 403]
    size = remembered.cache_parameters()["maxsize"]
    assert size is not None
    assert size <= 4096


async def test_a_token_is_replayed_for_minutes_only_and_for_nobody_else(
    server: ServerApp, alice: Device, bob: Device
) -> None:
    """server-core 20 #6: the wire demands no more; TLS does the rest."""
    await server.bootstrap("Other", "mallory")
    overheard = device_authorization(bob.device_id, bob.key, now=server.clock())
    renamed = overheard.replace(bob.device_id.hex(), alice.device_id.hex())
    body = dump_request(OrganizationInfo())
    headers = MSGPACK | {"Authorization": overheard}

    again = await call(server, overheard)
    as_alice = await call(server, renamed)
    elsewhere = await request(server.app, "POST", "/authenticated/Other", headers, body)
    server.clock.now = server.clock.now.plus(seconds=320)
    too_late = await call(server, overheard)

    assert [again.status, as_alice.status, elsewhere.status] == [200, 403, 403]
    assert too_late.status == 498


def _garbage(_: OrganizationBootstrap) -> bytes:
    return b"garbage"


def _ping(_: OrganizationBootstrap) -> bytes:
    return dump_request(AnonymousPing(ping="x"))


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("body", [_garbage, _ping])
async def test_where_anybody_may_begin_most_requests_begin_nothing(
    method: str, body: Callable[[OrganizationBootstrap], bytes]
) -> None:
    """server-core 20 #8: an organization comes from a valid bootstrap only."""
    async with server_app(spontaneous_organization_bootstrap=True) as server:
        command = _bootstrap(server, signed_by=OTHER_KEY)

        await request(server.app, method, "/anonymous/Org", MSGPACK, body(command))

        found = await server.admin("GET", "organizations/Org")
    assert found.status == 404


async def test_where_anybody_may_begin_a_refused_bootstrap_begins_nothing() -> None:
    """server-core 20 #8."""
    async with server_app(spontaneous_organization_bootstrap=True) as server:
        command = _bootstrap(server, signed_by=OTHER_KEY)

        answer = await anonymous(server, command)

        found = await server.admin("GET", "organizations/Org")
    assert reply(command, answer) == InvalidCertificate()
    assert found.status == 404


def _bootstrap(server: ServerApp, *, signed_by: SigningKey) -> OrganizationBootstrap:
    root = SigningKey.generate(system_entropy)
    person = newcomer("alice", profile=UserProfile.ADMIN)
    return OrganizationBootstrap(
        bootstrap_token=None,
        root_verify_key=root.verify_key,
        sequester_authority_certificate=None,
        **papers(person, author=None, timestamp=server.clock()).signed(signed_by),
    )
