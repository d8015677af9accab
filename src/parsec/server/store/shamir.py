"""Shared recoveries: loading and writing them."""

from parsec.crypto.keys import HashDigest
from parsec.data.ids import UserID
from parsec.data.instant import Instant
from parsec.data.people import OrganizationID
from parsec.server.records import InvitationRecord, ShamirSetupRecord, UserRecord
from parsec.server.store.engine import Row, Transaction
from parsec.server.store.user import user_record

ACTIVE_SETUP = """
SELECT user_id, created_on, threshold, reveal_token_digest, deleted_on FROM shamir_setup
WHERE organization_id = :organization_id AND user_id = :user_id AND deleted_on IS NULL"""

SETUP = """
SELECT user_id, created_on, threshold, reveal_token_digest, deleted_on FROM shamir_setup
WHERE organization_id = :organization_id AND user_id = :user_id AND created_on = :created_on"""

SHARES = """
SELECT recipient_id, shares FROM shamir_share
WHERE organization_id = :organization_id AND user_id = :user_id AND created_on = :created_on"""

RECIPIENTS = """
SELECT
    "user".user_id, "user".email, "user".label, "user".profile, "user".created_on,
    "user".revoked_on, "user".is_frozen, "user".tos_accepted_on
FROM shamir_share
JOIN "user"
    ON "user".organization_id = shamir_share.organization_id
    AND "user".user_id = shamir_share.recipient_id
WHERE shamir_share.organization_id = :organization_id
    AND shamir_share.user_id = :user_id AND shamir_share.created_on = :created_on"""

IS_RECIPIENT = """
SELECT 1 FROM shamir_share
WHERE organization_id = :organization_id AND user_id = :user_id AND created_on = :created_on
    AND recipient_id = :recipient_id"""

CIPHERED_DATA = """
SELECT ciphered_data FROM shamir_setup
WHERE organization_id = :organization_id AND user_id = :user_id AND created_on = :created_on"""

ADD_SETUP = """
INSERT INTO shamir_setup (
    organization_id, user_id, created_on, threshold, brief_certificate, reveal_token_digest,
    ciphered_data
) VALUES (
    :organization_id, :user_id, :created_on, :threshold, :brief_certificate, :reveal_token_digest,
    :ciphered_data
)"""

ADD_SHARE = """
INSERT INTO shamir_share (
    organization_id, user_id, created_on, recipient_id, shares, share_certificate
) VALUES (
    :organization_id, :user_id, :created_on, :recipient_id, :shares, :share_certificate
)"""

# What could be revealed goes away; the certificates stay for the recipients.
DELETE_SETUP = """
UPDATE shamir_setup SET
    deleted_on = :deleted_on,
    deletion_certificate = :deletion_certificate,
    ciphered_data = NULL
WHERE organization_id = :organization_id AND user_id = :user_id AND created_on = :created_on"""


async def active_setup(
    transaction: Transaction, organization_id: OrganizationID, user_id: UserID
) -> ShamirSetupRecord | None:
    """The set-up of a user that is not deleted."""
    rows = await transaction.rows(ACTIVE_SETUP, organization_id=organization_id, user_id=user_id)
    return await _setup_record(transaction, organization_id, rows[0]) if rows else None


async def setup(
    transaction: Transaction,
    organization_id: OrganizationID,
    user_id: UserID,
    created_on: Instant,
) -> ShamirSetupRecord | None:
    """The set-up of a user that has that date, deleted or not."""
    rows = await transaction.rows(
        SETUP, organization_id=organization_id, user_id=user_id, created_on=created_on
    )
    return await _setup_record(transaction, organization_id, rows[0]) if rows else None


async def setup_of(
    transaction: Transaction, organization_id: OrganizationID, invitation: InvitationRecord
) -> ShamirSetupRecord | None:
    """The set-up that an invitation recovers with, if it recovers anything."""
    if invitation.claimer_user_id is None or invitation.setup_created_on is None:
        return None
    return await setup(
        transaction, organization_id, invitation.claimer_user_id, invitation.setup_created_on
    )


async def recipients(
    transaction: Transaction,
    organization_id: OrganizationID,
    user_id: UserID,
    created_on: Instant,
) -> list[UserRecord]:
    """The recipients of a set-up, revoked or not, in no order."""
    rows = await transaction.rows(
        RECIPIENTS, organization_id=organization_id, user_id=user_id, created_on=created_on
    )
    return [user_record(row) for row in rows]


async def is_recipient_of(
    transaction: Transaction,
    organization_id: OrganizationID,
    invitation: InvitationRecord,
    user_id: UserID,
) -> bool:
    """Whether a user has shares of what an invitation recovers, if it recovers anything."""
    if invitation.setup_created_on is None:
        return False
    rows = await transaction.rows(
        IS_RECIPIENT,
        organization_id=organization_id,
        user_id=invitation.claimer_user_id,
        created_on=invitation.setup_created_on,
        recipient_id=user_id,
    )
    return bool(rows)


async def ciphered_data(
    transaction: Transaction,
    organization_id: OrganizationID,
    user_id: UserID,
    created_on: Instant,
) -> bytes | None:
    """What a set-up reveals, unless it was deleted."""
    rows = await transaction.rows(
        CIPHERED_DATA, organization_id=organization_id, user_id=user_id, created_on=created_on
    )
    return rows[0][0] if rows else None


async def add_setup(
    transaction: Transaction,
    organization_id: OrganizationID,
    record: ShamirSetupRecord,
    *,
    brief_certificate: bytes,
    share_certificates: dict[UserID, bytes],
    ciphered_data: bytes,
) -> None:
    """Write a new set-up, with the certificate of each recipient."""
    await transaction.rows(
        ADD_SETUP,
        organization_id=organization_id,
        user_id=record.user_id,
        created_on=record.created_on,
        threshold=record.threshold,
        brief_certificate=brief_certificate,
        reveal_token_digest=bytes(record.reveal_token_digest),
        ciphered_data=ciphered_data,
    )
    for recipient, shares in record.shares.items():
        await transaction.rows(
            ADD_SHARE,
            organization_id=organization_id,
            user_id=record.user_id,
            created_on=record.created_on,
            recipient_id=recipient,
            shares=shares,
            share_certificate=share_certificates[recipient],
        )


async def delete_setup(
    transaction: Transaction,
    organization_id: OrganizationID,
    user_id: UserID,
    created_on: Instant,
    *,
    deleted_on: Instant,
    deletion_certificate: bytes,
) -> None:
    """Write that a set-up is deleted, and forget what it reveals."""
    await transaction.rows(
        DELETE_SETUP,
        organization_id=organization_id,
        user_id=user_id,
        created_on=created_on,
        deleted_on=deleted_on,
        deletion_certificate=deletion_certificate,
    )


async def _setup_record(
    transaction: Transaction, organization_id: OrganizationID, row: Row
) -> ShamirSetupRecord:
    user_id, created_on, threshold, token_digest, deleted_on = row
    shares = await transaction.rows(
        SHARES, organization_id=organization_id, user_id=user_id, created_on=created_on
    )
    return ShamirSetupRecord(
        user_id=UserID(user_id),
        created_on=Instant(created_on),
        threshold=threshold,
        shares={UserID(recipient): count for recipient, count in shares},
        reveal_token_digest=HashDigest(token_digest),
        deleted_on=Instant(deleted_on) if deleted_on is not None else None,
    )
