"""The administration's routes (server-core.md 16), beyond what the scenarios tell."""

import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest

from parsec.crypto.totp import time_step, totp_code
from parsec.data.address import OrganizationBootstrapAddr, ServerAddr, TOTPResetAddr
from parsec.data.ids import TOTPOpaqueKeyID
from parsec.data.instant import Instant
from parsec.protocol.command import dump_request
from parsec.protocol.statuses import Ok
from parsec.protocol.totp import (
    TotpCreateOpaqueKey,
    TotpCreateOpaqueKeyOk,
    TotpFetchOpaqueKey,
    TotpSetupConfirm,
    TotpSetupGetSecret,
    TotpSetupGetSecretOk,
)
from parsec.server.store import totp as totp_store
from tests.support.asgi import request
from tests.support.server_app import BEGIN, MSGPACK, TOKEN, Device, ServerApp, server_app
from tests.support.server_totp import wrong_code


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


# --- What is ours: more about users ---


async def test_the_list_of_users_is_as_the_official_one_unless_details_are_asked_for(
    server: ServerApp, alice: Device
) -> None:
    bob = await server.add_user(alice, "bob")
    await server.revoke(alice, bob.user_id)
    told = {"user_id": alice.user_id.hex(), "user_email": "alice@example.com"}
    told |= {"user_name": "Alice"}

    answer = await server.admin("GET", "organizations/Org/users")

    assert answer.json == {"users": [told | {"frozen": False}]}


async def test_details_tell_profiles_dates_and_who_was_revoked(
    server: ServerApp, alice: Device
) -> None:
    bob = await server.add_user(alice, "bob")
    await server.revoke(alice, bob.user_id)

    answer = await server.admin("GET", "organizations/Org/users?details=true")

    first, second = answer.json["users"]
    assert (first["profile"], first["revoked_on"]) == ("ADMIN", None)
    assert (second["user_email"], second["profile"]) == ("bob@example.com", "STANDARD")
    assert BEGIN < Instant.parse(second["created_on"]) < Instant.parse(second["revoked_on"])


# --- What is ours: the overview of one-time codes ---

TOTP = "organizations/Org/users/totp"


async def overview(server: ServerApp) -> list[dict[str, Any]]:
    answer = await server.admin("GET", TOTP)
    assert answer.status == 200, answer
    users: list[dict[str, Any]] = answer.json["users"]
    return users


async def set_up(server: ServerApp, device: Device) -> bytes:
    """Set one-time codes up; the secret."""
    begun = await server.reply(device, TotpSetupGetSecret())
    assert isinstance(begun, TotpSetupGetSecretOk)
    code = totp_code(begun.totp_secret, time_step(server.clock()))
    assert await server.reply(device, TotpSetupConfirm(one_time_password=code)) == Ok()
    return begun.totp_secret


async def create_key(server: ServerApp, device: Device) -> TOTPOpaqueKeyID:
    created = await server.reply(device, TotpCreateOpaqueKey())
    assert isinstance(created, TotpCreateOpaqueKeyOk)
    return created.opaque_key_id


async def fetch(server: ServerApp, device: Device, key_id: TOTPOpaqueKeyID, code: str) -> None:
    command = TotpFetchOpaqueKey(
        user_id=device.user_id, opaque_key_id=key_id, one_time_password=code
    )
    target = f"/anonymous/{device.organization}"
    await request(server.app, "POST", target, MSGPACK, dump_request(command))


async def reset(server: ServerApp, device: Device) -> None:
    body = {"user_id": device.user_id.hex()}
    answer = await server.admin("POST", "organizations/Org/users/reset_totp", body)
    assert answer.status == 200, answer


async def test_who_never_began_is_in_the_overview_too(server: ServerApp, alice: Device) -> None:
    (found,) = await overview(server)

    assert found == {
        "user_id": alice.user_id.hex(),
        "user_email": "alice@example.com",
        "user_name": "Alice",
        "frozen": False,
        "state": "NOT_SET_UP",
        "set_up_on": None,
        "last_used_on": None,
        "failures": 0,
        "throttled_until": None,
        "opaque_keys": 0,
        "reset_pending_since": None,
        "reset_count": 0,
        "resets": [],
    }


async def test_a_set_up_begins_and_is_complete_at_a_date(server: ServerApp, alice: Device) -> None:
    await server.reply(alice, TotpSetupGetSecret())
    begun = await overview(server)
    await set_up(server, alice)
    complete = await overview(server)

    assert (begun[0]["state"], begun[0]["set_up_on"]) == ("BEGUN", None)
    assert complete[0]["state"] == "SET_UP"
    assert complete[0]["set_up_on"].startswith("2026-01-02T03:04:05.0000")


async def test_keys_are_counted_and_dated_by_their_last_use(
    server: ServerApp, alice: Device
) -> None:
    secret = await set_up(server, alice)
    await create_key(server, alice)
    key_id = await create_key(server, alice)
    await fetch(server, alice, key_id, totp_code(secret, time_step(server.clock())))

    (found,) = await overview(server)

    assert found["opaque_keys"] == 2
    assert found["last_used_on"].startswith("2026-01-02T03:04:05.0000")


async def test_wrong_codes_are_counted_and_the_wait_is_told_while_it_lasts(
    server: ServerApp, alice: Device
) -> None:
    secret = await set_up(server, alice)
    key_id = await create_key(server, alice)
    await fetch(server, alice, key_id, wrong_code(secret, server.clock()))
    failed_on = server.clock.now

    (waiting,) = await overview(server)
    server.clock.now = server.clock.now.plus(seconds=2)
    (over,) = await overview(server)

    assert (waiting["failures"], over["failures"]) == (1, 1)
    assert 0 <= failed_on.plus(seconds=1).seconds_since(
        Instant.parse(waiting["throttled_until"])
    ) < 0.001  # fmt: skip
    assert over["throttled_until"] is None


async def test_a_reset_is_pending_until_it_is_used_up_and_stays_in_the_history(
    server: ServerApp, alice: Device
) -> None:
    await set_up(server, alice)
    await reset(server, alice)
    (pending,) = await overview(server)
    await set_up(server, alice)
    await reset(server, alice)
    await set_up(server, alice)
    (used,) = await overview(server)

    assert pending["state"] == "NOT_SET_UP"
    assert pending["resets"] == [pending["reset_pending_since"]]
    assert (used["state"], used["reset_pending_since"]) == ("SET_UP", None)
    assert (used["reset_count"], len(used["resets"])) == (2, 2)
    assert used["resets"] == sorted(used["resets"])


async def test_a_link_that_freezing_made_void_is_not_pending(
    server: ServerApp, alice: Device
) -> None:
    await reset(server, alice)
    body = {"user_id": alice.user_id.hex(), "frozen": True}
    await server.admin("POST", "organizations/Org/users/freeze", body)

    (found,) = await overview(server)

    assert (found["frozen"], found["reset_pending_since"]) == (True, None)
    assert found["reset_count"] == 1


async def test_old_resets_are_counted_and_their_dates_forgotten(
    server: ServerApp, alice: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(totp_store, "KEPT_RESETS", 2)
    for _ in range(3):
        await reset(server, alice)
    begun = (await overview(server))[0]["resets"]
    await reset(server, alice)

    (found,) = await overview(server)

    assert (found["reset_count"], len(found["resets"])) == (4, 2)
    assert found["resets"][0] == begun[1]


async def test_the_overview_leaves_out_who_was_revoked_and_other_organizations(
    server: ServerApp, alice: Device
) -> None:
    bob = await server.add_user(alice, "bob")
    await create_key(server, bob)
    await server.revoke(alice, bob.user_id)
    other = await server.bootstrap("Other", "carl")
    await create_key(server, other)

    found = await overview(server)

    assert [one["user_email"] for one in found] == ["alice@example.com"]
    assert found[0]["opaque_keys"] == 0


async def test_the_overview_holds_nothing_secret(server: ServerApp, alice: Device) -> None:
    secret = await set_up(server, alice)
    key_id = await create_key(server, alice)
    bob = await server.add_user(alice, "bob")
    answer = await server.admin(
        "POST", "organizations/Org/users/reset_totp", {"user_id": bob.user_id.hex()}
    )
    token = TOTPResetAddr.parse(answer.json["totp_reset_url"]).token

    told = (await server.admin("GET", TOTP)).body.decode()

    assert not [one for one in (secret.hex(), key_id.hex(), token.hex()) if one in told]
    assert base64.b32encode(secret).decode() not in told


@pytest.mark.parametrize("path", [TOTP, "organizations/Org/users?details=true"])
async def test_who_waits_to_be_bootstrapped_has_no_overview(server: ServerApp, path: str) -> None:
    unknown = await server.admin("GET", path)
    await server.create("Org")
    waiting = await server.admin("GET", path)

    for answer in (unknown, waiting):
        assert (answer.status, answer.json) == (404, {"detail": "Organization not found"})


async def test_the_overview_is_for_the_administration_alone(
    server: ServerApp, alice: Device
) -> None:
    other = await server.admin("GET", TOTP, Authorization="Bearer other")
    none = await server.admin("GET", TOTP, Authorization="")

    assert (other.status, other.json) == (403, {"detail": "Bad authorization token"})
    assert (none.status, none.json) == (403, {"detail": "Not authenticated"})


async def test_the_overview_is_only_read(server: ServerApp, alice: Device) -> None:
    answer = await server.admin("POST", TOTP, {})

    assert (answer.status, answer.headers["allow"]) == (405, "GET")


async def test_an_invalid_organization_has_no_overview(server: ServerApp) -> None:
    answer = await server.admin("GET", "organizations/a%20b/users/totp")

    assert (answer.status, answer.json) == (404, {"detail": "Invalid organization ID"})


# --- Paths ---


async def test_a_slash_at_the_end_leads_to_the_path_without(server: ServerApp) -> None:
    answer = await server.admin("GET", "stats/")

    assert answer.status == 307
    assert answer.headers["location"].endswith("/administration/stats")


async def test_a_wrong_method_names_the_right_ones(server: ServerApp) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}

    answer = await request(server.app, "PUT", "/administration/organizations/Org", headers)

    assert (answer.status, answer.headers["allow"]) == (405, "GET, PATCH")
    assert answer.json == {"detail": "Method Not Allowed"}
