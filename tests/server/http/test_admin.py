"""The administration's routes (server-core.md 16), beyond what the scenarios tell."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from parsec.data.address import OrganizationBootstrapAddr, ServerAddr
from tests.support.asgi import request
from tests.support.server_app import TOKEN, Device, ServerApp, server_app


@pytest.fixture
async def server() -> AsyncIterator[ServerApp]:
    async with server_app() as made:
        yield made


@pytest.fixture
async def alice(server: ServerApp) -> Device:
    return await server.bootstrap("Org")


async def test_links_name_the_server_whatever_host_was_asked(server: ServerApp) -> None:
    answer = await server.admin(
        "POST", "organizations", {"organization_id": "Org"}, Host="evil.example.com"
    )

    address = OrganizationBootstrapAddr.parse(answer.json["bootstrap_url"])
    assert address.server == ServerAddr(hostname="localhost", port=6777, use_ssl=False)
    redirection = answer.json["bootstrap_url_as_http_redirection"]
    assert OrganizationBootstrapAddr.parse(redirection) == address


@pytest.mark.parametrize(
    "authorization", ["", "Basic s3cr3t", "Bearer", "Bearer s3cr3t x", "s3cr3t"]
)
async def test_without_bearer_token_nobody_is_known(server: ServerApp, authorization: str) -> None:
    answer = await server.admin("GET", "stats", Authorization=authorization)

    assert (answer.status, answer.json) == (403, {"detail": "Not authenticated"})


@pytest.mark.parametrize("token", ["S3cr3t", "s3cr3", "s3cr3t!", "é"])
async def test_another_token_is_refused(server: ServerApp, token: str) -> None:
    answer = await server.admin("GET", "stats", Authorization=f"Bearer {token}")

    assert (answer.status, answer.json) == (403, {"detail": "Bad authorization token"})


@pytest.mark.parametrize(
    "body",
    [
        {"active_users_limit": 2**31},
        {"active_users_limit": -1},
        {"active_users_limit": 5.0},
        {"active_users_limit": True},
        {"realm_minimum_archiving_period_before_deletion": 2**31},
        {"user_profile_outsider_allowed": 1},
        {"tos": {"": "https://example.com"}},
        {"tos": {"en": ""}},
        {"tos": ["en"]},
        {"is_expired": None},
        [],
        "text",
        None,
    ],
)
async def test_a_body_of_another_form_is_refused(
    server: ServerApp, alice: Device, body: Any
) -> None:
    answer = await server.admin("PATCH", "organizations/Org", body)

    assert answer.status == 422
    assert {"type", "loc", "msg"} <= answer.json["detail"][0].keys()


async def test_a_wrong_field_is_named(server: ServerApp) -> None:
    body = {"organization_id": "Org", "tos": {"en": 1}}

    answer = await server.admin("POST", "organizations", body)

    assert answer.json["detail"][0]["loc"][:2] == ["body", "tos"]


async def test_a_body_of_another_type_is_refused(server: ServerApp) -> None:
    body = {"organization_id": "Org"}

    answer = await server.admin("POST", "organizations", body, **{"Content-Type": "text/plain"})

    assert answer.status == 422


async def test_a_body_may_be_too_long(server: ServerApp) -> None:
    body = {"organization_id": "Org", "more": "x" * (1 << 20)}

    assert (await server.admin("POST", "organizations", body)).status == 413


async def test_dates_have_microseconds(server: ServerApp, alice: Device) -> None:
    await server.admin("PATCH", "organizations/Org", {"tos": {}})

    answer = await server.admin("GET", "organizations/Org")

    updated_on = answer.json["tos"]["updated_on"]
    assert updated_on.startswith("2026-01-02T03:04:05.0000")
    assert updated_on.endswith("Z")


async def test_statistics_of_a_past_date_leave_out_who_came_later(
    server: ServerApp, alice: Device
) -> None:
    before = server.clock()
    await server.add_user(alice, "bob")

    answer = await server.admin("GET", f"stats?at={before}".replace("+", "%2B"))

    assert [one["users"] for one in answer.json["stats"]] == [1]


async def test_statistics_as_a_table(server: ServerApp, alice: Device) -> None:
    await server.create("Empty")

    answer = await server.admin("GET", "stats?format=csv")

    assert answer.body.decode().split("\r\n")[1:] == [
        "Empty,0,0,0,0,0,0,0,0,0,0",
        "Org,0,0,0,1,1,0,0,0,0,0",
        "",
    ]


async def test_a_user_is_frozen_by_address_and_let_in_by_identifier(
    server: ServerApp, alice: Device
) -> None:
    bob = await server.add_user(alice, "bob")
    path = "organizations/Org/users/freeze"

    frozen = await server.admin("POST", path, {"user_email": "bob@example.com", "frozen": True})
    user_id = bob.user_id.hyphenated.upper()
    thawed = await server.admin("POST", path, {"user_id": user_id, "frozen": False})

    told = {"user_id": bob.user_id.hex(), "user_email": "bob@example.com", "user_name": "Bob"}
    assert frozen.json == told | {"frozen": True}
    assert thawed.json == told | {"frozen": False}


async def test_a_slash_at_the_end_leads_to_the_path_without(server: ServerApp) -> None:
    answer = await server.admin("GET", "stats/")

    assert answer.status == 307
    assert answer.headers["location"].endswith("/administration/stats")


async def test_a_wrong_method_names_the_right_ones(server: ServerApp) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}

    answer = await request(server.app, "PUT", "/administration/organizations/Org", headers)

    assert (answer.status, answer.headers["allow"]) == (405, "GET, PATCH")
    assert answer.json == {"detail": "Method Not Allowed"}
