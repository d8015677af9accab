"""What the vectors of the crypto floor call each of its errors."""

from collections.abc import Iterator
from contextlib import contextmanager

from parsec.crypto.errors import (
    AlgorithmError,
    CryptoError,
    DataSizeError,
    DecryptionError,
    InconsistentShares,
    KeyExchangeError,
    KeyFormatError,
    KeySizeError,
    NonceError,
    NotEnoughShares,
    PassphraseError,
    PasswordParametersError,
    SignatureError,
)

# The first match names an error, so a child stands before its parent.
_WORDS: list[tuple[type[CryptoError], set[str]]] = [
    (PassphraseError, {"key_size", "invalid passphrase"}),
    (KeySizeError, {"key_size"}),
    (KeyFormatError, {"public_key"}),
    (PasswordParametersError, {"data_size"}),
    (DataSizeError, {"data_size"}),
    (AlgorithmError, {"algorithm"}),
    (NonceError, {"nonce"}),
    (DecryptionError, {"decryption"}),
    (SignatureError, {"signature"}),
    (KeyExchangeError, {"non_contributory", "corrupted shared key"}),
    (NotEnoughShares, {"not_enough_shares", "not enough shares"}),
    (InconsistentShares, {"length_mismatch"}),
]
_KNOWN_WORDS = set[str]().union(*(words for _, words in _WORDS))


@contextmanager
def refused(word: str) -> Iterator[None]:
    """Demand a refusal, and for a word that has one meaning the error of that meaning."""
    try:
        yield
    except (CryptoError, ValueError) as error:
        if word in _KNOWN_WORDS and word not in _words_of(error):
            raise AssertionError(f"{error!r} is not {word!r}") from error
    else:
        raise AssertionError(f"accepted, {word!r} was expected")


def _words_of(error: Exception) -> set[str]:
    return next((words for kind, words in _WORDS if isinstance(error, kind)), set())
