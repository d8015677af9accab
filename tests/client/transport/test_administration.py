"""The administration interface as a client sees it."""

import json
from collections.abc import Iterator

import pytest

from parsec.client.failure import FlowError, HttpRefusal, InvalidAnswer, Offline
from parsec.client.transport import AdminTransport, Http
from parsec.data.address import ServerAddr
from parsec.data.instant import Instant
from tests.support.raw_server import RawServer, http, says

NOW = Instant.parse("2026-01-02T03:04:05Z")


@pytest.fixture
def spoken() -> Iterator[Http]:
    carried = Http({})
    yield carried
    carried.close()


def admin_of(spoken: Http, server: ServerAddr, token: str = "s3cr3t") -> AdminTransport:
    return AdminTransport(spoken, server, token, now=lambda: NOW)


def answer(value: object, status: str = "200 OK") -> bytes:
    return http(status, json.dumps(value).encode(), content_type="application/json; charset=utf-8")


def test_posting_sends_json_under_the_token(spoken: Http) -> None:
    with RawServer([says(answer({"bootstrap_url": "parsec3://…"}))]) as server:
        found = admin_of(spoken, server.addr).post("organizations", body={"organization_id": "Org"})

    (request,) = server.received
    assert request.line == "POST /administration/organizations HTTP/1.1"
    assert request.headers["authorization"] == "Bearer s3cr3t"
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.body) == {"organization_id": "Org"}
    assert found == {"bootstrap_url": "parsec3://…"}


def test_getting_names_the_organization_in_the_path(spoken: Http) -> None:
    with RawServer([says(answer({"users": 2}))]) as server:
        found = admin_of(spoken, server.addr).get("organizations", "Café", "stats")

    line = server.received[0].line
    assert line == "GET /administration/organizations/Caf%C3%A9/stats HTTP/1.1"
    assert found == {"users": 2}


def test_patching_sends_only_what_changes(spoken: Http) -> None:
    with RawServer([says(answer({}))]) as server:
        admin_of(spoken, server.addr).patch("organizations", "Org", body={"is_expired": True})

    (request,) = server.received
    assert request.line == "PATCH /administration/organizations/Org HTTP/1.1"
    assert json.loads(request.body) == {"is_expired": True}


def test_a_query_is_form_encoded(spoken: Http) -> None:
    with RawServer([says(answer({"stats": []}))]) as server:
        admin_of(spoken, server.addr).get("stats", query={"at": "2026-01-02T03:04:05+01:00"})

    line = server.received[0].line
    assert line == "GET /administration/stats?at=2026-01-02T03%3A04%3A05%2B01%3A00 HTTP/1.1"


def test_a_table_comes_as_the_server_wrote_it(spoken: Http) -> None:
    table = http(body=b"organization_id,users\r\nOrg,2\r\n", content_type="text/csv; charset=utf-8")
    with RawServer([says(table)]) as server:
        found = admin_of(spoken, server.addr).get_text("stats", query={"format": "csv"})

    assert found == "organization_id,users\r\nOrg,2\r\n"


def test_a_table_that_is_no_text_is_an_invalid_answer(spoken: Http) -> None:
    with RawServer([says(http(body=b"\xff", content_type="text/csv"))]) as server:
        admin = admin_of(spoken, server.addr)
        with pytest.raises(InvalidAnswer):
            admin.get_text("stats", query={"format": "csv"})


def test_a_wrong_token_is_refused_in_the_servers_words(spoken: Http) -> None:
    refusal = answer({"detail": "Bad authorization token"}, "403 Forbidden")
    with RawServer([says(refusal)]) as server, pytest.raises(HttpRefusal) as raised:
        admin_of(spoken, server.addr).get("stats")

    assert (raised.value.status, str(raised.value)) == (403, "Bad authorization token")
    assert "token" in str(raised.value.hint)


def test_a_refusal_is_the_servers_own_words(spoken: Http) -> None:
    refusal = answer({"detail": "Organization already exists"}, "400 Bad Request")
    with RawServer([says(refusal)]) as server, pytest.raises(HttpRefusal) as raised:
        admin_of(spoken, server.addr).post("organizations", body={"organization_id": "Org"})

    assert (raised.value.status, str(raised.value)) == (400, "Organization already exists")


def test_a_list_of_faults_is_told_in_one_line(spoken: Http) -> None:
    faults = [{"type": "a", "loc": ["body", "x"], "msg": "Field required"}, {"msg": "Too long"}]
    refusal = answer({"detail": faults}, "422 Unprocessable Entity")
    with RawServer([says(refusal)]) as server, pytest.raises(HttpRefusal) as raised:
        admin_of(spoken, server.addr).get("stats")

    assert str(raised.value) == "Field required; Too long"


def test_a_refusal_without_words_tells_its_status(spoken: Http) -> None:
    refusal = http("404 Not Found", b"<html>", content_type="text/html")
    with RawServer([says(refusal)]) as server, pytest.raises(HttpRefusal, match="HTTP 404"):
        admin_of(spoken, server.addr).get("organizations", "Org")


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(http(body=b"{}", content_type="text/html"), id="a web page"),
        pytest.param(http(body=b"{", content_type="application/json"), id="broken"),
        pytest.param(http(body=b'"\xff"', content_type="application/json"), id="no UTF-8"),
        pytest.param(http(body=b"[" * 9999, content_type="application/json"), id="nested"),
        pytest.param(http("500 Oops"), id="500"),
    ],
)
def test_what_no_server_may_answer_is_an_invalid_answer(spoken: Http, reply: bytes) -> None:
    with RawServer([says(reply)]) as server, pytest.raises(InvalidAnswer):
        admin_of(spoken, server.addr).get("stats")


def test_a_server_that_hangs_up_is_offline(spoken: Http) -> None:
    with RawServer([says(b"")]) as server, pytest.raises(Offline):
        admin_of(spoken, server.addr).get("stats")


@pytest.mark.parametrize("token", ["", "two words", "line\nbreak", "clé", "bell\x07"])
def test_a_token_that_no_header_carries_is_refused_unseen(spoken: Http, token: str) -> None:
    server = ServerAddr(hostname="parsec.invalid")

    with pytest.raises(FlowError) as raised:
        admin_of(spoken, server, token)

    assert not token or token not in str(raised.value)


def test_the_token_does_not_show(spoken: Http) -> None:
    admin = admin_of(spoken, ServerAddr(hostname="parsec.invalid"))

    assert "s3cr3t" not in repr(admin)
