"""One-time codes: loading and writing set-ups and the keys that codes release."""

from itertools import groupby
from operator import itemgetter

import msgspec

from parsec.crypto.keys import HashDigest, SecretKey
from parsec.data.ids import TOTPOpaqueKeyID, UserID
from parsec.data.instant import Instant
from parsec.data.people import OrganizationID
from parsec.server.records import (
    Failures,
    OpaqueKeyRecord,
    TotpRecord,
    TotpSecret,
    TotpStanding,
)
from parsec.server.store.engine import Row, Transaction
from parsec.server.store.sealing import Sealing, opaque_key_place, totp_secret_place
from parsec.server.store.server_key import sealed_value

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

RESETS_COUNT = """
SELECT COALESCE(MAX(number), 0) FROM totp_reset
WHERE organization_id = :organization_id AND user_id = :user_id"""

ADD_RESET = """
INSERT INTO totp_reset (organization_id, user_id, number, reset_on)
VALUES (:organization_id, :user_id, :number, :reset_on)"""

FORGET_RESETS = """
DELETE FROM totp_reset
WHERE organization_id = :organization_id AND user_id = :user_id AND number <= :number"""

VOID_RESET = """
UPDATE totp SET reset_token_digest = NULL
WHERE organization_id = :organization_id AND user_id = :user_id"""

OPAQUE_KEY = """
SELECT opaque_key, failures, last_failure_on FROM totp_opaque_key
WHERE organization_id = :organization_id AND user_id = :user_id
    AND opaque_key_id = :opaque_key_id"""

OPAQUE_KEYS_COUNT = """
SELECT COUNT(*) FROM totp_opaque_key
WHERE organization_id = :organization_id AND user_id = :user_id"""

ADD_OPAQUE_KEY = """
INSERT INTO totp_opaque_key (organization_id, user_id, opaque_key_id, opaque_key, created_on)
VALUES (:organization_id, :user_id, :opaque_key_id, :opaque_key, :created_on)"""

# Nothing, if another key of the server seals by now. Who makes another one the current one waits
# for this row, and its successors find it gone.
ADD_OPAQUE_KEY_AT_ONCE = """
INSERT INTO totp_opaque_key (organization_id, user_id, opaque_key_id, opaque_key, created_on)
SELECT :organization_id, :user_id, :opaque_key_id, :opaque_key, :created_on
FROM server_key WHERE key_id = :key_id
/* PostgreSQL: FOR SHARE */
RETURNING created_on"""

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

# What is secret stays in the database: only whether it is there is asked.
STANDINGS = """
SELECT
    user_id, secret IS NOT NULL, completed_on, reset_token_digest IS NOT NULL, reset_on,
    failures, last_failure_on, last_success_on
FROM totp
WHERE organization_id = :organization_id"""

KEYS_COUNTS = """
SELECT user_id, COUNT(*) FROM totp_opaque_key
WHERE organization_id = :organization_id
GROUP BY user_id"""

FAILING_KEYS = """
SELECT user_id, failures, last_failure_on FROM totp_opaque_key
WHERE organization_id = :organization_id AND failures > 0
ORDER BY user_id"""

RESETS = """
SELECT user_id, number, reset_on FROM totp_reset
WHERE organization_id = :organization_id
ORDER BY user_id, number"""

KEPT_RESETS = 100
"""How many resets of a user are remembered with their dates; older ones are only counted."""


def totp_lock(organization_id: OrganizationID, user_id: UserID) -> str:
    """What `Transaction.lock` is given before the set-up or the keys of a user are judged."""
    return f"{organization_id}/totp/{user_id.hex()}"


# --- Set-up ---


async def setup(
    transaction: Transaction, sealing: Sealing, organization_id: OrganizationID, user_id: UserID
) -> TotpRecord:
    """How far the set-up of a user is, who need not exist."""
    rows = await transaction.rows(SETUP, organization_id=organization_id, user_id=user_id)
    if not rows:
        return TotpRecord()
    sealed, completed_on, digest, reset_on, failures, last_failure_on, last_step = rows[0]
    secret = None
    if sealed is not None:
        secret = TotpSecret(sealing.open(sealed, totp_secret_place(organization_id, user_id)))
    return TotpRecord(
        secret=secret,
        completed_on=_instant(completed_on),
        reset_token_digest=HashDigest(digest) if digest is not None else None,
        reset_on=_instant(reset_on),
        failures=Failures(failures, _instant(last_failure_on)),
        last_step=last_step,
    )


async def set_secret(
    transaction: Transaction,
    sealing: Sealing,
    organization_id: OrganizationID,
    user_id: UserID,
    secret: TotpSecret,
) -> None:
    """Write the secret of a user's set-up."""
    place = totp_secret_place(organization_id, user_id)
    sealed = await sealed_value(transaction, sealing, bytes(secret), place)
    await transaction.rows(BEGIN, organization_id=organization_id, user_id=user_id, secret=sealed)


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
    await _remember_reset(transaction, organization_id, user_id, on=on)


async def _remember_reset(
    transaction: Transaction, organization_id: OrganizationID, user_id: UserID, *, on: Instant
) -> None:
    who: dict[str, str | bytes] = {"organization_id": organization_id, "user_id": user_id}
    ((count,),) = await transaction.rows(RESETS_COUNT, **who)
    await transaction.rows(ADD_RESET, **who, number=count + 1, reset_on=on)
    if count >= KEPT_RESETS:
        await transaction.rows(FORGET_RESETS, **who, number=count + 1 - KEPT_RESETS)


async def void_reset_token(
    transaction: Transaction, organization_id: OrganizationID, user_id: UserID
) -> None:
    """Write that the token of a reset opens nothing any more."""
    await transaction.rows(VOID_RESET, organization_id=organization_id, user_id=user_id)


# --- Keys ---


async def opaque_key(
    transaction: Transaction,
    sealing: Sealing,
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
    sealed, failures, last_failure_on = rows[0]
    place = opaque_key_place(organization_id, user_id, opaque_key_id)
    return OpaqueKeyRecord(
        opaque_key_id=opaque_key_id,
        opaque_key=SecretKey(sealing.open(sealed, place)),
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
    sealing: Sealing,
    organization_id: OrganizationID,
    user_id: UserID,
    record: OpaqueKeyRecord,
    *,
    created_on: Instant,
) -> None:
    """Write a new key of a user."""
    place = opaque_key_place(organization_id, user_id, record.opaque_key_id)
    sealed = await sealed_value(transaction, sealing, bytes(record.opaque_key), place)
    await transaction.rows(
        ADD_OPAQUE_KEY,
        organization_id=organization_id,
        user_id=user_id,
        opaque_key_id=record.opaque_key_id,
        opaque_key=sealed,
        created_on=created_on,
    )


async def add_opaque_key_at_once(
    transaction: Transaction,
    sealing: Sealing,
    organization_id: OrganizationID,
    user_id: UserID,
    record: OpaqueKeyRecord,
    *,
    created_on: Instant,
) -> bool:
    """The same by a single statement, unless another key seals by now: then nothing happened."""
    place = opaque_key_place(organization_id, user_id, record.opaque_key_id)
    rows = await transaction.rows(
        ADD_OPAQUE_KEY_AT_ONCE,
        organization_id=organization_id,
        user_id=user_id,
        opaque_key_id=record.opaque_key_id,
        opaque_key=sealing.seal(bytes(record.opaque_key), place, by=sealing.usual),
        created_on=created_on,
        key_id=sealing.usual,
    )
    return bool(rows)


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


# --- Overview ---


async def standings(
    transaction: Transaction, organization_id: OrganizationID
) -> dict[UserID, TotpStanding]:
    """How one-time codes stand for each user of an organization about whom anything is known."""
    setups = await transaction.rows(STANDINGS, organization_id=organization_id)
    found = {UserID(user_id): _standing(rest) for user_id, *rest in setups}

    def add(user_id: bytes, **more: object) -> None:
        name = UserID(user_id)
        found[name] = msgspec.structs.replace(found.get(name, TotpStanding()), **more)

    for user_id, count in await transaction.rows(KEYS_COUNTS, organization_id=organization_id):
        add(user_id, keys=count)
    for user_id, rows in await _by_user(transaction, FAILING_KEYS, organization_id):
        add(user_id, failing_keys=tuple(Failures(each, Instant(last)) for _, each, last in rows))
    for user_id, rows in await _by_user(transaction, RESETS, organization_id):
        dates = tuple(Instant(reset_on) for *_, reset_on in rows)
        add(user_id, resets=rows[-1][1], last_resets=dates)
    return found


async def _by_user(
    transaction: Transaction, sql: str, organization_id: OrganizationID
) -> list[tuple[bytes, list[Row]]]:
    rows = await transaction.rows(sql, organization_id=organization_id)
    return [(user_id, list(group)) for user_id, group in groupby(rows, key=itemgetter(0))]


def _standing(row: Row) -> TotpStanding:
    has_secret, completed_on, has_token, reset_on, failures, last_failure_on, last_success_on = row
    return TotpStanding(
        has_secret=bool(has_secret),
        completed_on=_instant(completed_on),
        has_reset_token=bool(has_token),
        reset_on=_instant(reset_on),
        failures=Failures(failures, _instant(last_failure_on)),
        last_success_on=_instant(last_success_on),
    )


def _instant(value: int | None) -> Instant | None:
    return Instant(value) if value is not None else None
