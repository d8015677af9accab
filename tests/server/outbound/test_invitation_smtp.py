"""Invitations whose mail goes to a real mail server, or does not (server-core.md 8.2, 17.1)."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeAlias

import pytest
import trustme

from parsec.data.people import EmailAddress
from parsec.protocol import invite as wire
from parsec.protocol.invite import InvitationEmailSentStatus, InvitationStatus
from parsec.server.settings import MailSettings, Secret, SmtpServer
from tests.support.server_app import server_app
from tests.support.smtp_server import serving, smtp_server
from tests.support.smtp_sink import smtp_sink

NEW = EmailAddress("new@example.com")
SENT = InvitationEmailSentStatus.SUCCESS
REFUSED = InvitationEmailSentStatus.RECIPIENT_REFUSED
UNAVAILABLE = InvitationEmailSentStatus.SERVER_UNAVAILABLE

Place: TypeAlias = Callable[[], AbstractAsyncContextManager[SmtpServer]]


def at(port: int, **more: object) -> SmtpServer:
    return SmtpServer(host="127.0.0.1", port=port, **more)  # type: ignore[arg-type]


@contextlib.asynccontextmanager
async def good() -> AsyncIterator[SmtpServer]:
    async with smtp_sink() as sink:
        yield at(sink.port)


@contextlib.asynccontextmanager
async def refusing_the_recipient() -> AsyncIterator[SmtpServer]:
    async with smtp_sink(refused=frozenset([NEW])) as sink:
        yield at(sink.port)


@contextlib.asynccontextmanager
async def wanting_a_login() -> AsyncIterator[SmtpServer]:
    async with smtp_sink(needs_login=True) as sink:
        yield at(sink.port, user="parsec", password=Secret("wrong"))


@contextlib.asynccontextmanager
async def with_a_certificate_of_nobody() -> AsyncIterator[SmtpServer]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    async with smtp_sink(tls=context) as sink:
        yield at(sink.port, use_tls=True)


@contextlib.asynccontextmanager
async def without_the_tls_that_is_wanted() -> AsyncIterator[SmtpServer]:
    async with smtp_sink() as sink:
        yield at(sink.port, start_tls=True)


@contextlib.asynccontextmanager
async def not_there() -> AsyncIterator[SmtpServer]:
    async with smtp_sink() as sink:
        pass
    yield at(sink.port)


@contextlib.asynccontextmanager
async def of_no_name() -> AsyncIterator[SmtpServer]:
    yield SmtpServer(host="nowhere.invalid", port=25)


def scripted(answers: dict[str, str], greeting: str = "220 ready") -> Place:
    @contextlib.asynccontextmanager
    async def place() -> AsyncIterator[SmtpServer]:
        async with smtp_server(answers, greeting=greeting) as server:
            yield at(server.port)

    return place


def talking(
    talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> Place:
    @contextlib.asynccontextmanager
    async def place() -> AsyncIterator[SmtpServer]:
        async with serving(talk) as port:
            yield at(port)

    return place


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 ready\r\n")
    await reader.readline()
    writer.close()


async def say_nonsense(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await writer.drain()


@pytest.mark.parametrize(
    ("place", "status"),
    [
        pytest.param(good, SENT, id="good"),
        pytest.param(refusing_the_recipient, REFUSED, id="recipient"),
        pytest.param(scripted({"RCPT": "450 busy"}), UNAVAILABLE, id="recipient-later"),
        pytest.param(scripted({"MAIL": "550 no"}), UNAVAILABLE, id="sender"),
        pytest.param(scripted({"MAIL": "451 later"}), UNAVAILABLE, id="sender-later"),
        pytest.param(scripted({"DATA": "554 spam"}), UNAVAILABLE, id="content"),
        pytest.param(scripted({}, "554 not you"), UNAVAILABLE, id="connection"),
        pytest.param(scripted({}, "421 busy"), UNAVAILABLE, id="connection-later"),
        pytest.param(wanting_a_login, UNAVAILABLE, id="login"),
        pytest.param(with_a_certificate_of_nobody, UNAVAILABLE, id="certificate"),
        pytest.param(without_the_tls_that_is_wanted, UNAVAILABLE, id="no-tls"),
        pytest.param(not_there, UNAVAILABLE, id="not-there"),
        pytest.param(of_no_name, UNAVAILABLE, id="no-name"),
        pytest.param(talking(hang_up), UNAVAILABLE, id="hangs-up"),
        pytest.param(talking(say_nonsense), UNAVAILABLE, id="nonsense"),
    ],
)
async def test_the_author_is_told_and_the_invitation_stays(
    place: Place, status: InvitationEmailSentStatus
) -> None:
    async with place() as by:
        mail = MailSettings(sender=EmailAddress("parsec@example.com"), by=by)
        async with server_app(mail=mail) as server:
            alice = await server.bootstrap("Org")

            reply = await server.reply(
                alice, wire.InviteNewUser(claimer_email=NEW, send_email=True)
            )

            listed = await server.reply(alice, wire.InviteList())
    assert isinstance(reply, wire.InviteNewUserOk)
    assert reply.email_sent is status
    assert isinstance(listed, wire.InviteListOk)
    assert [(one.token, one.status) for one in listed.invitations] == [
        (reply.token, InvitationStatus.PENDING)
    ]
