"""What the database keeps of a secret: it sealed with a key of the server, bound to its place.

    version (1) | key ID (8) | nonce (24) | tag (16) | ciphertext

Each place (column, organization, user, key) has a key of its own, derived from the server's. So who
can write the database but has not the key can neither read a secret nor put one in the place of
another: what was sealed for another place, or not at all, does not open.
"""

from collections.abc import Callable, Sequence
from typing import NewType

import msgspec

from parsec.crypto.entropy import Entropy
from parsec.crypto.errors import DecryptionError
from parsec.crypto.keys import KEY_SIZE, SecretKey
from parsec.data.ids import TOTPOpaqueKeyID, UserID
from parsec.data.people import OrganizationID
from parsec.server.store.engine import StorageError

KeyID = NewType("KeyID", bytes)
"""Names a server key and tells nothing about it."""

KEY_ID_SIZE = 8
_VERSION = b"\1"

# Uses of a key that must not be mistaken for each other; fixed by what is in databases.
_NAMING = b"parsec-py server key: name"
_PLACING = b"parsec-py server key: place"


class ServerKeyError(StorageError):
    """The keys of the server cannot be had, or are not those of its database."""


class SealError(StorageError):
    """What the database has in the place of a sealed secret is none that was sealed for it."""


class UnknownKeyError(SealError):
    """A secret is sealed with a key that the server has not."""

    def __init__(self, key_id: KeyID) -> None:
        super().__init__(f"a secret is sealed with the server key {key_id.hex()}, which is missing")


def key_id(key: SecretKey) -> KeyID:
    """The name of a server key."""
    return KeyID(key.mac_512(_NAMING)[:KEY_ID_SIZE])


def sealed_by(sealed: bytes) -> KeyID | None:
    """The key that a value names, unless it is not sealed at all."""
    if sealed[:1] != _VERSION or len(sealed) <= 1 + KEY_ID_SIZE:
        return None
    return KeyID(bytes(sealed[1 : 1 + KEY_ID_SIZE]))


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a secret is kept."""

    column: str
    organization_id: OrganizationID
    user_id: UserID
    opaque_key_id: TOTPOpaqueKeyID | None = None

    def context(self) -> bytes:
        """Bytes that no other place has."""
        names = (self.column.encode(), self.organization_id.encode())
        parts = (*names, self.user_id, self.opaque_key_id or b"")
        return b"".join([len(part).to_bytes(4, "big") + part for part in parts])


def totp_secret_place(organization_id: OrganizationID, user_id: UserID) -> Place:
    """Where the secret of a user's one-time codes is kept."""
    return Place(column="totp.secret", organization_id=organization_id, user_id=user_id)


def opaque_key_place(
    organization_id: OrganizationID, user_id: UserID, opaque_key_id: TOTPOpaqueKeyID
) -> Place:
    """Where a key is kept that codes release."""
    return Place(
        column="totp_opaque_key.opaque_key",
        organization_id=organization_id,
        user_id=user_id,
        opaque_key_id=opaque_key_id,
    )


class KeyRing:
    """The keys of a server; it seals with one of them and opens what any of them sealed."""

    def __init__(self, keys: Sequence[SecretKey]) -> None:
        """Newest first."""
        assert keys, "a ring without keys"
        self.keys = tuple(dict.fromkeys(keys))
        self._by_id = {key_id(key): key for key in self.keys}

    @classmethod
    def generate(cls, entropy: Entropy) -> "KeyRing":
        """A ring with one new key."""
        return cls([SecretKey.generate(entropy)])

    @property
    def newest(self) -> KeyID:
        return key_id(self.keys[0])

    @property
    def names(self) -> Sequence[KeyID]:
        """What the keys are called, newest first."""
        return tuple(self._by_id)

    def __contains__(self, name: object) -> bool:
        return name in self._by_id

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(name.hex() for name in self._by_id)})"

    def with_newest(self, key: SecretKey) -> "KeyRing":
        """The ring with one more key."""
        return KeyRing([key, *self.keys])

    def only(self, name: KeyID) -> "KeyRing":
        """The ring without any other key."""
        return KeyRing([self._by_id[name]])

    def seal(self, secret: bytes, place: Place, *, by: KeyID, entropy: Entropy) -> bytes:
        """What is kept of a secret. Raises UnknownKeyError."""
        return _VERSION + by + self._key(by, place).encrypt(secret, entropy)

    def open(self, sealed: bytes, place: Place) -> bytes:
        """The secret that was sealed for that place. Raises SealError."""
        name = sealed_by(sealed)
        if name is None:
            raise SealError(f"a secret in {place.column} is not sealed")
        key = self._key(name, place)
        try:
            return key.decrypt(bytes(sealed[1 + KEY_ID_SIZE :]))
        except DecryptionError as error:
            raise SealError(f"a secret in {place.column} was not sealed for its row") from error

    def _key(self, name: KeyID, place: Place) -> SecretKey:
        key = self._by_id.get(name)
        if key is None:
            raise UnknownKeyError(name)
        return SecretKey(key.mac_512(_PLACING + place.context())[:KEY_SIZE])


class Sealing:
    """Seals and opens with the keys of a server, which may get more of them while it runs."""

    def __init__(self, ring: KeyRing, *, reload: Callable[[], KeyRing], entropy: Entropy) -> None:
        self._ring = ring
        self._reload = reload
        self._entropy = entropy
        self._usual = ring.newest

    @property
    def usual(self) -> KeyID:
        """The key that sealed last; by now it may be another one's turn."""
        return self._usual

    def seal(self, secret: bytes, place: Place, *, by: KeyID) -> bytes:
        """What is kept of a secret. Raises StorageError."""
        if by not in self._ring:
            self._read_again()
        self._usual = by
        return self._ring.seal(secret, place, by=by, entropy=self._entropy)

    def open(self, sealed: bytes, place: Place) -> bytes:
        """The secret that was sealed for that place. Raises StorageError."""
        try:
            return self._ring.open(sealed, place)
        except UnknownKeyError:
            # Another process rotates the key.
            self._read_again()
        return self._ring.open(sealed, place)

    def _read_again(self) -> None:
        self._ring = self._reload()
        if self._usual not in self._ring:
            # It was forgotten before anything had to be sealed with its successor.
            self._usual = self._ring.newest
