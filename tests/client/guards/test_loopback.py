"""The listener that a browser comes back to: what it takes, and what it turns away."""

import http.client
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from parsec.client.failure import AuthenticationFailed, FlowError
from parsec.client.guards.loopback import LoginTimeout, LoopbackListener
from parsec.client.rules.openbao_login import Authorization, LoginCode, read_redirect

AUTHORIZATION = Authorization(url="https://sso.example.com/?state=s1", state="s1")
RIGHT = "/oidc/callback?code=c0de&state=s1"


@pytest.fixture
def listener() -> Iterator[LoopbackListener]:
    with LoopbackListener("/oidc/callback") as listener:
        listener.listen(lambda address: read_redirect(AUTHORIZATION, address))
        yield listener


def ask(
    listener: LoopbackListener, target: str, *, method: str = "GET", host: str | None = None
) -> tuple[int, str, http.client.HTTPMessage]:
    netloc = urlsplit(listener.redirect_uri).netloc
    connection = http.client.HTTPConnection(netloc, timeout=10)
    try:
        connection.request(method, target, headers={"Host": host or netloc})
        response = connection.getresponse()
        return response.status, response.read().decode(), response.headers
    finally:
        connection.close()


def test_the_end_of_the_login_is_taken_and_told(listener: LoopbackListener) -> None:
    status, page, _ = ask(listener, RIGHT)

    assert (status, "You can close this window" in page) == (200, True)
    assert listener.wait(10) == LoginCode(code="c0de", state="s1")


def test_it_waits_on_this_machine_alone(listener: LoopbackListener) -> None:
    assert urlsplit(listener.redirect_uri).hostname == "127.0.0.1"


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/favicon.ico",
        "/oidc/callback",
        "/oidc/callback?code=c0de&state=s2",
        "/oidc/callback?error=access_denied",
        "/oidc/callback/?code=c0de&state=s1",
        "/other?code=c0de&state=s1",
    ],
)
def test_what_is_not_the_end_of_this_login_changes_nothing(
    listener: LoopbackListener, target: str
) -> None:
    status, _, _ = ask(listener, target)
    ask(listener, RIGHT)

    assert status in (400, 404)
    assert listener.wait(10).code == "c0de"


def test_a_name_that_leads_here_is_turned_away(listener: LoopbackListener) -> None:
    status, _, _ = ask(listener, RIGHT, host="evil.example.com")

    assert status == 421
    with pytest.raises(LoginTimeout):
        listener.wait(0)


@pytest.mark.parametrize("method", ["POST", "HEAD", "OPTIONS"])
def test_only_what_browsers_do_on_a_redirection_counts(
    listener: LoopbackListener, method: str
) -> None:
    status, _, _ = ask(listener, RIGHT, method=method)

    assert status == 501


def test_only_the_first_address_counts(listener: LoopbackListener) -> None:
    ask(listener, RIGHT)

    status, page, _ = ask(listener, "/oidc/callback?code=0ther&state=s1")

    assert (status, "over already" in page) == (400, True)
    assert listener.wait(10).code == "c0de"
    with pytest.raises(LoginTimeout):
        listener.wait(0)


def test_a_refusal_of_the_identity_provider_ends_the_waiting(listener: LoopbackListener) -> None:
    _, page, _ = ask(listener, "/oidc/callback?error=access_denied&state=s1")

    assert "refused" in page
    with pytest.raises(AuthenticationFailed, match="access_denied"):
        listener.wait(10)


def test_the_page_repeats_nothing_and_hides_its_address(listener: LoopbackListener) -> None:
    _, page, headers = ask(listener, "/oidc/callback?error=%3Cscript%3E&state=s1")

    assert "script" not in page
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Content-Security-Policy"] == "default-src 'none'"


def test_an_idle_connection_holds_nobody_up(listener: LoopbackListener) -> None:
    parts = urlsplit(listener.redirect_uri)
    with socket.create_connection((parts.hostname, parts.port)):
        ask(listener, RIGHT)

        assert listener.wait(10).code == "c0de"


def test_nothing_is_printed(listener: LoopbackListener, capfd: pytest.CaptureFixture[str]) -> None:
    parts = urlsplit(listener.redirect_uri)
    with socket.create_connection((parts.hostname, parts.port)) as connection:
        connection.sendall(b"\x16\x03\x01 no HTTP\r\n\r\n")
        connection.recv(65536)
    ask(listener, RIGHT)

    listener.wait(10)

    assert capfd.readouterr() == ("", "")


def test_waiting_ends(listener: LoopbackListener) -> None:
    with pytest.raises(LoginTimeout, match="within 0 minutes"):
        listener.wait(0)


def test_a_listener_that_never_listened_closes() -> None:
    with LoopbackListener("/oidc/callback") as listener:
        netloc = urlsplit(listener.redirect_uri).netloc

    with pytest.raises(ConnectionRefusedError):
        http.client.HTTPConnection(netloc, timeout=10).connect()


def test_a_port_that_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        with pytest.raises(FlowError, match=f"port {port}"):
            LoopbackListener("/oidc/callback", port=port)
