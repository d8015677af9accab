"""How mails leave, and what becomes of them (server-core.md 17.1)."""

import asyncio
import email
import email.policy
import stat
from collections.abc import Awaitable, Callable
from email.message import EmailMessage
from pathlib import Path
from typing import TypeAlias

import msgspec
import pytest

from parsec.data.instant import Instant
from parsec.data.people import EmailAddress, HumanHandle
from parsec.server.outbound.mailer import (
    Envelope,
    FolderMailer,
    Outcome,
    SmtpMailer,
    mime_message,
)
from parsec.server.settings import Secret, SmtpServer
from tests.support.smtp_server import SmtpRecorder, serving, smtp_server

Talk: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

ENVELOPE = Envelope(
    sender=EmailAddress("parsec@example.com"),
    to=EmailAddress("bob@example.com"),
    reply_to=HumanHandle(EmailAddress("alice@example.com"), "Alicé"),
    subject="[Parsec] Alicé invited you",
    text="Plain é\n",
    html="<p>Rich é</p>\n",
    date=Instant.parse("2026-01-02T03:04:05Z"),
    message_id="<00ff@example.com>",
)


def to(address: str) -> Envelope:
    return msgspec.structs.replace(ENVELOPE, to=EmailAddress(address))


def read(raw: bytes) -> EmailMessage:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def mailer(server: SmtpRecorder, **more: object) -> SmtpMailer:
    values: dict[str, object] = {"host": "127.0.0.1", "port": server.port}
    return SmtpMailer(SmtpServer(**values | more))  # type: ignore[arg-type]


def test_a_mail_has_both_versions_of_its_text() -> None:
    message = mime_message(ENVELOPE)
    assert message is not None

    parsed = read(bytes(message))

    assert parsed.get_content_type() == "multipart/alternative"
    plain, html = parsed.iter_parts()
    assert isinstance(plain, EmailMessage)
    assert isinstance(html, EmailMessage)
    assert (plain.get_content_type(), plain.get_content().strip()) == ("text/plain", "Plain é")
    assert (html.get_content_type(), html.get_content().strip()) == ("text/html", "<p>Rich é</p>")


def test_a_mail_does_not_show_the_link_in_it() -> None:
    mail = msgspec.structs.replace(to("bob@example.com"), text="t0k3n", html="t0k3n")

    assert "t0k3n" not in repr(mail)


def test_the_head_of_a_mail_is_ascii_on_its_way() -> None:
    raw = bytes(mime_message(ENVELOPE) or b"")

    parsed = read(raw)

    assert raw.isascii()
    assert parsed["Subject"] == "[Parsec] Alicé invited you"
    assert parsed["Reply-To"] == "Alicé <alice@example.com>"
    assert parsed["Date"] == "Fri, 02 Jan 2026 03:04:05 +0000"


@pytest.mark.parametrize(
    "address",
    [
        '"a b"@example.com',
        '"a\r\n b"@example.com',
        "=?utf-8?q?a=0D=0ABcc=3A_e?=@example.com",
        '"=?utf-8?q?a=0D=0ABcc=3A_e?="@example.com',
        "%@[1](\\))",
        f"%-{'a' * 70}@(x)[1](\\))",
    ],
)
async def test_an_address_that_could_break_the_dialogue_is_refused(
    tmp_path: Path, address: str
) -> None:
    assert await FolderMailer(tmp_path).send(to(address)) is Outcome.RECIPIENT_REFUSED


def test_an_answer_to_an_address_that_is_no_header_is_left_out() -> None:
    odd = HumanHandle(EmailAddress("=?utf-8?q?a=0D=0ABcc=3A_e?=@example.com"), "Alice")

    message = mime_message(msgspec.structs.replace(ENVELOPE, reply_to=odd))

    assert message is not None
    assert message["Reply-To"] is None
    assert b"Bcc" not in bytes(message)


async def test_a_folder_collects_mails_that_only_we_can_read(tmp_path: Path) -> None:
    folder = tmp_path / "mails"

    outcome = await FolderMailer(folder).send(ENVELOPE)

    (file,) = list(folder.iterdir())
    assert outcome is Outcome.SENT
    assert read(file.read_bytes())["To"] == "bob@example.com"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


async def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no folder")

    assert await FolderMailer(blocked).send(ENVELOPE) is Outcome.BAD_SMTP_CONFIG


async def test_a_server_takes_a_mail() -> None:
    async with smtp_server() as server:
        outcome = await mailer(server).send(ENVELOPE)

    assert outcome is Outcome.SENT
    assert "RCPT TO:<bob@example.com>" in server.commands
    assert read(server.messages[0])["Subject"] == "[Parsec] Alicé invited you"
    assert not any(line.startswith("AUTH") for line in server.commands)


async def test_with_user_and_password_we_log_in() -> None:
    async with smtp_server() as server:
        await mailer(server, user="me", password=Secret("s3cr3t")).send(ENVELOPE)

    assert any(line.startswith("AUTH") for line in server.commands)


@pytest.mark.parametrize(
    ("answers", "greeting", "outcome"),
    [
        ({"RCPT": "550 nobody here"}, "220 ready", Outcome.RECIPIENT_REFUSED),
        ({"RCPT": "552 full"}, "220 ready", Outcome.RECIPIENT_REFUSED),
        ({"RCPT": "450 busy"}, "220 ready", Outcome.SERVER_UNAVAILABLE),
        ({"RCPT": "451 come again"}, "220 ready", Outcome.SERVER_UNAVAILABLE),
        ({}, "554 not you", Outcome.SERVER_UNAVAILABLE),
        ({}, "421 too busy", Outcome.SERVER_UNAVAILABLE),
        ({"MAIL": "550 not from you"}, "220 ready", Outcome.BAD_SMTP_CONFIG),
        ({"MAIL": "451 later"}, "220 ready", Outcome.BAD_SMTP_CONFIG),
        ({"DATA": "554 no"}, "220 ready", Outcome.BAD_SMTP_CONFIG),
        ({"DATA": "451 later"}, "220 ready", Outcome.BAD_SMTP_CONFIG),
    ],
    ids=[
        "recipient",
        "mailbox-full",
        "mailbox-busy",
        "greylisted",
        "connection",
        "busy",
        "sender",
        "sender-later",
        "data",
        "data-later",
    ],
)
async def test_what_a_server_refuses_is_told(
    answers: dict[str, str], greeting: str, outcome: Outcome
) -> None:
    async with smtp_server(answers, greeting=greeting) as server:
        assert await mailer(server).send(ENVELOPE) is outcome


async def test_a_server_that_does_not_speak_tls_gets_nothing() -> None:
    async with smtp_server() as server:
        outcome = await mailer(server, start_tls=True).send(ENVELOPE)

    assert outcome is Outcome.BAD_SMTP_CONFIG
    assert not any(line.startswith("MAIL") for line in server.commands)


async def test_a_server_that_is_not_there_is_told() -> None:
    async with smtp_server() as server:
        pass

    assert await mailer(server).send(ENVELOPE) is Outcome.BAD_SMTP_CONFIG


async def say_nothing(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Take the connection, and wait until the other side ends it."""
    await reader.read()


async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def hang_up_later(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Greet, and end the connection at the first command."""
    writer.write(b"220 ready\r\n")
    await reader.readline()
    writer.close()


async def talk_without_end(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say something again and again, so that no single read takes long."""
    while True:
        writer.write(b"220-wait\r\n")
        await writer.drain()
        await asyncio.sleep(0)


@pytest.mark.parametrize("talk", [hang_up, hang_up_later])
async def test_a_server_that_hangs_up_is_told(talk: Talk) -> None:
    async with serving(talk) as port:
        assert await mailer(SmtpRecorder(port)).send(ENVELOPE) is Outcome.BAD_SMTP_CONFIG


@pytest.mark.parametrize("talk", [say_nothing, talk_without_end])
async def test_a_server_that_never_comes_to_an_end_is_given_up(talk: Talk) -> None:
    server = SmtpServer(host="127.0.0.1", port=0)
    async with serving(talk) as port:
        by = SmtpMailer(msgspec.structs.replace(server, port=port), timeout=0.05)

        assert await by.send(ENVELOPE) is Outcome.BAD_SMTP_CONFIG
