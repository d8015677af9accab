"""Fetching certificates."""

from parsec.data.people import UserProfile
from parsec.protocol.certificate import CertificateGet, CertificateGetOk, CertificateGetReply
from parsec.server.service.context import AuthenticatedContext
from parsec.server.store import certificate


async def certificate_get(
    context: AuthenticatedContext, request: CertificateGet
) -> CertificateGetReply:
    """What is newer than what the client has, in each topic that its user may see."""
    organization_id = context.organization_id
    async with context.reading() as (transaction, author):
        if author.user.profile is UserProfile.OUTSIDER:
            common_certificates = certificate.redacted_common_certificates
        else:
            common_certificates = certificate.common_certificates
        return CertificateGetOk(
            common_certificates=await common_certificates(
                transaction, organization_id, after=request.common_after
            ),
            sequester_certificates=await certificate.sequester_certificates(
                transaction, organization_id, after=request.sequester_after
            ),
            shamir_recovery_certificates=await certificate.shamir_certificates(
                transaction,
                organization_id,
                author.user.user_id,
                after=request.shamir_recovery_after,
            ),
            # There are no realms yet.
            realm_certificates={},
        )
