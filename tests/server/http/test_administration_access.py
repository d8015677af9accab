"""Who may administrate, from where, and what is written down of it (server-core.md 20, 31)."""

import ipaddress
from collections.abc import AsyncIterator
from typing import Any

import pytest
import structlog
from starlette.types import Receive, Scope, Send
from structlog.testing import LogCapture

from parsec.server.http import admin
from parsec.server.settings import RateLimit
from tests.support.asgi import Answer, request
from tests.support.server_app import TOKEN, ServerApp, server_app

OFFICE = (ipaddress.ip_network("192.0.2.0/24"), ipaddress.ip_network("2001:db8::/32"))


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The lines of the log, as their fields."""
    capture = LogCapture()
    structlog.configure(processors=[capture])
    monkeypatch.setattr(admin, "_log", structlog.get_logger())
    return capture.entries


@pytest.fixture
async def server(log: list[Any]) -> AsyncIterator[ServerApp]:
    async with server_app() as made:
        log.clear()
        yield made
    structlog.reset_defaults()


@pytest.fixture
async def closed(log: list[Any]) -> AsyncIterator[ServerApp]:
    """A server that is administrated from an office alone."""
    limit = RateLimit(burst=2, per_second=0.1)
    async with server_app(administration_allowed_addresses=OFFICE, failed_lookups=limit) as made:
        log.clear()
        yield made
    structlog.reset_defaults()


async def ask(server: ServerApp, address: str, token: str = TOKEN) -> Answer:
    async def from_there(scope: Scope, receive: Receive, send: Send) -> None:
        await server.app({**scope, "client": (address, 1)}, receive, send)

    headers = {"Authorization": f"Bearer {token}"}
    return await request(from_there, "GET", "/administration/stats", headers)


@pytest.mark.parametrize("address", ["192.0.2.7", "::ffff:192.0.2.7", "2001:db8::1"])
async def test_the_token_is_accepted_from_there(closed: ServerApp, address: str) -> None:
    assert (await ask(closed, address)).status == 200


@pytest.mark.parametrize("address", ["192.0.3.7", "::ffff:192.0.3.7", "::1", "unknown", ""])
async def test_from_elsewhere_the_right_token_is_a_wrong_one(
    closed: ServerApp, address: str
) -> None:
    there, wrong = await ask(closed, address), await ask(closed, "192.0.2.7", "wrong")

    assert (there.status, there.body) == (wrong.status, wrong.body)
    assert there.json == {"detail": "Bad authorization token"}


async def test_from_elsewhere_it_cannot_be_tried_without_end(closed: ServerApp) -> None:
    answers = [await ask(closed, "192.0.3.7") for _ in range(3)]

    assert [answer.status for answer in answers] == [403, 403, 429]


async def test_a_refused_address_is_written_down(closed: ServerApp, log: list[Any]) -> None:
    await ask(closed, "192.0.3.7")

    (line,) = log
    assert (line["log_level"], line["address"], line["status"], line["reason"]) == (
        "warning",
        "192.0.3.7",
        403,
        "address not allowed",
    )


async def test_wrong_tokens_are_written_down_without_them(
    server: ServerApp, log: list[Any]
) -> None:
    await ask(server, "192.0.3.7", "Pa55word")

    (line,) = log
    assert (line["log_level"], line["status"]) == ("warning", 403)
    assert line["reason"] == "Bad authorization token"
    assert "Pa55word" not in str(line)


async def test_wrong_tokens_of_one_address_keep_no_other_away() -> None:
    async with server_app(failed_lookups=RateLimit(burst=1, per_second=0.1)) as server:
        for _ in range(3):
            await ask(server, "192.0.3.7", "wrong")

        answers = [
            await ask(server, "192.0.3.7", "wrong"),
            await ask(server, "192.0.3.8", "wrong"),
            await ask(server, "192.0.3.7"),
        ]

    assert [answer.status for answer in answers] == [429, 403, 200]


async def test_each_action_is_written_down(server: ServerApp, log: list[Any]) -> None:
    alice = await server.bootstrap("Org")
    log.clear()

    await server.admin("PATCH", "organizations/Org", {"active_users_limit": 7, "tos": None})
    await server.admin(
        "POST",
        "organizations/Org/users/freeze",
        {"user_email": "alice@example.com", "frozen": True},
    )
    await server.admin(
        "POST", "organizations/Org/users/reset_totp", {"user_id": alice.user_id.hex()}
    )
    await server.admin("GET", "organizations/Nowhere")

    told = [line for line in log if line["event"] == "administration"]
    assert [(line["action"], line["address"], line["status"]) for line in told] == [
        ("patch_organization", "127.0.0.1", 200),
        ("freeze", "127.0.0.1", 200),
        ("reset_totp", "127.0.0.1", 200),
        ("organization", "127.0.0.1", 404),
    ]
    patched, frozen, reset, unknown = told
    assert (patched["active_users_limit"], patched["tos_per_locale_urls"]) == (7, None)
    assert (frozen["user"], frozen["frozen"]) == (alice.user_id.hex(), True)
    assert (reset["user"], reset["mail"]) == (alice.user_id.hex(), "NOT_SENT_AS_REQUESTED")
    assert unknown["reason"] == "Organization not found"


async def test_a_new_organization_is_written_down_without_its_link(
    server: ServerApp, log: list[Any]
) -> None:
    address = await server.create("Org")

    (line,) = log
    assert (line["action"], line["organization"]) == ("create_organization", "Org")
    assert address.token is not None
    assert address.token.hex() not in str(line)


async def test_neither_addresses_of_people_nor_links_are_written_down(
    server: ServerApp, log: list[Any]
) -> None:
    await server.bootstrap("Org")
    body = {"user_email": "alice@example.com", "frozen": True}

    await server.admin("POST", "organizations/Org/users/freeze", body)
    await server.admin(
        "POST", "organizations/Org/users/reset_totp", {"user_email": "alice@example.com"}
    )
    await server.admin("POST", "organizations/Org/users/freeze", {"frozen": "bob@example.com"})

    assert "example.com" not in str([line for line in log if line["event"] == "administration"])
