"""Attacks by what the server does not have and by what is too large (server-core.md 20, row 36)."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from parsec.protocol.command import Family, dump_request
from parsec.protocol.events import EventsListen
from parsec.protocol.families import commands
from parsec.protocol.statuses import NotAvailable
from parsec.server.http.commands import COMMANDS
from tests.support.asgi import request
from tests.support.server_app import ServerApp, server_app
from tests.support.server_calls import invite_device
from tests.support.strategies import values

TARGETS = {
    Family.ANONYMOUS_SERVER: "/anonymous_server",
    Family.ANONYMOUS: "/anonymous/Org",
    Family.INVITED: "/invited/Org",
    Family.AUTHENTICATED: "/authenticated/Org",
    Family.TOS: "/authenticated/Org/tos",
}
UNANSWERED = [
    kind for family in TARGETS for kind in commands(family).values() if kind not in COMMANDS
]


@pytest.fixture
async def server() -> AsyncIterator[ServerApp]:
    async with server_app(debug=False) as made:
        yield made


@pytest.mark.parametrize("kind", UNANSWERED, ids=lambda kind: kind.__name__)
async def test_no_command_that_is_not_answered_fails(server: ServerApp, kind: Any) -> None:
    """server-core 20 #36: those of later versions, and `ping` outside debug mode."""
    alice = await server.bootstrap("Org")
    token = await invite_device(server, alice)
    headers = server.headers(alice)
    if kind.FAMILY is Family.INVITED:
        headers |= {"Authorization": f"Bearer {token.hex()}"}
    body = dump_request(_some(kind))

    answer = await request(server.app, "POST", TARGETS[kind.FAMILY], headers, body)

    assert answer.status == 415


def _some(kind: Any) -> Any:
    """One value of that command."""
    found: list[Any] = []

    @settings(max_examples=1, database=None, suppress_health_check=list(HealthCheck))
    @given(values(kind))
    def keep(value: Any) -> None:
        found.append(value)

    keep()
    return found[0]


async def test_events_are_not_had_by_a_command(server: ServerApp) -> None:
    """server-core 20 #36."""
    alice = await server.bootstrap("Org")

    assert await server.reply(alice, EventsListen()) == NotAvailable()


@pytest.mark.parametrize(
    "change",
    [
        {"active_users_limit": 2**31},
        {"active_users_limit": 2**80},
        {"active_users_limit": -1},
        {"realm_minimum_archiving_period_before_deletion": 2**31},
        {"tos": {"": "https://example.com"}},
        {"tos": {"en": ""}},
    ],
    ids=str,
)
async def test_numbers_that_are_too_large_are_refused(
    server: ServerApp, change: dict[str, Any]
) -> None:
    """server-core 20 #36: and terms of service that lead nowhere; none of it is kept."""
    await server.create("Org")
    before = await server.admin("GET", "organizations/Org")

    patched = await server.admin("PATCH", "organizations/Org", change)
    created = await server.admin("POST", "organizations", {"organization_id": "New"} | change)

    after = await server.admin("GET", "organizations/Org")
    unknown = await server.admin("GET", "organizations/New")
    assert [patched.status, created.status, unknown.status] == [422, 422, 404]
    assert after.json == before.json
