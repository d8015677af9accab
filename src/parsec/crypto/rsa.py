"""The RSA keys of sequester authorities, of sequester services and of certificate holders.

Keys of the sequester put the name of their algorithm in front of what they write; those of
certificate holders (PKI, in smartcards or here in software) write bare RSA blocks, and the name
travels beside them. Padding and masks use SHA-256 throughout (RFC 8017: RSAES-OAEP, RSASSA-PSS).
"""

from typing import ClassVar, Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from parsec.crypto.entropy import Entropy
from parsec.crypto.errors import (
    AlgorithmError,
    DataSizeError,
    DecryptionError,
    KeyFormatError,
    SignatureError,
)
from parsec.crypto.keys import SecretKey

# docs/protocol/cryptography.md, sequester and PKI.
SEQUESTER_ENCRYPTION = b"RSAES-OAEP-SHA256-XSALSA20-POLY1305"
SEQUESTER_SIGNATURE = b"RSASSA-PSS-SHA256"
PKI_ENCRYPTION = "RSAES-OAEP-SHA256"
PKI_SIGNATURE = "RSASSA-PSS-SHA256"
PKI_MIN_BITS = 2048
PKI_MAX_BITS = 8192

_SALT_SIZE = 32
_SHA256 = hashes.SHA256()
_MGF1 = padding.MGF1(_SHA256)
_OAEP = padding.OAEP(_MGF1, _SHA256, None)
_PSS = padding.PSS(_MGF1, _SALT_SIZE)
_PSS_OF_ANY_SALT = padding.PSS(_MGF1, padding.PSS.AUTO)


class _RSAPublic:
    """A public key, the same as another of its class if its DER SubjectPublicKeyInfo is."""

    __slots__ = ("_der", "_rsa")

    MIN_BITS: ClassVar[int] = 1024
    MAX_BITS: ClassVar[int] = 16384

    def __init__(self, der: bytes) -> None:
        """Raises KeyFormatError: no RSA key, one of a refused size, or in PKCS#1 form."""
        self._rsa = _public_from_der(der)
        _check_bits(self._rsa.key_size, self.MIN_BITS, self.MAX_BITS)
        self._der = der

    @classmethod
    def from_pem(cls, pem: str) -> Self:
        """The key of a PEM file (`PUBLIC KEY`).

        Raises KeyFormatError.
        """
        return cls(_public_der_from_pem(pem))

    @property
    def pem(self) -> str:
        return self._rsa.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ).decode()

    @property
    def bits(self) -> int:
        return self._rsa.key_size

    def __bytes__(self) -> bytes:
        return self._der

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._der == other._der

    def __hash__(self) -> int:
        return hash((type(self), self._der))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.bits} bits>"


class _RSAPrivate:
    """A private key, which shows its size at most."""

    __slots__ = ("_rsa",)

    MIN_BITS: ClassVar[int] = 1024
    MAX_BITS: ClassVar[int] = 16384

    def __init__(self, der: bytes) -> None:
        """From PKCS#8 or PKCS#1 without a password.

        Raises KeyFormatError.
        """
        self._hold(_private_from_der(der))

    @classmethod
    def from_pem(cls, pem: str) -> Self:
        """The key of a PEM file (`PRIVATE KEY` or `RSA PRIVATE KEY`).

        Raises KeyFormatError.
        """
        # Not by way of DER: reading a private key includes a costly check of its numbers.
        key = cls.__new__(cls)
        key._hold(_private_from_pem(pem))
        return key

    @property
    def bits(self) -> int:
        return self._rsa.key_size

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.bits} bits>"

    def _hold(self, rsa: RSAPrivateKey) -> None:
        _check_bits(rsa.key_size, self.MIN_BITS, self.MAX_BITS)
        self._rsa = rsa

    def _public_der(self) -> bytes:
        return _spki(self._rsa.public_key())


class SequesterPublicKey(_RSAPublic):
    """A sequester service's key: encrypts for the service."""

    __slots__ = ()

    def encrypt(self, data: bytes, entropy: Entropy) -> bytes:
        """The algorithm, the wrapped fresh key, the data encrypted with that key.

        OpenSSL draws the randomness of the padding itself.
        """
        key = SecretKey.generate(entropy)
        wrapped = self._rsa.encrypt(bytes(key), _OAEP)
        return SEQUESTER_ENCRYPTION + b":" + wrapped + key.encrypt(data, entropy)


class SequesterPrivateKey(_RSAPrivate):
    """A sequester service's key: decrypts."""

    __slots__ = ()

    @property
    def public_key(self) -> SequesterPublicKey:
        return SequesterPublicKey(self._public_der())

    def decrypt(self, ciphertext: bytes) -> bytes:
        """What SequesterPublicKey.encrypt was given.

        Raises AlgorithmError, DataSizeError, DecryptionError, KeySizeError.
        """
        wrapped, encrypted = _open_envelope(ciphertext, SEQUESTER_ENCRYPTION, self.bits)
        return SecretKey(_oaep_decrypt(self._rsa, wrapped)).decrypt(encrypted)


class SequesterVerifyKey(_RSAPublic):
    """A sequester authority's key: verifies what the authority signed."""

    __slots__ = ()

    def verify(self, signed: bytes) -> bytes:
        """The content; the web client signs with another salt length, so any is accepted.

        Raises AlgorithmError, DataSizeError, SignatureError, and DecryptionError when nothing
        names an algorithm (the protocol's word for that, here as in a ciphertext).
        """
        signature, content = _open_envelope(signed, SEQUESTER_SIGNATURE, self.bits)
        _pss_verify(self._rsa, signature, content, _PSS_OF_ANY_SALT)
        return content


class SequesterSigningKey(_RSAPrivate):
    """A sequester authority's key: signs certificates of services."""

    __slots__ = ()

    @property
    def verify_key(self) -> SequesterVerifyKey:
        return SequesterVerifyKey(self._public_der())

    def sign(self, content: bytes) -> bytes:
        """The algorithm, the signature of the content alone, the content."""
        return SEQUESTER_SIGNATURE + b":" + self._rsa.sign(content, _PSS, _SHA256) + content


class PKIPublicKey(_RSAPublic):
    """The key of an X.509 certificate."""

    __slots__ = ()

    MIN_BITS = PKI_MIN_BITS
    MAX_BITS = PKI_MAX_BITS

    @property
    def modulus(self) -> bytes:
        """By which a smartcard's private key is told to be the one that belongs to this key."""
        modulus = self._rsa.public_numbers().n
        return modulus.to_bytes(self.block_size, "big")

    @property
    def block_size(self) -> int:
        """How many bytes an RSA block has."""
        return (self.bits + 7) // 8

    def encrypt(self, message: bytes) -> bytes:
        """One RSA block around a short message, a key in practice.

        Raises DataSizeError.
        """
        try:
            return self._rsa.encrypt(message, _OAEP)
        except ValueError as error:
            raise DataSizeError(f"{len(message)} bytes do not fit into one RSA block") from error

    def verify_with_signature(self, signature: bytes, message: bytes) -> None:
        """Accept a message and its detached signature, whose salt must have 32 bytes.

        Raises SignatureError.
        """
        _pss_verify(self._rsa, signature, message, _PSS)


class PKIPrivateKey(_RSAPrivate):
    """The private key of an X.509 certificate, where it is not locked in a smartcard."""

    __slots__ = ()

    MIN_BITS = PKI_MIN_BITS
    MAX_BITS = PKI_MAX_BITS

    @property
    def public_key(self) -> PKIPublicKey:
        return PKIPublicKey(self._public_der())

    def decrypt(self, ciphertext: bytes) -> bytes:
        """What PKIPublicKey.encrypt was given.

        Raises DecryptionError.
        """
        return _oaep_decrypt(self._rsa, ciphertext)

    def sign_only_signature(self, message: bytes) -> bytes:
        """A detached signature."""
        return self._rsa.sign(message, _PSS, _SHA256)


def _open_envelope(envelope: bytes, algorithm: bytes, bits: int) -> tuple[bytes, bytes]:
    """The RSA block behind the algorithm's name, and what follows it."""
    name, colon, rest = envelope.partition(b":")
    if not colon:
        raise DecryptionError("no algorithm is named")
    if name != algorithm:
        raise AlgorithmError(f"the algorithm is not {algorithm.decode()}")
    block_size = (bits + 7) // 8
    if len(rest) < block_size:
        raise DataSizeError(f"{len(rest)} bytes, an RSA block has {block_size}")
    return rest[:block_size], rest[block_size:]


def _oaep_decrypt(key: RSAPrivateKey, block: bytes) -> bytes:
    try:
        return key.decrypt(block, _OAEP)
    except ValueError as error:
        raise DecryptionError("the RSA block does not open with this key") from error


def _pss_verify(key: RSAPublicKey, signature: bytes, message: bytes, scheme: padding.PSS) -> None:
    try:
        key.verify(signature, message, scheme, _SHA256)
    except InvalidSignature as error:
        raise SignatureError("the signature is not by this key over this message") from error


def _public_from_der(der: bytes) -> RSAPublicKey:
    try:
        key = serialization.load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyFormatError("no public key in DER") from error
    rsa = _rsa_public(key)
    # The library also takes the bare PKCS#1 form, which the protocol refuses.
    if der == _pkcs1(rsa):
        raise KeyFormatError("a PKCS#1 public key, expected SubjectPublicKeyInfo")
    return rsa


def _public_der_from_pem(pem: str) -> bytes:
    if "-----BEGIN RSA PUBLIC KEY-----" in pem:
        raise KeyFormatError("a PKCS#1 public key, expected SubjectPublicKeyInfo")
    try:
        key = serialization.load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyFormatError("no public key in PEM") from error
    return _spki(_rsa_public(key))


def _private_from_der(der: bytes) -> RSAPrivateKey:
    try:
        key = serialization.load_der_private_key(der, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyFormatError("no private key in DER, or one with a password") from error
    return _rsa_private(key)


def _private_from_pem(pem: str) -> RSAPrivateKey:
    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyFormatError("no private key in PEM, or one with a password") from error
    return _rsa_private(key)


def _rsa_public(key: object) -> RSAPublicKey:
    if not isinstance(key, RSAPublicKey):
        raise KeyFormatError("a public key that is not RSA")
    return key


def _rsa_private(key: object) -> RSAPrivateKey:
    if not isinstance(key, RSAPrivateKey):
        raise KeyFormatError("a private key that is not RSA")
    return key


def _check_bits(bits: int, least: int, most: int) -> None:
    if not least <= bits <= most:
        raise KeyFormatError(f"an RSA key of {bits} bits, expected {least} to {most}")


def _spki(key: RSAPublicKey) -> bytes:
    return key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _pkcs1(key: RSAPublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
