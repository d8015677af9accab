"""Target: names and addresses in the mails of the server.

Whoever is called whatever: no header more than there should be, no tag, no line.
"""

import email
import email.policy
from collections.abc import Mapping
from email.message import EmailMessage
from functools import cache

from parsec.data.address import InvitationType, ServerAddr
from parsec.data.ids import AccessToken, UserID
from parsec.data.instant import Instant
from parsec.data.people import EmailAddress, HumanHandle, OrganizationID
from parsec.server.outbound.mail import WrittenMails
from parsec.server.outbound.mail_templates import MailTemplates
from parsec.server.outbound.mailer import Envelope, Outcome, mime_message
from parsec.server.settings import Language
from tests.support.decoders.markup import shape
from tests.support.decoders.target import Form, Target, text_of


class _Recorder:
    def __init__(self) -> None:
        self.sent: list[Envelope] = []

    async def send(self, envelope: Envelope, /) -> Outcome:
        self.sent.append(envelope)
        return Outcome.SENT


@cache
def _mails(language: Language) -> tuple[_Recorder, WrittenMails]:
    recorder = _Recorder()
    mails = WrittenMails(
        recorder,
        sender=EmailAddress("parsec@example.com"),
        server_addr=ServerAddr(hostname="parsec.example.com"),
        clock=lambda: Instant(0),
        entropy=bytes,
        templates=MailTemplates(language),
        language=language,
    )
    return recorder, mails


def _envelopes(
    language: Language, to: EmailAddress, organization: OrganizationID, greeter: HumanHandle
) -> list[Envelope]:
    recorder, mails = _mails(language)
    recorder.sent.clear()
    token = AccessToken(bytes(16))
    for kind in InvitationType:
        who = None if kind is InvitationType.DEVICE else greeter
        _run(
            mails.send_invitation(
                kind, organization_id=organization, token=token, to=to, greeter=who
            )
        )
    user_id = UserID(bytes(16))
    _run(mails.send_totp_reset(organization_id=organization, user_id=user_id, token=token, to=to))
    return [*recorder.sent]


def _run(coroutine: object) -> None:
    # They wait for nothing but the recorder, so that no event loop is needed.
    try:
        coroutine.send(None)  # type: ignore[attr-defined]
    except StopIteration:
        return
    raise AssertionError("a mail waits")


@cache
def _harmless(language: Language) -> list[Envelope]:
    alice = HumanHandle(EmailAddress("alice@example.com"), "Alice")
    return _envelopes(language, EmailAddress("bob@example.com"), OrganizationID("Org"), alice)


def check_mails(data: bytes) -> None:
    """To whom, about which organization, from whom and how that one is called: a line each."""
    to, organization, greeter, label = [*text_of(data).split("\n", 3), "", "", ""][:4]
    try:
        values = (
            EmailAddress(to.replace("\v", "\n")),
            OrganizationID(organization),
            HumanHandle(EmailAddress(greeter.replace("\v", "\n")), label),
        )
    except ValueError:
        return
    for language in Language:
        plain = _harmless(language)
        for envelope, harmless in zip(_envelopes(language, *values), plain, strict=True):
            _check_envelope(envelope, harmless)


def _check_envelope(envelope: Envelope, harmless: Envelope) -> None:
    assert shape(envelope.html) == shape(harmless.html), "a name made a tag"
    assert len(envelope.text.splitlines()) == len(harmless.text.splitlines()), "or a line"
    assert len(envelope.subject.splitlines()) == 1
    message = mime_message(envelope)
    if message is None:
        return
    found = _read(bytes(message))
    expected = _read(bytes(_written(harmless)))
    allowed = {name.lower() for name, _ in expected.items()} | {"reply-to"}
    names = [name.lower() for name, _ in found.items()]
    assert len(names) == len(set(names)), "a header is given twice"
    assert set(names) <= allowed, "a header more than there should be"
    assert str(found["To"]) == envelope.to
    assert str(found["From"]) == envelope.sender
    assert [part.get_content_type() for part in found.walk()] == [
        part.get_content_type() for part in expected.walk()
    ]
    parts = {part.get_content_type(): part for part in found.iter_parts()}
    assert _lines(parts, "text/plain") == envelope.text.splitlines()
    assert _lines(parts, "text/html") == envelope.html.splitlines()


def _written(envelope: Envelope) -> EmailMessage:
    message = mime_message(envelope)
    assert message is not None
    return message


def _lines(parts: Mapping[str, object], kind: str) -> list[str]:
    part = parts[kind]
    assert isinstance(part, EmailMessage)
    return str(part.get_content()).splitlines()


def _read(content: bytes) -> EmailMessage:
    return email.message_from_bytes(content, policy=email.policy.default)


def _people() -> list[bytes]:
    return [
        b"bob@example.com\nOrg\nalice@example.com\nAlice",
        b'"b b"@example.com\nOrg-1\na(comment)@example.com\nZo\xc3\xab O\'Brien',
        b"b=?utf-8?q?=0d=0a?=@example.com\nOrg\na@b.c\n=?utf-8?q?=0d=0aBcc=3a_x?= <b>",
        b'"b\r\v c"@example.com\nOrg\n"a\r\v b"@[127.0.0.1]\nAl\r\nBcc evil',
    ]


TARGETS = (Target("mails", Form.TEXT, check_mails, _people),)
