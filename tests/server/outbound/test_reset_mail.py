"""What the mail about a reset of one-time codes says (server-core.md 17.1)."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from parsec.data.address import ServerAddr, TOTPResetAddr
from parsec.data.ids import AccessToken, UserID
from parsec.data.people import EmailAddress, OrganizationID
from parsec.server.outbound.mail import WrittenMails
from parsec.server.outbound.mail_templates import MailTemplates
from parsec.server.outbound.mailer import Envelope, Outcome
from parsec.server.settings import Language
from tests.support.server_records import NOW

SERVER = ServerAddr(hostname="parsec.example.com")
LINK = TOTPResetAddr(
    server=SERVER,
    organization_id=OrganizationID("Org"),
    user_id=UserID(bytes(range(16))),
    token=AccessToken(bytes(range(16, 32))),
)


@dataclass
class Recorder:
    outcome: Outcome = Outcome.SENT
    sent: list[Envelope] = field(default_factory=list)

    async def send(self, envelope: Envelope, /) -> Outcome:
        self.sent.append(envelope)
        return self.outcome


async def send(
    recorder: Recorder, template_dir: Path | None = None, language: Language = Language.EN
) -> Outcome:
    mails = WrittenMails(
        recorder,
        sender=EmailAddress("parsec@example.com"),
        server_addr=SERVER,
        clock=lambda: NOW,
        entropy=bytes,
        templates=MailTemplates(language, template_dir),
        language=language,
    )
    return await mails.send_totp_reset(
        organization_id=LINK.organization_id,
        user_id=LINK.user_id,
        token=LINK.token,
        to=EmailAddress("bob@example.com"),
    )


@pytest.fixture
async def envelope() -> Envelope:
    recorder = Recorder()
    await send(recorder)
    return recorder.sent[0]


async def test_it_goes_to_the_user_and_expects_no_answer(envelope: Envelope) -> None:
    assert envelope.to == "bob@example.com"
    assert envelope.reply_to is None
    assert envelope.subject == "[Parsec] Your MFA has been reset for Org"


async def test_both_texts_hold_the_link_and_the_organization(envelope: Envelope) -> None:
    url = LINK.http_redirection_url

    assert url in envelope.text
    assert f'href="{url.replace("&", "&amp;")}"' in envelope.html
    assert "Org" in envelope.text
    assert "Org" in envelope.html


async def test_both_texts_say_what_to_do_when_nobody_asked_for_it(envelope: Envelope) -> None:
    for text in (envelope.text, envelope.html):
        assert "tell the administrators" in text


async def test_no_line_of_the_text_is_long_but_the_link(envelope: Envelope) -> None:
    lines = envelope.text.splitlines()

    assert all(len(line) <= 100 for line in lines if "://" not in line)


async def test_it_is_written_in_the_language_of_the_server() -> None:
    recorder = Recorder()

    await send(recorder, language=Language.FR)

    envelope = recorder.sent[0]
    assert envelope.subject == "[Parsec] Vos codes MFA ont été réinitialisés pour Org"
    assert envelope.text.startswith("Bonjour,")
    assert "prévenez les administrateurs" in envelope.text
    assert '<html lang="fr">' in envelope.html


@pytest.mark.parametrize("outcome", Outcome)
async def test_what_becomes_of_the_mail_is_told(outcome: Outcome) -> None:
    assert await send(Recorder(outcome)) is outcome


async def test_a_template_of_the_operator_that_is_missing_is_told(tmp_path: Path) -> None:
    recorder = Recorder()

    assert await send(recorder, tmp_path) is Outcome.BAD_SMTP_CONFIG
    assert recorder.sent == []


async def test_the_operator_may_bring_another_template(tmp_path: Path) -> None:
    (tmp_path / "totp_reset.txt").write_text("Bonjour, {{ link }}")
    (tmp_path / "totp_reset.html").write_text("<p>{{ organization }}</p>")
    recorder = Recorder()

    await send(recorder, tmp_path)

    assert recorder.sent[0].text == f"Bonjour, {LINK.http_redirection_url}"
    assert recorder.sent[0].html == "<p>Org</p>"
