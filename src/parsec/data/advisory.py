"""Which protections of device files a server recommends, and what that means for a device.

`data-types.md` 10.4, `client.md` 2.6. It is advice: nothing enforces it, and a server that cannot
be reached gives none.
"""

import enum
from collections.abc import Iterable

import msgspec

_WITH_TOTP = "+TOTP"


class Primary(enum.StrEnum):
    """What a device file is protected with, the one-time code apart."""

    PASSWORD = "PASSWORD"  # noqa: S105  (a method, no secret)
    KEYRING = "KEYRING"
    PKI = "PKI"
    OPENBAO = "OPENBAO"
    ACCOUNT_VAULT = "ACCOUNT_VAULT"


class Protection(msgspec.Struct, frozen=True, order=True):
    """A primary protection, with or without a one-time code."""

    primary: Primary
    with_totp: bool

    @classmethod
    def parse(cls, text: str) -> "Protection":
        """Read the form on the wire, such as `PASSWORD+TOTP`. Raises ValueError."""
        primary = text.removesuffix(_WITH_TOTP)
        return cls(Primary(primary), primary != text)

    def __str__(self) -> str:
        return f"{self.primary}{_WITH_TOTP if self.with_totp else ''}"


class Decision(enum.StrEnum):
    """What somebody should do about the protection of a device."""

    OK = "ok"
    CHANGE_PROTECTION = "change_protection"
    SET_UP_TOTP = "set_up_totp"


class Advisory(msgspec.Struct, frozen=True):
    """What a server recommends; nothing means that everything is as good."""

    protections: tuple[Protection, ...] = ()

    @classmethod
    def parse(cls, texts: Iterable[str] | None) -> "Advisory":
        """Read what a server says, leaving out what this version does not know."""
        return cls(tuple(_known(texts or ())))

    @property
    def primaries(self) -> frozenset[Primary]:
        """The primary protections to offer."""
        if not self.protections:
            return frozenset(Primary)
        return frozenset(protection.primary for protection in self.protections)

    def allows(self, protection: Protection) -> bool:
        """Whether a new device protected so would be left alone at login."""
        return self.decide(protection) is Decision.OK

    def asks_totp(self, primary: Primary) -> bool:
        """Whether that primary protection should come with a one-time code."""
        return Protection(primary, with_totp=True) in self.protections

    def decide(self, protection: Protection) -> Decision:
        """What is to be done about a device protected so."""
        if protection.primary not in self.primaries:
            return Decision.CHANGE_PROTECTION
        if self.asks_totp(protection.primary) and not protection.with_totp:
            return Decision.SET_UP_TOTP
        return Decision.OK


def _known(texts: Iterable[str]) -> Iterable[Protection]:
    for text in texts:
        try:
            yield Protection.parse(text)
        except ValueError:
            continue
