"""Greeting attempts and their steps: loading and writing them."""

from parsec.data.ids import AccessToken, GreetingAttemptID, UserID
from parsec.data.instant import Instant
from parsec.data.people import OrganizationID
from parsec.protocol.statuses import CancelledGreetingAttemptReason, GreeterOrClaimer
from parsec.server.records import (
    GreetingAttemptRecord,
    GreetingCancellation,
    GreetingStepRecord,
    InvitationRecord,
    UserRecord,
)
from parsec.server.store.engine import Row, Transaction
from parsec.server.store.invite import INVITATION_COLUMNS, INVITATION_JOINS, invitation_record
from parsec.server.store.user import user_record

_ATTEMPT_COLUMNS = 8
_GREETER_COLUMNS = 8

ACTIVE_ATTEMPT = """
SELECT
    greeting_attempt_id, token, greeter, greeter_joined_on, claimer_joined_on,
    cancelled_origin, cancelled_reason, cancelled_on
FROM greeting_attempt
WHERE organization_id = :organization_id AND token = :token AND greeter = :greeter
    AND cancelled_on IS NULL"""

INVITATION_OF_ATTEMPT = """
SELECT token FROM greeting_attempt
WHERE organization_id = :organization_id AND greeting_attempt_id = :greeting_attempt_id"""

# One look-up, because peers ask again and again while they wait.
ATTEMPT_IN_FULL = f"""
SELECT
    greeting_attempt.greeting_attempt_id, greeting_attempt.token, greeting_attempt.greeter,
    greeting_attempt.greeter_joined_on, greeting_attempt.claimer_joined_on,
    greeting_attempt.cancelled_origin, greeting_attempt.cancelled_reason,
    greeting_attempt.cancelled_on,
    greeter.user_id, greeter.email, greeter.label, greeter.profile, greeter.created_on,
    greeter.revoked_on, greeter.is_frozen, greeter.tos_accepted_on,
    shamir_share.shares,
    {INVITATION_COLUMNS}
FROM greeting_attempt
JOIN "user" AS greeter
    ON greeter.organization_id = greeting_attempt.organization_id
    AND greeter.user_id = greeting_attempt.greeter
JOIN invitation
    ON invitation.organization_id = greeting_attempt.organization_id
    AND invitation.token = greeting_attempt.token
{INVITATION_JOINS}
LEFT JOIN shamir_share
    ON shamir_share.organization_id = invitation.organization_id
    AND shamir_share.user_id = invitation.claimer_user_id
    AND shamir_share.created_on = invitation.setup_created_on
    AND shamir_share.recipient_id = greeting_attempt.greeter
WHERE greeting_attempt.organization_id = :organization_id
    AND greeting_attempt.greeting_attempt_id = :greeting_attempt_id"""  # noqa: S608  (of constants)

LAST_JOINED = """
SELECT greeter, MAX(greeter_joined_on) FROM greeting_attempt
WHERE organization_id = :organization_id AND token = :token AND greeter_joined_on IS NOT NULL
GROUP BY greeter"""

SAVE_ATTEMPT = """
INSERT INTO greeting_attempt (
    organization_id, greeting_attempt_id, token, greeter, greeter_joined_on, claimer_joined_on,
    cancelled_origin, cancelled_reason, cancelled_on
) VALUES (
    :organization_id, :greeting_attempt_id, :token, :greeter, :greeter_joined_on,
    :claimer_joined_on, :cancelled_origin, :cancelled_reason, :cancelled_on
)
ON CONFLICT (organization_id, greeting_attempt_id) DO UPDATE SET
    greeter_joined_on = excluded.greeter_joined_on,
    claimer_joined_on = excluded.claimer_joined_on,
    cancelled_origin = excluded.cancelled_origin,
    cancelled_reason = excluded.cancelled_reason,
    cancelled_on = excluded.cancelled_on"""

# A peer may still ask for the last attempt that it joined. Who starts anew may be told by another
# of its calls how the attempt before ended: that is the one cancelled last.
FORGET_ATTEMPTS = """
DELETE FROM greeting_attempt
WHERE organization_id = :organization_id AND token = :token AND greeter = :greeter
    AND cancelled_on < (
        SELECT MAX(last.cancelled_on) FROM greeting_attempt AS last
        WHERE last.organization_id = :organization_id AND last.token = :token
            AND last.greeter = :greeter
    )
    AND (greeter_joined_on IS NULL OR greeter_joined_on < (
        SELECT MAX(last.greeter_joined_on) FROM greeting_attempt AS last
        WHERE last.organization_id = :organization_id AND last.token = :token
            AND last.greeter = :greeter
    ))
    AND (claimer_joined_on IS NULL OR claimer_joined_on < (
        SELECT MAX(last.claimer_joined_on) FROM greeting_attempt AS last
        WHERE last.organization_id = :organization_id AND last.token = :token
            AND last.greeter = :greeter
    ))"""

STEP_AND_FORMER = """
SELECT step, greeter_data, claimer_data FROM greeting_step
WHERE organization_id = :organization_id AND greeting_attempt_id = :greeting_attempt_id
    AND step BETWEEN :former AND :step"""

SAVE_GREETER_STEP = """
INSERT INTO greeting_step (organization_id, greeting_attempt_id, step, greeter_data)
VALUES (:organization_id, :greeting_attempt_id, :step, :data)
ON CONFLICT (organization_id, greeting_attempt_id, step)
DO UPDATE SET greeter_data = excluded.greeter_data"""

SAVE_CLAIMER_STEP = """
INSERT INTO greeting_step (organization_id, greeting_attempt_id, step, claimer_data)
VALUES (:organization_id, :greeting_attempt_id, :step, :data)
ON CONFLICT (organization_id, greeting_attempt_id, step)
DO UPDATE SET claimer_data = excluded.claimer_data"""


FORGET_STEPS = """
DELETE FROM greeting_step
WHERE organization_id = :organization_id AND greeting_attempt_id = :greeting_attempt_id"""

FORGET_STEPS_OF_INVITATION = """
DELETE FROM greeting_step
WHERE organization_id = :organization_id AND greeting_attempt_id IN (
    SELECT greeting_attempt_id FROM greeting_attempt
    WHERE organization_id = :organization_id AND token = :token
)"""


async def active_attempt(
    transaction: Transaction,
    organization_id: OrganizationID,
    token: AccessToken,
    greeter: UserID,
) -> GreetingAttemptRecord | None:
    """The attempt of a greeter for an invitation that is not cancelled."""
    rows = await transaction.rows(
        ACTIVE_ATTEMPT, organization_id=organization_id, token=token, greeter=greeter
    )
    return _attempt_record(rows[0]) if rows else None


async def token_of_attempt(
    transaction: Transaction,
    organization_id: OrganizationID,
    greeting_attempt_id: GreetingAttemptID,
) -> AccessToken | None:
    """The invitation that an attempt is for; this never changes."""
    rows = await transaction.rows(
        INVITATION_OF_ATTEMPT,
        organization_id=organization_id,
        greeting_attempt_id=greeting_attempt_id,
    )
    return AccessToken(rows[0][0]) if rows else None


async def attempt_in_full(
    transaction: Transaction,
    organization_id: OrganizationID,
    greeting_attempt_id: GreetingAttemptID,
) -> tuple[GreetingAttemptRecord, InvitationRecord, UserRecord, bool] | None:
    """An attempt, its invitation, its greeter, and whether he has shares of what is recovered."""
    rows = await transaction.rows(
        ATTEMPT_IN_FULL,
        organization_id=organization_id,
        greeting_attempt_id=greeting_attempt_id,
    )
    if not rows:
        return None
    row, greeter_end = rows[0], _ATTEMPT_COLUMNS + _GREETER_COLUMNS
    return (
        _attempt_record(row[:_ATTEMPT_COLUMNS]),
        invitation_record(row[greeter_end + 1 :]),
        user_record(row[_ATTEMPT_COLUMNS:greeter_end]),
        row[greeter_end] is not None,
    )


async def last_joined(
    transaction: Transaction, organization_id: OrganizationID, token: AccessToken
) -> dict[UserID, Instant]:
    """When each greeter last joined an attempt for an invitation."""
    rows = await transaction.rows(LAST_JOINED, organization_id=organization_id, token=token)
    return {UserID(greeter): Instant(joined_on) for greeter, joined_on in rows}


async def save_attempt(
    transaction: Transaction, organization_id: OrganizationID, record: GreetingAttemptRecord
) -> None:
    """Write an attempt, new or changed."""
    end = record.cancelled
    await transaction.rows(
        SAVE_ATTEMPT,
        organization_id=organization_id,
        greeting_attempt_id=record.greeting_attempt_id,
        token=record.token,
        greeter=record.greeter,
        greeter_joined_on=record.greeter_joined_on,
        claimer_joined_on=record.claimer_joined_on,
        cancelled_origin=end.origin if end else None,
        cancelled_reason=end.reason if end else None,
        cancelled_on=end.timestamp if end else None,
    )


async def forget_attempts(
    transaction: Transaction, organization_id: OrganizationID, token: AccessToken, greeter: UserID
) -> None:
    """Erase the ended attempts that neither side can still ask for, except the very last."""
    await transaction.rows(
        FORGET_ATTEMPTS, organization_id=organization_id, token=token, greeter=greeter
    )


async def step_and_former(
    transaction: Transaction,
    organization_id: OrganizationID,
    greeting_attempt_id: GreetingAttemptID,
    step: int,
) -> tuple[GreetingStepRecord | None, GreetingStepRecord | None]:
    """What is stored of a step, and of the one before."""
    rows = await transaction.rows(
        STEP_AND_FORMER,
        organization_id=organization_id,
        greeting_attempt_id=greeting_attempt_id,
        former=step - 1,
        step=step,
    )
    found = {row[0]: _step_record(row) for row in rows}
    return found.get(step), found.get(step - 1)


async def save_step(
    transaction: Transaction,
    organization_id: OrganizationID,
    greeting_attempt_id: GreetingAttemptID,
    step: int,
    side: GreeterOrClaimer,
    data: bytes,
) -> None:
    """Write what a side said in a step."""
    match side:
        case GreeterOrClaimer.GREETER:
            statement = SAVE_GREETER_STEP
        case GreeterOrClaimer.CLAIMER:
            statement = SAVE_CLAIMER_STEP
    await transaction.rows(
        statement,
        organization_id=organization_id,
        greeting_attempt_id=greeting_attempt_id,
        step=step,
        data=data,
    )


async def forget_steps(
    transaction: Transaction,
    organization_id: OrganizationID,
    greeting_attempt_id: GreetingAttemptID,
) -> None:
    """Erase what both sides said in an attempt."""
    await transaction.rows(
        FORGET_STEPS, organization_id=organization_id, greeting_attempt_id=greeting_attempt_id
    )


async def forget_steps_of_invitation(
    transaction: Transaction, organization_id: OrganizationID, token: AccessToken
) -> None:
    """Erase what was said in all attempts for an invitation."""
    await transaction.rows(FORGET_STEPS_OF_INVITATION, organization_id=organization_id, token=token)


def _attempt_record(row: Row) -> GreetingAttemptRecord:
    attempt_id, token, greeter, greeter_joined_on, claimer_joined_on, origin, reason, on = row
    return GreetingAttemptRecord(
        greeting_attempt_id=GreetingAttemptID(attempt_id),
        token=AccessToken(token),
        greeter=UserID(greeter),
        greeter_joined_on=_instant(greeter_joined_on),
        claimer_joined_on=_instant(claimer_joined_on),
        cancelled=(
            GreetingCancellation(
                origin=GreeterOrClaimer(origin),
                reason=CancelledGreetingAttemptReason(reason),
                timestamp=Instant(on),
            )
            if on is not None
            else None
        ),
    )


def _step_record(row: Row) -> GreetingStepRecord:
    step, greeter_data, claimer_data = row
    return GreetingStepRecord(step=step, greeter_data=greeter_data, claimer_data=claimer_data)


def _instant(value: int | None) -> Instant | None:
    return Instant(value) if value is not None else None
