"""Exchanges with servers that are no Parsec servers."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from parsec.client.failure import InvalidAnswer, Offline
from parsec.client.transport import Bounds, Http
from parsec.client.transport.http import Answer
from tests.support.raw_server import RawServer, drips, http, pours, says, silent

IMPATIENT = Bounds(connect_seconds=0.3, silence_seconds=0.3, total_seconds=0.3)
PATIENT = Bounds(connect_seconds=5, silence_seconds=5, total_seconds=10)


@pytest.fixture
def spoken() -> Iterator[Http]:
    carried = Http({})
    yield carried
    carried.close()


def ask(
    spoken: Http,
    url: str,
    *,
    method: str = "GET",
    body: bytes | None = None,
    limit: int = 100,
    bounds: Bounds = PATIENT,
) -> Answer:
    headers = {"x-vault-token": "s.t0k3n"}
    return spoken.exchange_url(method, url, headers=headers, body=body, limit=limit, bounds=bounds)


def test_the_url_goes_out_as_it_was_written(spoken: Http) -> None:
    with RawServer([says(http(body=b"{}"))]) as server:
        url = f"{server.addr.base_url}/v1/a%2Fb/%C3%A9?code=a%2Bb&state=s%201"
        ask(spoken, url, method="POST", body=b"{}")

    (request,) = server.received
    assert request.line == "POST /v1/a%2Fb/%C3%A9?code=a%2Bb&state=s%201 HTTP/1.1"
    assert request.headers["x-vault-token"] == "s.t0k3n"
    assert request.body == b"{}"


def test_any_status_is_an_answer(spoken: Http) -> None:
    with RawServer([says(http("503 Sealed", b'{"errors":[]}'))]) as server:
        answer = ask(spoken, f"{server.addr.base_url}/")

    assert (answer.status, answer.body) == (503, b'{"errors":[]}')


def test_the_token_does_not_follow_a_redirection(spoken: Http) -> None:
    elsewhere = http("307 Moved", headers=("Location: http://127.0.0.1:1/",))
    with RawServer([says(elsewhere)]) as server:
        answer = ask(spoken, f"{server.addr.base_url}/")

    assert answer.status == 307
    assert len(server.received) == 1


def test_a_success_that_is_too_long_is_an_invalid_answer(spoken: Http) -> None:
    endless = pours(b"HTTP/1.1 200 OK\r\n\r\n")
    with RawServer([endless]) as server, pytest.raises(InvalidAnswer, match="more than 100 bytes"):
        ask(spoken, f"{server.addr.base_url}/")


def test_a_failure_that_is_too_long_is_read_without_its_body(spoken: Http) -> None:
    with RawServer([says(http("400 Bad", b"a" * 101))]) as server:
        answer = ask(spoken, f"{server.addr.base_url}/")

    assert (answer.status, answer.body) == (400, None)


@pytest.mark.parametrize("behaviour", [silent(), drips(b"HTTP/1.1 200 OK\r\n")])
def test_each_exchange_has_bounds_of_its_own(spoken: Http, behaviour: object) -> None:
    with RawServer([behaviour]) as server, pytest.raises(Offline):  # type: ignore[list-item]
        ask(spoken, f"{server.addr.base_url}/", bounds=IMPATIENT)


def test_nobody_there_is_offline(spoken: Http) -> None:
    with RawServer([says(b"")]) as server:
        url = server.addr.base_url

    with pytest.raises(Offline, match="connection refused"):
        ask(spoken, url)


@pytest.mark.parametrize("url", ["no url", "http://", "https://[::1"])
def test_what_is_no_url_cannot_be_spoken_to(spoken: Http, url: str) -> None:
    with pytest.raises(InvalidAnswer):
        ask(spoken, url)


def test_a_certificate_must_be_trusted(spoken: Http) -> None:
    with RawServer([says(http())], tls=_tls(trustme.CA())) as server:
        url = server.addr.base_url

        with pytest.raises(Offline, match="certificate is not trusted"):
            ask(spoken, url)

    assert server.received == []


def test_further_authorities_are_trusted(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    spoken = Http({"SSL_CAFILE": str(tmp_path / "ca.pem")})

    with RawServer([says(http(body=b"{}"))], tls=_tls(authority)) as server:
        answer = ask(spoken, f"{server.addr.base_url}/")
    spoken.close()

    assert answer.status == 200


def _tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context
