"""The commands of a server's administrator, on a real server."""

import json
from pathlib import Path
from typing import Any

import pytest

from scripts.stage import Stage, free_port
from tests.support.raw_server import RawServer, http, says
from tests.support.shell import Outcome, Shell


@pytest.fixture
def admin(shell: Shell, server: Stage) -> Shell:
    """A machine that knows the server and its token."""
    shell.variables.update(
        PARSEC_SERVER_ADDR=server.addr,
        PARSEC_ADMINISTRATION_TOKEN=server.administration_token,
    )
    return shell


def test_a_new_organization_is_a_link_through_the_server(admin: Shell) -> None:
    created = admin.run("organization", "create", "CreatedOrg")

    assert created.code == 0
    assert created.out.startswith("Organization bootstrap URL: http://127.0.0.1:")
    assert "/redirect/CreatedOrg?a=bootstrap_organization&p=" in created.out


def test_an_organization_is_created_once(admin: Shell) -> None:
    admin.run("organization", "create", "OnceOrg")

    # Until it is bootstrapped, creating it again only makes a new link.
    bootstrapped = _bootstrap(admin, admin.run("organization", "create", "OnceOrg"))
    again = admin.run("organization", "create", "OnceOrg")

    assert bootstrapped.code == 0
    assert again.code == 7
    assert again.err == "Error: Organization already exists\nhint: choose another name\n"


def test_a_link_bootstraps_once(admin: Shell) -> None:
    created = admin.run("organization", "create", "UsedOrg")

    first, second = _bootstrap(admin, created), _bootstrap(admin, created)

    assert first.err.splitlines() == ["Organization bootstrapped", "New device created:"]
    assert first.out.endswith(" - UsedOrg: Alice <alice@example.com> @ laptop\n")
    assert second.code == 7
    assert "Error: The organization is bootstrapped already" in second.err


def test_what_is_not_given_is_asked_for(admin: Shell) -> None:
    created = admin.run("organization", "create", "AskedOrg")

    bootstrapped = admin.run(
        "organization", "bootstrap", "-a", _link(created), "--password-stdin",
        stdin="alice@example.com\nAlice\nlaptop\npassword\n",
    )  # fmt: skip

    assert bootstrapped.code == 0
    assert bootstrapped.err.splitlines() == [
        "Enter email: alice@example.com",
        "Enter name: Alice",
        "Enter device label: laptop",
        "Organization bootstrapped",
        "New device created:",
    ]


def test_settings_and_figures_are_json_with_sorted_keys(admin: Shell) -> None:
    admin.run("organization", "create", "SeenOrg")

    for word in ("status", "stats"):
        shown = admin.run("organization", word, "-o", "SeenOrg")
        found = json.loads(shown.out)
        assert shown.code == 0
        assert shown.out == json.dumps(found, indent=2, sort_keys=True) + "\n"


# --- The list of organizations ---


def test_organizations_are_listed_with_state_and_limit(admin: Shell) -> None:
    _bootstrap(admin, admin.run("organization", "create", "ListedOrg"))
    admin.run("organization", "create", "ListedLater")
    admin.run("organization", "update", "-o", "ListedOrg", "--active-users-limit", "5")

    listed = admin.run("organization", "list")

    found, heading = listed.err.splitlines()
    assert found == f"Found {len(listed.out.splitlines())} organization(s):"
    assert heading.split() == ["ORGANIZATION", "STATE", "USERS", "LIMIT", "EXTERNAL", "USERS"]
    lines = {line.split()[0]: line.split()[1:] for line in listed.out.splitlines()}
    assert lines["ListedOrg"] == ["active", "1", "5", "allowed"]
    assert lines["ListedLater"] == ["not", "bootstrapped", "0", "-", "allowed"]
    assert list(lines) == sorted(lines)


def test_listed_organizations_stand_in_columns_on_eighty(admin: Shell) -> None:
    admin.run("organization", "create", "L" * 32)

    listed = admin.run("organization", "list")

    lines = [listed.err.splitlines()[1], *listed.out.splitlines()]
    assert max(map(len, lines)) <= 80
    assert {line[33] for line in lines} == {" "}
    assert " " not in {line[34] for line in lines}


def test_organizations_as_json_have_settings_and_figures(admin: Shell) -> None:
    admin.run("organization", "create", "JsonOrg")

    listed = admin.run("organization", "list", "--format", "json")

    (found,) = [one for one in json.loads(listed.out) if one["organization_id"] == "JsonOrg"]
    assert listed.err == ""
    assert found.keys() == {
        *("organization_id", "users", "active_users", "users_per_profile_detail"),
        *("realms", "data_size", "metadata_size", "is_bootstrapped", "is_expired", "tos"),
        *("active_users_limit", "user_profile_outsider_allowed"),
        "realm_minimum_archiving_period_before_deletion",
    }
    assert (found["is_bootstrapped"], found["is_expired"], found["active_users"]) == (
        False,
        False,
        0,
    )


def test_a_server_without_organizations_says_so(shell: Shell) -> None:
    nothing = says(http(body=b'{"stats": []}', content_type="application/json"))
    with RawServer([nothing, nothing]) as raw:
        arguments = ("organization", "list", "-a", raw.addr.url, "-t", "x")
        plain = shell.run(*arguments)
        as_json = shell.run(*arguments, "--format", "json")

    assert (plain.code, plain.out, plain.err) == (0, "", "No organizations found\n")
    assert (as_json.out, as_json.err) == ("[]\n", "")


# --- Settings of an organization ---


def test_settings_are_changed_one_by_one(admin: Shell) -> None:
    admin.run("organization", "create", "ChangedOrg")
    update = ("organization", "update", "-o", "ChangedOrg")

    changed = admin.run(
        *update, "--active-users-limit", "3", "--forbid-outsiders",
        "--minimum-archiving-period", "2d", "--tos", "en=https://x.org/en", "fr=https://x.org/fr",
    )  # fmt: skip
    first = _status(admin, "ChangedOrg")
    admin.run(*update, "--active-users-limit", "none", "--allow-outsiders", "--remove-tos")
    second = _status(admin, "ChangedOrg")

    assert (changed.code, changed.out) == (0, "")
    assert changed.err == "Organization ChangedOrg has been updated\n"
    assert first["tos"]["per_locale_urls"] == {
        "en": "https://x.org/en",
        "fr": "https://x.org/fr",
    }
    assert (first["active_users_limit"], first["user_profile_outsider_allowed"]) == (3, False)
    assert first["realm_minimum_archiving_period_before_deletion"] == 2 * 86_400
    assert (second["active_users_limit"], second["user_profile_outsider_allowed"]) == (None, True)
    assert second["realm_minimum_archiving_period_before_deletion"] == 2 * 86_400
    assert second["tos"] is None


def test_what_was_changed_is_json_too(admin: Shell) -> None:
    admin.run("organization", "create", "ToldOrg")

    changed = admin.run(
        "organization", "update", "-o", "ToldOrg", "--active-users-limit", "0", "--format", "json"
    )

    assert json.loads(changed.out) == _status(admin, "ToldOrg")
    assert json.loads(changed.out)["active_users_limit"] == 0


def test_an_organization_expires_when_that_is_confirmed(admin: Shell) -> None:
    admin.run("organization", "create", "OldOrg")
    expire = ("organization", "update", "-o", "OldOrg", "--expire")

    unanswered = admin.run(*expire)
    declined = admin.run(*expire, stdin="n\n")
    before = _status(admin, "OldOrg")["is_expired"]
    confirmed = admin.run(*expire, stdin="y\n")
    after = _status(admin, "OldOrg")["is_expired"]
    listed = admin.run("organization", "list")

    assert (unanswered.code, declined.code, confirmed.code) == (2, 0, 0)
    assert "give --yes" in unanswered.err
    assert declined.err.splitlines() == [
        "You are about to shut all members of OldOrg out",
        "Are you sure? [y/n] n",
        "Operation cancelled",
    ]
    assert (before, after) == (False, True)
    assert any(line.split()[:2] == ["OldOrg", "expired"] for line in listed.out.splitlines())


@pytest.mark.parametrize("option", ["--yes", "--force"])
def test_an_organization_expires_unattended_and_is_opened_again(admin: Shell, option: str) -> None:
    name = f"Back{option.strip('-')}"
    admin.run("organization", "create", name)

    expired = admin.run("organization", "update", "-o", name, "--expire", option)
    between = _status(admin, name)["is_expired"]
    opened = admin.run("organization", "update", "-o", name, "--unexpire")

    assert (expired.code, opened.code) == (0, 0)
    assert (between, _status(admin, name)["is_expired"]) == (True, False)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ((), "Give what is to change"),
        (("--tos", "en=https://x.org", "--remove-tos"), "exclude each other"),
        (("--tos", "en"), "Missing '=<URL>'"),
        (("--active-users-limit", "many"), "Neither a number of members nor none"),
        (("--minimum-archiving-period", "soon"), "Not a period"),
    ],
)
def test_changes_that_make_no_sense_are_wrong_usage(
    admin: Shell, options: tuple[str, ...], problem: str
) -> None:
    ended = admin.run("organization", "update", "-o", "SomeOrg", *options)

    assert ended.code == 2
    assert problem in ended.err


def test_an_unknown_organization_cannot_be_changed(admin: Shell) -> None:
    ended = admin.run("organization", "update", "-o", "Nowhere", "--unexpire")

    assert (ended.code, ended.err) == (3, "Error: Organization not found\n")


# --- Figures, tokens, servers ---


def test_the_figures_of_a_server_are_json_unless_csv_is_asked_for(admin: Shell) -> None:
    admin.run("organization", "create", "CountedOrg")

    as_json = admin.run("server", "stats")
    as_csv = admin.run("server", "stats", "--format", "csv")

    assert json.loads(as_json.out)
    header, *rows = as_csv.out.split("\r\n")
    assert header.startswith("organization_id,data_size,metadata_size,realms,active_users,")
    assert any(row.startswith("CountedOrg,") for row in rows)


def test_figures_may_be_of_a_time_with_its_zone(admin: Shell) -> None:
    at_a_time = admin.run("server", "stats", "-e", "2026-01-01T00:00:00Z")
    on_a_day = admin.run("server", "stats", "-e", "2026-01-01")

    assert (at_a_time.code, on_a_day.code) == (0, 2)


def test_a_wrong_token_is_an_authentication_failure(admin: Shell) -> None:
    ended = admin.run("organization", "create", "NoOrg", "--token", "wrong")

    assert ended.code == 4
    assert ended.err.startswith("Error: ")


def test_an_unknown_organization_is_not_found(admin: Shell) -> None:
    ended = admin.run("organization", "status", "-o", "Nowhere")

    assert (ended.code, ended.out) == (3, "")
    assert "Error: Organization not found" in ended.err


def test_the_token_may_stand_in_a_file(shell: Shell, server: Stage, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{server.administration_token}\n", encoding="utf-8")
    arguments = ("server", "stats", "--addr", server.addr, "--token-file", str(file))

    assert shell.run(*arguments).code == 0
    assert shell.run(*arguments, PARSEC_ADMINISTRATION_TOKEN="wrong").code == 0


def test_without_a_token_the_error_names_the_ways_to_give_it(shell: Shell) -> None:
    ended = shell.run("server", "stats", "--addr", "parsec3://example.com")

    assert ended.code == 2
    assert "--token-file" in ended.err


def test_a_server_that_is_down_is_offline(shell: Shell) -> None:
    addr = f"parsec3://127.0.0.1:{free_port()}?no_ssl=true"

    ended = shell.run("server", "stats", "-a", addr, "-t", "x")

    assert ended.code == 5
    assert "is out of reach: connection refused" in ended.err


@pytest.mark.parametrize(
    "answer",
    [
        b"garbage\r\n\r\n",
        http(body=b"<html>", content_type="text/html"),
        http(body=b"{", content_type="application/json"),
        http(body=b"[]", content_type="application/json"),
    ],
)
def test_what_is_no_server_of_ours_is_told(shell: Shell, answer: bytes) -> None:
    with RawServer([says(answer)]) as raw:
        ended = shell.run("organization", "create", "Org", "-a", raw.addr.url, "-t", "x")

    assert ended.code == 1
    assert ended.err.startswith("Error: ")
    assert "Unexpected" not in ended.err


def test_what_this_machine_cannot_do_shows_before_anything_is_made(admin: Shell) -> None:
    created = admin.run("organization", "create", "LaterOrg")

    refused = _bootstrap(admin, created, "--auth", "OPENBAO")
    retried = _bootstrap(admin, created)

    assert refused.code == 1
    assert "offers no single sign-on" in refused.err
    assert retried.code == 0


def test_a_broken_key_of_the_sequester_is_refused(admin: Shell, tmp_path: Path) -> None:
    created = admin.run("organization", "create", "SequesteredOrg")
    (tmp_path / "key.pem").write_text("nonsense", encoding="utf-8")

    ended = _bootstrap(admin, created, "--sequester-key", str(tmp_path / "key.pem"))

    assert ended.code == 2
    assert "holds no public RSA key" in ended.err


def _status(admin: Shell, organization: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(admin.run("organization", "status", "-o", organization).out)
    return found


def _link(created: Outcome) -> str:
    return created.out.removeprefix("Organization bootstrap URL: ").strip()


def _bootstrap(shell: Shell, created: Outcome, *options: str) -> Outcome:
    return shell.run(
        "organization", "bootstrap", "--addr", _link(created), "--device-label", "laptop",
        "--label", "Alice", "--email", "alice@example.com", "--password-stdin", *options,
        stdin="password\n",
    )  # fmt: skip
