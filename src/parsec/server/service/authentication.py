"""From the proof that a request carries to the context of its command."""

import msgspec

from parsec.data.ids import AccessToken
from parsec.data.instant import Instant
from parsec.data.people import OrganizationID
from parsec.protocol.authentication import DeviceToken
from parsec.protocol.versions import ApiVersion
from parsec.server.rules import authentication as rules
from parsec.server.service.context import (
    AnonymousContext,
    AnonymousServerContext,
    AuthenticatedContext,
    InvitedContext,
    Server,
)
from parsec.server.store import authentication, organization


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of any request before anything is proved."""

    now: Instant
    client_address: str
    api_version: ApiVersion


def anonymous_server_context(server: Server, caller: Caller) -> AnonymousServerContext:
    """Anybody may call."""
    return AnonymousServerContext(
        server=server,
        now=caller.now,
        client_address=caller.client_address,
        api_version=caller.api_version,
    )


async def anonymous_context(
    server: Server, caller: Caller, organization_id: OrganizationID, *, may_create: bool
) -> AnonymousContext:
    """Anybody may call an organization that is there. Raises Rejected.

    Where anybody may bootstrap an organization, `may_create` lets the command decide.
    """
    found = await organization.organization(server.engine, organization_id)
    if found is not None or not (may_create and server.settings.spontaneous_organization_bootstrap):
        rules.check_organization(found)
    return AnonymousContext(
        server=server,
        now=caller.now,
        client_address=caller.client_address,
        api_version=caller.api_version,
        organization_id=organization_id,
    )


async def invited_context(
    server: Server, caller: Caller, organization_id: OrganizationID, token: AccessToken
) -> InvitedContext:
    """Whoever holds the token of an invitation may call. Raises Rejected."""
    found = await authentication.invited(server.engine, organization_id, token)
    rules.check_invited(found)
    return InvitedContext(
        server=server,
        now=caller.now,
        client_address=caller.client_address,
        api_version=caller.api_version,
        organization_id=organization_id,
        token=token,
    )


async def authenticated_context(
    server: Server,
    caller: Caller,
    organization_id: OrganizationID,
    token: DeviceToken,
    *,
    despite_tos: bool = False,
) -> AuthenticatedContext:
    """The devices of the organization's users may call. Raises Rejected."""
    found = await authentication.author(server.engine, organization_id, token.device_id)
    rules.check_token(found, token, now=caller.now)
    author = rules.check_author(found, despite_tos=despite_tos)
    return AuthenticatedContext(
        server=server,
        now=caller.now,
        client_address=caller.client_address,
        api_version=caller.api_version,
        organization_id=organization_id,
        device_id=token.device_id,
        despite_tos=despite_tos,
        author=author,
    )
