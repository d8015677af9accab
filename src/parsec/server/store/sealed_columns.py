"""The columns that are sealed: how their secrets are sealed first, and pass to another key."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeAlias

import structlog

from parsec.crypto.entropy import Entropy
from parsec.crypto.keys import HashDigest
from parsec.data.ids import TOTPOpaqueKeyID, UserID
from parsec.data.people import OrganizationID
from parsec.server.store.engine import Engine, Row, Transaction
from parsec.server.store.key_file import Keys
from parsec.server.store.sealing import (
    KeyID,
    KeyRing,
    Place,
    Sealing,
    ServerKeyError,
    opaque_key_place,
    sealed_by,
    totp_secret_place,
)
from parsec.server.store.server_key import LOCK, SET, current
from parsec.server.store.totp import totp_lock

SETUPS = """
SELECT organization_id, user_id, secret FROM totp
WHERE secret IS NOT NULL AND (organization_id, user_id) > (:organization_id, :user_id)
ORDER BY organization_id, user_id
LIMIT :count"""

SETUP = """
SELECT secret FROM totp
WHERE organization_id = :organization_id AND user_id = :user_id AND secret IS NOT NULL"""

WRITE_SETUP = """
UPDATE totp SET secret = :sealed
WHERE organization_id = :organization_id AND user_id = :user_id"""

OPAQUE_KEYS = """
SELECT organization_id, user_id, opaque_key_id, opaque_key FROM totp_opaque_key
WHERE (organization_id, user_id, opaque_key_id) > (:organization_id, :user_id, :opaque_key_id)
ORDER BY organization_id, user_id, opaque_key_id
LIMIT :count"""

OPAQUE_KEY = """
SELECT opaque_key FROM totp_opaque_key
WHERE organization_id = :organization_id AND user_id = :user_id
    AND opaque_key_id = :opaque_key_id"""

WRITE_OPAQUE_KEY = """
UPDATE totp_opaque_key SET opaque_key = :sealed
WHERE organization_id = :organization_id AND user_id = :user_id
    AND opaque_key_id = :opaque_key_id"""

# Behind the version comes the name of the key.
SETUPS_BY_KEY = """
SELECT SUBSTR(secret, 2, 8), COUNT(*) FROM totp WHERE secret IS NOT NULL GROUP BY 1"""
OPAQUE_KEYS_BY_KEY = """
SELECT SUBSTR(opaque_key, 2, 8), COUNT(*) FROM totp_opaque_key GROUP BY 1"""

BEGINS = """
SELECT organization_id, bootstrap_token_digest FROM organization
WHERE bootstrap_token_digest IS NOT NULL"""
WRITE_BEGIN = """
UPDATE organization SET bootstrap_token_digest = :digest
WHERE organization_id = :organization_id"""
REVEALS = """
SELECT organization_id, user_id, created_on, reveal_token_digest FROM shamir_setup"""
WRITE_REVEAL = """
UPDATE shamir_setup SET reveal_token_digest = :digest
WHERE organization_id = :organization_id AND user_id = :user_id AND created_on = :created_on"""

_BATCH = 100

_log = structlog.get_logger()

_Change: TypeAlias = Callable[[bytes, Place], bytes | None]
"""What to write in the place of a value, unless it stays."""


# --- At the start of a server ---


async def opened_sealing(engine: Engine, keys: Keys, entropy: Entropy) -> Sealing:
    """What opens the secrets of a database; one that has them in clear gets them sealed first.

    Raises ServerKeyError.
    """
    async with engine.transaction(write=False) as transaction:
        name = await current(transaction)
    if name is None:
        name = await _begin(engine, keys, entropy)
    return Sealing(known_ring(keys, name), reload=lambda: _ring(keys), entropy=entropy)


def known_ring(keys: Keys, name: KeyID) -> KeyRing:
    """The keys, among which is the one of a database. Raises ServerKeyError."""
    ring = keys.read()
    if ring is None or name not in ring:
        what = "is missing" if ring is None else "holds other keys"
        raise ServerKeyError(
            f"the secrets in the database are sealed with the server key {name.hex()}, "
            f"but {keys} {what}",
            hint="give the file that holds it by --server-key-file",
        )
    return ring


def _ring(keys: Keys) -> KeyRing:
    """The keys as they are now: the one of the start may be forgotten. Raises ServerKeyError."""
    ring = keys.read()
    if ring is None:
        raise ServerKeyError(f"the server key in {keys} is gone")
    return ring


async def _begin(engine: Engine, keys: Keys, entropy: Entropy) -> KeyID:
    async with engine.transaction(write=True) as transaction:
        await transaction.lock(LOCK)
        name = await current(transaction)
        if name is not None:
            # Another process was faster.
            return name
        ring = keys.read()
        if ring is None:
            keys.create(KeyRing.generate(entropy))
            _log.info("server key made", kept_in=str(keys))
            ring = keys.read()
            assert ring is not None, "keys that were kept are there"
        await _seal_all(transaction, ring, entropy)
        await _hash_tokens(transaction)
        await transaction.rows(SET, key_id=ring.newest)
        return ring.newest


async def _seal_all(transaction: Transaction, ring: KeyRing, entropy: Entropy) -> None:
    """What was written in clear."""

    def sealed(secret: bytes, place: Place) -> bytes:
        return ring.seal(secret, place, by=ring.newest, entropy=entropy)

    for column in _COLUMNS:
        after = column.first
        while rows := await transaction.rows(column.batch, **after, count=_BATCH):
            for row in rows:
                await column.change(transaction, row, sealed)
            after = column.names(rows[-1])


async def _hash_tokens(transaction: Transaction) -> None:
    for organization_id, token in await transaction.rows(BEGINS):
        await transaction.rows(
            WRITE_BEGIN,
            organization_id=organization_id,
            digest=bytes(HashDigest.of(token)),
        )
    for organization_id, user_id, created_on, token in await transaction.rows(REVEALS):
        await transaction.rows(
            WRITE_REVEAL,
            organization_id=organization_id,
            user_id=user_id,
            created_on=created_on,
            digest=bytes(HashDigest.of(token)),
        )


# --- Rotation ---


async def uses(transaction: Transaction) -> Counter[KeyID]:
    """How many secrets each key seals."""
    found: Counter[KeyID] = Counter()
    for sql in (SETUPS_BY_KEY, OPAQUE_KEYS_BY_KEY):
        for name, count in await transaction.rows(sql):
            found[KeyID(bytes(name))] += count
    return found


async def seal_anew(
    engine: Engine, ring: KeyRing, name: KeyID, entropy: Entropy, *, told: Callable[[int], None]
) -> None:
    """Seal with a key all that others sealed, a batch at a time; `told` is how many of them.

    Raises StorageError; what was done then stays, and both keys are in use.
    """

    def sealed(value: bytes, place: Place) -> bytes | None:
        if sealed_by(value) == name:
            return None
        return ring.seal(ring.open(value, place), place, by=name, entropy=entropy)

    for column in _COLUMNS:
        after = column.first
        while True:
            async with engine.transaction(write=True) as transaction:
                rows = await transaction.rows(column.batch, **after, count=_BATCH)
                if not rows:
                    break
                # Those who change a user's row hold this lock, and no other of its kind.
                for organization_id, user_id in sorted({(row[0], row[1]) for row in rows}):
                    await transaction.lock(totp_lock(organization_id, UserID(user_id)))
                for row in rows:
                    value = await transaction.rows(column.one, **column.names(row))
                    if value:
                        changed = [*row[:-1], value[0][0]]
                        await column.change(transaction, changed, sealed)
            after = column.names(rows[-1])
            told(len(rows))


# --- The columns that are sealed ---


class _Column:
    """A column: its last one in `batch`, behind those that name the row."""

    def __init__(self, *, batch: str, one: str, write: str, key: Sequence[str]) -> None:
        self.batch = batch
        self.one = one
        self._write = write
        self._key = key
        # No name of an organization is empty.
        self.first: dict[str, str | bytes] = {
            name: "" if name == "organization_id" else b"" for name in key
        }

    def names(self, row: Row) -> dict[str, str | bytes]:
        return dict(zip(self._key, row, strict=False))

    def place(self, row: Row) -> Place:
        organization_id, user_id = OrganizationID(row[0]), UserID(row[1])
        if len(self._key) == 2:
            return totp_secret_place(organization_id, user_id)
        return opaque_key_place(organization_id, user_id, TOTPOpaqueKeyID(row[2]))

    async def change(self, transaction: Transaction, row: Row, change: _Change) -> None:
        value = change(bytes(row[-1]), self.place(row))
        if value is not None:
            await transaction.rows(self._write, **self.names(row), sealed=value)


_COLUMNS = (
    _Column(
        batch=SETUPS,
        one=SETUP,
        write=WRITE_SETUP,
        key=("organization_id", "user_id"),
    ),
    _Column(
        batch=OPAQUE_KEYS,
        one=OPAQUE_KEY,
        write=WRITE_OPAQUE_KEY,
        key=("organization_id", "user_id", "opaque_key_id"),
    ),
)
