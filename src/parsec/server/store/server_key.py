"""Which key of the server seals the secrets of a database."""

from parsec.server.store.engine import Transaction
from parsec.server.store.sealing import KeyID, Place, Sealing

TABLE = "server_key"

CURRENT = "SELECT key_id FROM server_key"
FORGET = "DELETE FROM server_key"
SET = "INSERT INTO server_key (key_id) VALUES (:key_id)"

LOCK = "server key"
"""Held by who seals until it has written, so that nothing is sealed with a former key once the
current one has changed."""

ROTATION_LOCK = "server key rotation"
"""Held by who reads the file of the keys and writes it anew; before the other one."""


async def current(transaction: Transaction) -> KeyID | None:
    """The key that seals; None in a database where nothing is sealed yet."""
    rows = await transaction.rows(CURRENT)
    return KeyID(bytes(rows[0][0])) if rows else None


async def switch(transaction: Transaction, name: KeyID) -> None:
    """From now on another key seals."""
    await transaction.lock(LOCK)
    await transaction.rows(FORGET)
    await transaction.rows(SET, key_id=name)


async def sealed_value(
    transaction: Transaction, sealing: Sealing, secret: bytes, place: Place
) -> bytes:
    """What the rest of the transaction may write of a secret. Raises StorageError."""
    await transaction.lock(LOCK, share=True)
    name = await current(transaction)
    assert name is not None, "a server begins to seal when it starts"
    return sealing.seal(secret, place, by=name)
