"""Users and their devices: loading and writing them."""

from parsec.crypto.keys import VerifyKey
from parsec.data.ids import DeviceID, UserID
from parsec.data.instant import Instant
from parsec.data.people import EmailAddress, OrganizationID, UserProfile
from parsec.server.records import DeviceRecord, UserRecord
from parsec.server.store.engine import Row, Transaction
from parsec.server.store.stored import stored_human_handle

USER = """
SELECT user_id, email, label, profile, created_on, revoked_on, is_frozen, tos_accepted_on
FROM "user"
WHERE organization_id = :organization_id AND user_id = :user_id"""

ACTIVE_USER_BY_EMAIL = """
SELECT user_id, email, label, profile, created_on, revoked_on, is_frozen, tos_accepted_on
FROM "user"
WHERE organization_id = :organization_id AND email = :email AND revoked_on IS NULL"""

ACTIVE_USERS = """
SELECT user_id, email, label, profile, created_on, revoked_on, is_frozen, tos_accepted_on
FROM "user"
WHERE organization_id = :organization_id AND revoked_on IS NULL
ORDER BY created_on, user_id"""

ALL_USERS = """
SELECT user_id, email, label, profile, created_on, revoked_on, is_frozen, tos_accepted_on
FROM "user"
WHERE organization_id = :organization_id
ORDER BY created_on, user_id"""

ACTIVE_USERS_WITH_PROFILE = """
SELECT user_id, email, label, profile, created_on, revoked_on, is_frozen, tos_accepted_on
FROM "user"
WHERE organization_id = :organization_id AND profile = :profile AND revoked_on IS NULL
ORDER BY label, user_id"""

FROZEN_USERS = """
SELECT user_id FROM "user"
WHERE organization_id = :organization_id AND is_frozen = 1
ORDER BY created_on, user_id"""

DEVICE = """
SELECT device_id, user_id, verify_key FROM device
WHERE organization_id = :organization_id AND device_id = :device_id"""

ADD_USER = """
INSERT INTO "user" (organization_id, user_id, email, label, profile, created_on)
VALUES (:organization_id, :user_id, :email, :label, :profile, :created_on)"""

# Kept beside the users so that no creation has to count them.
ACTIVE_USERS_COUNT = """
SELECT active_users FROM organization WHERE organization_id = :organization_id"""

ADD_ACTIVE_USERS = """
UPDATE organization SET active_users = active_users + :more
WHERE organization_id = :organization_id"""

ADD_PROFILE = """
INSERT INTO user_profile_since (organization_id, user_id, since, profile)
VALUES (:organization_id, :user_id, :since, :profile)"""

SET_PROFILE = """
UPDATE "user" SET profile = :profile
WHERE organization_id = :organization_id AND user_id = :user_id"""

REVOKE = """
UPDATE "user" SET revoked_on = :revoked_on
WHERE organization_id = :organization_id AND user_id = :user_id"""

SET_FROZEN = """
UPDATE "user" SET is_frozen = :is_frozen
WHERE organization_id = :organization_id AND user_id = :user_id"""

ACCEPT_TOS = """
UPDATE "user" SET tos_accepted_on = :tos_accepted_on
WHERE organization_id = :organization_id AND user_id = :user_id"""

ADD_DEVICE = """
INSERT INTO device (organization_id, device_id, user_id, verify_key, created_on)
VALUES (:organization_id, :device_id, :user_id, :verify_key, :created_on)"""


async def user(
    transaction: Transaction, organization_id: OrganizationID, user_id: UserID
) -> UserRecord | None:
    """The user of that ID, revoked or not."""
    rows = await transaction.rows(USER, organization_id=organization_id, user_id=user_id)
    return user_record(rows[0]) if rows else None


async def active_user_by_email(
    transaction: Transaction, organization_id: OrganizationID, email: EmailAddress
) -> UserRecord | None:
    """The user who has that address and is not revoked."""
    rows = await transaction.rows(
        ACTIVE_USER_BY_EMAIL, organization_id=organization_id, email=email
    )
    return user_record(rows[0]) if rows else None


async def active_users(
    transaction: Transaction, organization_id: OrganizationID
) -> list[UserRecord]:
    """The users who are not revoked, by date of creation."""
    rows = await transaction.rows(ACTIVE_USERS, organization_id=organization_id)
    return [user_record(row) for row in rows]


async def all_users(transaction: Transaction, organization_id: OrganizationID) -> list[UserRecord]:
    """The users, revoked or not, by date of creation."""
    rows = await transaction.rows(ALL_USERS, organization_id=organization_id)
    return [user_record(row) for row in rows]


async def active_users_with_profile(
    transaction: Transaction, organization_id: OrganizationID, profile: UserProfile
) -> list[UserRecord]:
    """The users of that profile who are not revoked, by label."""
    rows = await transaction.rows(
        ACTIVE_USERS_WITH_PROFILE, organization_id=organization_id, profile=profile
    )
    return [user_record(row) for row in rows]


async def active_users_count(transaction: Transaction, organization_id: OrganizationID) -> int:
    """How many users are not revoked."""
    ((count,),) = await transaction.rows(ACTIVE_USERS_COUNT, organization_id=organization_id)
    return int(count)


async def frozen_users(transaction: Transaction, organization_id: OrganizationID) -> list[UserID]:
    """The users who are frozen, revoked or not, by date of creation."""
    rows = await transaction.rows(FROZEN_USERS, organization_id=organization_id)
    return [UserID(user_id) for (user_id,) in rows]


async def device(
    transaction: Transaction, organization_id: OrganizationID, device_id: DeviceID
) -> DeviceRecord | None:
    """The device of that ID."""
    rows = await transaction.rows(DEVICE, organization_id=organization_id, device_id=device_id)
    return device_record(rows[0]) if rows else None


async def add_user(
    transaction: Transaction,
    organization_id: OrganizationID,
    record: UserRecord,
    first_device: DeviceRecord,
) -> None:
    """Write a new user and its first device."""
    await transaction.rows(
        ADD_USER,
        organization_id=organization_id,
        user_id=record.user_id,
        email=record.human_handle.email,
        label=record.human_handle.label,
        profile=record.profile,
        created_on=record.created_on,
    )
    await transaction.rows(
        ADD_PROFILE,
        organization_id=organization_id,
        user_id=record.user_id,
        since=record.created_on,
        profile=record.profile,
    )
    await add_device(transaction, organization_id, first_device, created_on=record.created_on)
    await transaction.rows(ADD_ACTIVE_USERS, organization_id=organization_id, more=1)


async def set_profile(
    transaction: Transaction,
    organization_id: OrganizationID,
    user_id: UserID,
    profile: UserProfile,
    *,
    since: Instant,
) -> None:
    """Write the new profile of a user."""
    await transaction.rows(
        SET_PROFILE, organization_id=organization_id, user_id=user_id, profile=profile
    )
    await transaction.rows(
        ADD_PROFILE,
        organization_id=organization_id,
        user_id=user_id,
        since=since,
        profile=profile,
    )


async def revoke(
    transaction: Transaction,
    organization_id: OrganizationID,
    user_id: UserID,
    *,
    revoked_on: Instant,
) -> None:
    """Write that a user is revoked."""
    await transaction.rows(
        REVOKE, organization_id=organization_id, user_id=user_id, revoked_on=revoked_on
    )
    await transaction.rows(ADD_ACTIVE_USERS, organization_id=organization_id, more=-1)


async def set_frozen(
    transaction: Transaction, organization_id: OrganizationID, user_id: UserID, *, frozen: bool
) -> None:
    """Write whether a user is frozen."""
    await transaction.rows(
        SET_FROZEN, organization_id=organization_id, user_id=user_id, is_frozen=int(frozen)
    )


async def accept_tos(
    transaction: Transaction, organization_id: OrganizationID, user_id: UserID, *, on: Instant
) -> None:
    """Write that a user accepts the terms of service."""
    await transaction.rows(
        ACCEPT_TOS, organization_id=organization_id, user_id=user_id, tos_accepted_on=on
    )


async def add_device(
    transaction: Transaction,
    organization_id: OrganizationID,
    record: DeviceRecord,
    *,
    created_on: Instant,
) -> None:
    """Write a new device."""
    await transaction.rows(
        ADD_DEVICE,
        organization_id=organization_id,
        device_id=record.device_id,
        user_id=record.user_id,
        verify_key=bytes(record.verify_key),
        created_on=created_on,
    )


def user_record(row: Row) -> UserRecord:
    """Read the columns of `USER`, in their order."""
    user_id, email, label, profile, created_on, revoked_on, is_frozen, tos_accepted_on = row
    return UserRecord(
        user_id=UserID(user_id),
        human_handle=stored_human_handle(email, label),
        profile=UserProfile(profile),
        created_on=Instant(created_on),
        revoked_on=Instant(revoked_on) if revoked_on is not None else None,
        is_frozen=bool(is_frozen),
        tos_accepted_on=Instant(tos_accepted_on) if tos_accepted_on is not None else None,
    )


def device_record(row: Row) -> DeviceRecord:
    """Read the columns of `DEVICE`, in their order."""
    device_id, user_id, verify_key = row
    return DeviceRecord(
        device_id=DeviceID(device_id), user_id=UserID(user_id), verify_key=VerifyKey(verify_key)
    )
