"""Mails handed over to a real mail server: in clear, with TLS of both kinds, with a login."""

import ssl
from email import message_from_bytes, policy
from pathlib import Path

import pytest
import trustme

from parsec.data.address import TOTPResetAddr
from parsec.data.people import EmailAddress
from parsec.server.settings import MailSettings, Secret, SmtpServer
from tests.support.server_app import server_app
from tests.support.smtp_sink import Sink, smtp_sink

USER = EmailAddress("alice@example.com")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def certificate(authority: trustme.CA) -> ssl.SSLContext:
    """The certificate of a mail server on this machine."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine trusts that authority."""
    file = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(file))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))


async def reset_and_mail(sink: Sink, **server: object) -> tuple[str, str]:
    """Have a user's one-time codes reset; the status of the mail, and the link."""
    by = SmtpServer(host="127.0.0.1", port=sink.port, **server)  # type: ignore[arg-type]
    mail = MailSettings(sender=EmailAddress("parsec@example.com"), by=by)
    async with server_app(mail=mail) as app:
        alice = await app.bootstrap("Org")
        body = {"user_id": alice.user_id.hex(), "send_email": True}
        answer = await app.admin("POST", "organizations/Org/users/reset_totp", body)
    TOTPResetAddr.parse(answer.json["totp_reset_url"])
    link = answer.json["totp_reset_url_as_http_redirection"]
    return answer.json["email_sent_status"], link


def texts(sink: Sink) -> dict[str, str]:
    """The texts of the only mail, by their type."""
    (envelope,) = sink.envelopes
    assert isinstance(envelope.content, bytes)
    mail = message_from_bytes(envelope.content, policy=policy.default)
    return {part.get_content_type(): part.get_content() for part in mail.iter_parts()}


async def test_a_mail_arrives_as_text_and_html() -> None:
    async with smtp_sink() as sink:
        status, link = await reset_and_mail(sink)

    found = texts(sink)
    assert status == "SENT_AS_REQUESTED"
    assert (sink.envelopes[0].mail_from, sink.envelopes[0].rcpt_tos) == (
        "parsec@example.com",
        [USER],
    )
    assert list(found) == ["text/plain", "text/html"]
    assert link in found["text/plain"]
    assert link.replace("&", "&amp;") in found["text/html"]
    assert sink.encrypted == [False]


@pytest.mark.usefixtures("trusted")
async def test_tls_from_the_first_byte(certificate: ssl.SSLContext) -> None:
    async with smtp_sink(tls=certificate) as sink:
        status, _ = await reset_and_mail(sink, use_tls=True)

    assert (status, sink.encrypted) == ("SENT_AS_REQUESTED", [True])


@pytest.mark.usefixtures("trusted")
async def test_tls_from_the_command_starttls_on(certificate: ssl.SSLContext) -> None:
    async with smtp_sink(start_tls=certificate) as sink:
        status, _ = await reset_and_mail(sink, start_tls=True)

    assert (status, sink.encrypted) == ("SENT_AS_REQUESTED", [True])


@pytest.mark.usefixtures("trusted")
async def test_user_and_password_travel_encrypted(certificate: ssl.SSLContext) -> None:
    async with smtp_sink(start_tls=certificate, needs_login=True) as sink:
        login = {"user": "parsec", "password": Secret("s3cr3t")}
        status, _ = await reset_and_mail(sink, start_tls=True, **login)

    assert (status, sink.encrypted) == ("SENT_AS_REQUESTED", [True])
    assert sink.logins == [("parsec", "s3cr3t")]


async def test_user_and_password_without_tls() -> None:
    async with smtp_sink(needs_login=True) as sink:
        status, _ = await reset_and_mail(sink, user="parsec", password=Secret("s3cr3t"))

    assert status == "SENT_AS_REQUESTED"


async def test_a_wrong_password_is_told() -> None:
    async with smtp_sink(needs_login=True) as sink:
        status, _ = await reset_and_mail(sink, user="parsec", password=Secret("other"))

    assert (status, sink.envelopes) == ("BAD_SMTP_CONFIG", [])


async def test_a_password_that_is_needed_and_missing_is_told() -> None:
    async with smtp_sink(needs_login=True) as sink:
        status, _ = await reset_and_mail(sink)

    assert (status, sink.envelopes) == ("BAD_SMTP_CONFIG", [])


async def test_a_certificate_that_nobody_trusts_gets_no_mail(certificate: ssl.SSLContext) -> None:
    async with smtp_sink(tls=certificate) as sink:
        status, _ = await reset_and_mail(sink, use_tls=True)

    assert (status, sink.envelopes) == ("BAD_SMTP_CONFIG", [])


async def test_nor_does_one_that_comes_with_starttls(certificate: ssl.SSLContext) -> None:
    async with smtp_sink(start_tls=certificate) as sink:
        status, _ = await reset_and_mail(sink, start_tls=True)

    assert (status, sink.envelopes) == ("BAD_SMTP_CONFIG", [])


async def test_a_server_that_wants_tls_gets_no_mail_without(certificate: ssl.SSLContext) -> None:
    async with smtp_sink(start_tls=certificate) as sink:
        status, _ = await reset_and_mail(sink)

    assert (status, sink.envelopes) == ("BAD_SMTP_CONFIG", [])


async def test_a_recipient_that_nobody_knows_is_told() -> None:
    async with smtp_sink(refused=frozenset([USER])) as sink:
        status, _ = await reset_and_mail(sink)

    assert (status, sink.envelopes) == ("RECIPIENT_REFUSED", [])


async def test_a_server_that_is_down_is_told() -> None:
    async with smtp_sink() as sink:
        pass

    status, _ = await reset_and_mail(sink)

    assert status == "BAD_SMTP_CONFIG"
