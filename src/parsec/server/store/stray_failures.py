"""Wrong codes for keys that were never created, in a table that nobody can fill.

Whoever wants can name another such key each time. So the table has a fixed number of places, and a
keyed hash says which of them a key has; where two keys meet, the later one takes the place. What is
forgotten so makes a key answer as it did at first: that takes tens of thousands of wrong codes, as
nobody can tell beforehand which keys meet, and a flood is the business of the limits on addresses.
"""

import hashlib

import msgspec

from parsec.crypto.entropy import Entropy
from parsec.data.ids import TOTPOpaqueKeyID, UserID
from parsec.data.instant import Instant
from parsec.data.people import OrganizationID
from parsec.server.records import Failures
from parsec.server.store.engine import Transaction

PLACES = 1 << 16
"""A few megabytes."""

_SECRET_SIZE = 32
_DIGEST_SIZE = 16

HASH_KEY = "SELECT secret FROM stray_failure_secret"
ADD_HASH_KEY = """
INSERT INTO stray_failure_secret (number, secret) VALUES (1, :secret)
ON CONFLICT (number) DO NOTHING"""

FAILURES = """
SELECT failures, last_failure_on FROM stray_failure WHERE place = :place AND tag = :tag"""

SET_FAILURES = """
INSERT INTO stray_failure (place, tag, owner, failures, last_failure_on)
VALUES (:place, :tag, :owner, :failures, :last_failure_on)
ON CONFLICT (place) DO UPDATE SET
    tag = excluded.tag,
    owner = excluded.owner,
    failures = excluded.failures,
    last_failure_on = excluded.last_failure_on"""

# Looks at all places, which are not many, and only at a reset.
FORGET = "DELETE FROM stray_failure WHERE owner = :owner"


class StrayKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key that somebody may have made up."""

    place: int
    tag: bytes
    owner: bytes


class StrayFailures:
    """The wrong codes in a row of each of these keys."""

    def __init__(self, places: int = PLACES) -> None:
        self._places = places
        self._secret: bytes | None = None

    async def key(
        self,
        transaction: Transaction,
        organization_id: OrganizationID,
        user_id: UserID,
        opaque_key_id: TOTPOpaqueKeyID,
        *,
        entropy: Entropy,
    ) -> StrayKey:
        """Where one key is found, in a transaction that may write."""
        secret = await self._known_secret(transaction, entropy)
        tag = _digest(secret, organization_id, user_id, opaque_key_id)
        return StrayKey(
            place=int.from_bytes(tag, "big") % self._places,
            tag=tag,
            owner=_digest(secret, organization_id, user_id),
        )

    async def failures(self, transaction: Transaction, key: StrayKey) -> Failures:
        """Those of one key."""
        rows = await transaction.rows(FAILURES, place=key.place, tag=key.tag)
        return Failures(rows[0][0], Instant(rows[0][1])) if rows else Failures()

    async def set_failures(
        self, transaction: Transaction, key: StrayKey, failures: Failures
    ) -> None:
        """Remember those of one key, which has failed."""
        await transaction.rows(
            SET_FAILURES,
            place=key.place,
            tag=key.tag,
            owner=key.owner,
            failures=failures.count,
            last_failure_on=failures.last_on,
        )

    async def forget(
        self,
        transaction: Transaction,
        organization_id: OrganizationID,
        user_id: UserID,
        *,
        entropy: Entropy,
    ) -> None:
        """Let no key of a user wait any more, as a reset does for the real ones."""
        secret = await self._known_secret(transaction, entropy)
        await transaction.rows(FORGET, owner=_digest(secret, organization_id, user_id))

    async def _known_secret(self, transaction: Transaction, entropy: Entropy) -> bytes:
        if self._secret is not None:
            return self._secret
        rows = await transaction.rows(HASH_KEY)
        if rows:
            self._secret = bytes(rows[0][0])
            return self._secret
        # Not kept here before it is known that it was committed, or that of another process.
        await transaction.rows(ADD_HASH_KEY, secret=entropy(_SECRET_SIZE))
        ((secret,),) = await transaction.rows(HASH_KEY)
        return bytes(secret)


def _digest(secret: bytes, organization_id: OrganizationID, *names: bytes) -> bytes:
    # All names but the organization's have one length.
    text = b"".join((*names, organization_id.encode()))
    return hashlib.blake2b(text, key=secret, digest_size=_DIGEST_SIZE).digest()
