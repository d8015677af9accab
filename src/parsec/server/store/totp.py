"""One-time codes: loading and writing set-ups and the keys that codes release."""

from parsec.crypto.keys import HashDigest, SecretKey
from parsec.data.ids import TOTPOpaqueKeyID, UserID
from parsec.data.instant import Instant
from parsec.data.people import OrganizationID
from parsec.server.records import Failures, OpaqueKeyRecord, TotpRecord, TotpSecret
from parsec.server.store.engine import Transaction

SETUP = """
SELECT
    secret, completed_on, reset_token_digest, reset_on, failures, last_failure_on, last_step
FROM totp
WHERE organization_id = :organization_id AND user_id = :user_id"""

BEGIN = """
INSERT INTO totp (organization_id, user_id, secret)
VALUES (:organization_id, :user_id, :secret)
ON CONFLICT (organization_id, user_id) DO UPDATE SET secret = excluded.secret"""

COMPLETE = """
UPDATE totp SET completed_on = :completed_on, reset_token_digest = NULL
WHERE organization_id = :organization_id AND user_id = :user_id"""

RESET = """
INSERT INTO totp (organization_id, user_id, reset_token_digest, reset_on)
VALUES (:organization_id, :user_id, :reset_token_digest, :reset_on)
ON CONFLICT (organization_id, user_id) DO UPDATE SET
    secret = NULL,
    completed_on = NULL,
    reset_token_digest = excluded.reset_token_digest,
    reset_on = excluded.reset_on,
    failures = 0,
    last_failure_on = NULL,
    last_step = NULL"""

RESET_KEYS = """
UPDATE totp_opaque_key SET failures = 0, last_failure_on = NULL
WHERE organization_id = :organization_id AND user_id = :user_id"""

VOID_RESET = """
UPDATE totp SET reset_token_digest = NULL
WHERE organization_id = :organization_id AND user_id = :user_id"""

OPAQUE_KEY = """
SELECT opaque_key_id, opaque_key, failures, last_failure_on FROM totp_opaque_key
WHERE organization_id = :organization_id AND user_id = :user_id
    AND opaque_key_id = :opaque_key_id"""

OPAQUE_KEYS_COUNT = """
SELECT COUNT(*) FROM totp_opaque_key
WHERE organization_id = :organization_id AND user_id = :user_id"""

ADD_OPAQUE_KEY = """
INSERT INTO totp_opaque_key (organization_id, user_id, opaque_key_id, opaque_key, created_on)
VALUES (:organization_id, :user_id, :opaque_key_id, :opaque_key, :created_on)"""

SET_KEY_FAILURES = """
UPDATE totp_opaque_key SET failures = :failures, last_failure_on = :last_failure_on
WHERE organization_id = :organization_id AND user_id = :user_id
    AND opaque_key_id = :opaque_key_id"""

SET_USER_FAILURES = """
UPDATE totp SET failures = :failures, last_failure_on = :last_failure_on
WHERE organization_id = :organization_id AND user_id = :user_id"""

SET_SUCCESS = """
UPDATE totp SET
    failures = 0,
    last_failure_on = NULL,
    last_success_on = :last_success_on,
    last_step = :last_step
WHERE organization_id = :organization_id AND user_id = :user_id"""

ADD_STRAY_FAILURE = """
INSERT INTO totp_stray_failure (organization_id, failures, last_failure_on)
VALUES (:organization_id, 1, :last_failure_on)
ON CONFLICT (organization_id) DO UPDATE SET
    failures = totp_stray_failure.failures + 1,
    last_failure_on = excluded.last_failure_on"""


def totp_lock(organization_id: OrganizationID, user_id: UserID) -> str:
    """What `Transaction.lock` is given before the set-up or the keys of a user are judged."""
    return f"{organization_id}/totp/{user_id.hex()}"


# --- Set-up ---


async def setup(
    transaction: Transaction, organization_id: OrganizationID, user_id: UserID
) -> TotpRecord:
    """How far the set-up of a user is, who need not exist."""
    rows = await transaction.rows(SETUP, organization_id=organization_id, user_id=user_id)
    if not rows:
        return TotpRecord()
    secret, completed_on, digest, reset_on, failures, last_failure_on, last_step = rows[0]
    return TotpRecord(
        secret=TotpSecret(_opened(secret)) if secret is not None else None,
        completed_on=_instant(completed_on),
        reset_token_digest=HashDigest(digest) if digest is not None else None,
        reset_on=_instant(reset_on),
        failures=Failures(failures, _instant(last_failure_on)),
        last_step=last_step,
    )


async def set_secret(
    transaction: Transaction, organization_id: OrganizationID, user_id: UserID, secret: TotpSecret
) -> None:
    """Write the secret of a user's set-up."""
    await transaction.rows(
        BEGIN, organization_id=organization_id, user_id=user_id, secret=_sealed(secret)
    )


async def complete(
    transaction: Transaction, organization_id: OrganizationID, user_id: UserID, *, on: Instant
) -> None:
    """Write that a set-up is complete, and that the token of a reset is used."""
    await transaction.rows(
        COMPLETE, organization_id=organization_id, user_id=user_id, completed_on=on
    )


async def reset(
    transaction: Transaction,
    organization_id: OrganizationID,
    user_id: UserID,
    *,
    token_digest: HashDigest,
    on: Instant,
) -> None:
    """Write that a user must set up anew, with that token; the keys stay and no longer wait."""
    await transaction.rows(
        RESET,
        organization_id=organization_id,
        user_id=user_id,
        reset_token_digest=bytes(token_digest),
        reset_on=on,
    )
    await transaction.rows(RESET_KEYS, organization_id=organization_id, user_id=user_id)


async def void_reset_token(
    transaction: Transaction, organization_id: OrganizationID, user_id: UserID
) -> None:
    """Write that the token of a reset opens nothing any more."""
    await transaction.rows(VOID_RESET, organization_id=organization_id, user_id=user_id)


# --- Keys ---


async def opaque_key(
    transaction: Transaction,
    organization_id: OrganizationID,
    user_id: UserID,
    opaque_key_id: TOTPOpaqueKeyID,
) -> OpaqueKeyRecord | None:
    """The key of that name among those of a user."""
    rows = await transaction.rows(
        OPAQUE_KEY, organization_id=organization_id, user_id=user_id, opaque_key_id=opaque_key_id
    )
    if not rows:
        return None
    key_id, key, failures, last_failure_on = rows[0]
    return OpaqueKeyRecord(
        opaque_key_id=TOTPOpaqueKeyID(key_id),
        opaque_key=SecretKey(_opened(key)),
        failures=Failures(failures, _instant(last_failure_on)),
    )


async def opaque_keys_count(
    transaction: Transaction, organization_id: OrganizationID, user_id: UserID
) -> int:
    """How many keys a user has."""
    ((count,),) = await transaction.rows(
        OPAQUE_KEYS_COUNT, organization_id=organization_id, user_id=user_id
    )
    return int(count)


async def add_opaque_key(
    transaction: Transaction,
    organization_id: OrganizationID,
    user_id: UserID,
    record: OpaqueKeyRecord,
    *,
    created_on: Instant,
) -> None:
    """Write a new key of a user."""
    await transaction.rows(
        ADD_OPAQUE_KEY,
        organization_id=organization_id,
        user_id=user_id,
        opaque_key_id=record.opaque_key_id,
        opaque_key=_sealed(bytes(record.opaque_key)),
        created_on=created_on,
    )


async def set_failures(
    transaction: Transaction,
    organization_id: OrganizationID,
    user_id: UserID,
    opaque_key_id: TOTPOpaqueKeyID,
    *,
    key: Failures,
    user: Failures,
) -> None:
    """Write the wrong codes in a row of a key, and of its user over all keys."""
    await transaction.rows(
        SET_KEY_FAILURES,
        organization_id=organization_id,
        user_id=user_id,
        opaque_key_id=opaque_key_id,
        failures=key.count,
        last_failure_on=key.last_on,
    )
    await transaction.rows(
        SET_USER_FAILURES,
        organization_id=organization_id,
        user_id=user_id,
        failures=user.count,
        last_failure_on=user.last_on,
    )


async def set_success(
    transaction: Transaction,
    organization_id: OrganizationID,
    user_id: UserID,
    opaque_key_id: TOTPOpaqueKeyID,
    *,
    step: int,
    on: Instant,
) -> None:
    """Write that the code of a time step released a key: it and its user no longer wait."""
    await transaction.rows(
        SET_KEY_FAILURES,
        organization_id=organization_id,
        user_id=user_id,
        opaque_key_id=opaque_key_id,
        failures=0,
        last_failure_on=None,
    )
    await transaction.rows(
        SET_SUCCESS,
        organization_id=organization_id,
        user_id=user_id,
        last_success_on=on,
        last_step=step,
    )


async def add_stray_failure(
    transaction: Transaction, organization_id: OrganizationID, *, on: Instant
) -> None:
    """Write that a key was asked for that was never created."""
    await transaction.rows(ADD_STRAY_FAILURE, organization_id=organization_id, last_failure_on=on)


# --- Secrets at rest: nothing else here reads or writes them ---


def _sealed(secret: bytes) -> bytes:
    """What is written of a secret."""
    return bytes(secret)


def _opened(stored: bytes) -> bytes:
    """The secret of which that was written."""
    return bytes(stored)


def _instant(value: int | None) -> Instant | None:
    return Instant(value) if value is not None else None
