"""Terms of service."""

from parsec.data.topics import Topic
from parsec.protocol.statuses import Ok
from parsec.protocol.tos import TosAccept, TosAcceptReply, TosGet, TosGetOk, TosGetReply
from parsec.server.rules import tos as rules
from parsec.server.service.context import AuthenticatedContext
from parsec.server.store import user


async def tos_get(
    context: AuthenticatedContext,
    request: TosGet,  # noqa: ARG001
) -> TosGetReply:
    async with context.reading() as (_, author):
        tos = rules.current_tos(author.organization)
    return TosGetOk(per_locale_urls=tos.per_locale_urls, updated_on=tos.updated_on)


async def tos_accept(context: AuthenticatedContext, request: TosAccept) -> TosAcceptReply:
    # The terms do not change between the look at them and the consent.
    async with context.writing(share=[Topic.COMMON]) as (transaction, author):
        rules.check_accepted(request, author.organization)
        await user.accept_tos(
            transaction, context.organization_id, author.user.user_id, on=context.now
        )
    return Ok()
