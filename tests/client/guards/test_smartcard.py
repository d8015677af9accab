"""The smartcard guard, against SoftHSM."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from parsec.client.failure import AuthenticationFailed, Cancelled, NotFound
from parsec.client.guards import Guard
from parsec.client.guards.cards import (
    CardCertificate,
    CardFailed,
    CardGone,
    CertificateNotFound,
    NoPrivateKey,
    PinLocked,
    WrongPin,
)
from parsec.client.guards.smartcard import SmartcardGuard, certificate_by_hash
from parsec.client.protection import PkiFields
from parsec.client.rules.device_file import KeyUnavailable, open_device
from parsec.crypto.entropy import system_entropy
from parsec.crypto.keys import SecretKey
from parsec.data.device_file import (
    PkiDeviceFile,
    X509CertificateReference,
    X509Uri,
    load_device_file,
)
from parsec.data.instant import Instant
from tests.support.guard_contract import DEVICE, GuardContract, protected
from tests.support.smartcards import (
    PIN,
    Card,
    CardReader,
    certificate,
    needs_softhsm,
    plugged_in,
    rsa_key,
    usage,
)

pytestmark = needs_softhsm

VECTORS = Path(__file__).parents[2] / "vectors" / "client-device-files.json"
NOW = Instant.parse("2030-01-02T03:04:05Z")
PIN_LOCKED = 0x00040000
FINAL_TRY = 0x00020000


class Holder:
    """Somebody with a card, who is asked and told."""

    def __init__(self, *, wants: str | None = None, pin: str = PIN) -> None:
        self.wants = wants
        self.pin = pin
        self.offered: list[CardCertificate] = []
        self.asked: list[CardCertificate] = []
        self.told: list[str] = []

    def choose(self, certificates: Sequence[CardCertificate]) -> CardCertificate:
        self.offered = list(certificates)
        return next(each for each in certificates if self.wants in (None, each.common_name))

    def enter_pin(self, holder: CardCertificate) -> str:
        self.asked.append(holder)
        return self.pin

    def guard(self, reader: CardReader, now: Instant = NOW) -> SmartcardGuard:
        return SmartcardGuard(
            reader.module,
            choose=self.choose,
            pin=self.enter_pin,
            notify=self.told.append,
            now=lambda: now,
        )


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Iterator[CardReader]:
    with plugged_in(monkeypatch) as reader:
        yield reader


@pytest.fixture
def card(reader: CardReader) -> Card:
    """Alice's card, in its reader."""
    card = reader.insert("Alice's card")
    card.add(certificate("Alice"), rsa_key(), label="Alice's certificate", id=b"\x07")
    return card


@pytest.fixture
def holder() -> Holder:
    return Holder()


@pytest.fixture
def guard(reader: CardReader, card: Card, holder: Holder) -> SmartcardGuard:
    return holder.guard(reader)


class TestSmartcardGuard(GuardContract):
    SECRETS = (PIN, "271828")

    @pytest.fixture
    def guard(self, reader: CardReader, card: Card) -> Guard:
        return Holder().guard(reader)

    @pytest.fixture
    def stranger(self, reader: CardReader, card: Card) -> Guard:
        return Holder(pin="271828").guard(reader)


def some_file(guard: Guard) -> PkiDeviceFile:
    file = protected(*guard.new(system_entropy))
    assert isinstance(file, PkiDeviceFile)
    return file


# --- What is written ---


def test_the_key_is_wrapped_for_the_certificate(guard: SmartcardGuard) -> None:
    key, fields = guard.new(system_entropy)

    oaep = padding.OAEP(padding.MGF1(SHA256()), SHA256(), None)
    assert rsa_key().decrypt(fields.encrypted_key, oaep) == bytes(key)


def test_the_reference_tells_where_the_certificate_is(reader: CardReader, holder: Holder) -> None:
    alice = certificate("Alice")
    reader.insert().add(alice, rsa_key(), label="Alice's", id=b"\x07")

    _, fields = holder.guard(reader).new(system_entropy)

    reference = fields.certificate_ref
    assert reference.uri == X509Uri(
        id=b"\x07",
        label=b"Alice's",
        der_issuer=alice.issuer.public_bytes(),
        der_subject=alice.subject.public_bytes(),
        serial=alice.serial_number.to_bytes(2, "big"),
    )
    assert reference.hash == holder.offered[0].hash
    assert reference.hash.startswith("sha256-")


def test_the_card_is_proved_before_anything_is_written(reader: CardReader, holder: Holder) -> None:
    """The certificate names a key that the card pretends to have."""
    card = reader.insert()
    card.add(certificate("Alice"), id=b"\x01")
    card.add(certificate("Bob", rsa_key("bob")), rsa_key("bob"), id=b"\x01")
    holder.wants = "Alice"

    with pytest.raises(NoPrivateKey, match="Alice"):
        holder.guard(reader).new(system_entropy)


def test_the_pin_is_asked_once(guard: SmartcardGuard, holder: Holder) -> None:
    file = some_file(guard)

    guard.key(file)
    guard.new(system_entropy)

    assert [asked.card_label for asked in holder.asked] == ["Alice's card"]


def test_a_file_is_rewritten_for_the_certificate_that_opened_it(
    reader: CardReader, guard: SmartcardGuard
) -> None:
    """Nobody chooses again, and it does not matter that the certificate has expired."""
    file = some_file(guard)
    late = Holder(wants="nobody")
    rewriting = late.guard(reader, now=Instant.parse("2045-01-01T00:00:00Z"))
    rewriting.key(file)

    _, fields = rewriting.new(system_entropy)

    assert fields.certificate_ref == file.certificate_ref
    assert late.offered == []


# --- The choice ---


def test_several_certificates_are_offered(reader: CardReader, card: Card, holder: Holder) -> None:
    card.add(certificate("Bob", rsa_key("bob")), rsa_key("bob"), label="Bob's", id=b"\x08")
    reader.insert("second").add(certificate("Carl", rsa_key("carl")), rsa_key("carl"))

    holder.guard(reader).new(system_entropy)

    shown = sorted((each.common_name, each.card_label) for each in holder.offered)
    assert shown == [("Alice", "Alice's card"), ("Bob", "Alice's card"), ("Carl", "second")]
    alice = next(each for each in holder.offered if each.common_name == "Alice")
    assert alice.emails == ("alice@example.com",)
    assert alice.label == "Alice's certificate"
    assert alice.expires_on == Instant.parse("2040-01-01T00:00:00Z")
    assert not alice.last_try


@pytest.mark.parametrize("wants", ["Alice", "Bob", "Carl"])
def test_the_chosen_certificate_protects(reader: CardReader, card: Card, wants: str) -> None:
    card.add(certificate("Bob", rsa_key("bob")), rsa_key("bob"), id=b"\x08")
    reader.insert("second").add(certificate("Carl", rsa_key("carl")), rsa_key("carl"))
    guard = Holder(wants=wants).guard(reader)

    file = some_file(guard)

    assert file.certificate_ref.uri.der_subject == certificate(wants).subject.public_bytes()  # type: ignore[union-attr]
    assert open_device(file, key=Holder().guard(reader).key(file)) == DEVICE


UNFIT: dict[str, tuple[x509.Certificate, rsa.RSAPrivateKey | None, str]] = {
    "expired": (
        certificate("Old", end=datetime(2029, 5, 6, tzinfo=UTC)),
        rsa_key(),
        "it expired on 2029-05-06",
    ),
    "not yet": (
        certificate("New", start=datetime(2031, 5, 6, tzinfo=UTC)),
        rsa_key(),
        "it is not valid before 2031-05-06",
    ),
    "usage": (
        certificate("Signer", None, usage(sign=True)),
        rsa_key(),
        "its key usage does not allow encryption",
    ),
    "curve": (certificate("Curve", ec.generate_private_key(ec.SECP256R1())), None, "not RSA"),
    "small": (certificate("Small", rsa_key("small", 1024)), rsa_key("small", 1024), "1024 bits"),
}


@pytest.mark.parametrize("fault", UNFIT)
def test_certificates_that_are_unfit_are_not_offered(
    reader: CardReader, card: Card, holder: Holder, fault: str
) -> None:
    unfit, key, _ = UNFIT[fault]
    card.add(unfit, key, id=b"\x09")

    holder.guard(reader).new(system_entropy)

    assert [each.common_name for each in holder.offered] == ["Alice"]


@pytest.mark.parametrize("fault", UNFIT)
def test_where_all_are_unfit_each_is_told_why(reader: CardReader, fault: str) -> None:
    unfit, key, reason = UNFIT[fault]
    reader.insert().add(unfit, key)

    with pytest.raises(CertificateNotFound, match="No certificate") as raised:
        Holder().guard(reader).new(system_entropy)

    assert reason in str(raised.value.hint)


def test_a_certificate_for_encryption_alone_is_offered(reader: CardReader) -> None:
    reader.insert().add(certificate("Alice", None, usage(wrap=True)), rsa_key())

    Holder(wants="Alice").guard(reader).new(system_entropy)


def test_who_chooses_nothing_is_left_alone(reader: CardReader, card: Card) -> None:
    def choose(_: Sequence[CardCertificate]) -> CardCertificate:
        raise Cancelled("no")

    holder = Holder()
    guard = SmartcardGuard(
        reader.module,
        choose=choose,
        pin=holder.enter_pin,
        notify=holder.told.append,
        now=lambda: NOW,
    )

    with pytest.raises(Cancelled):
        guard.new(system_entropy)
    assert holder.asked == []


def test_a_certificate_is_chosen_by_the_beginning_of_its_hash(
    reader: CardReader, card: Card, holder: Holder
) -> None:
    card.add(certificate("Bob", rsa_key("bob")), rsa_key("bob"), id=b"\x08")
    holder.guard(reader).new(system_entropy)
    alice, bob = holder.offered
    digest = bob.hash.removeprefix("sha256-")

    assert certificate_by_hash([alice, bob], bob.hash) is bob
    assert certificate_by_hash([alice, bob], digest[:20]) is bob
    assert certificate_by_hash([alice, bob, bob], digest[:20]) is bob
    with pytest.raises(CertificateNotFound, match="No usable certificate begins with `%`"):
        certificate_by_hash([alice, bob], "%")
    with pytest.raises(CertificateNotFound, match="Several certificates begin with ``"):
        certificate_by_hash([alice, bob], "")


# --- Opening ---


def test_the_certificate_is_found_on_any_card(reader: CardReader, card: Card) -> None:
    file = some_file(Holder().guard(reader))
    reader.insert("first of all").add(certificate("Bob", rsa_key("bob")), rsa_key("bob"))
    holder = Holder()

    assert open_device(file, key=holder.guard(reader).key(file)) == DEVICE
    assert [asked.card_label for asked in holder.asked] == ["Alice's card"]


def test_a_reference_without_a_hint_is_enough(reader: CardReader, guard: SmartcardGuard) -> None:
    key, fields = guard.new(system_entropy)
    bare = X509CertificateReference(hash=fields.certificate_ref.hash.replace("sha256", "SHA256"))
    file = protected(key, PkiFields(certificate_ref=bare, encrypted_key=fields.encrypted_key))

    assert Holder().guard(reader).key(file) == key


def test_files_of_the_official_client_open(reader: CardReader) -> None:
    vectors = {
        each["description"]: each
        for each in json.loads(VECTORS.read_text(encoding="utf-8"))["vectors"]
    }
    for description in ("PKI, with location hint", "PKI+TOTP, hash only"):
        vector = vectors[description]
        put_on_card(reader, vector, label=description[:30])

        key = Holder().guard(reader).key(file_of(vector))

        assert bytes(key).hex() == vector["ciphertext_key_hex"]


def test_a_key_that_was_wrapped_otherwise_is_refused(reader: CardReader) -> None:
    vector = next(
        each
        for each in json.loads(VECTORS.read_text(encoding="utf-8"))["vectors"]
        if "MGF1-SHA-1" in each["description"]
    )
    put_on_card(reader, vector)

    with pytest.raises(AuthenticationFailed, match="Decryption failed"):
        Holder().guard(reader).key(file_of(vector))


def put_on_card(reader: CardReader, vector: dict[str, Any], label: str = "card") -> None:
    unlock = vector["unlock"]
    key = serialization.load_pem_private_key(unlock["rsa_private_key_pem"].encode(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    der = bytes.fromhex(unlock["certificate_der_hex"])
    reader.insert(label).add(x509.load_der_x509_certificate(der), key)


def file_of(vector: dict[str, Any]) -> PkiDeviceFile:
    file = load_device_file(bytes.fromhex(vector["device_file_hex"]))
    assert isinstance(file, PkiDeviceFile)
    return file


@pytest.mark.parametrize(
    "encrypted_key",
    [b"", bytes(255), bytes(256), bytes(257), b"\xff" * 256],
    ids=["empty", "short", "zero", "long", "beyond the modulus"],
)
def test_a_damaged_key_is_one_error(guard: SmartcardGuard, encrypted_key: bytes) -> None:
    key, fields = guard.new(system_entropy)
    reference = fields.certificate_ref
    damaged = protected(key, PkiFields(certificate_ref=reference, encrypted_key=encrypted_key))

    with pytest.raises(AuthenticationFailed) as raised:
        guard.key(damaged)

    assert str(raised.value) == (
        "Decryption failed: the key of the certificate does not open this device file"
    )


def test_a_key_of_another_size_is_the_same_error(guard: SmartcardGuard) -> None:
    key, fields = guard.new(system_entropy)
    oaep = padding.OAEP(padding.MGF1(SHA256()), SHA256(), None)
    odd = rsa_key().public_key().encrypt(bytes(31), oaep)
    file = protected(key, PkiFields(certificate_ref=fields.certificate_ref, encrypted_key=odd))

    with pytest.raises(AuthenticationFailed, match="Decryption failed"):
        guard.key(file)


@pytest.mark.parametrize(
    ("now", "said"),
    [
        ("2039-11-01T00:00:00Z", None),
        ("2039-12-20T00:00:00Z", "expires on 2040-01-01"),
        ("2040-01-01T00:00:01Z", "expired on 2040-01-01"),
    ],
)
def test_an_expired_certificate_still_opens_with_a_warning(
    reader: CardReader, guard: SmartcardGuard, now: str, said: str | None
) -> None:
    file = some_file(guard)
    holder = Holder()

    key = holder.guard(reader, now=Instant.parse(now)).key(file)

    assert open_device(file, key=key) == DEVICE
    assert [said in text for text in holder.told if said] == ([True] if said else [])
    assert len(holder.told) == (1 if said else 0)


# --- What goes wrong ---


def test_a_wrong_pin_is_told_and_not_remembered(reader: CardReader, guard: SmartcardGuard) -> None:
    file = some_file(guard)
    holder = Holder(pin="271828")
    trying = holder.guard(reader)

    with pytest.raises(WrongPin, match="The PIN of the smartcard `Alice's card` is wrong") as error:
        trying.key(file)
    holder.pin = PIN

    assert isinstance(error.value, AuthenticationFailed)
    assert open_device(file, key=trying.key(file)) == DEVICE
    assert len(holder.asked) == 2


def test_before_the_last_try_it_is_told(
    reader: CardReader, card: Card, guard: SmartcardGuard
) -> None:
    file = some_file(guard)
    card.set_flag(FINAL_TRY)
    holder = Holder(pin="271828")

    with pytest.raises(WrongPin, match="one try is left") as raised:
        holder.guard(reader).key(file)

    assert holder.asked[0].last_try
    assert raised.value.hint == "one more wrong PIN locks the card"


def test_a_locked_card_is_told_before_the_pin_is_asked(
    reader: CardReader, card: Card, guard: SmartcardGuard
) -> None:
    file = some_file(guard)
    card.set_flag(PIN_LOCKED)
    holder = Holder()

    with pytest.raises(PinLocked, match="is locked") as raised:
        holder.guard(reader).key(file)

    assert isinstance(raised.value, AuthenticationFailed)
    assert "PUK" in str(raised.value.hint)
    assert holder.asked == []


@pytest.mark.parametrize("pin", ["", "1", "9" * 1000, "s3cr3t\ud800", "\0\0\0\0"])
def test_what_cannot_be_a_pin_is_a_wrong_one_and_does_not_show(
    reader: CardReader, guard: SmartcardGuard, pin: str
) -> None:
    file = some_file(guard)

    with pytest.raises(WrongPin) as raised:
        Holder(pin=pin).guard(reader).key(file)

    shown = f"{raised.value!r} {raised.value.hint} {raised.value.__cause__!r}"
    assert "s3cr3t" not in shown
    assert "9999" not in shown


def test_a_card_that_is_not_in_is_not_found(
    reader: CardReader, card: Card, guard: SmartcardGuard
) -> None:
    file = some_file(guard)
    card.take_out()

    with pytest.raises(CertificateNotFound, match="There is no smartcard") as raised:
        guard.key(file)

    assert isinstance(raised.value, NotFound)
    assert "reader" in str(raised.value.hint)


def test_a_card_that_is_put_in_again_opens(
    reader: CardReader, card: Card, guard: SmartcardGuard
) -> None:
    file = some_file(guard)
    card.take_out()
    with pytest.raises(CertificateNotFound):
        guard.key(file)

    card.put_back()

    assert open_device(file, key=guard.key(file)) == DEVICE


def test_another_card_is_told_what_is_missing(
    reader: CardReader, card: Card, guard: SmartcardGuard
) -> None:
    file = some_file(guard)
    card.take_out()
    reader.insert("Bob's").add(certificate("Bob", rsa_key("bob")), rsa_key("bob"))

    with pytest.raises(CertificateNotFound, match="No smartcard has the certificate") as raised:
        guard.key(file)

    assert file.certificate_ref.hash in str(raised.value)
    assert "`Alice's certificate`" in str(raised.value.hint)


def test_a_card_that_is_taken_out_while_its_pin_is_asked_is_told(
    reader: CardReader, card: Card, guard: SmartcardGuard
) -> None:
    file = some_file(guard)

    class Leaving(Holder):
        def enter_pin(self, holder: CardCertificate) -> str:
            card.take_out()
            return super().enter_pin(holder)

    with pytest.raises(CardGone, match="`Alice's card` is not there any more"):
        Leaving().guard(reader).key(file)


def test_an_empty_reader_has_nothing_to_offer(reader: CardReader, holder: Holder) -> None:
    with pytest.raises(CertificateNotFound, match="There is no smartcard"):
        holder.guard(reader).new(system_entropy)


def test_a_card_without_certificates_has_nothing_to_offer(
    reader: CardReader, holder: Holder
) -> None:
    reader.insert()

    with pytest.raises(CertificateNotFound, match="no certificate on the smartcards"):
        holder.guard(reader).new(system_entropy)


def test_a_card_without_the_key_is_told(reader: CardReader, holder: Holder) -> None:
    reader.insert().add(certificate("Alice"))

    with pytest.raises(NoPrivateKey, match="not its private key") as raised:
        holder.guard(reader).new(system_entropy)

    assert isinstance(raised.value, KeyUnavailable)


def test_a_key_that_may_not_decrypt_is_told(reader: CardReader, holder: Holder) -> None:
    reader.insert().add(certificate("Alice"), rsa_key(), DECRYPT=False)

    with pytest.raises(CardFailed, match="does not allow its key to decrypt"):
        holder.guard(reader).new(system_entropy)


def test_nobody_stays_logged_in(reader: CardReader, guard: SmartcardGuard) -> None:
    guard.new(system_entropy)

    with pytest.raises(WrongPin):
        Holder(pin="271828").guard(reader).new(system_entropy)


def test_a_key_is_a_secret_key(guard: SmartcardGuard) -> None:
    key, _ = guard.new(lambda size: bytes(range(size)))

    assert key == SecretKey(bytes(range(32)))
