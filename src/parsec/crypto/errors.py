"""What can go wrong with keys, ciphertexts, signatures and shares.

    CryptoError
    ├── KeySizeError            also a ValueError
    │   └── PassphraseError     a text that is no recovery passphrase
    ├── KeyFormatError          bytes or text that hold no key of the expected kind
    ├── DataSizeError           also a ValueError: not as long as the format demands
    ├── AlgorithmError          the message names another algorithm
    ├── DecryptionError
    │   └── NonceError          too short to hold even a nonce
    ├── SignatureError
    ├── KeyExchangeError        the peer's public key would give away the shared key
    ├── ShamirError
    │   ├── ShareCountError     no such split: threshold or number of shares out of range
    │   ├── NotEnoughShares
    │   └── InconsistentShares  shares that cannot come from one split
    ├── PasswordParametersError also a ValueError
    │   └── WeakPasswordParameters
    └── CertificateError
        └── CertificateChainError

Texts tell lengths and names, never a byte of a key or of a message.
"""


class CryptoError(Exception):
    """A cryptographic operation could not be carried out."""


class KeySizeError(CryptoError, ValueError):
    """A key has not the size of its kind."""

    def __init__(self, kind: str, *, expected: int, found: int) -> None:
        super().__init__(f"{kind} of {found} bytes, expected {expected}")
        self.found = found


class PassphraseError(KeySizeError):
    """A text is no recovery passphrase; `found` is 0 where it is not even base32."""


class KeyFormatError(CryptoError):
    """Bytes or a text do not hold a key of the expected kind."""


class DataSizeError(CryptoError, ValueError):
    """Data is not as long as its format demands."""


class AlgorithmError(CryptoError):
    """A message names another algorithm than the only one that is accepted."""


class DecryptionError(CryptoError):
    """A ciphertext is not for this key, or it has been changed."""


class NonceError(DecryptionError):
    """A ciphertext is too short to hold its nonce."""


class SignatureError(CryptoError):
    """A signature is not by this key over this message."""


class KeyExchangeError(CryptoError):
    """A peer's public key is of small order, so everybody would know the shared key."""


class ShamirError(CryptoError):
    """A secret could not be split or joined."""


class ShareCountError(ShamirError, ValueError):
    """A threshold or a number of shares is out of range."""


class NotEnoughShares(ShamirError):
    """There are fewer different shares than the threshold."""


class InconsistentShares(ShamirError):
    """Shares cannot come from one split: their lengths differ, or two contradict each other."""


class PasswordParametersError(CryptoError, ValueError):
    """Parameters of a password's derivation are out of range."""


class WeakPasswordParameters(PasswordParametersError):
    """A server asks for a cheaper derivation than the default, which would help it to guess."""


class CertificateError(CryptoError):
    """Bytes are no X.509 certificate, or one that cannot be used for the purpose."""


class CertificateChainError(CertificateError):
    """Certificates do not lead from a leaf to a trusted root."""
