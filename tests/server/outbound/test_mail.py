"""What the mails of the server say (server-core.md 17.1)."""

import html
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from parsec.data.address import InvitationAddr, InvitationType, ServerAddr
from parsec.data.ids import AccessToken
from parsec.data.people import EmailAddress, HumanHandle, OrganizationID
from parsec.protocol.invite import InvitationEmailSentStatus
from parsec.server.outbound.mail import WrittenMails
from parsec.server.outbound.mail_templates import MailTemplates
from parsec.server.outbound.mailer import Envelope, Outcome, header_text, mime_message, one_line
from parsec.server.settings import Language
from tests.support.server_records import NOW

ORGANIZATION = OrganizationID("Org")
TOKEN = AccessToken(bytes(range(16)))
BOB = EmailAddress("bob@example.com")
ALICE = HumanHandle(EmailAddress("alice@example.com"), "Alice & co")
SERVER = ServerAddr(hostname="parsec.example.com")


@dataclass
class Recorder:
    outcome: Outcome = Outcome.SENT
    sent: list[Envelope] = field(default_factory=list)

    async def send(self, envelope: Envelope, /) -> Outcome:
        self.sent.append(envelope)
        return self.outcome


def mails(
    recorder: Recorder, template_dir: Path | None = None, language: Language = Language.EN
) -> WrittenMails:
    return WrittenMails(
        recorder,
        sender=EmailAddress("parsec@example.com"),
        server_addr=SERVER,
        clock=lambda: NOW,
        entropy=bytes,
        templates=MailTemplates(language, template_dir),
        language=language,
    )


async def sent(
    kind: InvitationType, greeter: HumanHandle | None, language: Language = Language.EN
) -> Envelope:
    recorder = Recorder()
    await mails(recorder, language=language).send_invitation(
        kind, organization_id=ORGANIZATION, token=TOKEN, to=BOB, greeter=greeter
    )
    return recorder.sent[0]


def link(kind: InvitationType) -> str:
    address = InvitationAddr(server=SERVER, organization_id=ORGANIZATION, type=kind, token=TOKEN)
    return address.http_redirection_url


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("kind", InvitationType)
async def test_both_texts_hold_the_link_and_the_organization(
    kind: InvitationType, language: Language
) -> None:
    envelope = await sent(kind, None if kind is InvitationType.DEVICE else ALICE, language)

    assert envelope.text.count(link(kind)) == 1
    escaped = link(kind).replace("&", "&amp;")
    assert envelope.html.count(f'href="{escaped}"') == 1
    assert envelope.html.count(f">{escaped}<") == 1
    assert "Org" in envelope.text
    assert "Org" in envelope.html


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("kind", InvitationType)
async def test_a_mail_loads_nothing_and_runs_nothing(
    kind: InvitationType, language: Language
) -> None:
    envelope = await sent(kind, None if kind is InvitationType.DEVICE else ALICE, language)

    loading = ("<img", "<script", "<link", "src=", "url(", "@import")
    assert [word for word in loading if word in envelope.html] == []


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("kind", InvitationType)
async def test_no_line_of_the_text_is_long_but_the_link(
    kind: InvitationType, language: Language
) -> None:
    envelope = await sent(kind, None if kind is InvitationType.DEVICE else ALICE, language)

    lines = envelope.text.splitlines()
    assert all(len(line) <= 100 for line in lines if "://" not in line)


@pytest.mark.parametrize("kind", [InvitationType.USER, InvitationType.SHAMIR_RECOVERY])
async def test_mails_are_written_in_the_language_of_the_server(kind: InvitationType) -> None:
    envelope = await sent(kind, ALICE, Language.FR)

    assert envelope.subject == "[Parsec] Alice & co vous invite dans Org"
    assert envelope.text.startswith("Bonjour,")
    assert '<html lang="fr">' in envelope.html


@pytest.mark.parametrize(
    ("language", "words"),
    [(Language.EN, "Did you not expect this?"), (Language.FR, "Vous ne vous y attendiez pas ?")],
)
@pytest.mark.parametrize("kind", InvitationType)
async def test_both_texts_say_what_to_do_with_what_nobody_expected(
    kind: InvitationType, language: Language, words: str
) -> None:
    envelope = await sent(kind, None if kind is InvitationType.DEVICE else ALICE, language)

    assert words in envelope.text
    assert words in html.unescape(envelope.html).replace("\u00a0", " ")


@pytest.mark.parametrize("kind", [InvitationType.USER, InvitationType.SHAMIR_RECOVERY])
async def test_who_invites_is_named_and_answered(kind: InvitationType) -> None:
    envelope = await sent(kind, ALICE)

    assert envelope.subject == "[Parsec] Alice & co invited you to Org"
    assert "Alice & co" in envelope.text
    assert "Alice &amp; co" in envelope.html
    assert envelope.reply_to == ALICE


async def test_a_device_is_invited_by_nobody_else() -> None:
    envelope = await sent(InvitationType.DEVICE, None)

    assert envelope.subject == "[Parsec] New device invitation to Org"
    assert envelope.reply_to is None


async def test_a_name_cannot_break_out_of_its_line() -> None:
    envelope = await sent(InvitationType.USER, HumanHandle(ALICE.email, "Al\r\nBcc evil\u202eecil"))

    assert "\n" not in envelope.subject
    assert "Al  Bcc evil ecil" in envelope.text


def test_ordinary_names_stay_as_they_are() -> None:
    assert one_line("Zoë O'Brien 李") == "Zoë O'Brien 李"


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (Outcome.SENT, InvitationEmailSentStatus.SUCCESS),
        (Outcome.RECIPIENT_REFUSED, InvitationEmailSentStatus.RECIPIENT_REFUSED),
        (Outcome.SERVER_UNAVAILABLE, InvitationEmailSentStatus.SERVER_UNAVAILABLE),
        (Outcome.BAD_SMTP_CONFIG, InvitationEmailSentStatus.SERVER_UNAVAILABLE),
    ],
)
async def test_what_becomes_of_the_mail_is_told(
    outcome: Outcome, status: InvitationEmailSentStatus
) -> None:
    told = await mails(Recorder(outcome)).send_invitation(
        InvitationType.DEVICE, organization_id=ORGANIZATION, token=TOKEN, to=BOB
    )

    assert told is status


async def test_the_operator_may_bring_other_templates(tmp_path: Path) -> None:
    (tmp_path / "device_invitation.txt").write_text("Bonjour, {{ link }}")
    (tmp_path / "device_invitation.html").write_text("<p>{{ organization }}</p>")
    recorder = Recorder()

    await mails(recorder, tmp_path).send_invitation(
        InvitationType.DEVICE, organization_id=ORGANIZATION, token=TOKEN, to=BOB
    )

    assert recorder.sent[0].text == f"Bonjour, {link(InvitationType.DEVICE)}"
    assert recorder.sent[0].html == "<p>Org</p>"


async def test_a_template_that_went_away_since_the_start_is_told(tmp_path: Path) -> None:
    recorder = Recorder()

    status = await mails(recorder, tmp_path).send_invitation(
        InvitationType.DEVICE, organization_id=ORGANIZATION, token=TOKEN, to=BOB
    )

    assert status is InvitationEmailSentStatus.SERVER_UNAVAILABLE
    assert recorder.sent == []


@pytest.mark.parametrize(
    "label",
    [
        "Al\r\nBcc evil",
        "Al\r\n\r\nBody",
        "Al\n\tfolded",
        "Al\u2028X-Other 1",
        "=?utf-8?q?Al=0D=0ABcc=3A_evil=40example.com?=",
        "=?utf-8?b?QWwNCkJjYzogZXZpbEBleGFtcGxlLmNvbQ==?=",
        "x" * 254,
    ],
)
async def test_a_name_adds_no_header(label: str) -> None:
    envelope = await sent(InvitationType.USER, HumanHandle(ALICE.email, label))

    message = mime_message(envelope)

    assert message is not None
    head = bytes(message).split(b"\r\n\r\n")[0]
    names = [line.split(b":")[0] for line in head.split(b"\r\n") if not line.startswith(b" ")]
    allowed = {
        b"Subject",
        b"From",
        b"To",
        b"Reply-To",
        b"Date",
        b"Message-ID",
        b"Auto-Submitted",
        b"MIME-Version",
        b"Content-Type",
    }
    assert set(names) <= allowed
    assert len(names) == len(set(names))
    assert message["To"] == "bob@example.com"


def test_an_encoded_name_is_shown_as_it_is_written() -> None:
    assert header_text("=?utf-8?q?Al=0A?=") == "= ?utf-8?q?Al=0A?="
