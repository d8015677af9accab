"""Smartcards that do what a test wants: what SoftHSM cannot, or would not."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pkcs11
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass, TokenFlag

MODULE = "scripted.so"
WITH_PIN = TokenFlag.TOKEN_INITIALIZED | TokenFlag.LOGIN_REQUIRED
OAEP_AND_BARE = frozenset({Mechanism.RSA_PKCS_OAEP, Mechanism.RSA_X_509})

_SHA256 = (Mechanism.SHA256, pkcs11.MGF.SHA256, None)


class Thing:
    """An object on a card; what it does not tell raises."""

    def __init__(self, attributes: Mapping[Attribute, Any]) -> None:
        self.attributes = dict(attributes)

    def __getitem__(self, attribute: Attribute) -> Any:
        try:
            value = self.attributes[attribute]
        except KeyError:
            raise pkcs11.AttributeTypeInvalid from None
        if isinstance(value, Exception):
            raise value
        return value


class Key(Thing, pkcs11.DecryptMixin):
    """A private key that does OAEP as it should, unless it fails with `failures`."""

    def __init__(
        self,
        key: rsa.RSAPrivateKey,
        attributes: Mapping[Attribute, Any] | None = None,
        failures: Mapping[Mechanism, Exception] | None = None,
    ) -> None:
        modulus = key.public_key().public_numbers().n.to_bytes(key.key_size // 8, "big")
        told = {Attribute.MODULUS: b"\0" + modulus} if attributes is None else attributes
        super().__init__(told)
        self.key = key
        self.failures = failures or {}
        self.used: list[Mechanism] = []
        self.pins: list[str | None] = []

    def decrypt(self, data: Any, buffer_size: int = 8192, **how: Any) -> bytes:
        self.used.append(how["mechanism"])
        self.pins.append(how["pin"])
        if how["mechanism"] in self.failures:
            raise self.failures[how["mechanism"]]
        if how["mechanism"] is Mechanism.RSA_PKCS_OAEP:
            assert how["mechanism_param"] == _SHA256
            oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
            return self.key.decrypt(data, oaep)
        numbers = self.key.private_numbers()
        number = pow(int.from_bytes(data, "big"), numbers.d, numbers.public_numbers.n)
        # Some cards leave the zeros in front away.
        return number.to_bytes((number.bit_length() + 7) // 8, "big")


def stored(certificate: x509.Certificate, **told: Any) -> Thing:
    """A certificate on a card."""
    der = certificate.public_bytes(serialization.Encoding.DER)
    attributes = {Attribute[name]: value for name, value in told.items()}
    return Thing({Attribute.VALUE: der, **attributes})


@dataclass
class ScriptedCard:
    """A card, its slot and its sessions in one."""

    certificates: list[Thing] = field(default_factory=list)
    keys: list[Key] = field(default_factory=list)
    label: str = "scripted"
    serial: bytes = b"0001"
    slot_id: int = 7
    flags: TokenFlag = WITH_PIN
    flags_after: TokenFlag | None = None
    mechanisms: frozenset[Mechanism] = OAEP_AND_BARE
    gone: Exception | None = None
    unreadable: Exception | None = None
    login: Exception | None = None
    logins: list[Any] = field(default_factory=list)
    at_close: Exception | None = None

    @property
    def slot(self) -> "ScriptedCard":
        return self

    def get_token(self) -> "ScriptedCard":
        if self.gone is not None:
            raise self.gone
        if self.logins and self.flags_after is not None:
            self.flags = self.flags_after
        return self

    def get_mechanisms(self) -> frozenset[Mechanism]:
        return self.mechanisms

    def open(self, *, user_pin: Any = None) -> "ScriptedCard":
        if user_pin is None and self.unreadable is not None:
            raise self.unreadable
        if user_pin is not None:
            self.logins.append(user_pin)
            if self.login is not None:
                raise self.login
        return self

    def get_objects(self, wanted: Mapping[Attribute, Any]) -> Iterator[Thing]:
        if wanted[Attribute.CLASS] is ObjectClass.CERTIFICATE:
            return iter(self.certificates)
        assert wanted[Attribute.KEY_TYPE] is KeyType.RSA
        return iter(self.keys)

    def close(self) -> None:
        if self.at_close is not None:
            raise self.at_close


class ScriptedLibrary:
    """A module with these cards."""

    so = MODULE

    def __init__(self, cards: tuple[ScriptedCard, ...]) -> None:
        self._cards = cards
        self.failure: Exception | None = None
        self.finalized = 0

    def get_slots(self, *, token_present: bool) -> list[ScriptedCard]:
        assert token_present
        if self.failure is not None:
            raise self.failure
        return list(self._cards)

    def finalize(self) -> None:
        self.finalized += 1


def insert(monkeypatch: pytest.MonkeyPatch, *cards: ScriptedCard) -> ScriptedLibrary:
    """Make the module `MODULE` see these cards."""
    library = ScriptedLibrary(cards)

    def load(module: str) -> ScriptedLibrary:
        assert module == MODULE
        return library

    monkeypatch.setattr(pkcs11, "lib", load)
    return library
