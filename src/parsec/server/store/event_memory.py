"""The last events of each organization, for clients that come back (wire.md 1.8).

They are written by the transaction that publishes them, and so survive what it survives. Events
that are told anew at each poll, and those that only the server's processes need, are not.
"""

from collections.abc import Callable, Sequence

from parsec.data.people import OrganizationID
from parsec.server.records import AnyEvent, EventID, Notification
from parsec.server.store.engine import Transaction, Value
from parsec.server.store.event_bytes import UnknownEventError, dump_event, load_event

MEMORY = 1024
"""How many events of an organization a client that comes back can be told."""

_FORGET_ONE_IN = 64

# For an engine with one writer at a time, so that the numbers follow the order of the commits.
REMEMBER = """
INSERT INTO remembered_event (organization_id, number, event_id, content)
VALUES (
    :organization_id,
    COALESCE(
        (
            SELECT number FROM remembered_event WHERE organization_id = :organization_id
            ORDER BY number DESC LIMIT 1
        ),
        0
    ) + 1,
    :event_id,
    :content
)"""

FORGET = """
DELETE FROM remembered_event
WHERE organization_id = :organization_id AND number <= (
    SELECT number FROM remembered_event WHERE organization_id = :organization_id
    ORDER BY number DESC LIMIT 1 OFFSET :kept
)"""

SINCE = """
SELECT content FROM remembered_event
WHERE organization_id = :organization_id AND number >= (
    SELECT number FROM remembered_event
    WHERE organization_id = :organization_id AND event_id = :event_id
)
ORDER BY number
LIMIT :count"""

LAST = """
SELECT event_id FROM remembered_event WHERE organization_id = :organization_id
ORDER BY number DESC LIMIT 1"""


def is_remembered(event: AnyEvent) -> bool:
    """Whether a client that comes back may be told."""
    return isinstance(event, Notification) and not event.is_fleeting


def forgets_others(event: AnyEvent) -> bool:
    """Whether an event is one of the few after which too old ones are taken away.

    Identifiers are random: so nobody has to count, and no organization is ever far above its share.
    """
    return is_remembered(event) and event.event_id[-1] % _FORGET_ONE_IN == 0


def memory_values(event: AnyEvent) -> dict[str, Value]:
    """What `REMEMBER` is given."""
    return {
        "organization_id": event.organization_id,
        "event_id": event.event_id,
        "content": dump_event(event),
    }


def forgetting_values(event: AnyEvent) -> dict[str, Value]:
    """What `FORGET` is given."""
    return {"organization_id": event.organization_id, "kept": MEMORY}


async def events_behind(
    transaction: Transaction,
    organization_id: OrganizationID,
    event_id: EventID,
    *,
    concerning: Callable[[Notification], bool],
    most: int,
) -> Sequence[Notification] | None:
    """Those that came behind an event and concern somebody, in order.

    None if that event is not remembered, or if there are more than `most`.
    """
    rows = await transaction.rows(
        SINCE, organization_id=organization_id, event_id=event_id, count=MEMORY + 1
    )
    # Old ones are not taken away at once; nobody shall see when.
    if not rows or len(rows) > MEMORY:
        return None
    found = []
    for (content,) in rows[1:]:
        try:
            event = load_event(content)
        except UnknownEventError:
            # Of another version: who was concerned cannot be told.
            return None
        if isinstance(event, Notification) and concerning(event):
            found.append(event)
            # Reading the rest would be in vain.
            if len(found) > most:
                return None
    return found


async def last_event_id(
    transaction: Transaction, organization_id: OrganizationID
) -> EventID | None:
    """That of the last event that was remembered."""
    rows = await transaction.rows(LAST, organization_id=organization_id)
    return EventID(rows[0][0]) if rows else None
