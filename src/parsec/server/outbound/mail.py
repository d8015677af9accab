"""The mails that the server sends: to whom they go and what they say."""

from collections.abc import Callable, Mapping
from typing import Protocol

import structlog

from parsec.crypto.entropy import Entropy
from parsec.data.address import InvitationAddr, InvitationType, ServerAddr, TOTPResetAddr
from parsec.data.ids import AccessToken, UserID
from parsec.data.instant import Instant
from parsec.data.people import EmailAddress, HumanHandle, OrganizationID
from parsec.protocol.invite import InvitationEmailSentStatus
from parsec.server.outbound.mail_templates import TOTP_RESET, MailTemplates, TemplateFailure
from parsec.server.outbound.mailer import Envelope, Mailer, Outcome, one_line
from parsec.server.settings import Language

_TEMPLATES = {
    InvitationType.USER: "user_invitation",
    InvitationType.DEVICE: "device_invitation",
    InvitationType.SHAMIR_RECOVERY: "shamir_recovery_invitation",
}

_INVITED_BY = {
    Language.EN: "[Parsec] {greeter} invited you to {organization}",
    Language.FR: "[Parsec] {greeter} vous invite dans {organization}",
}
_NEW_DEVICE = {
    Language.EN: "[Parsec] New device invitation to {organization}",
    Language.FR: "[Parsec] Un nouvel appareil pour {organization}",
}
_TOTP_RESET = {
    Language.EN: "[Parsec] Your MFA has been reset for {organization}",
    Language.FR: "[Parsec] Vos codes MFA ont été réinitialisés pour {organization}",
}

_log = structlog.get_logger()


class Mails(Protocol):
    """All mails of the server, each behind one function; send them outside of transactions."""

    async def send_invitation(
        self,
        kind: InvitationType,
        *,
        organization_id: OrganizationID,
        token: AccessToken,
        to: EmailAddress,
        greeter: HumanHandle | None = None,
    ) -> InvitationEmailSentStatus:
        """Send the link of an invitation.

        `greeter` is who invites (not for DEVICE, where it is the claimer): named in the text,
        and the one whom an answer reaches. Never raises: what fails is the status.
        """

    async def send_totp_reset(
        self,
        *,
        organization_id: OrganizationID,
        user_id: UserID,
        token: AccessToken,
        to: EmailAddress,
    ) -> Outcome:
        """Send the link with which a user sets up one-time codes anew. Never raises."""


class WrittenMails:
    """Mails written from templates, each as plain text and as HTML."""

    def __init__(
        self,
        mailer: Mailer,
        *,
        sender: EmailAddress,
        server_addr: ServerAddr,
        clock: Callable[[], Instant],
        entropy: Entropy,
        templates: MailTemplates,
        language: Language = Language.EN,
    ) -> None:
        """`language` is that of the subjects."""
        self._mailer = mailer
        self._sender = sender
        self._server_addr = server_addr
        self._clock = clock
        self._entropy = entropy
        self._templates = templates
        self._language = language

    async def send_invitation(
        self,
        kind: InvitationType,
        *,
        organization_id: OrganizationID,
        token: AccessToken,
        to: EmailAddress,
        greeter: HumanHandle | None = None,
    ) -> InvitationEmailSentStatus:
        """Send the link of an invitation."""
        address = InvitationAddr(
            server=self._server_addr, organization_id=organization_id, type=kind, token=token
        )
        outcome = await self._send(
            _TEMPLATES[kind],
            _NEW_DEVICE if greeter is None else _INVITED_BY,
            to=to,
            organization_id=organization_id,
            greeter=greeter,
            link=address.http_redirection_url,
        )
        match outcome:
            case Outcome.SENT:
                return InvitationEmailSentStatus.SUCCESS
            case Outcome.RECIPIENT_REFUSED:
                return InvitationEmailSentStatus.RECIPIENT_REFUSED
            case Outcome.SERVER_UNAVAILABLE | Outcome.BAD_SMTP_CONFIG:
                return InvitationEmailSentStatus.SERVER_UNAVAILABLE

    async def send_totp_reset(
        self,
        *,
        organization_id: OrganizationID,
        user_id: UserID,
        token: AccessToken,
        to: EmailAddress,
    ) -> Outcome:
        """Send the link with which a user sets up one-time codes anew."""
        address = TOTPResetAddr(
            server=self._server_addr, organization_id=organization_id, user_id=user_id, token=token
        )
        return await self._send(
            TOTP_RESET,
            _TOTP_RESET,
            to=to,
            organization_id=organization_id,
            greeter=None,
            link=address.http_redirection_url,
        )

    async def _send(
        self,
        template: str,
        subjects: Mapping[Language, str],
        *,
        to: EmailAddress,
        organization_id: OrganizationID,
        greeter: HumanHandle | None,
        link: str,
    ) -> Outcome:
        values = {"organization": str(organization_id)}
        if greeter is not None:
            values["greeter"] = one_line(greeter.label)
        try:
            texts = self._templates.texts(template, {**values, "link": link})
        except TemplateFailure as failure:
            # They were tried at the start, but an operator may have changed them since. What the
            # mail tells of is done; the link stays out of the log.
            cause = type(failure.__cause__).__name__
            _log.error("mail not written", template=template, error=cause)
            return Outcome.BAD_SMTP_CONFIG
        envelope = Envelope(
            sender=self._sender,
            to=to,
            reply_to=greeter,
            subject=subjects[self._language].format(**values),
            text=texts.plain,
            html=texts.html,
            date=self._clock(),
            message_id=f"<{self._entropy(16).hex()}@{self._server_addr.hostname}>",
        )
        return await self._mailer.send(envelope)
