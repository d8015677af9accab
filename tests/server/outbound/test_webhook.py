"""Telling another service of a new organization (server-core.md 17.2)."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

from parsec.data.ids import DeviceID
from parsec.data.people import DeviceLabel, EmailAddress, HumanHandle, OrganizationID
from parsec.server.outbound.webhook import BootstrappedOrganization, BootstrapWebhook
from tests.support.server_app import server_app
from tests.support.smtp_server import serving

TOLD = BootstrappedOrganization(
    organization_id=OrganizationID("Évreux"),
    device_id=DeviceID(bytes(range(16))),
    device_label=DeviceLabel("desk"),
    human_handle=HumanHandle(EmailAddress("alice@example.com"), "Alice"),
)


@contextlib.asynccontextmanager
async def listener(answer: bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """An address, and the requests that come to it."""
    heard: list[bytes] = []

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        heard.append(head + await reader.readexactly(length))
        writer.write(answer)
        await writer.drain()

    async with serving(hear) as port:
        yield f"http://127.0.0.1:{port}/hook", heard


async def test_the_other_service_is_sent_json() -> None:
    async with listener(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n") as (url, heard):
        webhook = BootstrapWebhook(url)
        webhook.tell(TOLD)
        await webhook.close()

    head, body = heard[0].split(b"\r\n\r\n", 1)
    assert head.startswith(b"POST /hook HTTP/1.1")
    assert b"content-type: application/json; charset=utf-8" in head.lower()
    assert json.loads(body) == {
        "organization_id": "Évreux",
        "device_id": bytes(range(16)).hex(),
        "device_label": "desk",
        "human_email": "alice@example.com",
        "human_label": "Alice",
    }


async def test_a_service_that_is_not_there_changes_nothing() -> None:
    async with listener(b"") as (url, _):
        pass

    async with server_app(organization_bootstrap_webhook=url) as server:
        await server.bootstrap("Org")


async def test_a_service_that_fails_changes_nothing() -> None:
    refusal = b"HTTP/1.1 500 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    async with (
        listener(refusal) as (url, heard),
        server_app(organization_bootstrap_webhook=url) as server,
    ):
        await server.bootstrap("Org")

    assert len(heard) == 1
