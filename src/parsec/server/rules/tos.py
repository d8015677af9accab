"""Terms of service: which ones a user may accept."""

from parsec.protocol.statuses import NoTos, TosMismatch
from parsec.protocol.tos import TosAccept
from parsec.server.records import OrganizationRecord, TermsOfService
from parsec.server.rules.refusal import Refused


def current_tos(organization: OrganizationRecord) -> TermsOfService:
    """Raises Refused where there are none."""
    if organization.tos is None:
        raise Refused(NoTos())
    return organization.tos


def check_accepted(request: TosAccept, organization: OrganizationRecord) -> None:
    """Make sure that the user read what is current, to the microsecond. Raises Refused."""
    if request.tos_updated_on != current_tos(organization).updated_on:
        raise Refused(TosMismatch())
