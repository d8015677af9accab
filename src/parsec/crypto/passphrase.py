"""The text form of the key of a recovery file, which people write down and type again."""

import base64
import binascii
import hmac

from parsec.crypto.errors import PassphraseError
from parsec.crypto.keys import KEY_SIZE, SecretKey

# docs/protocol/cryptography.md, recovery passphrase: base32 of RFC 4648 without padding.
_ALPHABET = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
_GROUP = 4
# Only ASCII letters change case; the digits stand for the letters they are mistaken for.
_AS_WRITTEN = str.maketrans("abcdefghijklmnopqrstuvwxyz01", "ABCDEFGHIJKLMNOPQRSTUVWXYZOI")


def recovery_passphrase(key: SecretKey) -> str:
    """13 groups of four characters."""
    letters = _encode(bytes(key))
    return "-".join(letters[start : start + _GROUP] for start in range(0, len(letters), _GROUP))


def parse_recovery_passphrase(text: str) -> SecretKey:
    """The key of a passphrase as typed; whatever cannot be part of one is skipped.

    Raises PassphraseError.
    """
    letters = "".join(char for char in text.translate(_AS_WRITTEN) if char in _ALPHABET)
    raw = _decode(letters)
    if len(raw) != KEY_SIZE:
        raise PassphraseError("recovery passphrase", expected=KEY_SIZE, found=len(raw))
    return SecretKey(raw)


def _encode(raw: bytes) -> str:
    return base64.b32encode(raw).decode().rstrip("=")


def _decode(letters: str) -> bytes:
    """The bytes, or none where a length or an unused bit shows that a character is wrong."""
    try:
        raw = base64.b32decode(letters + "=" * (-len(letters) % 8))
    except binascii.Error:
        return b""
    return raw if hmac.compare_digest(_encode(raw), letters) else b""
