"""OAEP undone in software, for smartcards that compute bare RSA and leave the padding to others.

RFC 8017, section 7.1.2, with SHA-256 for hash and mask and an empty label. Whoever may hand in
blocks and learns *why* one is refused can decrypt any other (Manger, CRYPTO 2001): all refusals are
one error, and as far as Python allows nothing before it branches on, or indexes by, the content.
"""

import hashlib
import hmac

from parsec.crypto.errors import DecryptionError

_HASH_SIZE = 32
_EMPTY_LABEL = hashlib.sha256(b"").digest()


def unpad_oaep(block: bytes) -> bytes:
    """The message in what RSA gave back, which must be as long as the modulus.

    Raises DecryptionError, always with the same text.
    """
    if len(block) < 2 * _HASH_SIZE + 2:
        raise _refused()
    masked_seed, masked_data = block[1 : 1 + _HASH_SIZE], block[1 + _HASH_SIZE :]
    seed = _xor(masked_seed, _mask(masked_data, _HASH_SIZE))
    data = _xor(masked_data, _mask(seed, len(masked_data)))
    label, padded = data[:_HASH_SIZE], data[_HASH_SIZE:]

    start, no_start = _message_start(padded)
    wrong_label = not hmac.compare_digest(label, _EMPTY_LABEL)
    if block[0] | int(wrong_label) | no_start:
        raise _refused()
    return padded[start:]


def _message_start(padded: bytes) -> tuple[int, int]:
    """Where the message starts behind zeros and a one; not zero: the padding is something else."""
    start, wrong, before = 0, 0, 1
    for index, byte in enumerate(padded):
        is_zero = (byte - 1) >> 8 & 1
        is_one = ((byte ^ 1) - 1) >> 8 & 1
        wrong |= before & (is_zero ^ 1) & (is_one ^ 1)
        start |= -(before & is_one) & (index + 1)
        before &= is_zero
    return start, wrong | before


def _mask(seed: bytes, size: int) -> bytes:
    """MGF1 (RFC 8017, B.2.1)."""
    counters = range(-(-size // _HASH_SIZE))
    blocks = (hashlib.sha256(seed + counter.to_bytes(4, "big")).digest() for counter in counters)
    return b"".join(blocks)[:size]


def _xor(left: bytes, right: bytes) -> bytes:
    mixed = int.from_bytes(left, "big") ^ int.from_bytes(right, "big")
    return mixed.to_bytes(len(left), "big")


def _refused() -> DecryptionError:
    return DecryptionError("the RSA block does not open with this key")
