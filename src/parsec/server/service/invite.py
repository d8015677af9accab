"""Invitations: creation, list, end, and what a claimer is told.

An invitation is made once for an address, a user's devices, or a set-up: asked again, the same is
given and told of.
"""

import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import assert_never

import structlog

from parsec.data.address import InvitationType
from parsec.data.ids import AccessToken, UserID
from parsec.data.instant import Instant
from parsec.data.people import EmailAddress, HumanHandle, OrganizationID, UserProfile
from parsec.data.topics import Topic
from parsec.protocol import invite as wire
from parsec.protocol.events import InvitationEvent
from parsec.protocol.invite import (
    InvitationCreatedByUser,
    InvitationEmailSentStatus,
    InvitationStatus,
    UserOnlineStatus,
)
from parsec.protocol.statuses import Ok
from parsec.server.records import (
    Author,
    InvitationRecord,
    Notification,
    UserRecord,
)
from parsec.server.rules import email_limit
from parsec.server.rules import invite as rules
from parsec.server.service.context import (
    AuthenticatedContext,
    Context,
    InvitedContext,
    invitation_creation_lock,
    invitation_lock,
)
from parsec.server.store import greeting as greetings
from parsec.server.store import invite as store
from parsec.server.store import mail_budget
from parsec.server.store import shamir as setups
from parsec.server.store import user as users
from parsec.server.store.engine import Transaction

_EMAIL_ID_SIZE = 16

_log = structlog.get_logger()

# --- Creation ---


async def invite_new_user(
    context: AuthenticatedContext, request: wire.InviteNewUser
) -> wire.InviteNewUserReply:
    organization_id = context.organization_id
    async with _inviting(context) as (transaction, author):
        enrolled = await users.active_user_by_email(
            transaction, organization_id, request.claimer_email
        )
        rules.check_invite_user(author.user, enrolled=enrolled)
        invitation = await _invitation(
            context,
            transaction,
            author,
            InvitationType.USER,
            made=await store.pending_user_invitation(
                transaction, organization_id, request.claimer_email
            ),
            claimer_email=request.claimer_email,
        )
    email_sent = InvitationEmailSentStatus.SUCCESS
    if request.send_email:
        email_sent = await _mail(
            context, author, invitation, to=request.claimer_email, greeter=author.user.human_handle
        )
    return wire.InviteNewUserOk(token=invitation.token, email_sent=email_sent)


async def invite_new_device(
    context: AuthenticatedContext, request: wire.InviteNewDevice
) -> wire.InviteNewDeviceReply:
    async with _inviting(context) as (transaction, author):
        claimer = author.user
        invitation = await _invitation(
            context,
            transaction,
            author,
            InvitationType.DEVICE,
            made=await store.pending_device_invitation(
                transaction, context.organization_id, claimer.user_id
            ),
            claimer_user_id=claimer.user_id,
        )
    email_sent = InvitationEmailSentStatus.SUCCESS
    if request.send_email:
        email_sent = await _mail(context, author, invitation, to=claimer.human_handle.email)
    return wire.InviteNewDeviceOk(token=invitation.token, email_sent=email_sent)


async def invite_new_shamir_recovery(
    context: AuthenticatedContext, request: wire.InviteNewShamirRecovery
) -> wire.InviteNewShamirRecoveryReply:
    organization_id = context.organization_id
    async with _inviting(context) as (transaction, author):
        claimer, setup = rules.check_invite_shamir_recovery(
            author.user,
            claimer=await users.user(transaction, organization_id, request.claimer_user_id),
            setup=await setups.active_setup(transaction, organization_id, request.claimer_user_id),
        )
        invitation = await _invitation(
            context,
            transaction,
            author,
            InvitationType.SHAMIR_RECOVERY,
            made=await store.pending_shamir_invitation(
                transaction, organization_id, claimer.user_id, setup.created_on
            ),
            claimer_user_id=claimer.user_id,
            setup_created_on=setup.created_on,
        )
    email_sent = InvitationEmailSentStatus.SUCCESS
    if request.send_email:
        email_sent = await _mail(
            context,
            author,
            invitation,
            to=claimer.human_handle.email,
            greeter=author.user.human_handle,
        )
    return wire.InviteNewShamirRecoveryOk(token=invitation.token, email_sent=email_sent)


@contextlib.asynccontextmanager
async def _inviting(context: AuthenticatedContext) -> AsyncIterator[tuple[Transaction, Author]]:
    """A transaction in which nobody else looks for invitations and makes them. Raises Rejected."""
    async with context.writing(share=[Topic.COMMON]) as (transaction, author):
        await transaction.lock(invitation_creation_lock(context.organization_id))
        yield transaction, author


async def _invitation(
    context: AuthenticatedContext,
    transaction: Transaction,
    author: Author,
    kind: InvitationType,
    *,
    made: InvitationRecord | None,
    claimer_email: EmailAddress | None = None,
    claimer_user_id: UserID | None = None,
    setup_created_on: Instant | None = None,
) -> InvitationRecord:
    """The one made before if it still counts, else a new one; the greeters are told of either."""
    if made is not None and _state(context, made) is not rules.InvitationState.PENDING:
        await _end_as_cancelled(context, transaction, made.token)
        made = None
    invitation = made or InvitationRecord(
        token=AccessToken.generate(context.entropy),
        type=kind,
        created_on=context.now,
        created_by_user_id=author.user.user_id,
        created_by_human_handle=author.user.human_handle,
        status=InvitationStatus.PENDING,
        claimer_email=claimer_email,
        claimer_user_id=claimer_user_id,
        setup_created_on=setup_created_on,
    )
    if made is None:
        await store.add_invitation(transaction, context.organization_id, invitation)
    await _tell(context, transaction, invitation, InvitationStatus.PENDING)
    return invitation


async def _end_as_cancelled(
    context: AuthenticatedContext, transaction: Transaction, token: AccessToken
) -> None:
    """End an invitation that counts no more, unless somebody has ended it meanwhile."""
    # Whoever holds this lock waits for none on creations.
    await transaction.lock(invitation_lock(context.organization_id, token))
    found = await store.invitation(transaction, context.organization_id, token)
    if found is not None and found.status is InvitationStatus.PENDING:
        await _end(context, transaction, found, InvitationStatus.CANCELLED)


async def _mail(
    context: AuthenticatedContext,
    author: Author,
    invitation: InvitationRecord,
    *,
    to: EmailAddress,
    greeter: HumanHandle | None = None,
) -> InvitationEmailSentStatus:
    """What became of the mail; the invitation is made, whatever that is."""
    if not await _may_mail(context, author, to):
        return InvitationEmailSentStatus.SERVER_UNAVAILABLE
    return await context.mails.send_invitation(
        invitation.type,
        organization_id=context.organization_id,
        token=invitation.token,
        to=to,
        greeter=greeter,
    )


async def _may_mail(context: AuthenticatedContext, author: Author, to: EmailAddress) -> bool:
    """Whether no limit is reached; if so the mail counts, whatever becomes of it.

    In a transaction of its own, so that none is open while the mail is on its way.
    """
    limits, organization_id = context.settings.invitation_emails, context.organization_id
    if not limits.any:
        return True
    author_id, recipient = author.user.user_id, email_limit.recipient_digest(to)
    since = email_limit.counted_since(context.now)
    async with context.server.engine.transaction(write=True) as transaction:
        await transaction.lock(mail_budget.LOCK)
        recent = await mail_budget.recent_emails(
            transaction, organization_id, author_id, recipient, since=since
        )
        exceeded = email_limit.exceeded_limit(recent, limits, now=context.now)
        if exceeded is None:
            await mail_budget.add_email(
                transaction,
                organization_id,
                author_id,
                recipient,
                email_id=context.entropy(_EMAIL_ID_SIZE),
                sent_on=context.now,
                forget=since,
            )
    if exceeded is not None:
        _log.warning(
            "too many mails with invitations",
            organization=organization_id,
            author=author_id.hex(),
            limit=exceeded,
        )
    return exceeded is None


# --- End ---


async def invite_cancel(
    context: AuthenticatedContext, request: wire.InviteCancel
) -> wire.InviteCancelReply:
    await _end_by(context, request.token, rules.CANCEL)
    return Ok()


async def invite_complete(
    context: AuthenticatedContext, request: wire.InviteComplete
) -> wire.InviteCompleteReply:
    await _end_by(context, request.token, rules.COMPLETE)
    return Ok()


async def _end_by(context: AuthenticatedContext, token: AccessToken, ending: rules.Ending) -> None:
    organization_id = context.organization_id
    async with context.writing(share=[Topic.COMMON]) as (transaction, author):
        await transaction.lock(invitation_lock(organization_id, token))
        found = await store.invitation(transaction, organization_id, token)
        is_recipient = found is not None and await setups.is_recipient_of(
            transaction, organization_id, found, author.user.user_id
        )
        invitation = rules.check_end(
            ending,
            found,
            author.user,
            is_recipient=is_recipient,
            now=context.now,
            lifetime=context.settings.invitation_lifetime,
        )
        await _end(context, transaction, invitation, ending.status)


async def _end(
    context: AuthenticatedContext,
    transaction: Transaction,
    invitation: InvitationRecord,
    status: InvitationStatus,
) -> None:
    await store.end_invitation(
        transaction, context.organization_id, invitation.token, status, ended_on=context.now
    )
    await greetings.forget_steps_of_invitation(
        transaction, context.organization_id, invitation.token
    )
    await _tell(context, transaction, invitation, status)


# --- List ---


async def invite_list(
    context: AuthenticatedContext,
    request: wire.InviteList,  # noqa: ARG001
) -> wire.InviteListReply:
    """Invitations of every status: nobody has to remember those that ended."""
    async with context.reading(single=True) as (transaction, author):
        invitations = await store.visible_invitations(
            transaction,
            context.organization_id,
            author.user.user_id,
            with_users=rules.sees_user_invitations(author.user),
        )
    return wire.InviteListOk(
        invitations=[_item(one, _state(context, one).status) for one in invitations]
    )


def _item(invitation: InvitationRecord, status: InvitationStatus) -> wire.InviteListItem:
    match invitation.type:
        case InvitationType.USER:
            assert invitation.claimer_email is not None
            return wire.InviteListItemUser(
                token=invitation.token,
                created_on=invitation.created_on,
                created_by=_created_by(invitation),
                status=status,
                claimer_email=invitation.claimer_email,
            )
        case InvitationType.DEVICE:
            return wire.InviteListItemDevice(
                token=invitation.token,
                created_on=invitation.created_on,
                created_by=_created_by(invitation),
                status=status,
            )
        case InvitationType.SHAMIR_RECOVERY:
            assert invitation.claimer_user_id is not None
            assert invitation.setup_created_on is not None
            return wire.InviteListItemShamirRecovery(
                token=invitation.token,
                created_on=invitation.created_on,
                created_by=_created_by(invitation),
                status=status,
                claimer_user_id=invitation.claimer_user_id,
                shamir_recovery_created_on=invitation.setup_created_on,
            )
        case _:
            assert_never(invitation.type)


# --- What a claimer is told ---


async def invite_info(
    context: InvitedContext,
    request: wire.InviteInfo,  # noqa: ARG001
) -> wire.InviteInfoReply:
    async with context.reading() as (transaction, invited):
        match invited.invitation.type:
            case InvitationType.USER:
                return await _user_info(context, transaction, invited.invitation)
            case InvitationType.DEVICE:
                return _device_info(invited.invitation)
            case InvitationType.SHAMIR_RECOVERY:
                return await _shamir_info(context, transaction, invited.invitation)
            case _:
                assert_never(invited.invitation.type)


async def _user_info(
    context: InvitedContext, transaction: Transaction, invitation: InvitationRecord
) -> wire.InviteInfoOkUser:
    assert invitation.claimer_email is not None
    greeters = rules.possible_greeters(
        await _designated(context.organization_id, transaction, invitation)
    )
    present = await _present(context, transaction, greeters)
    last_joined = await greetings.last_joined(
        transaction, context.organization_id, invitation.token
    )
    return wire.InviteInfoOkUser(
        claimer_email=invitation.claimer_email,
        created_by=_created_by(invitation),
        administrators=[
            wire.UserGreetingAdministrator(
                user_id=greeter.user_id,
                human_handle=greeter.human_handle,
                online_status=_online_status(greeter, present),
                last_greeting_attempt_joined_on=last_joined.get(greeter.user_id),
            )
            for greeter in sorted(greeters, key=_label)
        ],
    )


def _device_info(invitation: InvitationRecord) -> wire.InviteInfoOkDevice:
    assert invitation.claimer_user_id is not None
    assert invitation.claimer_human_handle is not None
    return wire.InviteInfoOkDevice(
        claimer_user_id=invitation.claimer_user_id,
        claimer_human_handle=invitation.claimer_human_handle,
        created_by=_created_by(invitation),
    )


async def _shamir_info(
    context: InvitedContext, transaction: Transaction, invitation: InvitationRecord
) -> wire.InviteInfoOkShamirRecovery:
    assert invitation.claimer_human_handle is not None
    setup = await setups.setup_of(transaction, context.organization_id, invitation)
    assert setup is not None
    recipients = await setups.recipients(
        transaction, context.organization_id, setup.user_id, setup.created_on
    )
    present = await _present(context, transaction, recipients)
    return wire.InviteInfoOkShamirRecovery(
        claimer_user_id=setup.user_id,
        claimer_human_handle=invitation.claimer_human_handle,
        created_by=_created_by(invitation),
        shamir_recovery_created_on=setup.created_on,
        threshold=setup.threshold,
        recipients=[
            wire.ShamirRecoveryRecipient(
                user_id=recipient.user_id,
                human_handle=recipient.human_handle,
                shares=setup.shares[recipient.user_id],
                revoked_on=recipient.revoked_on,
                online_status=_online_status(recipient, present),
            )
            for recipient in sorted(recipients, key=_label)
        ],
    )


async def _present(
    context: InvitedContext, transaction: Transaction, users: Sequence[UserRecord]
) -> set[UserID]:
    user_ids = [user.user_id for user in users]
    return await context.server.presence.present(transaction, context.organization_id, user_ids)


def _online_status(user: UserRecord, present: set[UserID]) -> UserOnlineStatus:
    # Never OFFLINE: who has no stream may still be there, by a client that opens none.
    return UserOnlineStatus.ONLINE if user.user_id in present else UserOnlineStatus.UNKNOWN


def _label(user: UserRecord) -> tuple[str, str]:
    return user.human_handle.label, user.human_handle.email


def _created_by(invitation: InvitationRecord) -> InvitationCreatedByUser:
    return InvitationCreatedByUser(
        user_id=invitation.created_by_user_id,
        human_handle=invitation.created_by_human_handle,
    )


# --- What all of these share ---


def _state(context: Context, invitation: InvitationRecord) -> rules.InvitationState:
    return rules.invitation_state(
        invitation, now=context.now, lifetime=context.settings.invitation_lifetime
    )


async def _tell(
    context: AuthenticatedContext,
    transaction: Transaction,
    invitation: InvitationRecord,
    status: InvitationStatus,
) -> None:
    designated = await _designated(context.organization_id, transaction, invitation)
    transaction.publish(
        Notification(
            organization_id=context.organization_id,
            event_id=context.event_id(),
            content=InvitationEvent(token=invitation.token, invitation_status=status),
            recipients=rules.told_of(designated),
        )
    )


async def _designated(
    organization_id: OrganizationID, transaction: Transaction, invitation: InvitationRecord
) -> list[UserRecord]:
    """The users whom the type of an invitation makes its greeters."""
    if invitation.type is InvitationType.USER:
        return await users.active_users_with_profile(
            transaction, organization_id, UserProfile.ADMIN
        )
    assert invitation.claimer_user_id is not None
    if invitation.setup_created_on is None:
        claimer = await users.user(transaction, organization_id, invitation.claimer_user_id)
        return [claimer] if claimer is not None else []
    return await setups.recipients(
        transaction, organization_id, invitation.claimer_user_id, invitation.setup_created_on
    )
