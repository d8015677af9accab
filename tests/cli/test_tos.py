"""Terms of service on the command line, on a real server."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts.stage import Stage
from tests.support.shell import Outcome, Shell

PASSWORD = "s3cr3t"
TERMS = ("fr_FR=https://example.com/tos_fr", "en_US=https://example.com/tos_en")


@dataclass
class Organization:
    """An organization, its founder's machine, and the administrator of the server."""

    shell: Shell
    name: str

    def run(self, *arguments: str, stdin: str = "") -> Outcome:
        return self.shell.run(*arguments, "--password-stdin", stdin=f"{PASSWORD}\n{stdin}")

    def config(self, *arguments: str) -> Outcome:
        return self.shell.run("tos", "config", "-o", self.name, *arguments)


@pytest.fixture
def organization(server: Stage, shell: Shell, request: pytest.FixtureRequest) -> Organization:
    name = f"Org{abs(hash(request.node.name)):x}"[:32]
    shell.variables.update(
        PARSEC_SERVER_ADDR=server.addr, PARSEC_ADMINISTRATION_TOKEN=server.administration_token
    )
    created = shell.run("organization", "create", name, "--format", "json")
    made = Organization(shell, name)
    bootstrapped = made.run(
        "organization", "bootstrap", "--addr", json.loads(created.out)["bootstrap_url"],
        "--device-label", "laptop", "--label", "Alice", "--email", "alice@example.com",
    )  # fmt: skip
    assert bootstrapped.code == 0, bootstrapped.err
    return made


def test_without_terms_there_is_nothing_to_show_or_accept(organization: Organization) -> None:
    listed, accepted = organization.run("tos", "list"), organization.run("tos", "accept")
    as_json = organization.run("tos", "list", "--format", "json")

    assert (listed.code, listed.out, accepted.code) == (0, "", 0)
    assert listed.err == accepted.err == "No Terms of Service available\n"
    assert json.loads(as_json.out) is None


def test_terms_are_listed_by_locale(organization: Organization) -> None:
    configured = organization.config(*TERMS)

    listed = organization.run("tos", "list")
    as_json = json.loads(organization.run("tos", "list", "--format", "json").out)

    assert (configured.code, configured.out) == (0, "")
    assert "have to accept these terms of service" in configured.err
    assert listed.out.splitlines() == [
        "• en_US: https://example.com/tos_en",
        "• fr_FR: https://example.com/tos_fr",
    ]
    assert listed.err.startswith("Terms of Service updated on 20")
    assert as_json["per_locale_urls"] == {
        "en_US": "https://example.com/tos_en",
        "fr_FR": "https://example.com/tos_fr",
    }


def test_nothing_else_is_served_before_they_are_accepted(organization: Organization) -> None:
    organization.config(*TERMS)

    refused = organization.run("user", "list")
    accepted = organization.run("tos", "accept", stdin="y\n")
    served = organization.run("user", "list")

    assert (refused.code, accepted.code, served.code) == (6, 0, 0)
    assert "hint: see them with: parsec-cli tos list" in refused.err
    assert "Do you accept these terms of service? [y/n] y" in accepted.err
    assert accepted.out.splitlines()[0] == "• en_US: https://example.com/tos_en"


def test_terms_that_are_declined_are_not_accepted(organization: Organization) -> None:
    organization.config(*TERMS)

    declined = organization.run("tos", "accept", stdin="n\n")

    assert declined.code == 8
    assert "Error: Operation cancelled" in declined.err
    assert organization.run("user", "list").code == 6


def test_terms_are_accepted_unseen_on_demand(organization: Organization) -> None:
    organization.config(*TERMS)

    accepted = organization.run("tos", "accept", "--yes")

    assert (accepted.code, accepted.out) == (0, "")
    assert organization.run("user", "list").code == 0


def test_terms_come_from_a_file_and_go_away(organization: Organization, tmp_path: Path) -> None:
    file = tmp_path / "terms.json"
    file.write_text(json.dumps({"en_US": "https://example.com/x"}), encoding="utf-8")

    configured = organization.config("--from-json", str(file))
    listed = organization.run("tos", "list")
    removed = organization.config("--remove")
    assert "nothing to accept any more" in removed.err

    assert configured.code == removed.code == 0
    assert listed.out == "• en_US: https://example.com/x\n"
    assert "No Terms" in organization.run("tos", "list").err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Give LOCALE=URL, or --from-json, or --remove"),
        (("--remove", *TERMS), "Give LOCALE=URL, or --from-json, or --remove"),
        (("en_US",), "Missing '=<URL>' in argument ('en_US')"),
        (("=https://example.com",), "A locale and an address are needed"),
        (("--from-json", "/nowhere"), "Cannot read /nowhere"),
        (("--from-json", "/etc/hostname"), "holds no object of locales and addresses"),
    ],
)
def test_what_says_no_terms_is_wrong_usage(
    shell: Shell, arguments: tuple[str, ...], message: str
) -> None:
    ended = shell.run("tos", "config", "-o", "Org", "-a", "parsec3://h", "-t", "t", *arguments)

    assert ended.code == 2
    assert message in ended.err
