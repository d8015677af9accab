"""A message that comes back, in debug mode."""

from parsec.protocol import ping
from parsec.protocol.events import PingedEvent
from parsec.server.records import Notification
from parsec.server.service.context import (
    AnonymousContext,
    AnonymousServerContext,
    AuthenticatedContext,
    InvitedContext,
)


async def anonymous_server_ping(
    context: AnonymousServerContext,  # noqa: ARG001
    request: ping.AnonymousServerPing,
) -> ping.AnonymousServerPingReply:
    return ping.AnonymousServerPingOk(pong=request.ping)


async def anonymous_ping(
    context: AnonymousContext,  # noqa: ARG001
    request: ping.AnonymousPing,
) -> ping.AnonymousPingReply:
    return ping.AnonymousPingOk(pong=request.ping)


async def invited_ping(
    context: InvitedContext,  # noqa: ARG001
    request: ping.InvitedPing,
) -> ping.InvitedPingReply:
    return ping.InvitedPingOk(pong=request.ping)


async def authenticated_ping(context: AuthenticatedContext, request: ping.Ping) -> ping.PingReply:
    """Everybody in the organization is told."""
    async with context.writing() as (transaction, _):
        transaction.publish(
            Notification(
                organization_id=context.organization_id,
                event_id=context.event_id(),
                content=PingedEvent(ping=request.ping),
                recipients=None,
            )
        )
    return ping.PingOk(pong=request.ping)
