"""The mails that the server sends: to whom they go and what they say."""

import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import structlog

from parsec.crypto.entropy import Entropy
from parsec.data.address import InvitationAddr, InvitationType, ServerAddr, TOTPResetAddr
from parsec.data.ids import AccessToken, UserID
from parsec.data.instant import Instant
from parsec.data.people import EmailAddress, HumanHandle, OrganizationID
from parsec.protocol.invite import InvitationEmailSentStatus
from parsec.server.outbound.mailer import Envelope, Mailer, Outcome

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = {
    InvitationType.USER: "user_invitation",
    InvitationType.DEVICE: "device_invitation",
    InvitationType.SHAMIR_RECOVERY: "shamir_recovery_invitation",
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
        template_dir: Path | None = None,
    ) -> None:
        """`template_dir` replaces the templates of the package, all of them."""
        self._mailer = mailer
        self._sender = sender
        self._server_addr = server_addr
        self._clock = clock
        self._entropy = entropy
        self._template_dir = template_dir
        self._environment: Environment | None = None

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
        envelope = self._envelope(
            _TEMPLATES[kind],
            subject=_invitation_subject(organization_id, greeter),
            to=to,
            reply_to=greeter,
            organization=organization_id,
            greeter=one_line(greeter.label) if greeter else None,
            link=address.http_redirection_url,
        )
        match await self._mailer.send(envelope):
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
        # As the environment of the templates, at the first mail.
        from jinja2 import TemplateError

        try:
            envelope = self._envelope(
                "totp_reset",
                subject=f"[Parsec] Your MFA has been reset for {organization_id}",
                to=to,
                reply_to=None,
                organization=organization_id,
                link=address.http_redirection_url,
            )
        except TemplateError as error:
            # An operator's own templates may lack this one. The reset is done, and has to be told.
            _log.error("mail not written", template="totp_reset", error=type(error).__name__)
            return Outcome.BAD_SMTP_CONFIG
        return await self._mailer.send(envelope)

    def _envelope(
        self,
        template: str,
        *,
        subject: str,
        to: EmailAddress,
        reply_to: HumanHandle | None,
        **values: str | None,
    ) -> Envelope:
        return Envelope(
            sender=self._sender,
            to=to,
            reply_to=reply_to,
            subject=subject,
            text=self._render(f"{template}.txt", values),
            html=self._render(f"{template}.html", values),
            date=self._clock(),
            message_id=f"<{self._entropy(16).hex()}@{self._server_addr.hostname}>",
        )

    def _render(self, name: str, values: dict[str, str | None]) -> str:
        if self._environment is None:
            self._environment = _environment(self._template_dir)
        return self._environment.get_template(name).render(values)


def one_line(text: str) -> str:
    """What a person is called, without what could begin a new line or turn the text around."""
    return "".join(
        " " if unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp") else character
        for character in text
    )


def _invitation_subject(organization_id: OrganizationID, greeter: HumanHandle | None) -> str:
    if greeter is None:
        return f"[Parsec] New device invitation to {organization_id}"
    return f"[Parsec] {one_line(greeter.label)} invited you to {organization_id}"


def _environment(template_dir: Path | None) -> "Environment":
    # Imported at the first mail: most runs of the program send none.
    from jinja2 import (
        Environment,
        FileSystemLoader,
        PackageLoader,
        StrictUndefined,
        select_autoescape,
    )

    loader = (
        FileSystemLoader(template_dir)
        if template_dir is not None
        else PackageLoader("parsec.server.outbound")
    )
    return Environment(
        loader=loader,
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
