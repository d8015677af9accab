"""The ways to log in to OpenBao, with a browser that is played by the test."""

import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from parsec.client.failure import AuthenticationFailed, FlowError, HttpRefusal, Offline
from parsec.client.guards.loopback import LoginTimeout
from parsec.client.guards.openbao import OpenBaoGuard
from parsec.client.guards.openbao_login import (
    Login,
    loopback_login,
    open_in_browser,
    pasted_login,
    read_token_file,
    token_login,
)
from parsec.client.rules.openbao import OpenBaoServer, OpenBaoSession
from parsec.client.rules.openbao_login import OFFICIAL_REDIRECT_URI, ForeignRedirect
from parsec.client.transport import Http
from parsec.crypto.entropy import system_entropy
from parsec.data.address import ServerAddr
from tests.support.openbao import LOGIN_SECONDS, StandInOpenBao

ALICE = "alice@example.com"


def server_of(bao: StandInOpenBao) -> OpenBaoServer:
    return OpenBaoServer.named_by(ServerAddr(hostname="parsec.invalid"), bao.config)


def browse(address: str) -> str:
    """What a browser does: it follows redirections, and shows the last page."""
    with urllib.request.urlopen(address, timeout=10) as response:
        return str(response.read().decode())


def no_browser(address: str) -> None:
    """There is none on this machine."""


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object, **__: object) -> None:
        return None


def where_it_ends(address: str) -> str:
    """The address that a browser shows when the last redirection leads nowhere."""
    try:
        urllib.request.build_opener(_Stay).open(address, timeout=10)
    except urllib.error.HTTPError as answer:
        with answer:
            return str(answer.headers["Location"])
    raise AssertionError("no redirection")


def loopback(
    http: Http,
    bao: StandInOpenBao,
    *,
    told: list[str] | None = None,
    browser: Callable[[str], object] = browse,
    seconds: float = 10.0,
) -> Login:
    return loopback_login(
        http,
        server_of(bao),
        entropy=system_entropy,
        tell_address=([] if told is None else told).append,
        open_browser=browser,
        seconds=seconds,
    )


def pasted(http: Http, bao: StandInOpenBao, paste: Callable[[str], str]) -> Login:
    told: list[str] = []
    return pasted_login(
        http,
        server_of(bao),
        entropy=system_entropy,
        tell_address=told.append,
        ask_address=lambda: paste(told[-1]),
        open_browser=no_browser,
    )


def logged_in(login: Login, bao: StandInOpenBao, auth_id: str = "HEXAGONE") -> OpenBaoSession:
    return login(server_of(bao).auth(auth_id))


# --- With a browser ---


def test_a_login_in_the_browser_gives_a_session_of_that_person(
    http: Http, stand_in: StandInOpenBao
) -> None:
    session = logged_in(loopback(http, stand_in), stand_in)

    assert session.entity_id == stand_in.entity(ALICE)


def test_the_chosen_login_method_is_used(http: Http, stand_in: StandInOpenBao) -> None:
    logged_in(loopback(http, stand_in), stand_in, "PRO_CONNECT")

    routes = [urlsplit(request.target).path for request in stand_in.received]
    assert [route for route in routes if route.startswith("/v1/")] == [
        "/v1/auth/pro_connect/oidc/auth_url",
        "/v1/auth/pro_connect/oidc/callback",
    ]


def test_the_address_is_told_even_where_a_browser_opens(
    http: Http, stand_in: StandInOpenBao
) -> None:
    told: list[str] = []
    opened: list[str] = []

    def watched(address: str) -> None:
        opened.append(address)
        browse(address)

    logged_in(loopback(http, stand_in, told=told, browser=watched), stand_in)

    assert told == opened
    assert len(told) == 1


def test_the_login_comes_back_to_this_machine(http: Http, stand_in: StandInOpenBao) -> None:
    told: list[str] = []

    logged_in(loopback(http, stand_in, told=told), stand_in)

    (redirect_uri,) = parse_qs(urlsplit(told[0]).query)["redirect_uri"]
    parts = urlsplit(redirect_uri)
    assert (parts.scheme, parts.hostname, parts.path) == ("http", "127.0.0.1", "/oidc/callback")


def test_the_person_sees_that_the_window_can_be_closed(
    http: Http, stand_in: StandInOpenBao
) -> None:
    pages: list[str] = []

    def read(address: str) -> None:
        pages.append(browse(address))

    logged_in(loopback(http, stand_in, browser=read), stand_in)

    assert "You can close this window" in pages[0]


def test_a_code_that_somebody_saw_is_worth_nothing(http: Http, stand_in: StandInOpenBao) -> None:
    stolen: list[int | None] = []

    def eavesdropped(address: str) -> None:
        code = urlsplit(where_it_ends(address)).query
        try:
            urllib.request.urlopen(f"{stand_in.url}/v1/auth/hexagone/oidc/callback?{code}")
        except urllib.error.HTTPError as answer:
            with answer:
                stolen.append(answer.status)

    with pytest.raises(LoginTimeout):
        logged_in(loopback(http, stand_in, browser=eavesdropped, seconds=0), stand_in)

    assert stolen == [400]


def test_a_person_whom_the_provider_refuses_is_told(http: Http, stand_in: StandInOpenBao) -> None:
    stand_in.provider_refuses = "access_denied"

    with pytest.raises(AuthenticationFailed, match="access_denied"):
        logged_in(loopback(http, stand_in), stand_in)


def test_nobody_is_waited_for_for_ever(http: Http, stand_in: StandInOpenBao) -> None:
    with pytest.raises(LoginTimeout) as raised:
        logged_in(loopback(http, stand_in, browser=no_browser, seconds=0), stand_in)

    assert raised.value.hint is not None


def test_ctrl_c_ends_the_waiting_and_closes_the_port(http: Http, stand_in: StandInOpenBao) -> None:
    told: list[str] = []

    def interrupted(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        logged_in(loopback(http, stand_in, told=told, browser=interrupted), stand_in)

    with pytest.raises(urllib.error.URLError):
        browse(told[0])


def test_a_role_that_knows_no_loopback_address_is_explained(
    http: Http, stand_in: StandInOpenBao
) -> None:
    stand_in.allowed_redirect_uris = [OFFICIAL_REDIRECT_URI]

    with pytest.raises(HttpRefusal) as raised:
        logged_in(loopback(http, stand_in), stand_in)

    assert "allowed_redirect_uris" in str(raised.value.hint)


def test_a_login_that_took_too_long_is_refused_by_openbao(
    http: Http, stand_in: StandInOpenBao
) -> None:
    def slowly(address: str) -> None:
        browse(address)
        stand_in.let_pass(LOGIN_SECONDS)

    with pytest.raises(AuthenticationFailed, match="Expired or missing OAuth state"):
        logged_in(loopback(http, stand_in, browser=slowly), stand_in)


def test_a_sealed_server_is_offline_before_anything_opens(
    http: Http, stand_in: StandInOpenBao
) -> None:
    stand_in.sealed = True
    told: list[str] = []

    with pytest.raises(Offline):
        logged_in(loopback(http, stand_in, told=told), stand_in)

    assert told == []


def test_a_device_is_protected_by_logging_in(http: Http, stand_in: StandInOpenBao) -> None:
    guard = OpenBaoGuard(http, server_of(stand_in), loopback(http, stand_in))

    _, fields = guard.new(system_entropy)

    assert fields.entity_id == stand_in.entity(ALICE)


# --- With an address that is pasted ---


def test_the_address_where_the_browser_ended_can_be_pasted(
    http: Http, stand_in: StandInOpenBao
) -> None:
    session = logged_in(pasted(http, stand_in, where_it_ends), stand_in)

    assert session.entity_id == stand_in.entity(ALICE)


def test_pasting_serves_where_only_the_official_client_is_allowed(
    http: Http, stand_in: StandInOpenBao
) -> None:
    stand_in.allowed_redirect_uris = [OFFICIAL_REDIRECT_URI]
    ended: list[str] = []

    def paste(address: str) -> str:
        ended.append(where_it_ends(address))
        return ended[-1]

    logged_in(pasted(http, stand_in, paste), stand_in)

    assert ended[0].startswith(f"{OFFICIAL_REDIRECT_URI}?code=")


def test_the_address_of_another_login_is_refused(http: Http, stand_in: StandInOpenBao) -> None:
    other = f"{OFFICIAL_REDIRECT_URI}?code=c0de&state=st_other"

    with pytest.raises(ForeignRedirect) as raised:
        logged_in(pasted(http, stand_in, lambda _: other), stand_in)

    assert "c0de" not in str(raised.value)


# --- With a token ---


def test_a_token_is_of_the_entity_that_openbao_says(http: Http, stand_in: StandInOpenBao) -> None:
    login = token_login(http, server_of(stand_in), stand_in.token(ALICE))

    assert logged_in(login, stand_in).entity_id == stand_in.entity(ALICE)


def test_a_root_token_keeps_no_keys(http: Http, stand_in: StandInOpenBao) -> None:
    login = token_login(http, server_of(stand_in), stand_in.root_token)

    with pytest.raises(AuthenticationFailed, match="nobody in particular"):
        logged_in(login, stand_in)


@pytest.mark.parametrize("content", [b"s.t0k3n", b"s.t0k3n\n", b"  s.t0k3n\r\n"])
def test_a_token_file_may_end_in_a_line_break(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "token"
    path.write_bytes(content)

    assert read_token_file(path) == "s.t0k3n"


def test_a_token_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FlowError, match="nowhere"):
        read_token_file(tmp_path / "nowhere")


def test_what_is_no_token_does_not_show(
    http: Http, stand_in: StandInOpenBao, tmp_path: Path
) -> None:
    path = tmp_path / "token"
    path.write_bytes("s3cr3t über alles".encode())
    login = token_login(http, server_of(stand_in), read_token_file(path))

    with pytest.raises(AuthenticationFailed) as raised:
        logged_in(login, stand_in)

    assert "s3cr3t" not in str(raised.value)


# --- The browser ---


def test_the_browser_of_the_person_gets_the_address_and_prints_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    opened = tmp_path / "opened"
    program = tmp_path / "browser.py"
    program.write_text(
        "import pathlib, sys; print('hello'); print('hello', file=sys.stderr); "
        f"pathlib.Path({str(opened)!r}).write_text(sys.argv[1])"
    )
    monkeypatch.setenv("BROWSER", f"{sys.executable} {program} %s")
    before = set(threading.enumerate())

    open_in_browser("http://127.0.0.1:1/?state=s1")

    for thread in set(threading.enumerate()) - before:
        thread.join(timeout=30)
    assert opened.read_text() == "http://127.0.0.1:1/?state=s1"
    assert capfd.readouterr() == ("", "")


def test_no_browser_at_all_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    before = set(threading.enumerate())

    open_in_browser("http://127.0.0.1:1/")

    for thread in set(threading.enumerate()) - before:
        thread.join(timeout=30)
