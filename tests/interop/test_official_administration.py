"""The commands of a server's administrator against the official server."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.stage import Stage, stage
from tests.support.shell import Shell

OPTIONS = (
    *("--db", "MOCKED", "--blockstore", "MOCKED", "--email-host", "MOCKED"),
    *("--fake-account-password-algorithm-seed", "F4k3"),
)
PASSWORD = "s3cr3t\n"


@pytest.fixture
def official(official_python: str) -> Iterator[Stage]:
    with stage() as built:
        built.start_server(*OPTIONS, python=official_python)
        yield built


@pytest.fixture
def admin(official: Stage, tmp_path: Path) -> Shell:
    """A machine that knows the server, its token, and has the founder's device."""
    shell = Shell(tmp_path)
    shell.variables.update(
        PARSEC_SERVER_ADDR=official.addr,
        PARSEC_ADMINISTRATION_TOKEN=official.administration_token,
        PARSEC_ORGANIZATION_ID="Org",
    )
    created = told(shell, "organization", "create", "Org")
    bootstrapped = shell.run(
        "organization", "bootstrap", "--addr", created["bootstrap_url"], "--label", "Alice",
        "--email", "alice@example.com", "--device-label", "laptop", "--password-stdin",
        stdin=PASSWORD,
    )  # fmt: skip
    assert bootstrapped.code == 0, bootstrapped.err
    return shell


def told(shell: Shell, *arguments: str) -> Any:
    ended = shell.run(*arguments, "--format", "json")
    assert ended.code == 0, ended.err
    return json.loads(ended.out)


def test_organizations_of_the_official_server_are_listed_and_changed(admin: Shell) -> None:
    told(admin, "organization", "create", "Later")

    told(
        admin, "organization", "update", "--active-users-limit", "3", "--forbid-outsiders",
        "--minimum-archiving-period", "1d", "--tos", "en=https://example.com/tos",
    )  # fmt: skip
    told(admin, "organization", "update", "-o", "Later", "--expire", "--yes")
    later, changed = told(admin, "organization", "list")
    back = told(
        admin, "organization", "update", "--active-users-limit", "none", "--allow-outsiders",
        "--remove-tos",
    )  # fmt: skip

    assert (changed["organization_id"], changed["is_bootstrapped"]) == ("Org", True)
    assert (changed["active_users"], changed["active_users_limit"]) == (1, 3)
    assert changed["user_profile_outsider_allowed"] is False
    assert changed["realm_minimum_archiving_period_before_deletion"] == 86_400
    assert changed["tos"]["per_locale_urls"] == {"en": "https://example.com/tos"}
    assert (later["is_bootstrapped"], later["is_expired"]) == (False, True)
    assert (back["active_users_limit"], back["tos"]) == (None, None)
    assert back["user_profile_outsider_allowed"] is True


def test_members_of_the_official_server_are_listed_and_frozen(admin: Shell) -> None:
    (alice,) = told(admin, "organization", "users")

    frozen = told(admin, "user", "freeze", "alice@example.com", "--yes")
    shut_out = admin.run("user", "list", "--password-stdin", stdin=PASSWORD)
    listed = admin.run("organization", "users")
    thawed = told(admin, "user", "unfreeze", alice["user_id"], "--yes")
    let_in = admin.run("user", "list", "--password-stdin", stdin=PASSWORD)
    unknown = admin.run("user", "freeze", "bob@example.com", "--yes")

    assert frozen == {**alice, "frozen": True}
    assert listed.out == "frozen  Alice <alice@example.com>\n"
    assert thawed == alice == {**alice, "user_name": "Alice", "frozen": False}
    assert (shut_out.code, let_in.code, unknown.code) == (6, 0, 3)
    assert unknown.err.splitlines()[0] == "Error: User not found"


def test_the_official_server_has_no_overview_of_codes_and_that_is_said(admin: Shell) -> None:
    ended = admin.run("user", "totp-list")
    elsewhere = admin.run("organization", "users", "-o", "Nowhere")

    assert (ended.code, elsewhere.code) == (6, 3)
    assert ended.err.splitlines()[0] == "Error: This server has no overview of one-time codes"
    assert elsewhere.err == "Error: Organization not found\n"
