"""The keys of a realm: how they travel, and what each of them is used for.

`data-types.md` 3 and `workspace.md` 2. A realm key encrypts nothing itself: each use derives a key
of its own from it, so that a key that leaks opens one thing only.
"""

from collections.abc import Sequence
from typing import Annotated, Self

import msgspec

from parsec.crypto.entropy import Entropy
from parsec.crypto.errors import DecryptionError
from parsec.crypto.keys import (
    KeyDerivation,
    PrivateKey,
    PublicKey,
    SecretKey,
    SigningKey,
    VerifyKey,
    unverified_message,
)
from parsec.crypto.rsa import SequesterPrivateKey, SequesterPublicKey
from parsec.data.ids import BlockID, DeviceID, VlobID
from parsec.data.instant import Instant
from parsec.data.people import EntryName
from parsec.data.record import MismatchError, Record
from parsec.wire.msgpack import MalformedError

# The uses that have no identifier of their own (data-types.md 3).
_CANARY_USE = bytes(15) + b"\x01"
_NAME_USE = bytes(15) + b"\x02"
_PATH_USE = bytes(15) + b"\x03"


class RealmKeysBundle(Record, frozen=True, kw_only=True, tag="realm_keys_bundle"):
    """All keys of a realm up to one rotation, oldest first.

    Its timestamp means nothing: official clients read the clock once more for the certificate.
    """

    author: DeviceID
    timestamp: Instant
    realm_id: VlobID
    keys: Annotated[list[KeyDerivation], msgspec.Meta(min_length=1)]

    def encrypt(
        self, *, author_key: SigningKey, keys_bundle_key: SecretKey, entropy: Entropy
    ) -> bytes:
        """The bundle as it travels: signed, then encrypted."""
        return keys_bundle_key.encrypt(author_key.sign(self.dump()), entropy)

    @classmethod
    def decrypt(
        cls, encrypted: bytes, *, keys_bundle_key: SecretKey, author_verify_key: VerifyKey
    ) -> Self:
        """Open, verify and read. Raises DecryptionError, SignatureError or MalformedError."""
        return cls.load(author_verify_key.verify(keys_bundle_key.decrypt(encrypted)))

    @classmethod
    def decrypt_unverified(cls, encrypted: bytes, *, keys_bundle_key: SecretKey) -> Self:
        """Open and read, to learn who should have signed it.

        Raises DecryptionError, SignatureError or MalformedError.
        """
        return cls.load(unverified_message(keys_bundle_key.decrypt(encrypted)))


class RealmKeysBundleAccess(Record, frozen=True, kw_only=True, tag="realm_keys_bundle_access"):
    """The key of a bundle, for one participant or one sequester service."""

    keys_bundle_key: SecretKey

    def seal(self, participant: PublicKey) -> bytes:
        """The access that this participant opens."""
        return participant.seal(self.dump())

    @classmethod
    def open(cls, sealed: bytes, key: PrivateKey) -> Self:
        """One's own access. Raises DecryptionError or MalformedError."""
        return cls.load(key.open(sealed))

    def seal_for_service(self, service: SequesterPublicKey, entropy: Entropy) -> bytes:
        """The access that this sequester service opens."""
        return service.encrypt(self.dump(), entropy)

    @classmethod
    def open_as_service(cls, sealed: bytes, key: SequesterPrivateKey) -> Self:
        """The access of a sequester service. Raises CryptoError or MalformedError."""
        return cls.load(key.decrypt(sealed))


def key_canary(key: KeyDerivation, entropy: Entropy) -> bytes:
    """What a key rotation certificate shows of its key: an encrypted nothing."""
    return _canary_key(key).encrypt(b"", entropy)


def check_key_canary(key: KeyDerivation, canary: bytes) -> None:
    """Check that a key is the one of a rotation. Raises DecryptionError."""
    if _canary_key(key).decrypt(canary):
        raise DecryptionError("a key canary that is not empty")


def sound_keys(bundle: RealmKeysBundle, canaries: Sequence[bytes]) -> list[KeyDerivation | None]:
    """The keys in their places, None for each that is not the one of its rotation.

    Nothing may be encrypted with a key that is not sound, but it keeps its place in later bundles.
    Raises MismatchError for another number of keys than rotations.
    """
    if len(bundle.keys) != len(canaries):
        raise MismatchError(f"{len(bundle.keys)} keys for {len(canaries)} rotations")
    return [_sound_key(key, canary) for key, canary in zip(bundle.keys, canaries, strict=True)]


def encrypt_realm_name(key: KeyDerivation, name: EntryName, entropy: Entropy) -> bytes:
    """The name in a realm name certificate."""
    return key.derive_secret_key(_NAME_USE).encrypt(name.encode(), entropy)


def decrypt_realm_name(key: KeyDerivation, encrypted: bytes) -> EntryName:
    """Read the name of a realm. Raises DecryptionError or MalformedError."""
    try:
        return EntryName(key.derive_secret_key(_NAME_USE).decrypt(encrypted).decode())
    except ValueError:
        raise MalformedError("the name of a realm is no name") from None


def encrypt_path(key: KeyDerivation, path: str, entropy: Entropy) -> bytes:
    """The absolute path in a link to a file."""
    return key.derive_secret_key(_PATH_USE).encrypt(path.encode(), entropy)


def decrypt_path(key: KeyDerivation, encrypted: bytes) -> str:
    """Read the path in a link. Raises DecryptionError or MalformedError."""
    try:
        return key.derive_secret_key(_PATH_USE).decrypt(encrypted).decode()
    except UnicodeDecodeError:
        raise MalformedError("a path that is not UTF-8") from None


def content_key(key: KeyDerivation, content: VlobID | BlockID) -> SecretKey:
    """The key of one manifest, block or collaborative session."""
    return key.derive_secret_key(content)


def _canary_key(key: KeyDerivation) -> SecretKey:
    return key.derive_secret_key(_CANARY_USE)


def _sound_key(key: KeyDerivation, canary: bytes) -> KeyDerivation | None:
    try:
        check_key_canary(key, canary)
    except DecryptionError:
        return None
    return key
