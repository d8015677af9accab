"""Fetching certificates."""

from parsec.data.people import UserProfile
from parsec.protocol.certificate import CertificateGet, CertificateGetOk, CertificateGetReply
from parsec.server.service.context import AuthenticatedContext
from parsec.server.store import certificate


async def certificate_get(
    context: AuthenticatedContext, request: CertificateGet
) -> CertificateGetReply:
    """What is newer than what the client has, in each topic that its user may see."""
    async with context.reading(single=True) as (transaction, author):
        news = await certificate.news(
            transaction,
            context.organization_id,
            author.user.user_id,
            redacted=author.user.profile is UserProfile.OUTSIDER,
            common_after=request.common_after,
            sequester_after=request.sequester_after,
            shamir_after=request.shamir_recovery_after,
        )
    return CertificateGetOk(
        common_certificates=news.common,
        sequester_certificates=news.sequester,
        shamir_recovery_certificates=news.shamir,
        # There are no realms yet.
        realm_certificates={},
    )
