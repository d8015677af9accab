"""What the transport sends, and what it makes of answers of all kinds."""

import contextlib
import json
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trustme

from parsec import __version__
from parsec.client.failure import FlowError, HttpRefusal, InvalidAnswer, Offline
from parsec.client.protection import RecoveryFields
from parsec.client.rules.device_file import protect
from parsec.client.transport import Bounds, Http, Transport
from parsec.crypto.keys import SecretKey
from parsec.data.address import InvitationAddr, InvitationType, ServerAddr
from parsec.data.ids import AccessToken, TOTPOpaqueKeyID, UserID
from parsec.data.instant import Instant
from parsec.data.local_device import LocalDevice
from parsec.data.people import OrganizationID
from parsec.protocol import statuses
from parsec.protocol.authentication import bearer_token, load_device_token
from parsec.protocol.certificate import CertificateGet
from parsec.protocol.command import UnknownStatus
from parsec.protocol.invite import InviteInfo, InviteList, InviteListOk
from parsec.protocol.server_config import ServerConfig
from parsec.protocol.tos import TosGet
from parsec.protocol.totp import TotpFetchOpaqueKey
from parsec.wire.msgpack import dump, reader
from tests.support.lines import some_device
from tests.support.raw_server import RawServer, drips, http, pours, says, silent

NOW = Instant.parse("2026-01-02T03:04:05Z")
IMPATIENT = Bounds(connect_seconds=5, silence_seconds=5, total_seconds=0.3)
OK = http(body=dump({"status": "ok", "invitations": []}))


@pytest.fixture
def transport() -> Iterator[Transport]:
    carried = Transport(Http({}), now=lambda: NOW, reply_limit=1 << 20)
    yield carried
    carried.close()


@pytest.fixture
def impatient() -> Iterator[Transport]:
    carried = Transport(Http({}, IMPATIENT), now=lambda: NOW, reply_limit=1 << 20)
    yield carried
    carried.close()


def device_at(server: ServerAddr, organization: str = "Org") -> LocalDevice:
    return msgspec.structs.replace(
        some_device(), server_url=server, organization_id=OrganizationID(organization)
    )


def invitation_at(server: ServerAddr) -> InvitationAddr:
    return InvitationAddr(
        server=server,
        organization_id=OrganizationID("Org"),
        type=InvitationType.USER,
        token=AccessToken(bytes(range(16))),
    )


# --- What is sent ---


def test_a_request_is_its_bytes_under_the_headers_of_the_protocol(transport: Transport) -> None:
    with RawServer([says(OK)]) as server:
        transport.send(device_at(server.addr), InviteList())

    (request,) = server.received
    assert request.line == "POST /authenticated/Org HTTP/1.1"
    assert request.headers["api-version"] == "5.5"
    assert request.headers["content-type"] == "application/msgpack"
    assert reader(dict[str, str]).load(request.body) == {"cmd": "invite_list"}


def test_the_agent_has_two_words_of_which_servers_know_the_first(transport: Transport) -> None:
    with RawServer([says(OK)]) as server:
        transport.send(device_at(server.addr), InviteList())

    name, system = server.received[0].headers["user-agent"].split(" ")
    assert name == f"Parsec-Client/{__version__}"
    assert system in ("Linux", "Windows", "MacOS")


def test_a_device_signs_who_it_is_and_when(transport: Transport) -> None:
    with RawServer([says(OK)]) as server:
        device = device_at(server.addr)
        transport.send(device, InviteList())

    token = load_device_token(bearer_token(server.received[0].headers["authorization"]))
    device.signing_key.verify_key.verify_with_signature(token.signature, token.signed_text)
    assert (token.device_id, token.seconds) == (device.device_id, NOW.seconds)


def test_terms_of_service_have_a_route_of_their_own(transport: Transport) -> None:
    with RawServer([says(http(body=dump({"status": "no_tos"})))]) as server:
        reply = transport.send(device_at(server.addr), TosGet())

    assert server.received[0].line == "POST /authenticated/Org/tos HTTP/1.1"
    assert reply == statuses.NoTos()


def test_a_claimer_shows_the_token_of_the_invitation(transport: Transport) -> None:
    with RawServer([says(http(body=dump({"status": "from_the_future"})))]) as server:
        transport.send(invitation_at(server.addr), InviteInfo())

    assert server.received[0].line == "POST /invited/Org HTTP/1.1"
    token = server.received[0].headers["authorization"]
    assert token == "Bearer 000102030405060708090a0b0c0d0e0f"


def test_nobody_in_particular_shows_nothing(transport: Transport) -> None:
    with RawServer([says(http(body=dump({"status": "from_the_future"})))]) as server:
        transport.send(server.addr, ServerConfig())

    assert server.received[0].line == "POST /anonymous_server HTTP/1.1"
    assert "authorization" not in server.received[0].headers


def test_the_name_of_an_organization_is_percent_encoded(transport: Transport) -> None:
    with RawServer([says(OK)]) as server:
        transport.send(device_at(server.addr, "Café"), InviteList())

    assert server.received[0].line == "POST /authenticated/Caf%C3%A9 HTTP/1.1"


def test_a_claimer_cannot_make_a_devices_call(transport: Transport) -> None:
    invitation = invitation_at(ServerAddr(hostname="127.0.0.1", port=1, use_ssl=False))

    with pytest.raises(TypeError, match="cannot call"):
        transport.send(invitation, InviteList())


def test_a_connection_serves_several_requests(transport: Transport) -> None:
    with RawServer([says(OK, keep=True)]) as server:
        device = device_at(server.addr)
        transport.send(device, InviteList())
        transport.send(device, InviteList())

        transport.close()

    assert (len(server.received), server.connections) == (2, 1)


# --- Replies ---


def test_a_reply_is_read(transport: Transport) -> None:
    with RawServer([says(OK)]) as server:
        reply = transport.send(device_at(server.addr), InviteList())

    assert reply == InviteListOk(invitations=[])


def test_an_unknown_status_is_a_reply(transport: Transport) -> None:
    body = dump({"status": "from_the_future", "reason": "it came"})
    with RawServer([says(http(body=body))]) as server:
        reply = transport.send(device_at(server.addr), InviteList())

    assert reply == UnknownStatus(status="from_the_future", reason="it came")


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(http(body=b"\xc1\xff"), id="no MessagePack"),
        pytest.param(http(body=b""), id="empty"),
        pytest.param(http(body=dump({"status": "ok"})), id="a field is missing"),
        pytest.param(http(body=dump(["ok"])), id="no map"),
        pytest.param(http(body=b"<html>", content_type="text/html"), id="a web page"),
        pytest.param(http(body=dump({"status": "ok"}), content_type=None), id="no content type"),
        pytest.param(
            http(body=dump({"status": "ok"}), headers=("Content-Encoding: gzip",)), id="compressed"
        ),
        pytest.param(http("201 Created"), id="another success"),
        pytest.param(http("302 Found", headers=("Location: http://e.invalid/",)), id="redirection"),
        pytest.param(http("405 Method Not Allowed"), id="405"),
        pytest.param(http("500 Internal Server Error"), id="500"),
        pytest.param(b"SSH-2.0-OpenSSH_9.6\r\n\r\n", id="another protocol"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", id="bad length"),
        pytest.param(b"HTTP/1.1 200 OK\r\n" + b"a: " + b"b" * 200_000, id="endless header"),
    ],
)
def test_what_no_server_may_answer_is_an_invalid_answer(
    transport: Transport, answer: bytes
) -> None:
    with RawServer([says(answer)]) as server, pytest.raises(InvalidAnswer):
        transport.send(device_at(server.addr), InviteList())


def test_redirections_are_not_followed(transport: Transport) -> None:
    with RawServer([]) as target:
        location = f"Location: {target.addr.base_url}/authenticated/Org"
        with (
            RawServer([says(http("307 Temporary Redirect", headers=(location,)))]) as server,
            pytest.raises(InvalidAnswer, match="sends on"),
        ):
            transport.send(device_at(server.addr), InviteList())

    assert target.connections == 0


# --- Size ---


def test_a_reply_that_announces_too_much_is_refused(transport: Transport) -> None:
    announced = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"
    with RawServer([pours(announced)]) as server, pytest.raises(InvalidAnswer, match="more than"):
        transport.send(device_at(server.addr), InviteList())


def test_a_reply_without_end_is_cut_off(transport: Transport) -> None:
    with (
        RawServer([pours(b"HTTP/1.1 200 OK\r\n\r\n")]) as server,
        pytest.raises(InvalidAnswer, match="more than 1048576 bytes"),
    ):
        transport.send(device_at(server.addr), InviteList())


def test_a_refusal_without_end_is_still_a_refusal(transport: Transport) -> None:
    with (
        RawServer([pours(b"HTTP/1.1 460 Expired\r\n\r\n")]) as server,
        pytest.raises(HttpRefusal, match="expired"),
    ):
        transport.send(device_at(server.addr), InviteList())


def test_all_certificates_of_a_large_organization_are_one_reply(transport: Transport) -> None:
    reply = {
        "status": "ok",
        "common_certificates": [bytes(1 << 20)] * 2,
        "realm_certificates": {},
        "sequester_certificates": [],
        "shamir_recovery_certificates": [],
    }
    request = CertificateGet(
        common_after=None, realm_after={}, sequester_after=None, shamir_recovery_after=None
    )
    with RawServer([says(http(body=dump(reply)))]) as server:
        answer = transport.send(device_at(server.addr), request)

    assert not isinstance(answer, UnknownStatus)
    assert len(answer.common_certificates) == 2


# --- Out of reach ---


def test_a_server_that_is_not_there_is_offline(transport: Transport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]

    with pytest.raises(Offline, match="connection refused") as raised:
        transport.send(ServerAddr(hostname="127.0.0.1", port=port, use_ssl=False), ServerConfig())

    assert raised.value.hint


def test_a_name_that_cannot_be_resolved_is_offline(transport: Transport) -> None:
    with pytest.raises(Offline, match="cannot be resolved"):
        transport.send(ServerAddr(hostname="parsec.invalid", use_ssl=False), ServerConfig())


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="at once"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-", id="in the head"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab", id="in the body"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", id="in the chunks"
        ),
    ],
)
def test_a_connection_that_breaks_is_offline(transport: Transport, answer: bytes) -> None:
    with RawServer([says(answer)]) as server, pytest.raises(Offline, match="was closed"):
        transport.send(device_at(server.addr), InviteList())


def test_who_is_hung_up_on_is_told_that_it_may_be_for_lack_of_tls(transport: Transport) -> None:
    with RawServer([says(b"")]) as server, pytest.raises(Offline, match="was closed") as raised:
        transport.send(device_at(server.addr), InviteList())

    assert "TLS" in str(raised.value.hint)


def test_a_server_without_its_database_is_offline(transport: Transport) -> None:
    answer = http("503 Unavailable")
    with RawServer([says(answer)]) as server, pytest.raises(Offline, match="for the moment"):
        transport.send(device_at(server.addr), InviteList())


@pytest.mark.parametrize("status", ["502 Bad Gateway", "504 Gateway Timeout"])
def test_a_proxy_without_its_server_is_offline(transport: Transport, status: str) -> None:
    with RawServer([says(http(status))]) as server, pytest.raises(Offline, match="proxy"):
        transport.send(device_at(server.addr), InviteList())


def test_nothing_is_sent_twice(transport: Transport) -> None:
    with (
        RawServer([says(b""), says(OK)]) as server,
        pytest.raises(Offline),
    ):
        transport.send(device_at(server.addr), InviteList())

    assert len(server.received) == 1


def test_authorities_that_cannot_be_read_are_a_plain_error(tmp_path: Path) -> None:
    transport = Transport(Http({"SSL_CAFILE": str(tmp_path / "none.pem")}), now=lambda: NOW)

    with pytest.raises(FlowError, match=r"none\.pem") as raised:
        transport.send(ServerAddr(hostname="parsec.invalid"), ServerConfig())

    assert "SSL_CAFILE" in str(raised.value.hint)


def test_a_server_alone_names_no_organization(transport: Transport) -> None:
    server = ServerAddr(hostname="127.0.0.1", port=1, use_ssl=False)

    with pytest.raises(TypeError, match="names no organization"):
        transport.send(
            server,
            TotpFetchOpaqueKey(
                user_id=UserID(bytes(16)),
                opaque_key_id=TOTPOpaqueKeyID(bytes(16)),
                one_time_password="123456",
            ),
        )


def test_a_device_file_can_call_before_it_is_opened(transport: Transport) -> None:
    with RawServer([says(http(body=dump({"status": "from_the_future"})))]) as server:
        device = device_at(server.addr)
        file = protect(
            device,
            fields=RecoveryFields(),
            key=SecretKey(bytes(32)),
            created_on=NOW,
            protected_on=NOW,
            totp=None,
            entropy=bytes,
        )
        request = TotpFetchOpaqueKey(
            user_id=device.user_id,
            opaque_key_id=TOTPOpaqueKeyID(bytes(16)),
            one_time_password="123456",
        )
        transport.send(file, request)

    assert server.received[0].line == "POST /anonymous/Org HTTP/1.1"
    assert "authorization" not in server.received[0].headers


def test_a_silent_server_is_offline() -> None:
    bounds = Bounds(connect_seconds=5, silence_seconds=0.1, total_seconds=60)
    transport = Transport(Http({}, bounds), now=lambda: NOW)

    with RawServer([silent()]) as server, pytest.raises(Offline, match="no answer in time"):
        transport.send(device_at(server.addr), InviteList())
    transport.close()


@pytest.mark.parametrize(
    "beginning",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nX-Slow: ", id="head"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n", id="body"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n", id="body without length"),
    ],
)
def test_a_server_that_drips_for_ever_is_offline(impatient: Transport, beginning: bytes) -> None:
    with RawServer([drips(beginning)]) as server, pytest.raises(Offline, match=r"within 0\.3"):
        impatient.send(device_at(server.addr), InviteList())


def test_time_that_ran_out_once_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    http = Http({}, IMPATIENT)
    transport = Transport(http, now=lambda: NOW)

    with RawServer([silent(), says(OK)]) as server:
        device = device_at(server.addr)
        with pytest.raises(Offline):
            transport.send(device, InviteList())
        monkeypatch.setattr(http, "_bounds", Bounds())

        assert transport.send(device, InviteList()) == InviteListOk(invitations=[])
    transport.close()


def test_what_an_interruption_may_have_left_locked_is_not_used_again() -> None:
    class Locked:
        def stream(self, *_: object, **__: object) -> object:
            raise KeyboardInterrupt

    http = Http({})
    vars(http)["_plain_client"] = Locked()
    transport = Transport(http, now=lambda: NOW)

    with RawServer([says(OK)]) as server:
        device = device_at(server.addr)
        answers: list[Any] = []
        for _ in range(2):
            # A KeyboardInterrupt that got out would end pytest.
            with contextlib.suppress(KeyboardInterrupt):
                answers.append(transport.send(device, InviteList()))
    transport.close()

    assert answers == [InviteListOk(invitations=[])]


# --- TLS ---


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def tls_context(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def test_further_authorities_are_trusted(authority: trustme.CA, tmp_path: Path) -> None:
    file = tmp_path / "authorities.pem"
    authority.cert_pem.write_to_path(str(file))
    transport = Transport(Http({"SSL_CAFILE": str(file)}), now=lambda: NOW)

    with RawServer([says(OK)], tls=tls_context(authority, "127.0.0.1")) as server:
        reply = transport.send(device_at(server.addr), InviteList())
    transport.close()

    assert reply == InviteListOk(invitations=[])


def test_an_unknown_authority_is_not_trusted(authority: trustme.CA, transport: Transport) -> None:
    with (
        RawServer([says(OK)], tls=tls_context(authority, "127.0.0.1")) as server,
        pytest.raises(Offline, match="not trusted") as raised,
    ):
        transport.send(device_at(server.addr), InviteList())

    assert "SSL_CAFILE" in str(raised.value.hint)
    assert server.received == []


def test_a_certificate_of_another_host_is_not_trusted(
    authority: trustme.CA, tmp_path: Path
) -> None:
    file = tmp_path / "authorities.pem"
    authority.cert_pem.write_to_path(str(file))
    transport = Transport(Http({"SSL_CAFILE": str(file)}), now=lambda: NOW)

    with (
        RawServer([says(OK)], tls=tls_context(authority, "other.invalid")) as server,
        pytest.raises(Offline, match="not trusted"),
    ):
        transport.send(device_at(server.addr), InviteList())
    transport.close()


def test_a_server_without_tls_is_not_spoken_to_in_clear(transport: Transport) -> None:
    with RawServer([says(OK)]) as server:
        secure = ServerAddr(hostname="127.0.0.1", port=server.addr.port)
        with pytest.raises(Offline, match="TLS failed"):
            transport.send(secure, ServerConfig())

    assert [request.line for request in server.received] == ["not HTTP"]


def test_a_slow_body_under_tls_is_offline_too(authority: trustme.CA, tmp_path: Path) -> None:
    file = tmp_path / "authorities.pem"
    authority.cert_pem.write_to_path(str(file))
    transport = Transport(Http({"SSL_CAFILE": str(file)}, IMPATIENT), now=lambda: NOW)

    beginning = b"HTTP/1.1 200 OK\r\n\r\n"
    with (
        RawServer([drips(beginning)], tls=tls_context(authority, "127.0.0.1")) as server,
        pytest.raises(Offline, match=r"within 0\.3"),
    ):
        transport.send(device_at(server.addr), InviteList())
    transport.close()


# --- Proxies ---


def test_a_proxy_carries_plain_requests(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RawServer([says(OK)]) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.addr.base_url)
        monkeypatch.setenv("NO_PROXY", "")
        reply = transport.send(
            device_at(ServerAddr(hostname="parsec.invalid", use_ssl=False)), InviteList()
        )

    assert proxy.received[0].line == "POST http://parsec.invalid/authenticated/Org HTTP/1.1"
    assert reply == InviteListOk(invitations=[])


def test_a_proxy_that_refuses_is_offline(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RawServer([says(http("407 Proxy Authentication Required"))]) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.addr.base_url)
        monkeypatch.setenv("NO_PROXY", "")
        with pytest.raises(Offline, match="proxy refused"):
            transport.send(device_at(ServerAddr(hostname="parsec.invalid")), InviteList())

    assert proxy.received[0].line == "CONNECT parsec.invalid:443 HTTP/1.1"


def test_a_proxy_address_that_is_none_is_a_plain_error(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "gopher://alice:s3cr3t@proxy.invalid")

    with pytest.raises(Exception, match="proxy") as raised:
        transport.send(ServerAddr(hostname="parsec.invalid", use_ssl=False), ServerConfig())

    assert "s3cr3t" not in str(raised.value)


# --- Refusals ---


def refused(transport: Transport, answer: bytes) -> HttpRefusal:
    with RawServer([says(answer)]) as server, pytest.raises(HttpRefusal) as raised:
        transport.send(device_at(server.addr), InviteList())
    return raised.value


def in_json(detail: object) -> bytes:
    return json.dumps({"detail": detail}).encode()


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, "The server saw no proof of who calls"),
        (403, "Bad authentication"),
        (404, "Organization not found"),
        (406, "The server would not answer in the format asked for"),
        (410, "Invitation already used or deleted"),
        (415, "The server does not know this command"),
        (429, "The server is asked too often"),
        (460, "The organization has expired"),
        (461, "This user has been revoked"),
        (462, "This user is frozen"),
        (463, "The terms of service must be accepted first"),
        (464, "The organization allows no such client"),
    ],
)
def test_each_refusal_says_what_it_means(transport: Transport, status: int, message: str) -> None:
    error = refused(transport, http(f"{status} Whatever"))

    assert (error.status, str(error)) == (status, message)


def test_the_cause_that_a_server_tells_is_shown(transport: Transport) -> None:
    body = in_json("The shared recovery was deleted")

    error = refused(transport, http("410 Gone", body, content_type="application/json"))

    message = "Invitation already used or deleted: The shared recovery was deleted"
    assert str(error) == message


def test_a_cause_behind_our_own_words_does_not_repeat_them(transport: Transport) -> None:
    body = in_json("Invitation already used or deleted (completed)")

    error = refused(transport, http("410 Gone", body, content_type="application/json"))

    assert str(error) == "Invitation already used or deleted (completed)"


def test_what_every_server_says_is_not_repeated(transport: Transport) -> None:
    body = in_json("User frozen")

    error = refused(transport, http("462 Frozen", body, content_type="application/json"))

    assert str(error) == "This user is frozen"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(in_json("x" * 10_000), id="long"),
        pytest.param(in_json({"a": 1}), id="no text"),
        pytest.param(b'{"detail": "\xff"}', id="no UTF-8"),
        pytest.param(b"[" * 100_000, id="nested"),
        pytest.param(b"", id="empty"),
    ],
)
def test_a_cause_that_is_no_short_text_is_left_out(transport: Transport, body: bytes) -> None:
    error = refused(transport, http("410 Gone", body, content_type="application/json"))

    assert str(error) == "Invitation already used or deleted"


def test_a_cause_cannot_write_on_the_terminal(transport: Transport) -> None:
    body = in_json("\x1b[2J\x1b]0;title\x07Gone")

    error = refused(transport, http("410 Gone", body, content_type="application/json"))

    assert "\x1b" not in str(error)
    assert "\x07" not in str(error)


def test_a_claimer_whom_the_server_does_not_know_has_no_invitation(transport: Transport) -> None:
    with (
        RawServer([says(http("403 Forbidden"))]) as server,
        pytest.raises(HttpRefusal, match="Invitation not found"),
    ):
        transport.send(invitation_at(server.addr), InviteInfo())


def test_a_server_without_the_route_is_no_parsec_server(transport: Transport) -> None:
    with (
        RawServer([says(http("404 Not Found"))]) as server,
        pytest.raises(InvalidAnswer, match="no Parsec server"),
    ):
        transport.send(server.addr, ServerConfig())


def test_the_versions_of_an_incompatible_server_are_told(transport: Transport) -> None:
    header = "Supported-Api-Versions: 4.0;garbage;6.1"

    error = refused(transport, http("422 Unprocessable", headers=(header,)))

    assert str(error) == "The server speaks 4.0, 6.1 of the Parsec API, this program 5.5"
    assert error.hint == "update whichever of the two is older"


def test_an_incompatible_server_may_keep_its_versions_to_itself(transport: Transport) -> None:
    error = refused(transport, http("422 Unprocessable"))

    assert "another version" in str(error)


@pytest.mark.parametrize(
    ("date", "message"),
    [
        (
            "Fri, 02 Jan 2026 03:14:05 GMT",
            "The clock of this machine is 600 seconds behind the server's",
        ),
        (
            "Fri, 02 Jan 2026 02:04:05 GMT",
            "The clock of this machine is 3600 seconds ahead of the server's",
        ),
        (
            "Fri, 02 Jan 2026 03:04:06 GMT",
            "The clock of this machine and the server's differ too much",
        ),
        ("yesterday", "The clock of this machine and the server's differ too much"),
    ],
)
def test_how_far_the_clocks_differ_is_told(transport: Transport, date: str, message: str) -> None:
    error = refused(transport, http("498 Token expired", headers=(f"Date: {date}",)))

    assert str(error) == message
    assert "clock" in str(error.hint)


def test_no_error_shows_what_proves_who_calls(transport: Transport) -> None:
    with RawServer([says(b"")]) as server, pytest.raises(Offline) as raised:
        transport.send(device_at(server.addr), InviteList())

    chain = []
    error: BaseException | None = raised.value
    while error is not None:
        chain.append(f"{error!r} {error}")
        error = error.__cause__ or error.__context__
    assert "PARSEC-SIGN" not in " ".join(chain)
