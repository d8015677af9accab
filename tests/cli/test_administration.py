"""The commands of a server's administrator, on a real server."""

import json
from pathlib import Path

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
    assert again.code in (6, 7)
    assert again.err.startswith("Error: ")


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


def _link(created: Outcome) -> str:
    return created.out.removeprefix("Organization bootstrap URL: ").strip()


def _bootstrap(shell: Shell, created: Outcome, *options: str) -> Outcome:
    return shell.run(
        "organization", "bootstrap", "--addr", _link(created), "--device-label", "laptop",
        "--label", "Alice", "--email", "alice@example.com", "--password-stdin", *options,
        stdin="password\n",
    )  # fmt: skip
