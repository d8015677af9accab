"""How mails leave: to an SMTP server, or into a folder."""

import asyncio
import datetime as dt
import email.policy
import email.utils
import enum
import os
import unicodedata
from collections.abc import Sequence
from email.headerregistry import Address
from email.message import EmailMessage
from pathlib import Path
from typing import Protocol

import msgspec
import structlog

from parsec.data.instant import Instant
from parsec.data.people import EmailAddress, HumanHandle
from parsec.server.settings import SmtpServer

# For the whole conversation, in which a server may also answer word by word.
_TIMEOUT_SECONDS = 20

# Not every server on the way takes eight bits.
_POLICY = email.policy.SMTP.clone(cte_type="7bit")

_log = structlog.get_logger()


class Outcome(enum.Enum):
    """What became of a mail (server-core.md 17.1)."""

    SENT = enum.auto()
    RECIPIENT_REFUSED = enum.auto()
    SERVER_UNAVAILABLE = enum.auto()
    BAD_SMTP_CONFIG = enum.auto()


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """A mail, in both versions of its text."""

    sender: EmailAddress
    to: EmailAddress
    reply_to: HumanHandle | None
    subject: str
    text: str
    html: str
    date: Instant
    message_id: str

    def __repr__(self) -> str:
        """Without the texts, in which there are links with tokens."""
        return f"Envelope(to={self.to!r}, subject={self.subject!r})"


class Mailer(Protocol):
    """A way out."""

    async def send(self, envelope: Envelope, /) -> Outcome:
        """Never raises."""


class FolderMailer:
    """Collects mails as files, for the operator to read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def send(self, envelope: Envelope, /) -> Outcome:
        """Write a file that only we can read: mails hold tokens."""
        message = mime_message(envelope)
        if message is None:
            return Outcome.RECIPIENT_REFUSED
        name = f"{int(envelope.date)}-{envelope.message_id[1:9]}.eml"
        try:
            await asyncio.to_thread(_write, self._folder / name, bytes(message))
        except OSError as error:
            _log.error("mail not written", folder=str(self._folder), error=str(error))
            return Outcome.BAD_SMTP_CONFIG
        _log.info("mail written", folder=str(self._folder), file=name)
        return Outcome.SENT


class SmtpMailer:
    """Hands mails over to a server, one connection each."""

    def __init__(self, server: SmtpServer, *, timeout: float = _TIMEOUT_SECONDS) -> None:
        """`timeout` is in seconds, from the look-up of the host to the end."""
        self._server = server
        self._timeout = timeout

    async def send(self, envelope: Envelope, /) -> Outcome:
        """Neither retries nor queues: the caller is told at once."""
        # Imported at the first mail, as the templates.
        import aiosmtplib

        message = mime_message(envelope)
        if message is None:
            return Outcome.RECIPIENT_REFUSED
        server = self._server
        has_login = server.user is not None and server.password is not None
        try:
            async with asyncio.timeout(self._timeout):
                await aiosmtplib.send(
                    message,
                    sender=envelope.sender,
                    recipients=[envelope.to],
                    hostname=server.host,
                    port=server.port,
                    username=server.user if has_login else None,
                    password=server.password.reveal() if has_login and server.password else None,
                    use_tls=server.use_tls,
                    start_tls=server.start_tls and not server.use_tls,
                    timeout=self._timeout,
                )
        except aiosmtplib.SMTPRecipientsRefused as refused:
            outcome = _refusal([one.code for one in refused.recipients])
        except aiosmtplib.SMTPConnectResponseError:
            outcome = Outcome.SERVER_UNAVAILABLE
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            # The text of the failure stays out of the log: servers repeat what they were sent.
            _log.error("mail not sent", host=server.host, error=type(error).__name__)
            return Outcome.BAD_SMTP_CONFIG
        else:
            outcome = Outcome.SENT
        _log.info("mail", host=server.host, outcome=outcome.name)
        return outcome


def _refusal(codes: Sequence[int]) -> Outcome:
    """What it means that a server does not take a recipient."""
    # 4xx: not now, as servers that want a second attempt tell everybody (RFC 5321, 4.2.1). The
    # address may be all right.
    if all(400 <= code < 500 for code in codes):
        return Outcome.SERVER_UNAVAILABLE
    return Outcome.RECIPIENT_REFUSED


def mime_message(envelope: Envelope) -> EmailMessage | None:
    """The mail as it travels; None for a recipient whose address no mail server can take.

    Nor one that would arrive as another one: some of the exotic ones do not survive their folding.
    """
    to = envelope.to
    # Addresses may hold folded lines and quoted spaces, which must not reach an SMTP dialogue, and
    # what the library takes for encoded words (see `header_text`).
    if not to.isprintable() or " " in to or "=?" in to:
        return None
    message = EmailMessage(policy=_POLICY)
    message["Subject"] = header_text(envelope.subject)
    message["From"] = envelope.sender
    if not _arrives(to):
        return None
    message["To"] = to
    if envelope.reply_to is not None:
        _set_reply_to(message, envelope.reply_to)
    message["Date"] = _date(envelope.date)
    message["Message-ID"] = envelope.message_id
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(envelope.text)
    message.add_alternative(envelope.html, subtype="html")
    return message


def _arrives(to: EmailAddress) -> bool:
    """Whether who reads a mail finds the address that was written."""
    message = EmailMessage(policy=_POLICY)
    try:
        message["To"] = to
        found = str(email.message_from_bytes(bytes(message), policy=_POLICY)["To"])
    except (ValueError, IndexError, email.errors.MessageError):
        # The library gives up on some of them in its own ways.
        return False
    return found == to


def one_line(text: str) -> str:
    """What a person is called, without what could begin a new line or turn the text around."""
    return "".join(
        " " if unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp") else character
        for character in text
    )


def header_text(text: str) -> str:
    """What a header may hold: one line, in which nothing is encoded but by us.

    The library decodes encoded words (RFC 2047) in what it is given, and writes what comes out of
    them as it is: line ends, and with them other headers.
    """
    return one_line(text).replace("=?", "= ?")


def _set_reply_to(message: EmailMessage, person: HumanHandle) -> None:
    try:
        message["Reply-To"] = Address(
            display_name=header_text(person.label), addr_spec=person.email
        )
    except (ValueError, IndexError, email.errors.MessageError):
        # Of the more exotic addresses and names; the mail is good without.
        return


def _date(date: Instant) -> str:
    moment = dt.datetime.fromtimestamp(date.seconds, dt.UTC)
    return email.utils.format_datetime(moment)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
