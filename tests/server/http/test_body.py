"""Bodies: which are read, and how much of them (server-core.md 20, 3)."""

from collections.abc import AsyncIterator

import pytest

from parsec.crypto.keys import SigningKey
from parsec.protocol.authentication import device_authorization
from parsec.server.http import body
from tests.support.asgi import request_without_end
from tests.support.server_app import MSGPACK, Device, ServerApp, server_app


@pytest.fixture
async def server() -> AsyncIterator[ServerApp]:
    async with server_app() as server:
        yield server


@pytest.fixture
async def alice(server: ServerApp) -> Device:
    return await server.bootstrap("Org")


async def test_the_body_of_who_may_not_call_is_not_awaited(
    server: ServerApp, alice: Device
) -> None:
    forged = device_authorization(alice.device_id, SigningKey(bytes(32)), now=server.clock())
    headers = MSGPACK | {"Authorization": forged}

    answer = await request_without_end(server.app, "POST", "/authenticated/Org", headers)

    assert answer.status == 403


async def test_a_declared_size_is_judged_before_the_token(server: ServerApp, alice: Device) -> None:
    forged = device_authorization(alice.device_id, SigningKey(bytes(32)), now=server.clock())
    size = {"Content-Length": str(body.MAX_BODY + 1)}
    headers = MSGPACK | {"Authorization": forged} | size

    answer = await request_without_end(server.app, "POST", "/authenticated/Org", headers)

    assert answer.status == 413
