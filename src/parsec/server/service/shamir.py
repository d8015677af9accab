"""Shared recovery: set-up, deletion, and the reveal of its data."""

from collections.abc import Iterable

from parsec.crypto.keys import HashDigest
from parsec.data.ids import UserID
from parsec.data.instant import Instant
from parsec.data.topics import Topic
from parsec.protocol import shamir as wire
from parsec.protocol.events import ShamirRecoveryCertificateEvent
from parsec.protocol.statuses import Ok
from parsec.server.records import Author, Notification, ShamirSetupRecord, UserRecord
from parsec.server.rules import shamir as rules
from parsec.server.service.context import AuthenticatedContext, InvitedContext
from parsec.server.store import certificate as certificates
from parsec.server.store import shamir as store
from parsec.server.store import user as users
from parsec.server.store.engine import Transaction


async def shamir_recovery_setup(
    context: AuthenticatedContext, request: wire.ShamirRecoverySetup
) -> wire.ShamirRecoverySetupReply:
    organization_id = context.organization_id
    async with context.reading() as (transaction, author):
        await _check_no_active_setup(context, transaction, author)
    # There may be hundreds of certificates: other writers do not wait for their verification.
    setup = rules.verified_setup(request, author, now=context.now)
    async with context.writing(Topic.SHAMIR_RECOVERY, share=[Topic.COMMON]) as (
        transaction,
        author,
    ):
        last_common, last_shamir = await _check_no_active_setup(context, transaction, author)
        recipients = await _users(context, transaction, setup.brief.per_recipient_shares)
        rules.check_recipients(setup, recipients, last_common_timestamp=last_common)
        rules.check_setup_timestamp(
            setup, last_common_timestamp=last_common, last_shamir_timestamp=last_shamir
        )
        record = ShamirSetupRecord(
            user_id=author.user.user_id,
            created_on=setup.brief.timestamp,
            threshold=setup.brief.threshold,
            shares=setup.brief.per_recipient_shares,
            reveal_token_digest=HashDigest.of(request.reveal_token),
            deleted_on=None,
        )
        await store.add_setup(
            transaction,
            organization_id,
            record,
            brief_certificate=setup.brief_certificate,
            share_certificates={
                share.content.recipient: share.certificate for share in setup.shares
            },
            ciphered_data=request.ciphered_data,
        )
        await _certify(context, transaction, record, setup.brief.timestamp)
    return Ok()


async def shamir_recovery_delete(
    context: AuthenticatedContext, request: wire.ShamirRecoveryDelete
) -> wire.ShamirRecoveryDeleteReply:
    organization_id = context.organization_id
    certificate = request.shamir_recovery_deletion_certificate
    async with context.writing(Topic.SHAMIR_RECOVERY, share=[Topic.COMMON]) as (
        transaction,
        author,
    ):
        deletion = rules.verified_deletion(certificate, author, now=context.now)
        named = await store.setup(
            transaction,
            organization_id,
            author.user.user_id,
            deletion.setup_to_delete_timestamp,
        )
        last_common, last_shamir = await _last_timestamps(context, transaction)
        setup = rules.check_deletion(
            deletion, named, last_common_timestamp=last_common, last_shamir_timestamp=last_shamir
        )
        await store.delete_setup(
            transaction,
            organization_id,
            setup.user_id,
            setup.created_on,
            deleted_on=deletion.timestamp,
            deletion_certificate=certificate,
        )
        await _certify(context, transaction, setup, deletion.timestamp)
    return Ok()


async def invite_shamir_recovery_reveal(
    context: InvitedContext, request: wire.InviteShamirRecoveryReveal
) -> wire.InviteShamirRecoveryRevealReply:
    async with context.reading() as (transaction, invited):
        setup = rules.check_reveal(
            invited.invitation,
            await store.setup_of(transaction, context.organization_id, invited.invitation),
            request.reveal_token,
        )
        ciphered_data = await store.ciphered_data(
            transaction, context.organization_id, setup.user_id, setup.created_on
        )
        assert ciphered_data is not None, "a usable invitation has a set-up that is not deleted"
        return wire.InviteShamirRecoveryRevealOk(ciphered_data=ciphered_data)


async def _check_no_active_setup(
    context: AuthenticatedContext, transaction: Transaction, author: Author
) -> tuple[Instant, Instant | None]:
    """The last timestamps. Raises Refused."""
    last_common, last_shamir = await _last_timestamps(context, transaction)
    active = await store.active_setup(transaction, context.organization_id, author.user.user_id)
    rules.check_no_active_setup(active, last_shamir_timestamp=last_shamir)
    return last_common, last_shamir


async def _last_timestamps(
    context: AuthenticatedContext, transaction: Transaction
) -> tuple[Instant, Instant | None]:
    """Of the common topic, and of the shared recoveries of the organization."""
    last_common = await certificates.last_timestamp(
        transaction, context.organization_id, Topic.COMMON
    )
    assert last_common is not None, "the first user has a certificate"
    last_shamir = await certificates.last_timestamp(
        transaction, context.organization_id, Topic.SHAMIR_RECOVERY
    )
    return last_common, last_shamir


async def _users(
    context: AuthenticatedContext, transaction: Transaction, user_ids: Iterable[UserID]
) -> dict[UserID, UserRecord]:
    found = [
        await users.user(transaction, context.organization_id, user_id) for user_id in user_ids
    ]
    return {user.user_id: user for user in found if user is not None}


async def _certify(
    context: AuthenticatedContext,
    transaction: Transaction,
    setup: ShamirSetupRecord,
    timestamp: Instant,
) -> None:
    """Move the topic on, and tell who gets the certificate."""
    await certificates.set_last_timestamp(
        transaction, context.organization_id, Topic.SHAMIR_RECOVERY, timestamp
    )
    transaction.publish(
        Notification(
            organization_id=context.organization_id,
            event_id=context.event_id(),
            content=ShamirRecoveryCertificateEvent(timestamp=timestamp),
            recipients=rules.told_of_setup(setup.user_id, setup.shares),
        )
    )
