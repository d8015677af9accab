"""Invitations: loading and writing them."""

from functools import lru_cache
from typing import Any

from parsec.data.address import InvitationType
from parsec.data.ids import AccessToken, UserID
from parsec.data.instant import Instant
from parsec.data.people import EmailAddress, OrganizationID
from parsec.protocol.invite import InvitationStatus
from parsec.server.records import InvitationRecord
from parsec.server.store.engine import Row, Transaction
from parsec.server.store.stored import stored_human_handle, stored_text

# In the order in which `invitation_record` reads them.
INVITATION_COLUMNS = """
    invitation.token, invitation.type, invitation.created_on, invitation.created_by,
    creator.email, creator.label, invitation.status, invitation.claimer_email,
    invitation.claimer_user_id, claimer.email, claimer.label, claimer.revoked_on,
    invitation.setup_created_on, shamir_setup.deleted_on"""

INVITATION_JOINS = """
LEFT JOIN "user" AS creator
    ON creator.organization_id = invitation.organization_id
    AND creator.user_id = invitation.created_by
LEFT JOIN "user" AS claimer
    ON claimer.organization_id = invitation.organization_id
    AND claimer.user_id = invitation.claimer_user_id
LEFT JOIN shamir_setup
    ON shamir_setup.organization_id = invitation.organization_id
    AND shamir_setup.user_id = invitation.claimer_user_id
    AND shamir_setup.created_on = invitation.setup_created_on"""

INVITATION = f"""
SELECT
    {INVITATION_COLUMNS}
FROM invitation
{INVITATION_JOINS}
WHERE invitation.organization_id = :organization_id AND invitation.token = :token"""  # noqa: S608  (of constants)

# Each part of the inner query has an index of its own, and gives whole rows: PostgreSQL, as long as
# it has no statistics, would look for a token among all invitations of the organization.
VISIBLE = f"""
SELECT
    {INVITATION_COLUMNS}
FROM (
    SELECT * FROM invitation
    WHERE organization_id = :organization_id AND type = 'USER' AND :with_users = 1
    UNION ALL
    SELECT * FROM invitation
    WHERE organization_id = :organization_id AND type = 'DEVICE' AND claimer_user_id = :user_id
    UNION ALL
    SELECT invitation.*
    FROM shamir_share
    JOIN invitation
        ON invitation.organization_id = shamir_share.organization_id
        AND invitation.claimer_user_id = shamir_share.user_id
        AND invitation.setup_created_on = shamir_share.created_on
    WHERE shamir_share.organization_id = :organization_id
        AND shamir_share.recipient_id = :user_id
) AS invitation
{INVITATION_JOINS}
ORDER BY invitation.created_on, invitation.token"""  # noqa: S608  (of constants)

PENDING_USER = """
SELECT token FROM invitation
WHERE organization_id = :organization_id AND claimer_email = :claimer_email
    AND status = 'PENDING' AND type = 'USER'"""

PENDING_DEVICE = """
SELECT token FROM invitation
WHERE organization_id = :organization_id AND claimer_user_id = :claimer_user_id
    AND status = 'PENDING' AND type = 'DEVICE'"""

PENDING_SHAMIR = """
SELECT token FROM invitation
WHERE organization_id = :organization_id AND claimer_user_id = :claimer_user_id
    AND setup_created_on = :setup_created_on
    AND status = 'PENDING' AND type = 'SHAMIR_RECOVERY'"""

ADD = """
INSERT INTO invitation (
    organization_id, token, type, created_on, created_by, claimer_email, claimer_user_id,
    setup_created_on, status
) VALUES (
    :organization_id, :token, :type, :created_on, :created_by, :claimer_email, :claimer_user_id,
    :setup_created_on, :status
)"""

END = """
UPDATE invitation SET status = :status, ended_on = :ended_on
WHERE organization_id = :organization_id AND token = :token"""


async def invitation(
    transaction: Transaction, organization_id: OrganizationID, token: AccessToken
) -> InvitationRecord | None:
    """The invitation that has that token."""
    rows = await transaction.rows(INVITATION, organization_id=organization_id, token=token)
    return invitation_record(rows[0]) if rows else None


async def visible_invitations(
    transaction: Transaction,
    organization_id: OrganizationID,
    user_id: UserID,
    *,
    with_users: bool,
) -> list[InvitationRecord]:
    """The user's devices, the recoveries of which he is a recipient, and on demand new users."""
    rows = await transaction.rows(
        VISIBLE, organization_id=organization_id, user_id=user_id, with_users=int(with_users)
    )
    return [invitation_record(row) for row in rows]


async def pending_user_invitation(
    transaction: Transaction, organization_id: OrganizationID, claimer_email: EmailAddress
) -> InvitationRecord | None:
    """The invitation of that address that nobody has ended."""
    rows = await transaction.rows(
        PENDING_USER, organization_id=organization_id, claimer_email=claimer_email
    )
    return await invitation(transaction, organization_id, rows[0][0]) if rows else None


async def pending_device_invitation(
    transaction: Transaction, organization_id: OrganizationID, claimer: UserID
) -> InvitationRecord | None:
    """The invitation of a device of that user that nobody has ended."""
    rows = await transaction.rows(
        PENDING_DEVICE, organization_id=organization_id, claimer_user_id=claimer
    )
    return await invitation(transaction, organization_id, rows[0][0]) if rows else None


async def pending_shamir_invitation(
    transaction: Transaction,
    organization_id: OrganizationID,
    claimer: UserID,
    setup_created_on: Instant,
) -> InvitationRecord | None:
    """The invitation to recover with that set-up that nobody has ended."""
    rows = await transaction.rows(
        PENDING_SHAMIR,
        organization_id=organization_id,
        claimer_user_id=claimer,
        setup_created_on=setup_created_on,
    )
    return await invitation(transaction, organization_id, rows[0][0]) if rows else None


async def add_invitation(
    transaction: Transaction, organization_id: OrganizationID, record: InvitationRecord
) -> None:
    """Write a new invitation."""
    await transaction.rows(
        ADD,
        organization_id=organization_id,
        token=record.token,
        type=record.type,
        created_on=record.created_on,
        created_by=record.created_by_user_id,
        claimer_email=record.claimer_email,
        claimer_user_id=record.claimer_user_id,
        setup_created_on=record.setup_created_on,
        status=record.status,
    )


async def end_invitation(
    transaction: Transaction,
    organization_id: OrganizationID,
    token: AccessToken,
    status: InvitationStatus,
    *,
    ended_on: Instant,
) -> None:
    """Write how an invitation ended."""
    await transaction.rows(
        END, organization_id=organization_id, token=token, status=status, ended_on=ended_on
    )


def invitation_record(row: Row) -> InvitationRecord:
    """Read what `INVITATION_COLUMNS` names."""
    return _record(tuple(row))


@lru_cache(maxsize=4096)  # Lists are asked for again and again.
def _record(row: tuple[Any, ...]) -> InvitationRecord:
    (
        token,
        kind,
        created_on,
        created_by,
        creator_email,
        creator_label,
        status,
        claimer_email,
        claimer_user_id,
        claimer_user_email,
        claimer_label,
        claimer_revoked_on,
        setup_created_on,
        setup_deleted_on,
    ) = row
    return InvitationRecord(
        token=AccessToken(token),
        type=InvitationType(kind),
        created_on=Instant(created_on),
        created_by_user_id=UserID(created_by),
        created_by_human_handle=stored_human_handle(creator_email, creator_label),
        status=InvitationStatus(status),
        claimer_email=(
            stored_text(EmailAddress, claimer_email) if claimer_email is not None else None
        ),
        claimer_user_id=UserID(claimer_user_id) if claimer_user_id is not None else None,
        claimer_human_handle=(
            stored_human_handle(claimer_user_email, claimer_label)
            if claimer_user_email is not None
            else None
        ),
        claimer_revoked_on=_instant(claimer_revoked_on),
        setup_created_on=_instant(setup_created_on),
        setup_deleted_on=_instant(setup_deleted_on),
    )


def _instant(value: int | None) -> Instant | None:
    return Instant(value) if value is not None else None
