"""What the administrator of a server sees of members, and does to them, on a real server."""

import base64
import json
import time
from dataclasses import dataclass
from typing import Any

import pytest

from parsec.crypto.totp import time_step, totp_code
from scripts.stage import Stage
from tests.support.raw_server import RawServer, http, says
from tests.support.shell import Outcome, Shell

PASSWORD = "s3cr3t"
ADDRESS = "alice@example.com"


@dataclass
class Organization:
    """An organization, its only member Alice, and the administrator of its server."""

    shell: Shell
    name: str

    def alice(self, *arguments: str, stdin: str = "") -> Outcome:
        return self.shell.run(*arguments, "--password-stdin", stdin=f"{PASSWORD}\n{stdin}")

    def admin(self, *arguments: str, stdin: str = "") -> Outcome:
        return self.shell.run(*arguments, "-o", self.name, stdin=stdin)

    def admin_json(self, *arguments: str) -> Any:
        ended = self.admin(*arguments, "--format", "json")
        assert (ended.code, ended.err) == (0, ""), ended
        return json.loads(ended.out)

    def set_up_codes(self) -> None:
        running = self.shell.start(
            "totp", "setup", "--password-stdin", "--totp-stdin", "--format", "json"
        )
        running.type(PASSWORD)
        secret = base64.b32decode(running.event("totp_secret")["secret"].replace(" ", ""))
        running.type(totp_code(secret, time_step(time.time_ns() // 1000)))
        assert running.finish().code == 0


@pytest.fixture
def organization(server: Stage, shell: Shell, request: pytest.FixtureRequest) -> Organization:
    name = f"Org{abs(hash(request.node.name)):x}"[:32]
    shell.variables.update(
        PARSEC_SERVER_ADDR=server.addr, PARSEC_ADMINISTRATION_TOKEN=server.administration_token
    )
    created = shell.run("organization", "create", name, "--format", "json")
    made = Organization(shell, name)
    bootstrapped = made.alice(
        "organization", "bootstrap", "--addr", json.loads(created.out)["bootstrap_url"],
        "--device-label", "laptop", "--label", "Alice", "--email", ADDRESS,
    )  # fmt: skip
    assert bootstrapped.code == 0, bootstrapped.err
    return made


def told(value: object, status: str = "200 OK") -> bytes:
    return http(status, json.dumps(value).encode(), content_type="application/json")


def account(email: str, **more: object) -> dict[str, object]:
    """A member as an official server tells it, and what ours tells in addition."""
    named = {"user_id": "01" * 16, "user_email": email, "user_name": "Somebody", "frozen": False}
    return named | more


def asked(shell: Shell, answer: bytes, *arguments: str) -> tuple[Outcome, str]:
    """A command to a server that answers like this; what came of it, and what it asked."""
    with RawServer([says(answer)]) as raw:
        ended = shell.run(*arguments, "-o", "Org", "-a", raw.addr.url, "-t", "x")
        return ended, raw.received[0].line


# --- The members ---


def test_members_are_listed_with_profile_state_and_day(organization: Organization) -> None:
    listed = organization.admin("organization", "users")

    (line,) = listed.out.splitlines()
    day, rest = line.split("  ", 1)
    assert listed.err.splitlines() == [
        "Found 1 user(s):",
        "CREATED     PROFILE  STATE   USER",
    ]
    assert len(day.split("-")) == 3
    assert rest == "ADMIN    active  Alice <alice@example.com>"


def test_members_as_json_have_their_ids_and_dates(organization: Organization) -> None:
    (found,) = organization.admin_json("organization", "users")

    assert found.keys() == {
        *("user_id", "user_email", "user_name", "frozen", "profile", "created_on", "revoked_on")
    }
    assert (found["user_email"], found["profile"], found["revoked_on"]) == (ADDRESS, "ADMIN", None)


def test_long_lists_begin_with_the_id(organization: Organization) -> None:
    (found,) = organization.admin_json("organization", "users")

    listed = organization.admin("organization", "users", "--long")

    assert listed.out.startswith(f"{found['user_id']}  ")


def test_who_was_revoked_may_be_left_out(shell: Shell) -> None:
    created = {"profile": "ADMIN", "created_on": "2026-01-02T03:04:05Z"}
    answer = told(
        {
            "users": [
                account("alice@example.com", **created, revoked_on=None),
                account("bob@example.com", **created, revoked_on="2026-01-03T03:04:05Z"),
            ]
        }
    )

    everybody, _ = asked(shell, answer, "organization", "users")
    active, _ = asked(shell, answer, "organization", "users", "--skip-revoked")

    assert everybody.out.splitlines() == [
        "2026-01-02  ADMIN    active   Somebody <alice@example.com>",
        "2026-01-02  ADMIN    revoked  Somebody <bob@example.com>",
    ]
    assert active.out == "2026-01-02  ADMIN    active  Somebody <alice@example.com>\n"


def test_a_server_that_tells_less_of_its_members_is_understood(shell: Shell) -> None:
    answer = told({"users": [account(ADDRESS), account("bob@example.com", frozen=True)]})

    plain, _ = asked(shell, answer, "organization", "users")
    as_json, _ = asked(shell, answer, "organization", "users", "--format", "json")

    assert plain.err.splitlines() == ["Found 2 user(s):", "STATE   USER"]
    assert plain.out.splitlines() == [
        "active  Somebody <alice@example.com>",
        "frozen  Somebody <bob@example.com>",
    ]
    assert json.loads(as_json.out)[0] == account(ADDRESS)


def test_addresses_that_differ_by_case_only_are_warned_of(shell: Shell) -> None:
    """server-core.md 20, 33."""
    revoked = {"revoked_on": "2026-01-03T03:04:05Z"}
    users = [
        account("bob@example.com"),
        account("Bob@Example.com"),
        account("carl@example.com"),
        account("Carl@example.com", **revoked),
    ]

    plain, _ = asked(shell, told({"users": users}), "organization", "users")
    as_json, _ = asked(shell, told({"users": users}), "organization", "users", "--format", "json")

    warning = (
        "Warning: bob@example.com and Bob@Example.com differ by case only, "
        "and are different members"
    )
    assert plain.err.splitlines()[0] == warning
    assert "carl" not in plain.err
    assert as_json.err == f"{warning}\n"


def test_no_members_are_told_as_such(shell: Shell) -> None:
    plain, _ = asked(shell, told({"users": []}), "organization", "users")
    as_json, _ = asked(shell, told({"users": []}), "organization", "users", "--format", "json")

    assert (plain.code, plain.out, plain.err) == (0, "", "No users found\n")
    assert as_json.out == "[]\n"


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"users": [{"user_id": 1}]},
        {"users": [account(ADDRESS, created_on="yesterday", profile="ADMIN")]},
    ],
)
def test_an_answer_of_another_shape_is_an_error(shell: Shell, answer: object) -> None:
    ended, _ = asked(shell, told(answer), "organization", "users")

    assert ended.code == 1
    assert "Error: The server's answer " in ended.err


# --- Freezing ---


def test_who_is_frozen_is_shut_out_until_unfrozen(organization: Organization) -> None:
    frozen = organization.admin("user", "freeze", ADDRESS, "--yes")
    shut_out = organization.alice("user", "list")
    listed = organization.admin("organization", "users")
    thawed = organization.admin("user", "unfreeze", ADDRESS, "--force")
    let_in = organization.alice("user", "list")

    assert (frozen.code, frozen.out) == (0, "")
    assert frozen.err == "User Alice <alice@example.com> is frozen\n"
    assert shut_out.code == 6
    assert "frozen  Alice" in listed.out
    assert thawed.err == "User Alice <alice@example.com> is no longer frozen\n"
    assert let_in.code == 0


def test_freezing_is_confirmed(organization: Organization) -> None:
    unanswered = organization.admin("user", "freeze", ADDRESS)
    declined = organization.admin("user", "freeze", ADDRESS, stdin="n\n")
    (before,) = organization.admin_json("organization", "users")
    confirmed = organization.admin("user", "freeze", ADDRESS, stdin="y\n")
    (after,) = organization.admin_json("organization", "users")

    assert (unanswered.code, declined.code, confirmed.code) == (2, 0, 0)
    assert declined.err.splitlines() == [
        f"You are about to shut alice@example.com out of {organization.name}",
        "Are you sure? [y/n] n",
        "Operation cancelled",
    ]
    assert (before["frozen"], after["frozen"]) == (False, True)


def test_unfreezing_is_confirmed(organization: Organization) -> None:
    organization.admin("user", "freeze", ADDRESS, "--yes")

    declined = organization.admin("user", "unfreeze", ADDRESS, stdin="n\n")

    assert declined.code == 0
    assert declined.err.splitlines()[0].startswith("You are about to let alice@example.com into ")
    assert organization.admin_json("organization", "users")[0]["frozen"] is True


def test_a_member_is_frozen_by_id_too_and_told_as_json(organization: Organization) -> None:
    (found,) = organization.admin_json("organization", "users")

    frozen = organization.admin(
        "user", "freeze", found["user_id"].upper(), "--yes", "--format", "json"
    )

    assert json.loads(frozen.out) == {
        "user_id": found["user_id"],
        "user_email": ADDRESS,
        "user_name": "Alice",
        "frozen": True,
    }


def test_who_is_unknown_cannot_be_frozen(organization: Organization) -> None:
    ended = organization.admin("user", "freeze", "Alice@example.com", "--yes")
    elsewhere = organization.shell.run("user", "freeze", ADDRESS, "--yes", "-o", "Nowhere")

    assert ended.code == elsewhere.code == 3
    assert ended.err.splitlines() == [
        "Error: User not found",
        f"hint: see who there is with: parsec-cli organization users -o {organization.name}",
    ]
    assert elsewhere.err == "Error: Organization not found\n"


def test_who_is_meant_is_an_address_or_an_id(organization: Organization) -> None:
    ended = organization.admin("user", "freeze", "Alice", "--yes")

    assert ended.code == 2
    assert "Neither an email address nor the ID of a user" in ended.err


# --- One-time codes ---


def test_who_has_no_codes_is_in_the_overview(organization: Organization) -> None:
    listed = organization.admin("user", "totp-list")

    assert listed.err.splitlines() == [
        "0 of 1 user(s) have set up one-time codes:",
        "SET UP  LAST USED  FAILURES  KEYS  RESETS  USER",
    ]
    assert listed.out == "no      -                 0     0       0  alice@example.com\n"


def test_the_overview_tells_since_when_codes_are_set_up_and_of_resets(
    organization: Organization,
) -> None:
    organization.set_up_codes()
    in_use = organization.admin_json("user", "totp-list")[0]
    listed = organization.admin("user", "totp-list")
    organization.admin("user", "totp-reset", "--user-email", ADDRESS)
    pending = organization.admin_json("user", "totp-list")[0]
    reset = organization.admin("user", "totp-list")

    assert (in_use["state"], in_use["opaque_keys"], in_use["failures"]) == ("SET_UP", 1, 0)
    assert in_use["last_used_on"] >= in_use["set_up_on"]
    assert listed.err.splitlines()[0] == "1 of 1 user(s) have set up one-time codes:"
    assert listed.out.startswith(in_use["set_up_on"][:16].replace("T", " "))
    assert (pending["state"], pending["set_up_on"]) == ("NOT_SET_UP", None)
    assert pending["resets"] == [pending["reset_pending_since"]]
    assert reset.out.splitlines()[1].startswith("alice@example.com: reset pending since 2")


def test_throttled_and_frozen_members_are_pointed_out_on_eighty_columns(shell: Shell) -> None:
    codes = {
        **account(ADDRESS, frozen=True),
        "state": "SET_UP",
        "set_up_on": "2026-01-02T03:04:05.000000Z",
        "last_used_on": "2026-01-03T03:04:05.000000Z",
        "failures": 6,
        "throttled_until": "2026-01-04T03:04:05.000000Z",
        "opaque_keys": 2,
        "reset_pending_since": None,
        "reset_count": 120,
        "resets": ["2026-01-01T03:04:05.000000Z", "2026-01-02T01:00:00.000000Z"],
    }

    ended, line = asked(shell, told({"users": [codes]}), "user", "totp-list")

    assert line == "GET /administration/organizations/Org/users/totp HTTP/1.1"
    assert ended.out.splitlines() == [
        "2026-01-02 03:04  2026-01-03 03:04         6     2     120  alice@example.com",
        "alice@example.com: frozen",
        "alice@example.com: throttled until 2026-01-04T03:04:05Z",
        "alice@example.com: last reset on 2026-01-02T01:00:00Z",
    ]
    assert max(map(len, ended.out.splitlines())) <= 80


@pytest.mark.parametrize(
    "answer",
    [
        told({"detail": "Not Found"}, "404 Not Found"),
        http("404 Not Found", b"<html>", content_type="text/html"),
        told({"detail": "Method Not Allowed"}, "405 Method Not Allowed"),
    ],
)
def test_a_server_without_the_overview_is_told_plainly(shell: Shell, answer: bytes) -> None:
    ended, _ = asked(shell, answer, "user", "totp-list")

    assert (ended.code, ended.out) == (6, "")
    assert ended.err.splitlines()[0] == "Error: This server has no overview of one-time codes"
    assert ended.err.splitlines()[1].startswith("hint: it is an addition of parsec-py's own server")


def test_an_unknown_organization_has_no_overview(organization: Organization) -> None:
    ended = organization.shell.run("user", "totp-list", "-o", "Nowhere")

    assert (ended.code, ended.err) == (3, "Error: Organization not found\n")


def test_an_organization_without_members_has_an_empty_overview(shell: Shell) -> None:
    plain, _ = asked(shell, told({"users": []}), "user", "totp-list")
    as_json, _ = asked(shell, told({"users": []}), "user", "totp-list", "--format", "json")

    assert (plain.code, plain.out, plain.err) == (0, "", "No users found\n")
    assert as_json.out == "[]\n"


@pytest.mark.parametrize(
    "command",
    [
        ("organization", "users"),
        ("organization", "update", "--unexpire"),
        ("user", "totp-list"),
        ("user", "freeze", ADDRESS, "--yes"),
        ("user", "unfreeze", ADDRESS, "--yes"),
    ],
)
def test_a_wrong_token_opens_none_of_this(
    organization: Organization, command: tuple[str, ...]
) -> None:
    ended = organization.admin(*command, "--token", "wrong")

    assert (ended.code, ended.out) == (4, "")
    assert ended.err.startswith("Error: Bad authorization token\n")
