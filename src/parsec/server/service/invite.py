"""Invitations: creation, list, end, and what a claimer is told."""

from typing import assert_never

import msgspec

from parsec.data.address import InvitationType
from parsec.data.ids import AccessToken
from parsec.data.people import OrganizationID, UserProfile
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
from parsec.server.store import shamir as setups
from parsec.server.store import user as users
from parsec.server.store.engine import Transaction

# --- Creation ---


async def invite_new_user(
    context: AuthenticatedContext, request: wire.InviteNewUser
) -> wire.InviteNewUserReply:
    """Made once for an address; asked again, the same invitation is given and told of."""
    organization_id = context.organization_id
    async with context.writing(share=[Topic.COMMON]) as (transaction, author):
        await transaction.lock(invitation_creation_lock(organization_id))
        enrolled = await users.active_user_by_email(
            transaction, organization_id, request.claimer_email
        )
        rules.check_invite_user(author.user, enrolled=enrolled)
        made = await store.pending_user_invitation(
            transaction, organization_id, request.claimer_email
        )
        wanted = _new_invitation(context, author, InvitationType.USER)
        wanted = msgspec.structs.replace(wanted, claimer_email=request.claimer_email)
        invitation = await _made_or_wanted(context, transaction, made, wanted)
    email_sent = InvitationEmailSentStatus.SUCCESS
    if request.send_email:
        email_sent = await context.mails.send_invitation(
            InvitationType.USER,
            organization_id=organization_id,
            token=invitation.token,
            to=request.claimer_email,
            greeter=author.user.human_handle,
        )
    return wire.InviteNewUserOk(token=invitation.token, email_sent=email_sent)


async def invite_new_device(
    context: AuthenticatedContext, request: wire.InviteNewDevice
) -> wire.InviteNewDeviceReply:
    """Made once for a user; asked again, the same invitation is given and told of."""
    organization_id = context.organization_id
    async with context.writing(share=[Topic.COMMON]) as (transaction, author):
        await transaction.lock(invitation_creation_lock(organization_id))
        claimer = author.user
        made = await store.pending_device_invitation(transaction, organization_id, claimer.user_id)
        wanted = _new_invitation(context, author, InvitationType.DEVICE)
        wanted = msgspec.structs.replace(wanted, claimer_user_id=claimer.user_id)
        invitation = await _made_or_wanted(context, transaction, made, wanted)
    email_sent = InvitationEmailSentStatus.SUCCESS
    if request.send_email:
        email_sent = await context.mails.send_invitation(
            InvitationType.DEVICE,
            organization_id=organization_id,
            token=invitation.token,
            to=claimer.human_handle.email,
        )
    return wire.InviteNewDeviceOk(token=invitation.token, email_sent=email_sent)


async def invite_new_shamir_recovery(
    context: AuthenticatedContext, request: wire.InviteNewShamirRecovery
) -> wire.InviteNewShamirRecoveryReply:
    """Made once for a set-up; asked again, the same invitation is given and told of."""
    organization_id = context.organization_id
    async with context.writing(share=[Topic.COMMON]) as (transaction, author):
        await transaction.lock(invitation_creation_lock(organization_id))
        claimer = await users.user(transaction, organization_id, request.claimer_user_id)
        setup = await setups.active_setup(transaction, organization_id, request.claimer_user_id)
        claimer, setup = rules.check_invite_shamir_recovery(
            author.user, claimer=claimer, setup=setup
        )
        made = await store.pending_shamir_invitation(
            transaction, organization_id, claimer.user_id, setup.created_on
        )
        wanted = _new_invitation(context, author, InvitationType.SHAMIR_RECOVERY)
        wanted = msgspec.structs.replace(
            wanted, claimer_user_id=claimer.user_id, setup_created_on=setup.created_on
        )
        invitation = await _made_or_wanted(context, transaction, made, wanted)
    email_sent = InvitationEmailSentStatus.SUCCESS
    if request.send_email:
        email_sent = await context.mails.send_invitation(
            InvitationType.SHAMIR_RECOVERY,
            organization_id=organization_id,
            token=invitation.token,
            to=claimer.human_handle.email,
            greeter=author.user.human_handle,
        )
    return wire.InviteNewShamirRecoveryOk(token=invitation.token, email_sent=email_sent)


def _new_invitation(context: Context, author: Author, kind: InvitationType) -> InvitationRecord:
    return InvitationRecord(
        token=AccessToken.generate(context.entropy),
        type=kind,
        created_on=context.now,
        created_by_user_id=author.user.user_id,
        created_by_human_handle=author.user.human_handle,
        status=InvitationStatus.PENDING,
    )


async def _made_or_wanted(
    context: AuthenticatedContext,
    transaction: Transaction,
    made: InvitationRecord | None,
    wanted: InvitationRecord,
) -> InvitationRecord:
    """Write what is wanted unless it was made before and still counts; tell the greeters."""
    if made is not None and _state(context, made) is not rules.InvitationState.PENDING:
        await _end(context, transaction, made, InvitationStatus.CANCELLED)
        made = None
    if made is None:
        await store.add_invitation(transaction, context.organization_id, wanted)
    invitation = made or wanted
    await _tell(context, transaction, invitation, InvitationStatus.PENDING)
    return invitation


# --- End ---


async def invite_cancel(
    context: AuthenticatedContext, request: wire.InviteCancel
) -> wire.InviteCancelReply:
    async with context.writing(share=[Topic.COMMON]) as (transaction, author):
        invitation, is_recipient = await _invitation_and_part(
            context, transaction, request.token, author
        )
        invitation = rules.check_cancel(
            invitation,
            author.user,
            is_recipient=is_recipient,
            now=context.now,
            lifetime=context.settings.invitation_lifetime,
        )
        await _end(context, transaction, invitation, InvitationStatus.CANCELLED)
    return Ok()


async def invite_complete(
    context: AuthenticatedContext, request: wire.InviteComplete
) -> wire.InviteCompleteReply:
    async with context.writing(share=[Topic.COMMON]) as (transaction, author):
        invitation, is_recipient = await _invitation_and_part(
            context, transaction, request.token, author
        )
        invitation = rules.check_complete(
            invitation,
            author.user,
            is_recipient=is_recipient,
            now=context.now,
            lifetime=context.settings.invitation_lifetime,
        )
        await _end(context, transaction, invitation, InvitationStatus.FINISHED)
    return Ok()


async def _invitation_and_part(
    context: AuthenticatedContext, transaction: Transaction, token: AccessToken, author: Author
) -> tuple[InvitationRecord | None, bool]:
    """The invitation, locked, and whether the author has shares of what it recovers."""
    await transaction.lock(invitation_lock(context.organization_id, token))
    invitation = await store.invitation(transaction, context.organization_id, token)
    if invitation is None:
        return None, False
    is_recipient = await setups.is_recipient_of(
        transaction, context.organization_id, invitation, author.user.user_id
    )
    return invitation, is_recipient


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
    async with context.reading() as (transaction, author):
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
                online_status=UserOnlineStatus.UNKNOWN,
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
                online_status=UserOnlineStatus.UNKNOWN,
            )
            for recipient in sorted(recipients, key=_label)
        ],
    )


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
