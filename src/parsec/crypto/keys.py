"""The keys of the protocol: what each of them can do, and nothing that could print a secret one."""

from typing import ClassVar, Self

# Where a function imports, it is something large (OpenSSL) that small commands do without.
from parsec.crypto import sodium
from parsec.crypto.entropy import Entropy
from parsec.crypto.errors import (
    DecryptionError,
    KeyExchangeError,
    KeySizeError,
    NonceError,
    SignatureError,
)

# Sizes of docs/protocol/cryptography.md; every key, digest and seed has KEY_SIZE bytes.
KEY_SIZE = 32
SIGNATURE_SIZE = 64
NONCE_SIZE = 24
TAG_SIZE = 16
SECRET_KEY_OVERHEAD = NONCE_SIZE + TAG_SIZE
SEALED_BOX_OVERHEAD = KEY_SIZE + TAG_SIZE
UUID_SIZE = 16


class _Bytes32:
    """32 bytes with a type of their own; comparing takes the same time wherever they differ."""

    __slots__ = ("_raw",)

    SIZE: ClassVar[int] = KEY_SIZE

    def __init__(self, raw: bytes) -> None:
        """Raises KeySizeError."""
        if not isinstance(raw, bytes):
            raise TypeError(f"{type(self).__name__} is made from bytes")
        if len(raw) != self.SIZE:
            raise KeySizeError(type(self).__name__, expected=self.SIZE, found=len(raw))
        self._raw = raw

    def __bytes__(self) -> bytes:
        return self._raw

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        import hmac

        return hmac.compare_digest(self._raw, other._raw)

    def __hash__(self) -> int:
        return hash((type(self), self._raw))


class _Public(_Bytes32):
    __slots__ = ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._raw.hex()})"


class _Secret(_Bytes32):
    __slots__ = ()

    @classmethod
    def generate(cls, entropy: Entropy) -> Self:
        """A new key out of the given source."""
        return cls(entropy(cls.SIZE))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"


class HashDigest(_Public):
    """A SHA-256 digest."""

    __slots__ = ()

    @classmethod
    def of(cls, data: bytes) -> Self:
        import hashlib

        return cls(hashlib.sha256(data).digest())

    def hex(self) -> str:
        return self._raw.hex()


class SigningKey(_Secret):
    """Signs (Ed25519); the 32 bytes are the seed."""

    __slots__ = ("_pair",)

    def __init__(self, raw: bytes) -> None:
        super().__init__(raw)
        self._pair: tuple[bytes, bytes] | None = None

    @property
    def verify_key(self) -> "VerifyKey":
        return VerifyKey(self._key_pair()[0])

    def sign(self, message: bytes) -> bytes:
        """The signature, then the message."""
        return sodium.bindings.crypto_sign(message, self._key_pair()[1])

    def sign_only_signature(self, message: bytes) -> bytes:
        """The signature alone."""
        return self.sign(message)[:SIGNATURE_SIZE]

    def _key_pair(self) -> tuple[bytes, bytes]:
        # The public half costs as much as a signature: compute it once, and only when needed.
        if self._pair is None:
            self._pair = sodium.bindings.crypto_sign_seed_keypair(self._raw)
        return self._pair


class VerifyKey(_Public):
    """Verifies what a SigningKey signed.

    Any 32 bytes make a key. One of small order is told by its failing verifications, as is a
    signature that is not in its only canonical form: libsodium checks both.
    """

    __slots__ = ()

    def verify(self, signed: bytes) -> bytes:
        """The message of `signature | message`.

        Raises SignatureError.
        """
        try:
            return sodium.bindings.crypto_sign_open(signed, self._raw)
        except sodium.exceptions.BadSignatureError as error:
            raise SignatureError("the signature is not by this key over this message") from error

    def verify_with_signature(self, signature: bytes, message: bytes) -> None:
        """Accept a message and a signature that came apart.

        Raises SignatureError.
        """
        if len(signature) != SIGNATURE_SIZE:
            raise SignatureError(f"a signature of {len(signature)} bytes")
        self.verify(signature + message)


def unverified_message(signed: bytes) -> bytes:
    """The message of `signature | message`, to learn who claims to have signed it.

    Raises SignatureError.
    """
    if len(signed) < SIGNATURE_SIZE:
        raise SignatureError(f"{len(signed)} bytes are too short for a signature")
    return signed[SIGNATURE_SIZE:]


class PrivateKey(_Secret):
    """Opens what was sealed for its public half (X25519)."""

    __slots__ = ()

    @property
    def public_key(self) -> "PublicKey":
        return PublicKey(sodium.bindings.crypto_scalarmult_base(self._raw))

    def open(self, sealed: bytes) -> bytes:
        """The content of a sealed box; nothing in it says who sealed it.

        Raises DecryptionError; a box whose ephemeral key is of small order is refused.
        """
        if len(sealed) < SEALED_BOX_OVERHEAD:
            raise DecryptionError(f"{len(sealed)} bytes are too short for a sealed box")
        public = bytes(self.public_key)
        try:
            return sodium.bindings.crypto_box_seal_open(sealed, public, self._raw)
        except sodium.exceptions.CryptoError as error:
            raise DecryptionError("the sealed box does not open with this key") from error


class PublicKey(_Public):
    """Seals for the holder of the private half."""

    __slots__ = ()

    def seal(self, message: bytes) -> bytes:
        """A box that only the private key opens; libsodium draws the ephemeral key itself.

        Raises KeyExchangeError if the key is of small order.
        """
        try:
            return sodium.bindings.crypto_box_seal(message, self._raw)
        except sodium.exceptions.RuntimeError as error:
            raise KeyExchangeError("nothing can be sealed for a key of small order") from error


class SecretKey(_Secret):
    """Encrypts and authenticates (XSalsa20-Poly1305), or computes authentication codes."""

    __slots__ = ()

    def encrypt(self, plaintext: bytes, entropy: Entropy) -> bytes:
        """A fresh nonce, the tag, the ciphertext."""
        nonce = entropy(NONCE_SIZE)
        return nonce + sodium.bindings.crypto_secretbox(plaintext, nonce, self._raw)

    def decrypt(self, ciphertext: bytes) -> bytes:
        """What `encrypt` was given.

        Raises DecryptionError (NonceError when it is too short for a nonce).
        """
        if len(ciphertext) < NONCE_SIZE:
            raise NonceError(f"{len(ciphertext)} bytes are too short for a nonce")
        nonce, box = ciphertext[:NONCE_SIZE], ciphertext[NONCE_SIZE:]
        try:
            return sodium.bindings.crypto_secretbox_open(box, nonce, self._raw)
        except sodium.exceptions.CryptoError as error:
            raise DecryptionError("the ciphertext does not open with this key") from error

    def mac_512(self, data: bytes) -> bytes:
        """64 bytes of keyed BLAKE2b; compare them with hmac.compare_digest."""
        import hashlib

        return hashlib.blake2b(data, key=self._raw, digest_size=64).digest()


class KeyDerivation(_Secret):
    """Never used by itself: each use has a UUID and derives a key or an identifier for it."""

    __slots__ = ()

    def derive_secret_key(self, uuid_bytes: bytes) -> SecretKey:
        return SecretKey(self._derive(uuid_bytes, KEY_SIZE))

    def derive_uuid(self, uuid_bytes: bytes) -> bytes:
        """16 bytes, in which no version of a UUID is set."""
        return self._derive(uuid_bytes, UUID_SIZE)

    def _derive(self, uuid_bytes: bytes, size: int) -> bytes:
        if len(uuid_bytes) != UUID_SIZE:
            raise ValueError(f"a UUID of {len(uuid_bytes)} bytes")
        # What libsodium's crypto_kdf does: subkey number as salt, context as personalization.
        salt, person = uuid_bytes[:8], uuid_bytes[8:]
        import hashlib

        return hashlib.blake2b(
            b"", key=self._raw, salt=salt, person=person, digest_size=size
        ).digest()
