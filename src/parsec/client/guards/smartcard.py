"""The protection by a certificate whose private key is on a smartcard (`client.md` 4)."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeAlias

from parsec.client.failure import AuthenticationFailed
from parsec.client.guards.cards import (
    MODULE_VARIABLE,
    CardCertificate,
    CardFailed,
    Cards,
    CertificateNotFound,
    NoPrivateKey,
    open_cards,
)
from parsec.client.protection import PkiFields
from parsec.client.rules.device_file import WrongProtection
from parsec.crypto.entropy import Entropy
from parsec.crypto.errors import CryptoError, KeySizeError
from parsec.crypto.keys import SecretKey
from parsec.data.device_file import (
    AnyDeviceFile,
    PkiDeviceFile,
    X509CertificateReference,
    X509Uri,
)
from parsec.data.instant import Instant
from parsec.data.peer_text import terminal_safe

Choose: TypeAlias = Callable[[Sequence[CardCertificate]], CardCertificate]
AskPin: TypeAlias = Callable[[CardCertificate], str]
Notify: TypeAlias = Callable[[str], None]

EXPIRY_NOTICE_SECONDS = 30 * 24 * 3600


class SmartcardGuard:
    """The key is random, and encrypted in the file for a certificate."""

    def __init__(
        self,
        module: str,
        *,
        choose: Choose,
        pin: AskPin,
        notify: Notify,
        now: Callable[[], Instant],
    ) -> None:
        """Of the PKCS#11 module `module` (`cards.find_module`).

        `choose` gets the certificates that a new file can be protected with, at least one, and may
        raise FlowError; `pin` gets the one whose card wants its PIN, once for each card; `notify`
        hears what the person should know.
        """
        self._module = module
        self._choose = choose
        self._pin = pin
        self._notify = notify
        self._now = now
        self._proved_pins: dict[str, str] = {}
        self._opened: X509CertificateReference | None = None

    def new(self, entropy: Entropy) -> tuple[SecretKey, PkiFields]:
        """A key that the chosen card is proved to decrypt.

        After a file was opened its certificate is used again, so that a file can be rewritten as it
        was. Raises ModuleUnavailable, CertificateNotFound, WrongPin, PinLocked, CardGone,
        NoPrivateKey or CardFailed.
        """
        with open_cards(self._module) as cards:
            chosen = self._certificate_for_new(cards)
            key = SecretKey.generate(entropy)
            encrypted_key = chosen.certificate.public_key.encrypt(bytes(key))
            if self._unwrapped(cards, chosen, encrypted_key) != key:
                raise CardFailed(
                    f"The smartcard `{chosen.card_label}` does not decrypt what was encrypted for "
                    f"the certificate of {chosen.name}",
                    hint="choose another certificate",
                )
        return key, PkiFields(certificate_ref=chosen.reference, encrypted_key=encrypted_key)

    def key(self, file: AnyDeviceFile) -> SecretKey:
        """The key that a card decrypts, whichever has the certificate of the file.

        Raises WrongProtection, ModuleUnavailable, CertificateNotFound, WrongPin, PinLocked,
        CardGone, NoPrivateKey, CardFailed or AuthenticationFailed.
        """
        if not isinstance(file, PkiDeviceFile):
            raise WrongProtection(
                f"This device is not protected by a smartcard but by {file.PROTECTION}"
            )
        with open_cards(self._module) as cards:
            key = self._key(cards, file)
        if key is None:
            raise AuthenticationFailed(
                "Decryption failed: the key of the certificate does not open this device file",
                hint="the file was changed",
            )
        self._opened = file.certificate_ref
        return key

    def __repr__(self) -> str:
        return "SmartcardGuard(…)"

    def _key(self, cards: Cards, file: PkiDeviceFile) -> SecretKey | None:
        # A certificate may be on several cards, and its key on one of them.
        *others, last = _holders(cards, file.certificate_ref)
        self._warn_of_expiry(last)
        for holder in others:
            with suppress(NoPrivateKey):
                return self._unwrapped(cards, holder, file.encrypted_key)
        return self._unwrapped(cards, last, file.encrypted_key)

    def _certificate_for_new(self, cards: Cards) -> CardCertificate:
        if self._opened is not None:
            return _holders(cards, self._opened)[-1]
        return self._choose(_usable(cards, self._now()))

    def _unwrapped(
        self, cards: Cards, holder: CardCertificate, encrypted_key: bytes
    ) -> SecretKey | None:
        """The key, None where what is inside the block is none."""
        cards.refuse_locked(holder)
        pin = self._pin_of(holder)
        try:
            raw = cards.decrypt(holder, encrypted_key, pin)
        except CryptoError:
            return None
        if pin is not None:
            self._proved_pins[holder.card_serial] = pin
        try:
            return SecretKey(raw)
        except KeySizeError:
            return None

    def _pin_of(self, holder: CardCertificate) -> str | None:
        if holder.has_keypad:
            self._notify(f"Enter the PIN of the smartcard `{holder.card_label}` on its reader")
        if not holder.needs_pin:
            return None
        # Forgotten until it proves right again: trying a wrong one repeatedly locks the card.
        return self._proved_pins.pop(holder.card_serial, None) or self._pin(holder)

    def _warn_of_expiry(self, holder: CardCertificate) -> None:
        left = holder.expires_on.seconds_since(self._now())
        if left > EXPIRY_NOTICE_SECONDS:
            return
        verb = "expired" if left < 0 else "expires"
        self._notify(
            f"The certificate of {holder.name} that protects this device {verb} on "
            f"{holder.expires_on.rfc3339[:10]}; give the device another protection in time"
        )


def certificate_by_hash(certificates: Sequence[CardCertificate], prefix: str) -> CardCertificate:
    """The one whose hash begins so, with or without the name of the algorithm.

    Raises CertificateNotFound, also where several do.
    """
    digest = prefix.removeprefix("sha256-")
    found = [each for each in certificates if each.reference.digest.startswith(digest)]
    # Copies on several cards are as good as each other.
    if len({each.hash for each in found}) == 1:
        return found[0]
    what = "Several certificates begin" if found else "No usable certificate begins"
    raise CertificateNotFound(
        f"{what} with `{terminal_safe(prefix)}`", hint=f"there are: {_names(found or certificates)}"
    )


def _usable(cards: Cards, now: Instant) -> list[CardCertificate]:
    """What a new file can be protected with. Raises CertificateNotFound."""
    found = cards.certificates()
    usable = [each for each in found if each.unfit(now) is None]
    if usable:
        return usable
    if not found:
        raise _nothing_found(cards, "There is no certificate on the smartcards")
    faults = "; ".join(f"{each.name}: {each.unfit(now)}" for each in found)
    raise CertificateNotFound(
        "No certificate on the smartcards can protect a device", hint=f"there are: {faults}"
    )


def _holders(cards: Cards, reference: X509CertificateReference) -> list[CardCertificate]:
    """Where a certificate is, at least once. Raises CertificateNotFound."""
    found = [each for each in cards.certificates() if each.reference == reference]
    if not found:
        raise _nothing_found(
            cards,
            f"No smartcard has the certificate of this device, {terminal_safe(reference.hash)}",
            hint=f"put in the one with {_described(reference)}",
        )
    return found


def _described(reference: X509CertificateReference) -> str:
    """What the file says in clear of a certificate, which proves nothing."""
    if isinstance(reference.uri, X509Uri) and reference.uri.label:
        return f"the certificate `{terminal_safe(reference.uri.label.decode(errors='replace'))}`"
    return "that certificate"


def _nothing_found(
    cards: Cards, what: str, *, hint: str = "put in another card"
) -> CertificateNotFound:
    if cards.count():
        return CertificateNotFound(what, hint=hint)
    return CertificateNotFound(
        "There is no smartcard",
        hint="put it into the reader; if it is there, its PKCS#11 module may be another one: "
        f"name it with --pkcs11-module or {MODULE_VARIABLE}",
    )


def _names(certificates: Sequence[CardCertificate]) -> str:
    return ", ".join(f"{each.hash} ({each.name})" for each in certificates)
