"""The routes of the commands: order of checks, sizes, headers (server-core.md 2, 3)."""

from collections.abc import AsyncIterator

import pytest

from parsec.crypto.keys import SigningKey
from parsec.data.ids import AccessToken
from parsec.protocol.authentication import device_authorization, invitation_authorization
from parsec.protocol.block import BlockRead
from parsec.protocol.command import Family, dump_request
from parsec.protocol.events import EventsListen
from parsec.protocol.families import commands
from parsec.protocol.organization import OrganizationInfo, OrganizationInfoOk
from parsec.protocol.ping import AnonymousPing, Ping
from parsec.protocol.statuses import NotAvailable
from parsec.server.http import rpc
from parsec.server.http.commands import COMMANDS, DEBUG_COMMANDS
from parsec.server.store.engine import StorageError
from tests.support.asgi import Answer, request
from tests.support.server_app import MSGPACK, Device, ServerApp, server_app

PING = dump_request(AnonymousPing(ping="x"))


@pytest.fixture
async def server() -> AsyncIterator[ServerApp]:
    async with server_app() as made:
        yield made


@pytest.fixture
async def alice(server: ServerApp) -> Device:
    return await server.bootstrap("Org")


async def anonymous(server: ServerApp, *chunks: bytes, **headers: str) -> Answer:
    return await request(server.app, "POST", "/anonymous/Org", MSGPACK | headers, *chunks)


async def test_a_body_may_come_in_chunks(server: ServerApp, alice: Device) -> None:
    answer = await anonymous(server, PING[:5], b"", PING[5:])

    assert answer.status == 200


async def test_chunks_are_counted_while_they_come(server: ServerApp, alice: Device) -> None:
    answer = await anonymous(server, *[bytes(1 << 18)] * 4, b"0")

    assert (answer.status, answer.headers.get("api-version")) == (413, None)


async def test_a_length_above_the_limit_is_refused_without_reading(
    server: ServerApp, alice: Device
) -> None:
    answer = await anonymous(server, PING, **{"Content-Length": str((1 << 20) + 1)})

    assert answer.status == 413


@pytest.mark.parametrize("length", ["", "-1", "many", "1e3"])
async def test_a_length_that_is_no_number_is_refused(
    server: ServerApp, alice: Device, length: str
) -> None:
    assert (await anonymous(server, PING, **{"Content-Length": length})).status == 413


async def test_every_answer_names_the_server(server: ServerApp) -> None:
    answers = [
        await request(server.app, "GET", "/"),
        await request(server.app, "GET", "/nowhere"),
        await request(server.app, "POST", "/anonymous/Org", MSGPACK, PING),
        await request(server.app, "DELETE", "/anonymous/Org"),
        await request(server.app, "GET", "/administration/stats"),
    ]

    assert {answer.headers["server"] for answer in answers} == {"parsec/3"}
    assert {answer.headers["x-content-type-options"] for answer in answers} == {"nosniff"}


async def test_the_state_of_a_user_is_told_to_who_can_sign_only(
    server: ServerApp, alice: Device
) -> None:
    bob = await server.add_user(alice, "bob")
    await server.revoke(alice, bob.user_id)
    stranger = SigningKey(bytes(32))
    forged = device_authorization(bob.device_id, stranger, now=server.clock())
    body = dump_request(OrganizationInfo())

    told = await server.send(bob, OrganizationInfo())
    hidden = await request(
        server.app,
        "POST",
        "/authenticated/Org",
        MSGPACK | {"Authorization": forged},
        body,
    )

    assert (told.status, hidden.status) == (461, 403)


async def test_an_expired_organization_is_told_to_who_can_sign_only(
    server: ServerApp, alice: Device
) -> None:
    await server.admin("PATCH", "organizations/Org", {"is_expired": True})
    forged = device_authorization(alice.device_id, SigningKey(bytes(32)), now=server.clock())
    headers = MSGPACK | {"Authorization": forged}

    told = await server.send(alice, OrganizationInfo())
    hidden = await request(server.app, "POST", "/authenticated/Org", headers, b"")

    assert (told.status, hidden.status) == (460, 403)


async def test_a_command_of_a_later_version_is_refused(server: ServerApp, alice: Device) -> None:
    kinds = commands(Family.AUTHENTICATED)
    command = kinds["block_read"]
    assert command is BlockRead

    body = b"\x83\xa3cmd\xaablock_read\xa8block_id\xd8\x02" + bytes(16)
    body += b"\xa8realm_id\xd8\x02" + bytes(16)
    answer = await request(server.app, "POST", "/authenticated/Org", server.headers(alice), body)

    assert answer.status == 415


async def test_events_are_not_had_by_a_command(server: ServerApp, alice: Device) -> None:
    assert await server.reply(alice, EventsListen()) == NotAvailable()


async def test_ping_exists_in_debug_mode_only() -> None:
    async with server_app(debug=False) as server:
        alice = await server.bootstrap("Org")

        answers = [
            await server.send(alice, Ping(ping="x")),
            await anonymous(server, PING),
        ]

    assert [answer.status for answer in answers] == [415, 415]


async def test_a_garbage_body_creates_no_organization() -> None:
    async with server_app(spontaneous_organization_bootstrap=True) as server:
        bodies = [b"garbage", PING]
        answers = [await anonymous(server, body) for body in bodies]
        found = await server.admin("GET", "organizations/Org")

    assert [answer.status for answer in answers] == [415, 200]
    assert found.status == 404


async def test_a_wrong_invitation_token_is_refused(server: ServerApp, alice: Device) -> None:
    token = invitation_authorization(AccessToken(bytes(16)))

    answer = await request(
        server.app, "POST", "/invited/Org", MSGPACK | {"Authorization": token}, b""
    )

    assert answer.status == 403


async def test_who_has_no_account_cannot_call(server: ServerApp) -> None:
    token = f"Bearer PARSEC-MAC-BLAKE2B.{bytes(16).hex()}.1700000000.AAAA"

    answer = await request(
        server.app, "POST", "/authenticated_account", MSGPACK | {"Authorization": token}, b""
    )

    assert answer.status == 403


async def test_the_name_of_an_organization_may_be_percent_encoded(server: ServerApp) -> None:
    await server.create("Évreux")

    answer = await request(server.app, "POST", "/anonymous/%C3%89vreux", MSGPACK, PING)

    assert answer.status == 200


async def test_a_bug_is_told_without_telling_more(
    server: ServerApp, alice: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise ZeroDivisionError("the secret of Alice")

    monkeypatch.setattr(rpc, "COMMANDS", {OrganizationInfo: fail})

    answer = await server.send(alice, OrganizationInfo())

    assert (answer.status, answer.body) == (500, b"Internal Server Error")
    assert answer.headers["connection"] == "close"


async def test_a_failing_database_is_no_bug(
    server: ServerApp, alice: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Official clients retry after 503 and give up after 500."""

    async def fail(*_: object) -> None:
        raise StorageError("the disk is full")

    monkeypatch.setattr(rpc, "COMMANDS", {OrganizationInfo: fail})

    answer = await server.send(alice, OrganizationInfo())

    assert answer.status == 503


async def test_a_command_is_answered(server: ServerApp, alice: Device) -> None:
    reply = await server.reply(alice, OrganizationInfo())

    assert reply == OrganizationInfoOk(total_block_bytes=0, total_metadata_bytes=0)


def test_no_command_has_two_functions() -> None:
    assert COMMANDS.keys().isdisjoint(DEBUG_COMMANDS)
