"""Whose word is taken for where a request comes from (server-core.md 1.2)."""

from collections.abc import Mapping

import pytest
from starlette.types import Receive, Scope, Send

from parsec.server.command.serve import http_config
from parsec.server.http.answer import send_answer
from tests.support.asgi import request
from tests.support.server_app import some_settings

Seen = tuple[str, str]


async def seen(trusted: str, peer: str, headers: Mapping[str, str]) -> Seen:
    """The address and scheme that the application is told of a request."""
    told: list[Seen] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        told.append((scope["client"][0], scope["scheme"]))
        await send_answer(send, 200, (), b"")

    loaded = http_config(some_settings(proxy_trusted_addresses=trusted), app).loaded_app

    async def from_there(scope: Scope, receive: Receive, send: Send) -> None:
        await loaded({**scope, "client": (peer, 1)}, receive, send)

    await request(from_there, "GET", "/", headers)
    return told[0]


BY_TLS = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"}


@pytest.mark.parametrize(
    ("trusted", "peer"),
    [
        ("10.0.0.5", "10.0.0.5"),
        ("10.0.0.5", "::ffff:10.0.0.5"),
        ("10.0.0.0/8", "10.1.2.3"),
        ("10.0.0.0/8", "::ffff:10.1.2.3"),
        ("fd00::/8,10.0.0.5", "fd00::1"),
        ("fd00::5", "fd00:0:0::5"),
        ("127.0.0.1, ::1", "::1"),
        ("*", "198.51.100.1"),
    ],
)
async def test_a_trusted_proxy_is_believed(trusted: str, peer: str) -> None:
    assert await seen(trusted, peer, BY_TLS) == ("192.0.2.7", "https")


@pytest.mark.parametrize(
    ("trusted", "peer"),
    [
        ("10.0.0.5", "10.0.0.6"),
        ("10.0.0.5", "::ffff:10.0.0.6"),
        ("10.0.0.0/8", "11.0.0.1"),
        ("fd00::/8", "fe80::1"),
        ("127.0.0.1", "::1"),
        ("127.0.0.1", "unknown"),
    ],
)
async def test_nobody_else_is(trusted: str, peer: str) -> None:
    assert await seen(trusted, peer, BY_TLS) == (peer, "http")


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        # A client may write what it likes to the left of what the proxies add.
        ("127.0.0.1, 192.0.2.7", "192.0.2.7"),
        ("192.0.2.1, 192.0.2.7, 10.0.0.6", "192.0.2.7"),
        ("garbage, 192.0.2.7", "192.0.2.7"),
        ("2001:db8::7", "2001:db8::7"),
        ("[2001:db8::7]:4711", "2001:db8::7"),
        ("192.0.2.7:4711", "192.0.2.7"),
        ("10.0.0.7, 10.0.0.6", "10.0.0.7"),
    ],
)
async def test_the_last_address_that_no_proxy_has_is_the_client(
    forwarded: str, client: str
) -> None:
    found, _ = await seen("10.0.0.0/8", "10.0.0.5", {"X-Forwarded-For": forwarded})

    assert found == client


@pytest.mark.parametrize("proto", ["ftp", "https, http", "", "javascript"])
async def test_a_scheme_that_is_none_is_not_believed(proto: str) -> None:
    _, scheme = await seen("10.0.0.5", "10.0.0.5", {"X-Forwarded-Proto": proto})

    assert scheme == "http"


async def test_an_empty_address_is_not_believed() -> None:
    client, _ = await seen("10.0.0.5", "10.0.0.5", {"X-Forwarded-For": ""})

    assert client == "10.0.0.5"


async def test_another_host_is_never_believed() -> None:
    """Links are built from `--server-addr` alone."""
    hosts: list[bytes] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        hosts.append(dict(scope["headers"])[b"host"])
        await send_answer(send, 200, (), b"")

    loaded = http_config(some_settings(proxy_trusted_addresses="*"), app).loaded_app

    await request(loaded, "GET", "/", {"X-Forwarded-Host": "evil.example.com"})

    assert hosts == [b"127.0.0.1:6777"]
