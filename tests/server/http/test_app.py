"""Pages, redirection, and what browsers are allowed (server-core.md 1.7, 1.8)."""

from collections.abc import AsyncIterator

import pytest

from parsec.data.address import ServerAddr
from tests.support.asgi import request
from tests.support.server_app import ServerApp, server_app


@pytest.fixture
async def server() -> AsyncIterator[ServerApp]:
    async with server_app() as made:
        yield made


async def test_the_root_says_that_the_server_runs(server: ServerApp) -> None:
    answer = await request(server.app, "GET", "/")

    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert b"it runs" in answer.body
    assert "default-src 'none'" in answer.headers["content-security-policy"]


async def test_who_has_come_by_tls_once_is_told_to_do_so_always() -> None:
    async with server_app(server_addr=ServerAddr(hostname="parsec.example.com")) as server:
        answer = await request(server.app, "GET", "/")

    assert answer.headers["strict-transport-security"] == "max-age=31536000"


async def test_without_tls_nothing_is_said_of_it(server: ServerApp) -> None:
    answer = await request(server.app, "GET", "/")

    assert "strict-transport-security" not in answer.headers


async def test_elsewhere_is_nothing(server: ServerApp) -> None:
    answer = await request(server.app, "GET", "/nowhere")

    assert answer.status == 404
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


async def test_the_link_of_a_mail_leads_to_the_client(server: ServerApp) -> None:
    answer = await request(server.app, "GET", "/redirect/Org%C3%A9?a=claim_user&p=xBA")

    assert answer.status == 302
    location = "parsec3://localhost:6777/Org%C3%A9?a=claim_user&p=xBA&no_ssl=true"
    assert answer.headers["location"] == location


async def test_a_page_of_another_site_may_not_use_the_server(server: ServerApp) -> None:
    headers = {"Origin": "https://example.com", "Access-Control-Request-Method": "POST"}

    answer = await request(server.app, "OPTIONS", "/anonymous_server", headers)

    assert answer.status == 405
    assert "access-control-allow-origin" not in answer.headers


async def test_a_page_of_an_allowed_site_may() -> None:
    headers = {
        "Origin": "https://example.com",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "api-version, authorization, last-event-id",
    }
    async with server_app(cors_allow_origins=("https://example.com",)) as server:
        answer = await request(server.app, "OPTIONS", "/anonymous_server", headers)

    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == "https://example.com"
    assert answer.headers["access-control-max-age"] == "600"
    assert answer.headers["server"] == "parsec/3"


@pytest.mark.parametrize(
    "change",
    [
        {"Origin": "https://evil.example.com"},
        {"Access-Control-Request-Method": "DELETE"},
        {"Access-Control-Request-Headers": "x-other"},
    ],
)
async def test_what_is_not_allowed_to_it_is_refused(change: dict[str, str]) -> None:
    headers = {"Origin": "https://example.com", "Access-Control-Request-Method": "POST"}
    async with server_app(cors_allow_origins=("https://example.com",)) as server:
        answer = await request(server.app, "OPTIONS", "/anonymous_server", headers | change)

    assert answer.status == 400
