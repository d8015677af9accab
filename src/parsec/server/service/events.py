"""The event stream: who may open it, and what its first event says."""

import contextlib
import math
from collections.abc import Iterator, Sequence

import msgspec

from parsec.protocol.events import EventsListen, EventsListenReply, OrganizationConfigEvent
from parsec.protocol.statuses import NotAvailable
from parsec.server.events import MAX_BEHIND, Subscription
from parsec.server.records import EventID, Notification, OrganizationRecord
from parsec.server.service.context import AuthenticatedContext
from parsec.server.settings import Settings
from parsec.server.store import event_memory


async def events_listen(
    context: AuthenticatedContext,  # noqa: ARG001
    request: EventsListen,  # noqa: ARG001
) -> EventsListenReply:
    """Not as a command: events come in a stream of their own."""
    return NotAvailable()


async def open_stream(
    context: AuthenticatedContext, *, last_event_id: EventID | None
) -> tuple[Subscription, OrganizationConfigEvent]:
    """Collect the events for a device, and say how its organization is configured.

    Raises Rejected, or Stopping.
    """
    async with context.reading() as (_, author):
        user_id = author.user.user_id
    engine = context.server.engine
    # What was told before is not told again, whichever process told it.
    await engine.catch_up()
    subscription = context.server.exchange.subscribe(
        context.organization_id, user_id, context.device_id
    )
    # Read again, now that nothing can happen any more without the subscription knowing of it.
    again = msgspec.structs.replace(context, author=None)
    with _closed_on_failure(subscription):
        async with again.reading() as (transaction, author):
            missed: Sequence[Notification] | None = []
            if last_event_id is not None:
                missed = await event_memory.events_behind(
                    transaction,
                    context.organization_id,
                    last_event_id,
                    concerning=subscription.concerns,
                    most=MAX_BEHIND,
                )
            last = await event_memory.last_event_id(transaction, context.organization_id)
        # What was read may not have been delivered yet: it would be told a second time.
        await engine.catch_up()
        subscription.begin(missed, last=last)
        await context.server.presence.announced()
        return subscription, configuration(author.organization, context.settings)


def configuration(organization: OrganizationRecord, settings: Settings) -> OrganizationConfigEvent:
    """What a client must know of its organization and this server."""
    minimum = organization.realm_minimum_archiving_period_before_deletion
    keepalive = settings.sse_keepalive
    return OrganizationConfigEvent(
        active_users_limit=organization.active_users_limit,
        realm_minimum_archiving_period_before_deletion=minimum,
        sse_keepalive_seconds=math.ceil(keepalive) if keepalive is not None else None,
        user_profile_outsider_allowed=organization.user_profile_outsider_allowed,
    )


@contextlib.contextmanager
def _closed_on_failure(subscription: Subscription) -> Iterator[None]:
    try:
        yield
    except BaseException:
        subscription.close()
        raise
