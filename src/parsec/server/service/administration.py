"""What the holder of the administration token may do with organizations and users."""

from collections.abc import Sequence

import msgspec
import structlog

from parsec.crypto.keys import HashDigest
from parsec.data.address import OrganizationBootstrapAddr, TOTPResetAddr
from parsec.data.ids import AccessToken, UserID
from parsec.data.instant import Instant
from parsec.data.people import EmailAddress, OrganizationID
from parsec.data.topics import Topic
from parsec.server.outbound.mailer import Outcome
from parsec.server.records import (
    OrganizationExpired,
    OrganizationRecord,
    OrganizationStats,
    OrganizationTosUpdated,
    TotpStanding,
    UserRecord,
    UserRevokedOrFrozen,
    UserUnfrozen,
)
from parsec.server.rules import administration as rules
from parsec.server.rules import totp as totp_rules
from parsec.server.rules.organization import OrganizationChange, changed, new_organization
from parsec.server.service.context import AdministrationContext
from parsec.server.store import certificate, organization, totp, user
from parsec.server.store.engine import Transaction

_log = structlog.get_logger()


async def create_organization(
    context: AdministrationContext, organization_id: OrganizationID, change: OrganizationChange
) -> OrganizationBootstrapAddr:
    """Make an organization that waits for its first user; the address is for that user.

    Raises Objected.
    """
    token = AccessToken.generate(context.entropy)
    initial = context.settings.initial_organization
    record = new_organization(organization_id, initial, bootstrap_token=token, now=context.now)
    async with context.writing() as transaction:
        await transaction.lock(certificate.topic_lock(organization_id, Topic.COMMON))
        rules.check_may_create(await organization.organization(transaction, organization_id))
        await organization.create(transaction, changed(record, change, now=context.now))
    return OrganizationBootstrapAddr(
        server=context.settings.server_addr, organization_id=organization_id, token=token
    )


async def organization_record(
    context: AdministrationContext, organization_id: OrganizationID
) -> OrganizationRecord:
    """Raises Objected."""
    async with context.reading() as transaction:
        return rules.check_found(await organization.organization(transaction, organization_id))


async def change_organization(
    context: AdministrationContext, organization_id: OrganizationID, change: OrganizationChange
) -> None:
    """Raises Objected."""
    async with context.writing() as transaction:
        await transaction.lock(certificate.topic_lock(organization_id, Topic.COMMON))
        found = rules.check_found(await organization.organization(transaction, organization_id))
        record = changed(found, change, now=context.now)
        await organization.configure(transaction, record)
        if record.tos != found.tos:
            transaction.publish(
                OrganizationTosUpdated(organization_id=organization_id, event_id=context.event_id())
            )
        if record.is_expired:
            transaction.publish(
                OrganizationExpired(organization_id=organization_id, event_id=context.event_id())
            )


async def organization_stats(
    context: AdministrationContext, organization_id: OrganizationID
) -> OrganizationStats:
    """Raises Objected."""
    async with context.reading() as transaction:
        rules.check_found(await organization.organization(transaction, organization_id))
        return await _stats(transaction, organization_id, at=context.now)


async def server_stats(
    context: AdministrationContext, *, at: Instant | None
) -> Sequence[OrganizationStats]:
    """What each organization weighed at a date, by name; those of later are left out."""
    date = context.now if at is None else at
    async with context.reading() as transaction:
        names = await organization.created_organizations(transaction, before=date)
        return [await _stats(transaction, name, at=date) for name in names]


async def active_users(
    context: AdministrationContext, organization_id: OrganizationID
) -> Sequence[UserRecord]:
    """The users who are not revoked, by date of creation. Raises Objected."""
    async with context.reading() as transaction:
        rules.check_has_users(await organization.organization(transaction, organization_id))
        return await user.active_users(transaction, organization_id)


async def all_users(
    context: AdministrationContext, organization_id: OrganizationID
) -> Sequence[UserRecord]:
    """The users, revoked or not, by date of creation. Raises Objected."""
    async with context.reading() as transaction:
        rules.check_has_users(await organization.organization(transaction, organization_id))
        return await user.all_users(transaction, organization_id)


class TotpOverview(msgspec.Struct, frozen=True, kw_only=True):
    """How one-time codes stand for a user now."""

    user: UserRecord
    standing: TotpStanding
    throttled_until: Instant | None
    reset_pending_since: Instant | None


async def totp_overview(
    context: AdministrationContext, organization_id: OrganizationID
) -> Sequence[TotpOverview]:
    """How one-time codes stand for each user who is not revoked. Raises Objected."""
    async with context.reading() as transaction:
        rules.check_has_users(await organization.organization(transaction, organization_id))
        users = await user.active_users(transaction, organization_id)
        standings = await totp.standings(transaction, organization_id)
    return [
        _totp_overview(context, one, standings.get(one.user_id, TotpStanding())) for one in users
    ]


def _totp_overview(
    context: AdministrationContext, record: UserRecord, standing: TotpStanding
) -> TotpOverview:
    lifetime = context.settings.totp_reset_lifetime
    return TotpOverview(
        user=record,
        standing=standing,
        throttled_until=totp_rules.waits_until(standing, now=context.now),
        reset_pending_since=totp_rules.pending_reset(standing, now=context.now, lifetime=lifetime),
    )


async def freeze_user(
    context: AdministrationContext,
    organization_id: OrganizationID,
    *,
    user_id: UserID | None,
    user_email: EmailAddress | None,
    frozen: bool,
) -> UserRecord:
    """Keep a user out for a while, or let it in again. Raises Objected."""
    async with context.writing() as transaction:
        target = await _named_user(transaction, organization_id, user_id, user_email)
        # Whoever is completing a set-up by a link has done so before, or finds the user frozen.
        await transaction.lock(totp.totp_lock(organization_id, target.user_id))
        await user.set_frozen(transaction, organization_id, target.user_id, frozen=frozen)
        if frozen:
            # Who wanted the user out does not want it back by a link of before.
            await totp.void_reset_token(transaction, organization_id, target.user_id)
        kind = UserRevokedOrFrozen if frozen else UserUnfrozen
        transaction.publish(
            kind(
                organization_id=organization_id,
                event_id=context.event_id(),
                user_id=target.user_id,
            )
        )
    return target


class TotpReset(msgspec.Struct, frozen=True, kw_only=True):
    """Who must set up one-time codes anew, with which link, and what became of the mail, if any."""

    user: UserRecord
    address: TOTPResetAddr
    mail: Outcome | None


async def reset_totp(
    context: AdministrationContext,
    organization_id: OrganizationID,
    *,
    user_id: UserID | None,
    user_email: EmailAddress | None,
    send_email: bool,
) -> TotpReset:
    """Take a user's set-up away and give a link to begin again; keys stay. Raises Objected."""
    token = AccessToken.generate(context.entropy)
    async with context.writing() as transaction:
        target = await _named_user(transaction, organization_id, user_id, user_email)
        await transaction.lock(totp.totp_lock(organization_id, target.user_id))
        digest = HashDigest.of(token)
        await totp.reset(
            transaction, organization_id, target.user_id, token_digest=digest, on=context.now
        )
        await context.server.stray_failures.forget(
            transaction, organization_id, target.user_id, entropy=context.entropy
        )
    _log.info("totp reset", organization=organization_id, user=target.user_id.hex())
    mail = None
    if send_email:
        mail = await context.mails.send_totp_reset(
            organization_id=organization_id,
            user_id=target.user_id,
            token=token,
            to=target.human_handle.email,
        )
    address = TOTPResetAddr(
        server=context.settings.server_addr,
        organization_id=organization_id,
        user_id=target.user_id,
        token=token,
    )
    return TotpReset(user=target, address=address, mail=mail)


async def _named_user(
    transaction: Transaction,
    organization_id: OrganizationID,
    user_id: UserID | None,
    user_email: EmailAddress | None,
) -> UserRecord:
    rules.check_has_users(await organization.organization(transaction, organization_id))
    rules.check_names_one_user(user_id, user_email)
    if user_id is not None:
        return rules.check_active(await user.user(transaction, organization_id, user_id))
    assert user_email is not None
    found = await user.active_user_by_email(transaction, organization_id, user_email)
    return rules.check_active(found)


async def _stats(
    transaction: Transaction, organization_id: OrganizationID, *, at: Instant
) -> OrganizationStats:
    return OrganizationStats(
        organization_id=organization_id,
        # There are neither realms nor data yet.
        realms=0,
        data_size=0,
        metadata_size=0,
        users_per_profile=await organization.users_per_profile(transaction, organization_id, at=at),
    )
