"""Identifiers of 16 bytes, one type each."""

import re
from typing import Self

from parsec.crypto.entropy import Entropy
from parsec.wire.msgpack import RawUuid

_SIZE = 16
_HEX = re.compile(r"[0-9a-fA-F]{32}")
# Braces and the URN prefix stand only around the hyphenated form (wire.md 4.1). Compiled when it is
# needed, as hardly anybody does.
_HYPHENATED = (
    r"(?:(?P<brace>\{)|urn:uuid:)?"
    r"(?P<digits>[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"
    r"(?(brace)\})"
)


class Id(bytes):
    """A UUID whose version and variant nobody checks; raises ValueError unless 16 bytes."""

    __slots__ = ()

    def __new__(cls, raw: bytes) -> Self:
        if len(raw) != _SIZE:
            raise ValueError(f"{cls.__name__} takes {_SIZE} bytes, not {len(raw)}")
        return super().__new__(cls, raw)

    @classmethod
    def generate(cls, entropy: Entropy) -> Self:
        """A fresh random identifier (UUID version 4, RFC 9562)."""
        raw = bytearray(entropy(_SIZE))
        raw[6] = raw[6] & 0x0F | 0x40
        raw[8] = raw[8] & 0x3F | 0x80
        return cls(bytes(raw))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text forms of wire.md 4.1; raises ValueError for any other."""
        if _HEX.fullmatch(text):
            return cls(bytes.fromhex(text))
        hyphenated = re.fullmatch(_HYPHENATED, text)
        if hyphenated is None:
            raise ValueError(f"not the text of a {cls.__name__}")
        return cls(bytes.fromhex(hyphenated["digits"].replace("-", "")))

    @classmethod
    def from_wire(cls, value: object) -> Self:
        """Take what the MessagePack decoder yields for an identifier; raises ValueError."""
        if type(value) is not RawUuid:
            raise ValueError(f"{cls.__name__} is an extension on the wire")
        return cls(value)

    def to_wire(self) -> RawUuid:
        return RawUuid(self)

    @property
    def hyphenated(self) -> str:
        """The form for displays: 8-4-4-4-12 hex digits."""
        digits = self.hex()
        parts = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
        return "-".join(parts)

    def __str__(self) -> str:
        return self.hex()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.hex()})"


class UserID(Id):
    """A member of an organization."""


class DeviceID(Id):
    """One device of a user."""


class VlobID(Id):
    """A versioned blob; also a realm and a workspace."""


class BlockID(Id):
    """An encrypted piece of a file, as the server stores it."""


class ChunkID(Id):
    """A piece of a file, as a client keeps it."""


class SequesterServiceID(Id):
    """A service to which an organization gives copies of its keys."""


class AsyncEnrollmentID(Id):
    """A request to join that no conversation carries."""


class PKIEnrollmentID(Id):
    """The same in its older form, with a smartcard."""


class GreetingAttemptID(Id):
    """One try of two people to complete an invitation."""


class AccountAuthMethodID(Id):
    """A way to log in to an account: derived from its key, so of arbitrary bits."""


class AccountVaultItemOpaqueKeyID(Id):
    """A key that the vault of an account keeps."""


class TOTPOpaqueKeyID(Id):
    """A key that the server gives out against a one-time code."""


class AccessToken(bytes):
    """Sixteen secret bytes that open an invitation, a bootstrap, a reset or a recovery."""

    __slots__ = ()

    def __new__(cls, raw: bytes) -> Self:
        if len(raw) != _SIZE:
            raise ValueError(f"{cls.__name__} takes {_SIZE} bytes, not {len(raw)}")
        return super().__new__(cls, raw)

    @classmethod
    def generate(cls, entropy: Entropy) -> Self:
        """A fresh random token."""
        return cls(entropy(_SIZE))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read 32 hex digits; raises ValueError (which does not tell the text)."""
        if not _HEX.fullmatch(text):
            raise ValueError(f"{cls.__name__} takes 32 hex digits")
        return cls(bytes.fromhex(text))

    @classmethod
    def from_wire(cls, value: object) -> Self:
        """Take what the MessagePack decoder yields for a token; raises ValueError."""
        if type(value) is not bytes:
            raise ValueError(f"{cls.__name__} is binary on the wire")
        return cls(value)

    def to_wire(self) -> bytes:
        return bytes(self)

    def __eq__(self, other: object) -> bool:
        # A bearer secret: how long a comparison takes must not tell where it failed.
        import hmac  # here, as it loads OpenSSL

        return isinstance(other, bytes) and hmac.compare_digest(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = bytes.__hash__

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"

    __str__ = __repr__
