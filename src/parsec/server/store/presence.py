"""Who has an open event stream at which of the processes that share a database."""

from collections.abc import Sequence

from parsec.data.ids import UserID
from parsec.data.instant import Instant
from parsec.data.people import OrganizationID
from parsec.server.records import ProcessID
from parsec.server.store.engine import Transaction

SEEN = """
UPDATE server_process SET seen_on = :seen_on WHERE process_id = :process_id
RETURNING process_id"""

ADD_PROCESS = "INSERT INTO server_process (process_id, seen_on) VALUES (:process_id, :seen_on)"

# Presences go with their process.
REMOVE_PROCESS = "DELETE FROM server_process WHERE process_id = :process_id"
REMOVE_SILENT = "DELETE FROM server_process WHERE seen_on < :since"

ADD = """
INSERT INTO presence (organization_id, user_id, process_id)
VALUES (:organization_id, :user_id, :process_id)
ON CONFLICT (organization_id, user_id, process_id) DO NOTHING"""

REMOVE = """
DELETE FROM presence
WHERE organization_id = :organization_id AND user_id = :user_id AND process_id = :process_id"""

PRESENT = """
SELECT presence.user_id FROM presence
JOIN server_process ON server_process.process_id = presence.process_id
WHERE presence.organization_id = :organization_id
    AND presence.user_id IN (:user_0, :user_1, :user_2, :user_3, :user_4, :user_5, :user_6, :user_7)
    AND server_process.seen_on >= :since"""
_AT_ONCE = 8


async def be_seen(transaction: Transaction, process_id: ProcessID, *, on: Instant) -> bool:
    """Write that a process lives; whether the others had known it before."""
    if await transaction.rows(SEEN, process_id=process_id, seen_on=on):
        return True
    await transaction.rows(ADD_PROCESS, process_id=process_id, seen_on=on)
    return False


async def remove_process(transaction: Transaction, process_id: ProcessID) -> None:
    """Forget a process, and who was present there."""
    await transaction.rows(REMOVE_PROCESS, process_id=process_id)


async def remove_silent(transaction: Transaction, *, since: Instant) -> None:
    """The same for all processes that were not seen since then."""
    await transaction.rows(REMOVE_SILENT, since=since)


async def set_presence(
    transaction: Transaction,
    process_id: ProcessID,
    organization_id: OrganizationID,
    user_id: UserID,
    *,
    is_present: bool,
) -> None:
    """Write whether a user is present at a process, which has been seen."""
    await transaction.rows(
        ADD if is_present else REMOVE,
        organization_id=organization_id,
        user_id=user_id,
        process_id=process_id,
    )


async def present(
    transaction: Transaction,
    organization_id: OrganizationID,
    user_ids: Sequence[UserID],
    *,
    since: Instant,
) -> set[UserID]:
    """Those of some users who are present at any process that was seen since then."""
    found = set()
    for start in range(0, len(user_ids), _AT_ONCE):
        some = [*user_ids[start : start + _AT_ONCE], *[None] * _AT_ONCE]
        rows = await transaction.rows(
            PRESENT,
            organization_id=organization_id,
            since=since,
            **{f"user_{number}": some[number] for number in range(_AT_ONCE)},
        )
        found |= {UserID(user_id) for (user_id,) in rows}
    return found
