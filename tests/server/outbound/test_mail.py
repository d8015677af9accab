"""What the mails of the server say (server-core.md 17.1)."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from parsec.data.address import InvitationAddr, InvitationType, ServerAddr
from parsec.data.ids import AccessToken
from parsec.data.people import EmailAddress, HumanHandle, OrganizationID
from parsec.protocol.invite import InvitationEmailSentStatus
from parsec.server.outbound.mail import WrittenMails, one_line
from parsec.server.outbound.mailer import Envelope, Outcome
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


def mails(recorder: Recorder, template_dir: Path | None = None) -> WrittenMails:
    return WrittenMails(
        recorder,
        sender=EmailAddress("parsec@example.com"),
        server_addr=SERVER,
        clock=lambda: NOW,
        entropy=bytes,
        template_dir=template_dir,
    )


async def sent(kind: InvitationType, greeter: HumanHandle | None) -> Envelope:
    recorder = Recorder()
    await mails(recorder).send_invitation(
        kind, organization_id=ORGANIZATION, token=TOKEN, to=BOB, greeter=greeter
    )
    return recorder.sent[0]


def link(kind: InvitationType) -> str:
    address = InvitationAddr(server=SERVER, organization_id=ORGANIZATION, type=kind, token=TOKEN)
    return address.http_redirection_url


@pytest.mark.parametrize("kind", InvitationType)
async def test_both_texts_hold_the_link_and_the_organization(kind: InvitationType) -> None:
    envelope = await sent(kind, None if kind is InvitationType.DEVICE else ALICE)

    assert link(kind) in envelope.text
    assert link(kind).replace("&", "&amp;") in envelope.html
    assert "Org" in envelope.text
    assert "Org" in envelope.html


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
