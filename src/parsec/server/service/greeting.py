"""Greeting attempts: their start, steps and end, for the two sides.

Peers wait by asking the same again, about once a second: such a request only reads, even if the
greeter is told of it. What changes something is done under the lock of the invitation, so that the
two sides take turns.
"""

import msgspec

from parsec.data.ids import GreetingAttemptID
from parsec.data.people import OrganizationID
from parsec.data.topics import Topic
from parsec.protocol import greeting as wire
from parsec.protocol.command import MergedReply
from parsec.protocol.events import GreetingAttemptReadyEvent
from parsec.protocol.statuses import (
    CancelledGreetingAttemptReason,
    GreeterOrClaimer,
    NotReady,
    Ok,
)
from parsec.server.records import Author, GreetingAttemptRecord, Invited, Notification
from parsec.server.rules import greeting as rules
from parsec.server.rules.greeting_step import (
    Submission,
    claimer_step,
    greeter_step,
    submission_of,
)
from parsec.server.service.context import (
    AuthenticatedContext,
    InvitedContext,
    invitation_lock,
)
from parsec.server.store import greeting as store
from parsec.server.store import invite as invitations
from parsec.server.store import shamir as setups
from parsec.server.store import user as users
from parsec.server.store.engine import Transaction

_GREETER, _CLAIMER = GreeterOrClaimer.GREETER, GreeterOrClaimer.CLAIMER

# --- Start ---


async def invite_greeter_start_greeting_attempt(
    context: AuthenticatedContext, request: wire.InviteGreeterStartGreetingAttempt
) -> wire.InviteGreeterStartGreetingAttemptReply:
    organization_id = context.organization_id
    async with context.writing(share=[Topic.COMMON]) as (transaction, author):
        await transaction.lock(invitation_lock(organization_id, request.token))
        invitation = await invitations.invitation(transaction, organization_id, request.token)
        is_recipient = invitation is not None and await setups.is_recipient_of(
            transaction, organization_id, invitation, author.user.user_id
        )
        rules.check_greeter_may_start(
            invitation,
            author.user,
            is_recipient=is_recipient,
            now=context.now,
            lifetime=context.settings.invitation_lifetime,
        )
        active = await store.active_attempt(
            transaction, organization_id, request.token, author.user.user_id
        )
        started = rules.start(
            active,
            side=_GREETER,
            token=request.token,
            greeter=author.user.user_id,
            fresh_id=GreetingAttemptID.generate(context.entropy),
            now=context.now,
        )
        await _save(transaction, organization_id, started)
    return wire.InviteGreeterStartGreetingAttemptOk(
        greeting_attempt=started.attempt.greeting_attempt_id
    )


async def invite_claimer_start_greeting_attempt(
    context: InvitedContext, request: wire.InviteClaimerStartGreetingAttempt
) -> wire.InviteClaimerStartGreetingAttemptReply:
    organization_id = context.organization_id
    async with context.writing(share=[Topic.COMMON]) as (transaction, invited):
        is_recipient = await setups.is_recipient_of(
            transaction, organization_id, invited.invitation, request.greeter
        )
        greeter = rules.check_claimer_may_start(
            invited.invitation,
            await users.user(transaction, organization_id, request.greeter),
            is_recipient=is_recipient,
        )
        active = await store.active_attempt(
            transaction, organization_id, context.token, greeter.user_id
        )
        started = rules.start(
            active,
            side=_CLAIMER,
            token=context.token,
            greeter=greeter.user_id,
            fresh_id=GreetingAttemptID.generate(context.entropy),
            now=context.now,
        )
        await _save(transaction, organization_id, started)
    return wire.InviteClaimerStartGreetingAttemptOk(
        greeting_attempt=started.attempt.greeting_attempt_id
    )


async def _save(
    transaction: Transaction, organization_id: OrganizationID, started: rules.Start
) -> None:
    # The former attempt first: there is never more than one active.
    if started.replaced is not None:
        await _save_ended(transaction, organization_id, started.replaced)
    await store.save_attempt(transaction, organization_id, started.attempt)
    await store.forget_attempts(
        transaction, organization_id, started.attempt.token, started.attempt.greeter
    )


async def _save_ended(
    transaction: Transaction, organization_id: OrganizationID, ended: GreetingAttemptRecord
) -> None:
    # Nobody can ask any more what was said.
    await store.save_attempt(transaction, organization_id, ended)
    await store.forget_steps(transaction, organization_id, ended.greeting_attempt_id)


# --- Steps ---


async def invite_greeter_step(
    context: AuthenticatedContext, request: wire.InviteGreeterStep
) -> wire.InviteGreeterStepReply:
    rules.check_revision(context.api_version)
    submission = submission_of(request.greeter_step)
    peer_data = await _take_step(context, _GREETER, request.greeting_attempt, submission)
    if peer_data is None:
        return NotReady()
    return wire.InviteGreeterStepOk(
        claimer_step=claimer_step(Submission(submission.number, peer_data))
    )


async def invite_claimer_step(
    context: InvitedContext, request: wire.InviteClaimerStep
) -> wire.InviteClaimerStepReply:
    rules.check_revision(context.api_version)
    submission = submission_of(request.claimer_step)
    peer_data = await _take_step(context, _CLAIMER, request.greeting_attempt, submission)
    if peer_data is None:
        return NotReady()
    return wire.InviteClaimerStepOk(
        greeter_step=greeter_step(Submission(submission.number, peer_data))
    )


async def _take_step(
    context: AuthenticatedContext | InvitedContext,
    side: GreeterOrClaimer,
    attempt_id: GreetingAttemptID,
    submission: Submission,
) -> bytes | None:
    """What the peer said in that step, if it did."""
    async with context.reading() as (transaction, caller):
        encounter = await _encounter(context, transaction, caller, attempt_id)
        progress = await _progress(context, transaction, encounter, side, submission)
    if not progress.is_first_time:
        event = rules.event_of_step(encounter.attempt, side, submission, progress)
        if event is not None:
            # No news, so that it is not remembered either.
            told = _told(context, encounter, event)
            await context.server.engine.publish(msgspec.structs.replace(told, is_fleeting=True))
        return progress.peer_data
    async with context.writing(share=[Topic.COMMON]) as (transaction, caller):
        # An attempt never changes its invitation.
        token = encounter.attempt.token
        await transaction.lock(invitation_lock(context.organization_id, token))
        encounter = await _encounter(context, transaction, caller, attempt_id)
        progress = await _progress(context, transaction, encounter, side, submission)
        await _record(context, transaction, encounter, side, submission, progress)
        return progress.peer_data


async def _progress(
    context: AuthenticatedContext | InvitedContext,
    transaction: Transaction,
    encounter: rules.Encounter,
    side: GreeterOrClaimer,
    submission: Submission,
) -> rules.Progress:
    rules.check_active(encounter.attempt, side)
    current, former = await store.step_and_former(
        transaction,
        context.organization_id,
        encounter.attempt.greeting_attempt_id,
        submission.number,
    )
    return rules.take_step(former, current, side=side, submission=submission)


async def _record(
    context: AuthenticatedContext | InvitedContext,
    transaction: Transaction,
    encounter: rules.Encounter,
    side: GreeterOrClaimer,
    submission: Submission,
    progress: rules.Progress,
) -> None:
    if progress.is_first_time:
        await store.save_step(
            transaction,
            context.organization_id,
            encounter.attempt.greeting_attempt_id,
            submission.number,
            side,
            submission.data,
        )
    event = rules.event_of_step(encounter.attempt, side, submission, progress)
    if event is not None:
        transaction.publish(_told(context, encounter, event))


# --- End ---


async def invite_greeter_cancel_greeting_attempt(
    context: AuthenticatedContext, request: wire.InviteGreeterCancelGreetingAttempt
) -> wire.InviteGreeterCancelGreetingAttemptReply:
    await _cancel(context, _GREETER, request.greeting_attempt, request.reason)
    return Ok()


async def invite_claimer_cancel_greeting_attempt(
    context: InvitedContext, request: wire.InviteClaimerCancelGreetingAttempt
) -> wire.InviteClaimerCancelGreetingAttemptReply:
    await _cancel(context, _CLAIMER, request.greeting_attempt, request.reason)
    return Ok()


async def _cancel(
    context: AuthenticatedContext | InvitedContext,
    side: GreeterOrClaimer,
    attempt_id: GreetingAttemptID,
    reason: CancelledGreetingAttemptReason,
) -> None:
    organization_id = context.organization_id
    async with context.writing(share=[Topic.COMMON]) as (transaction, caller):
        token = await store.token_of_attempt(transaction, organization_id, attempt_id)
        if token is not None:
            await transaction.lock(invitation_lock(organization_id, token))
        encounter = await _encounter(context, transaction, caller, attempt_id)
        rules.check_cancellable(encounter.attempt, side)
        ended = rules.cancelled(encounter.attempt, side, reason, now=context.now)
        await _save_ended(transaction, organization_id, ended)
        transaction.publish(_told(context, encounter, rules.event_of_cancellation(ended)))


# --- What all of these share ---


async def _encounter(
    context: AuthenticatedContext | InvitedContext,
    transaction: Transaction,
    caller: Author | Invited,
    attempt_id: GreetingAttemptID,
) -> rules.Encounter:
    """The attempt that a caller names and may go on with. Raises Refused."""
    found = await store.attempt_in_full(transaction, context.organization_id, attempt_id)
    encounter = None
    if found is not None:
        attempt, invitation, greeter, is_recipient = found
        encounter = rules.Encounter(
            attempt=attempt,
            invitation=invitation,
            greeter=greeter,
            greeter_is_recipient=is_recipient,
        )
    match caller:
        case Author():
            return rules.check_greeter(
                encounter,
                caller.user.user_id,
                now=context.now,
                lifetime=context.settings.invitation_lifetime,
            )
        case Invited():
            return rules.check_claimer(caller.invitation, encounter)


def _told(
    context: AuthenticatedContext | InvitedContext,
    encounter: rules.Encounter,
    event: MergedReply,
) -> Notification:
    """What the greeter's devices are told."""
    return Notification(
        organization_id=context.organization_id,
        event_id=context.event_id(),
        content=event,
        recipients=frozenset([encounter.attempt.greeter]),
        # Somebody who waits says so again and again.
        is_fleeting=isinstance(event, GreetingAttemptReadyEvent),
    )
