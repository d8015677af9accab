"""Users: creation, profile, revocation, freezing."""

from parsec.data.instant import Instant
from parsec.data.people import UserProfile
from parsec.data.topics import Topic
from parsec.protocol.events import CommonCertificateEvent
from parsec.protocol.statuses import Ok
from parsec.protocol.user import (
    ListFrozenUsers,
    ListFrozenUsersOk,
    ListFrozenUsersReply,
    UserCreate,
    UserCreateReply,
    UserRevoke,
    UserRevokeReply,
    UserUpdate,
    UserUpdateReply,
)
from parsec.server.records import Author, Notification, UserRevokedOrFrozen, UserUpdated
from parsec.server.rules import user as rules
from parsec.server.service.context import AuthenticatedContext
from parsec.server.store import certificate, totp, user
from parsec.server.store.engine import Transaction


async def list_frozen_users(
    context: AuthenticatedContext,
    request: ListFrozenUsers,  # noqa: ARG001
) -> ListFrozenUsersReply:
    async with context.reading(single=True) as (transaction, author):
        rules.check_is_admin(author)
        frozen_users = await user.frozen_users(transaction, context.organization_id)
    return ListFrozenUsersOk(frozen_users=frozen_users)


async def user_create(context: AuthenticatedContext, request: UserCreate) -> UserCreateReply:
    organization_id = context.organization_id
    async with context.writing(Topic.COMMON) as (transaction, author):
        new = rules.check_certificates(request, author, now=context.now)
        _check_outsider(context, author, new.user.profile)
        email = new.user_record.human_handle.email
        rules.check_new(
            new,
            author,
            last_common=await _last_common(context, transaction),
            active_users=await user.active_users_count(transaction, organization_id),
            same_email=await user.active_user_by_email(transaction, organization_id, email),
            same_user_id=await user.user(transaction, organization_id, new.user.user_id),
            same_device_id=await user.device(transaction, organization_id, new.device.device_id),
        )
        await user.add_user(transaction, organization_id, new.user_record, new.device_record)
        await certificate.add_user_certificates(
            transaction,
            organization_id,
            timestamp=new.timestamp,
            user=(request.user_certificate, request.redacted_user_certificate),
            device=(request.device_certificate, request.redacted_device_certificate),
        )
        publish_common(context, transaction, new.timestamp)
    return Ok()


async def user_update(context: AuthenticatedContext, request: UserUpdate) -> UserUpdateReply:
    organization_id = context.organization_id
    async with context.writing(Topic.COMMON) as (transaction, author):
        update = rules.check_update_certificate(request, author, now=context.now)
        _check_outsider(context, author, update.new_profile)
        rules.check_update(
            update,
            target=await user.user(transaction, organization_id, update.user_id),
            last_common=await _last_common(context, transaction),
        )
        await user.set_profile(
            transaction,
            organization_id,
            update.user_id,
            update.new_profile,
            since=update.timestamp,
        )
        await certificate.add_common_certificate(
            transaction,
            organization_id,
            timestamp=update.timestamp,
            certificate=request.user_update_certificate,
        )
        publish_common(context, transaction, update.timestamp)
        transaction.publish(
            UserUpdated(
                organization_id=organization_id,
                event_id=context.event_id(),
                user_id=update.user_id,
                new_profile=update.new_profile,
            )
        )
    return Ok()


async def user_revoke(context: AuthenticatedContext, request: UserRevoke) -> UserRevokeReply:
    organization_id = context.organization_id
    async with context.writing(Topic.COMMON) as (transaction, author):
        revocation = rules.check_revocation_certificate(request, author, now=context.now)
        rules.check_revocation(
            revocation,
            target=await user.user(transaction, organization_id, revocation.user_id),
            last_common=await _last_common(context, transaction),
        )
        await user.revoke(
            transaction, organization_id, revocation.user_id, revoked_on=revocation.timestamp
        )
        await totp.void_reset_token(transaction, organization_id, revocation.user_id)
        await certificate.add_common_certificate(
            transaction,
            organization_id,
            timestamp=revocation.timestamp,
            certificate=request.revoked_user_certificate,
        )
        # In this order: the revoked user is still told, and then no more.
        publish_common(context, transaction, revocation.timestamp)
        transaction.publish(
            UserRevokedOrFrozen(
                organization_id=organization_id,
                event_id=context.event_id(),
                user_id=revocation.user_id,
            )
        )
    return Ok()


def publish_common(
    context: AuthenticatedContext, transaction: Transaction, timestamp: Instant
) -> None:
    """Tell everybody that the common topic has a newer certificate."""
    transaction.publish(
        Notification(
            organization_id=context.organization_id,
            event_id=context.event_id(),
            content=CommonCertificateEvent(timestamp=timestamp),
            recipients=None,
        )
    )


def _check_outsider(context: AuthenticatedContext, author: Author, profile: UserProfile) -> None:
    is_enforced = context.settings.enforce_user_profile_outsider_allowed
    rules.check_outsider(profile, author, is_enforced=is_enforced)


async def _last_common(context: AuthenticatedContext, transaction: Transaction) -> Instant:
    last = await certificate.last_timestamp(transaction, context.organization_id, Topic.COMMON)
    assert last is not None, "a bootstrapped organization has certificates"
    return last
