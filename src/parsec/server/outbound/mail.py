"""The mails that the server sends: what they are, and how they leave."""

from typing import Protocol

from parsec.data.address import InvitationType
from parsec.data.ids import AccessToken
from parsec.data.people import EmailAddress, HumanHandle, OrganizationID
from parsec.protocol.invite import InvitationEmailSentStatus


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
