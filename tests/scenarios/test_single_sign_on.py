"""Logging in to OpenBao with a browser, through pseudo-terminals, on a stand-in of OpenBao."""

import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from scripts import stories
from scripts.stage import Person, Stage, Terminal, stage
from tests.support.openbao import StandInOpenBao


@pytest.fixture
def bao() -> Iterator[StandInOpenBao]:
    with StandInOpenBao() as found:
        yield found


@pytest.fixture
def built(bao: StandInOpenBao) -> Iterator[Stage]:
    with stage() as found:
        found.start_server(
            *("--db", "MOCKED", "--openbao-server-url", bao.url),
            *("--openbao-secret-mount-path", bao.secret_mount),
            *("--openbao-auth-pro-connect", bao.auth_mounts["PRO_CONNECT"]),
            *("--openbao-auth-hexagone", bao.auth_mounts["HEXAGONE"]),
            *("--advisory-device-file-protection", "OPENBAO"),
        )
        yield found


@pytest.fixture
def alice(built: Stage) -> Person:
    person = built.person("Alice")
    person.variables["BROWSER"] = "true"  # a program that shows nothing
    return person


def _browse(address: str) -> None:
    """Follow an address to where the login ends."""
    with urllib.request.urlopen(address):
        pass


def _address(terminal: Terminal) -> str:
    terminal.see("Log in to OpenBao in a browser, at this address:\n")
    return terminal.expect(r"(http\S+)\n")[1]


def _bootstrap(built: Stage, alice: Person, *options: str) -> Terminal:
    return alice.run(
        "organization", "bootstrap", "--addr", stories.create_organization(built, alice),
        "--device-label", "laptop", "--label", alice.name, "--email", alice.email, *options,
    )  # fmt: skip


def test_the_browser_returns_by_itself(built: Stage, alice: Person, bao: StandInOpenBao) -> None:
    bootstrap = _bootstrap(built, alice)
    bootstrap.see("This device will be protected by single sign-on (OpenBao)")
    _browse(_address(bootstrap))
    bootstrap.see("New device created:")
    bootstrap.finish()

    users = alice.run("user", "list")
    _browse(_address(users))
    users.see(f"{alice.handle}: ADMIN")
    shown = users.finish()

    assert "Warning" not in shown
    assert len(bao.secrets) == 1


def test_somebody_else_does_not_open_the_device(
    built: Stage, alice: Person, bao: StandInOpenBao
) -> None:
    bootstrap = _bootstrap(built, alice)
    _browse(_address(bootstrap))
    bootstrap.finish()
    bao.at_the_provider = "mallory@example.com"

    users = alice.run("user", "list")
    _browse(_address(users))

    assert "Error: This device belongs to the OpenBao entity" in users.finish(4)


def test_an_address_can_be_pasted_instead(built: Stage, alice: Person, bao: StandInOpenBao) -> None:
    ended: list[str] = []

    class Last(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, req, fp, code, msg, headers, newurl):  # type: ignore[no-untyped-def]
            ended.append(newurl)

    browser = urllib.request.build_opener(Last)
    bootstrap = _bootstrap(built, alice, "--openbao-redirect", "official")
    with pytest.raises(urllib.error.HTTPError):
        browser.open(_address(bootstrap))
    bootstrap.see("Enter the address at which the browser ended:")
    bootstrap.type(ended[-1])
    bootstrap.see("New device created:")
    bootstrap.finish()

    assert ended[-1].startswith("https://callback.parsec.cloud.invalid/oidc/callback?")


def test_control_c_ends_the_wait_for_the_browser(built: Stage, alice: Person) -> None:
    bootstrap = _bootstrap(built, alice)
    _address(bootstrap)
    bootstrap.press_control_c()

    bootstrap.finish(130)


def test_the_login_method_can_be_chosen(built: Stage, alice: Person, bao: StandInOpenBao) -> None:
    bootstrap = _bootstrap(built, alice, "--openbao-auth", "PRO_CONNECT")
    _browse(_address(bootstrap))
    bootstrap.finish()

    begun = [unquote(request.target) for request in bao.received if "auth_url" in request.target]
    assert begun == [f"/v1/{bao.auth_mounts['PRO_CONNECT']}/oidc/auth_url"]


def test_a_token_of_a_login_elsewhere_is_as_good(
    built: Stage, alice: Person, bao: StandInOpenBao, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text(bao.token(alice.email))

    bootstrap = _bootstrap(built, alice, "--openbao-token-file", str(token))

    bootstrap.see("New device created:")
    bootstrap.finish()
