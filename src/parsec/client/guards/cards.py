"""Certificates and their private keys on smartcards, or on whatever else PKCS#11 reaches.

    FlowError
    ├── KeyUnavailable
    │   ├── ModuleUnavailable     no PKCS#11 module, or one that does not work
    │   ├── CardFailed            a card does not do what was asked of it
    │   └── NoPrivateKey          a card has a certificate and not its key
    ├── NotFound
    │   ├── CardGone              a card was taken out meanwhile
    │   └── CertificateNotFound   no card has the certificate that is meant
    └── AuthenticationFailed
        ├── WrongPin
        └── PinLocked             … or expired, or never set

Cards show their certificates to everybody and hide their private keys until they are told the PIN,
so that a certificate has no key shows only when the key is used. A module is initialized for one
undertaking and finalized after it: cards that were put in since are seen, and nothing stays logged
in.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from parsec.client.failure import AuthenticationFailed, FlowError, NotFound
from parsec.client.rules.device_file import KeyUnavailable
from parsec.crypto.errors import CertificateError, DecryptionError, KeyFormatError
from parsec.crypto.oaep import unpad_oaep
from parsec.crypto.rsa import PKIPublicKey
from parsec.crypto.x509 import Certificate
from parsec.data.device_file import X509CertificateReference, X509Uri
from parsec.data.instant import Instant
from parsec.data.peer_text import terminal_safe

if TYPE_CHECKING:
    from pkcs11 import Object, PKCS11Error, Session, Token
    from pkcs11._pkcs11 import lib as Library  # noqa: N812

MODULE_VARIABLE = "PARSEC_PKCS11_MODULE"

COMMON_MODULES = (
    # OpenSC knows most cards, p11-kit leads to all modules that the system was told of.
    *(
        f"{folder}/{name}"
        for name in ("opensc-pkcs11.so", "p11-kit-proxy.so", "softhsm/libsofthsm2.so")
        for folder in (
            "/usr/lib/*-linux-*",
            "/usr/lib64",
            "/usr/lib64/pkcs11",
            "/usr/lib",
            "/usr/lib/pkcs11",
            "/usr/local/lib",
            "/opt/homebrew/lib",
        )
    ),
    "/Library/OpenSC/lib/opensc-pkcs11.so",
    "C:/Program Files/OpenSC Project/OpenSC/pkcs11/opensc-pkcs11.dll",
)
"""Where modules usually are, as patterns, the likeliest first."""


class ModuleUnavailable(KeyUnavailable):
    """There is no PKCS#11 module, or it does not work."""


class CardFailed(KeyUnavailable):
    """A card does not do what was asked of it."""


class NoPrivateKey(KeyUnavailable):
    """A card has a certificate, and not the private key that belongs to it."""


class CardGone(NotFound):
    """A card was taken out."""


class CertificateNotFound(NotFound):
    """No card has the certificate that is meant, or one that could be used."""


class WrongPin(AuthenticationFailed):
    """The PIN of a card was wrong."""


class PinLocked(AuthenticationFailed):
    """A card accepts no PIN any more, or not yet."""


class CardCertificate(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate on a card. Texts are as the card has them, made safe to show."""

    certificate: Certificate
    common_name: str | None
    emails: tuple[str, ...]
    valid_from: Instant
    expires_on: Instant
    label: str
    card_label: str
    card_serial: str
    last_try: bool
    """Whether one more wrong PIN locks the card."""
    needs_pin: bool
    """Whether this program must be told the PIN."""
    has_keypad: bool
    """Whether the PIN is typed on the reader instead."""
    uri: X509Uri
    slot: int
    """Where the card is, while the module stays open."""

    @property
    def hash(self) -> str:
        """How the protocol names it."""
        return self.certificate.reference_hash

    @property
    def reference(self) -> X509CertificateReference:
        """How a device file refers to it."""
        return X509CertificateReference(uri=self.uri, hash=self.hash)

    @property
    def name(self) -> str:
        """Whose it is, in a word."""
        return self.common_name or next(iter(self.emails), None) or self.label or self.hash

    def unfit(self, now: Instant) -> str | None:
        """Why nothing should be encrypted for it, if there is a reason."""
        if now > self.expires_on:
            return f"it expired on {self.expires_on.rfc3339[:10]}"
        if now < self.valid_from:
            return f"it is not valid before {self.valid_from.rfc3339[:10]}"
        if not self.certificate.may_encrypt:
            return "its key usage does not allow encryption"
        try:
            _ = self.certificate.public_key
        except (KeyFormatError, CertificateError) as error:
            return f"it has {error}"
        return None


def find_module(
    chosen: str | None, environ: Mapping[str, str], patterns: Sequence[str] = COMMON_MODULES
) -> str:
    """The PKCS#11 module by option, by variable, else the first usual one that sees a card.

    Raises ModuleUnavailable.
    """
    chosen = chosen or environ.get(MODULE_VARIABLE)
    if chosen:
        return chosen
    present = [str(path) for pattern in patterns for path in _matching(pattern)]
    if not present:
        raise ModuleUnavailable(
            "There is no PKCS#11 module at the usual places",
            hint="install OpenSC or the software of the card's maker, and name its module with "
            f"--pkcs11-module or {MODULE_VARIABLE}",
        )
    return next((module for module in present if _sees_card(module)), present[0])


@contextmanager
def open_cards(module: str) -> "Iterator[Cards]":
    """The cards that a module reaches. Raises ModuleUnavailable."""
    library = _loaded(module)
    from pkcs11 import PKCS11Error

    try:
        yield Cards(library)
    finally:
        with suppress(PKCS11Error):
            library.finalize()


class Cards:
    """The cards that are in now."""

    def __init__(self, library: "Library") -> None:
        self._library = library

    def count(self) -> int:
        """How many cards are in. What wants no PIN is rather a store of authorities."""
        from pkcs11 import TokenFlag

        return sum(bool(token.flags & TokenFlag.LOGIN_REQUIRED) for token in self._present())

    def certificates(self) -> list[CardCertificate]:
        """The certificates on all cards that may have a private key.

        Raises CardFailed where no card can be read, or ModuleUnavailable.
        """
        from pkcs11 import PKCS11Error

        found: list[CardCertificate] = []
        failures: list[FlowError] = []
        for token in self._present():
            try:
                found += _certificates_on(token)
            except PKCS11Error as error:
                failures.append(_failure(token, error))
        if failures and not found:
            raise failures[0]
        return found

    def refuse_locked(self, certificate: CardCertificate) -> None:
        """Make sure that it makes sense to ask for the PIN. Raises PinLocked or CardGone."""
        from pkcs11 import TokenFlag

        token = self._card_of(certificate)
        if token.flags & TokenFlag.USER_PIN_LOCKED:
            raise _locked(token, "is locked")

    def decrypt(self, certificate: CardCertificate, block: bytes, pin: str | None) -> bytes:
        """What was encrypted for a certificate; without a PIN where the reader has a keypad.

        Raises DecryptionError, WrongPin, PinLocked, CardGone, NoPrivateKey or CardFailed.
        """
        public_key = certificate.certificate.public_key
        # Whatever a card makes of an impossible block, it is no decryption.
        if len(block) != public_key.block_size or block >= public_key.modulus:
            raise DecryptionError("this is no RSA block of this key")
        token = self._card_of(certificate)
        with _explained(token), _session(token, pin, login=True) as session:
            key = _private_key(session, certificate, public_key)
            return _decrypted(token, key, block, pin, public_key)

    def _card_of(self, certificate: CardCertificate) -> "Token":
        for token in self._present():
            if token.slot.slot_id == certificate.slot:
                if _text(token.serial) == certificate.card_serial:
                    return token
                break
        raise _gone(certificate.card_label)

    def _present(self) -> "list[Token]":
        from pkcs11 import PKCS11Error, TokenFlag

        try:
            slots = self._library.get_slots(token_present=True)
        except PKCS11Error as error:
            raise _broken_module(self._library.so, error) from error
        tokens = []
        for slot in slots:
            # Taken out just now, or nothing that the module understands.
            with suppress(PKCS11Error):
                tokens.append(slot.get_token())
        return [token for token in tokens if token.flags & TokenFlag.TOKEN_INITIALIZED]


def _matching(pattern: str) -> list[Path]:
    anchor = Path(Path(pattern).anchor)
    return sorted(anchor.glob(str(Path(pattern).relative_to(anchor)))) if anchor.exists() else []


def _sees_card(module: str) -> bool:
    with suppress(ModuleUnavailable), open_cards(module) as cards:
        return cards.count() > 0
    return False


def _loaded(module: str) -> "Library":
    try:
        import pkcs11
    except ImportError:
        raise ModuleUnavailable(
            "This installation has no support for smartcards",
            hint="pip install 'parsec-py[pki]'",
        ) from None
    try:
        return pkcs11.lib(module)
    except pkcs11.PKCS11Error as error:
        raise _broken_module(module, error) from error


def _broken_module(module: str, error: "PKCS11Error") -> ModuleUnavailable:
    reason = terminal_safe(str(error) or type(error).__name__)
    return ModuleUnavailable(
        f"The PKCS#11 module {terminal_safe(module)} does not work: {reason}",
        hint=f"name another one with --pkcs11-module or {MODULE_VARIABLE}",
    )


# --- Certificates ---


def _certificates_on(token: "Token") -> list[CardCertificate]:
    from pkcs11 import Attribute, CertificateType, ObjectClass, TokenFlag

    wanted = {
        Attribute.CLASS: ObjectClass.CERTIFICATE,
        Attribute.CERTIFICATE_TYPE: CertificateType.X_509,
    }
    with _session(token, None, login=False) as session:
        found = [_card_certificate(token, each) for each in list(session.get_objects(wanted))]
        readable = [each for each in found if each is not None]
        if token.flags & TokenFlag.LOGIN_REQUIRED:
            return readable
        # What needs no PIN hides nothing: a store of authorities is no card.
        return [each for each in readable if _has_key(session, each)]


def _card_certificate(token: "Token", found: "Object") -> CardCertificate | None:
    """A certificate and what it says; None: it cannot be read."""
    from pkcs11 import Attribute, TokenFlag

    with suppress(CertificateError, ValueError):
        certificate = Certificate(_attribute(found, Attribute.VALUE) or b"")
        label = _attribute(found, Attribute.LABEL) or ""
        login = bool(token.flags & TokenFlag.LOGIN_REQUIRED)
        keypad = bool(token.flags & TokenFlag.PROTECTED_AUTHENTICATION_PATH)
        common_name = certificate.common_name
        return CardCertificate(
            certificate=certificate,
            common_name=None if common_name is None else terminal_safe(common_name),
            emails=tuple(terminal_safe(email) for email in certificate.emails),
            valid_from=Instant(certificate.valid_from_us),
            expires_on=Instant(certificate.valid_until_us),
            label=terminal_safe(label),
            card_label=terminal_safe(token.label),
            card_serial=_text(token.serial),
            last_try=bool(token.flags & TokenFlag.USER_PIN_FINAL_TRY),
            needs_pin=login and not keypad,
            has_keypad=login and keypad,
            uri=X509Uri(
                id=_attribute(found, Attribute.ID) or None,
                label=label.encode() or None,
                der_issuer=certificate.der_issuer,
                der_subject=certificate.der_subject,
                serial=certificate.serial,
            ),
            slot=token.slot.slot_id,
        )
    return None


def _has_key(session: "Session", certificate: CardCertificate) -> bool:
    with suppress(NoPrivateKey, KeyFormatError):
        _private_key(session, certificate, certificate.certificate.public_key)
        return True
    return False


def _attribute(found: "Object", attribute: Any) -> Any:
    """What an object says of itself, None where it says nothing of that."""
    from pkcs11 import PKCS11Error

    # A label need not even be a text.
    with suppress(PKCS11Error, UnicodeDecodeError):
        return found[attribute]
    return None


def _text(raw: bytes) -> str:
    return terminal_safe(raw.decode(errors="replace"))


# --- Private keys ---


def _private_key(
    session: "Session", certificate: CardCertificate, public_key: PKIPublicKey
) -> "Object":
    """The key of a certificate, told by its modulus, or where that is hidden by the common id."""
    from pkcs11 import Attribute, KeyType, ObjectClass

    wanted = {Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.KEY_TYPE: KeyType.RSA}
    for key in list(session.get_objects(wanted)):
        modulus = _attribute(key, Attribute.MODULUS)
        if modulus:
            if modulus.lstrip(b"\0") == public_key.modulus:
                return key
        elif certificate.uri.id is not None and certificate.uri.id == _attribute(key, Attribute.ID):
            return key
    raise NoPrivateKey(
        f"The smartcard `{certificate.card_label}` has the certificate of {certificate.name}, "
        "and not its private key",
        hint="choose another certificate, or the card that has the key",
    )


def _decrypted(
    token: "Token", key: "Object", block: bytes, pin: str | None, public_key: PKIPublicKey
) -> bytes:
    """Undo RSA-OAEP, by the card where it can, else with its bare RSA."""
    import pkcs11
    from pkcs11 import MGF, Attribute, Mechanism

    if not isinstance(key, pkcs11.DecryptMixin):
        raise CardFailed(
            f"The smartcard `{terminal_safe(token.label)}` does not allow its key to decrypt",
            hint="choose another certificate",
        )
    # Some keys want the PIN again for each use.
    again = pin if _attribute(key, Attribute.ALWAYS_AUTHENTICATE) else None
    mechanisms = token.slot.get_mechanisms()
    if Mechanism.RSA_PKCS_OAEP in mechanisms:
        sha256 = (Mechanism.SHA256, MGF.SHA256, None)
        # Having the mechanism does not mean having it with SHA-256.
        with suppress(*_unsupported()):
            return _tried(key, block, Mechanism.RSA_PKCS_OAEP, sha256, again)
    if Mechanism.RSA_X_509 in mechanisms:
        bare = _tried(key, block, Mechanism.RSA_X_509, None, again)
        return unpad_oaep(bare.rjust(public_key.block_size, b"\0"))
    raise CardFailed(
        f"The smartcard `{terminal_safe(token.label)}` knows neither RSA-OAEP with SHA-256 "
        "nor bare RSA",
        hint="protect the device in another way",
    )


def _tried(key: Any, block: bytes, mechanism: Any, parameters: Any, pin: str | None) -> bytes:
    import pkcs11

    try:
        plain: bytes = key.decrypt(block, mechanism=mechanism, mechanism_param=parameters, pin=pin)
    except (
        pkcs11.EncryptedDataInvalid,
        pkcs11.EncryptedDataLenRange,
        pkcs11.DataInvalid,
        pkcs11.DataLenRange,
    ) as error:
        raise DecryptionError("the RSA block does not open with this key") from error
    return plain


def _unsupported() -> "tuple[type[PKCS11Error], ...]":
    """How cards say that they lack a mechanism with such parameters; most of them do not say it."""
    import pkcs11

    return (
        pkcs11.MechanismInvalid,
        pkcs11.MechanismParamInvalid,
        pkcs11.ArgumentsBad,
        pkcs11.FunctionNotSupported,
        pkcs11.FunctionFailed,
        pkcs11.GeneralError,
    )


# --- Sessions ---


@contextmanager
def _session(token: "Token", pin: str | None, *, login: bool) -> "Iterator[Session]":
    import pkcs11
    from pkcs11 import PROTECTED_AUTH, TokenFlag

    credential: Any = None
    if login and token.flags & TokenFlag.LOGIN_REQUIRED:
        credential = PROTECTED_AUTH if pin is None else pin
    session = token.open(user_pin=credential)
    try:
        yield session
    finally:
        # A card that was taken out cannot even be logged out of.
        with suppress(pkcs11.PKCS11Error):
            session.close()


@contextmanager
def _explained(token: "Token") -> Iterator[None]:
    from pkcs11 import PKCS11Error

    try:
        yield
    except PKCS11Error as error:
        raise _failure(token, error) from error
    except UnicodeEncodeError:
        # Without its cause, which quotes the PIN.
        raise WrongPin("This PIN is no text that a smartcard could check") from None


def _failure(token: "Token", error: "PKCS11Error") -> FlowError:
    import pkcs11

    name = terminal_safe(token.label)
    match error:
        case pkcs11.PinIncorrect() | pkcs11.PinInvalid() | pkcs11.PinLenRange():
            return _wrong_pin(token)
        case pkcs11.PinLocked():
            return _locked(token, "is locked")
        case pkcs11.PinExpired():
            return _locked(token, "has expired")
        case pkcs11.UserPinNotInitialized():
            return _locked(token, "was never set")
        case (
            pkcs11.DeviceRemoved()
            | pkcs11.TokenNotPresent()
            | pkcs11.TokenNotRecognised()
            | pkcs11.SlotIDInvalid()
            | pkcs11.SessionClosed()
            | pkcs11.SessionHandleInvalid()
        ):
            return _gone(name)
        case _:
            return CardFailed(
                f"The smartcard `{name}` does not work ({type(error).__name__})",
                hint="take it out, put it in again, and try once more",
            )


def _wrong_pin(token: "Token") -> AuthenticationFailed:
    import pkcs11
    from pkcs11 import TokenFlag

    # Cards do not count aloud; they say that the last try comes, or that it was.
    flags = token.flags
    with suppress(pkcs11.PKCS11Error):
        flags = token.slot.get_token().flags
    name = terminal_safe(token.label)
    if flags & TokenFlag.USER_PIN_LOCKED:
        return _locked(token, "was wrong once too often, and is locked now")
    if flags & TokenFlag.USER_PIN_FINAL_TRY:
        return WrongPin(
            f"The PIN of the smartcard `{name}` is wrong, and one try is left",
            hint="one more wrong PIN locks the card",
        )
    return WrongPin(
        f"The PIN of the smartcard `{name}` is wrong", hint="a few wrong PINs lock the card"
    )


def _locked(token: "Token", what: str) -> PinLocked:
    return PinLocked(
        f"The PIN of the smartcard `{terminal_safe(token.label)}` {what}",
        hint="set a new one with the card's PUK and the software of its maker",
    )


def _gone(card_label: str) -> CardGone:
    return CardGone(
        f"The smartcard `{card_label}` is not there any more", hint="put it in and try again"
    )
