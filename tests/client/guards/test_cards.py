"""Cards: modules found and refused, and all that SoftHSM cannot be made to do."""

import sys
from pathlib import Path

import pkcs11
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from pkcs11 import Attribute, Mechanism, TokenFlag

from parsec.client.failure import FlowError
from parsec.client.guards.cards import (
    CardCertificate,
    CardFailed,
    CardGone,
    ModuleUnavailable,
    NoPrivateKey,
    PinLocked,
    WrongPin,
    find_module,
    open_cards,
)
from parsec.client.guards.smartcard import SmartcardGuard
from parsec.client.protection import PkiFields
from parsec.client.rules.device_file import KeyUnavailable
from parsec.crypto.entropy import system_entropy
from parsec.crypto.errors import DecryptionError
from parsec.data.instant import Instant
from tests.support.guard_contract import protected
from tests.support.scripted_cards import (
    MODULE,
    WITH_PIN,
    Key,
    ScriptedCard,
    Thing,
    insert,
    stored,
)
from tests.support.smartcards import PIN, certificate, needs_softhsm, plugged_in, rsa_key

NOW = Instant.parse("2030-01-02T03:04:05Z")
ALICE = certificate("Alice")
OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
SECRET = bytes(range(32))


def block() -> bytes:
    return rsa_key().public_key().encrypt(SECRET, OAEP)


def decrypted(encrypted: bytes | None = None, pin: str | None = PIN) -> bytes:
    """With the first certificate of the first card."""
    with open_cards(MODULE) as cards:
        first = cards.certificates()[0]
        return cards.decrypt(first, block() if encrypted is None else encrypted, pin)


def certificates() -> list[CardCertificate]:
    with open_cards(MODULE) as cards:
        return cards.certificates()


def guard_with(told: list[str], asked: list[str]) -> SmartcardGuard:
    def enter_pin(holder: CardCertificate) -> str:
        asked.append(holder.card_label)
        return PIN

    return SmartcardGuard(
        MODULE,
        choose=lambda offered: offered[0],
        pin=enter_pin,
        notify=told.append,
        now=lambda: NOW,
    )


# --- Modules ---


def test_a_chosen_module_wins(tmp_path: Path) -> None:
    environ = {"PARSEC_PKCS11_MODULE": "/by/variable.so"}

    assert find_module("/by/option.so", environ) == "/by/option.so"
    assert find_module(None, environ) == "/by/variable.so"


def test_without_any_module_it_is_told_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(ModuleUnavailable, match="no PKCS#11 module") as raised:
        find_module(None, {}, [str(tmp_path / "*.so")])

    assert "OpenSC" in str(raised.value.hint)
    assert isinstance(raised.value, KeyUnavailable)


def test_where_no_module_sees_a_card_the_likeliest_is_taken(tmp_path: Path) -> None:
    for name in ("b.so", "a.so"):
        (tmp_path / name).write_text("no library")

    found = find_module(None, {}, [str(tmp_path / "b*"), str(tmp_path / "a*")])

    assert found == str(tmp_path / "b.so")


@needs_softhsm
def test_the_module_that_sees_a_card_is_preferred(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.so").write_text("no library")
    with plugged_in(monkeypatch) as reader:
        reader.insert()

        found = find_module(None, {}, [str(tmp_path / "*.so"), reader.module])

        assert found == reader.module


@pytest.mark.parametrize("content", [None, b"no library"])
def test_a_module_that_does_not_load_is_told(tmp_path: Path, content: bytes | None) -> None:
    module = tmp_path / "module.so"
    if content is not None:
        module.write_bytes(content)

    with pytest.raises(ModuleUnavailable, match="does not work") as raised, open_cards(str(module)):
        pass

    assert str(module) in str(raised.value)
    assert "--pkcs11-module" in str(raised.value.hint)


@needs_softhsm
def test_a_module_that_does_not_start_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with plugged_in(monkeypatch) as reader:
        monkeypatch.setenv("SOFTHSM2_CONF", str(tmp_path / "nothing"))

        with pytest.raises(ModuleUnavailable, match="GeneralError"), open_cards(reader.module):
            pass


def test_without_the_library_the_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pkcs11", None)

    with pytest.raises(ModuleUnavailable) as raised, open_cards(MODULE):
        pass

    assert raised.value.hint == "pip install 'parsec-py[pki]'"


def test_without_the_library_a_module_is_still_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Opening it then says what is missing."""
    (tmp_path / "a.so").write_text("no library")
    monkeypatch.setitem(sys.modules, "pkcs11", None)

    assert find_module(None, {}, [str(tmp_path / "*.so")]) == str(tmp_path / "a.so")


def test_a_module_that_cannot_look_for_cards_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    insert(monkeypatch).failure = pkcs11.GeneralError()

    with pytest.raises(ModuleUnavailable, match=r"scripted\.so does not work: GeneralError"):
        certificates()


def test_the_module_is_finalized_whatever_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    library = insert(monkeypatch)

    with pytest.raises(KeyboardInterrupt), open_cards(MODULE):
        raise KeyboardInterrupt

    assert library.finalized == 1


# --- Certificates ---


def test_what_is_no_certificate_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    card = ScriptedCard([Thing({}), Thing({Attribute.VALUE: b"garbage"}), stored(ALICE)])
    insert(monkeypatch, card)

    assert [each.common_name for each in certificates()] == ["Alice"]


def test_labels_and_ids_may_be_missing_or_odd(monkeypatch: pytest.MonkeyPatch) -> None:
    odd = UnicodeDecodeError("utf-8", b"\xff", 0, 1, "odd")
    insert(monkeypatch, ScriptedCard([stored(ALICE, LABEL=odd, ID=b"")]))

    (found,) = certificates()

    assert found.label == ""
    assert (found.uri.label, found.uri.id) == (None, None)


def test_names_cannot_move_the_cursor(monkeypatch: pytest.MonkeyPatch) -> None:
    odd = certificate("Al\x1b[2Jice")
    insert(monkeypatch, ScriptedCard([stored(odd, LABEL="\x07")], label="c\x9bard"))

    (found,) = certificates()

    shown = [found.name, found.common_name, found.label, found.card_label, *found.emails]
    assert not [char for text in shown for char in str(text) if not char.isprintable()]


def test_a_store_without_pin_and_keys_is_no_card(monkeypatch: pytest.MonkeyPatch) -> None:
    authorities = ScriptedCard([stored(ALICE)], flags=TokenFlag.TOKEN_INITIALIZED)
    insert(monkeypatch, authorities)

    assert certificates() == []
    with open_cards(MODULE) as cards:
        assert cards.count() == 0


def test_a_card_without_a_pin_is_not_asked_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    card = ScriptedCard([stored(ALICE)], [Key(rsa_key())], flags=TokenFlag.TOKEN_INITIALIZED)
    insert(monkeypatch, card)
    told: list[str] = []
    asked: list[str] = []

    guard_with(told, asked).new(system_entropy)

    assert (told, asked, card.logins) == ([], [], [])


@pytest.mark.parametrize("gone", [pkcs11.TokenNotPresent(), pkcs11.TokenNotRecognised()])
def test_an_empty_slot_does_not_hide_others(
    monkeypatch: pytest.MonkeyPatch, gone: Exception
) -> None:
    insert(monkeypatch, ScriptedCard(gone=gone), ScriptedCard([stored(ALICE)]))

    assert len(certificates()) == 1


def test_an_unreadable_card_does_not_hide_others(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = ScriptedCard(unreadable=pkcs11.DeviceError())
    insert(monkeypatch, broken, ScriptedCard([stored(ALICE)]))

    assert len(certificates()) == 1


def test_an_unreadable_card_alone_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    insert(monkeypatch, ScriptedCard(unreadable=pkcs11.DeviceError()))

    with pytest.raises(CardFailed, match=r"`scripted` does not work \(DeviceError\)"):
        certificates()


def test_an_uninitialized_card_counts_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    insert(monkeypatch, ScriptedCard([stored(ALICE)], flags=TokenFlag(0)))

    assert certificates() == []


# --- Decryption ---


def test_a_card_that_knows_oaep_does_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    key = Key(rsa_key())
    insert(monkeypatch, ScriptedCard([stored(ALICE)], [key]))

    assert decrypted() == SECRET
    assert key.used == [Mechanism.RSA_PKCS_OAEP]


@pytest.mark.parametrize(
    "failure",
    [
        pkcs11.ArgumentsBad(),
        pkcs11.MechanismParamInvalid(),
        pkcs11.MechanismInvalid(),
        pkcs11.FunctionNotSupported(),
        pkcs11.FunctionFailed(),
        pkcs11.GeneralError(),
    ],
    ids=lambda failure: type(failure).__name__,
)
def test_a_card_that_knows_oaep_with_other_hashes_does_bare_rsa(
    monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    key = Key(rsa_key(), failures={Mechanism.RSA_PKCS_OAEP: failure})
    insert(monkeypatch, ScriptedCard([stored(ALICE)], [key]))

    assert decrypted() == SECRET
    assert key.used == [Mechanism.RSA_PKCS_OAEP, Mechanism.RSA_X_509]


def test_a_card_without_oaep_does_bare_rsa(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scripted card gives numbers without zeros in front, as some do."""
    key = Key(rsa_key())
    bare = frozenset({Mechanism.RSA_X_509})
    insert(monkeypatch, ScriptedCard([stored(ALICE)], [key], mechanisms=bare))

    assert decrypted() == SECRET
    assert key.used == [Mechanism.RSA_X_509]


@pytest.mark.parametrize("mechanisms", [{Mechanism.RSA_PKCS}, {Mechanism.RSA_PKCS_OAEP}])
def test_a_card_that_can_do_neither_is_told(
    monkeypatch: pytest.MonkeyPatch, mechanisms: set[Mechanism]
) -> None:
    key = Key(rsa_key(), failures={Mechanism.RSA_PKCS_OAEP: pkcs11.MechanismParamInvalid()})
    insert(monkeypatch, ScriptedCard([stored(ALICE)], [key], mechanisms=frozenset(mechanisms)))

    with pytest.raises(CardFailed, match="neither RSA-OAEP with SHA-256 nor bare RSA"):
        decrypted()


@pytest.mark.parametrize("mechanism", [Mechanism.RSA_PKCS_OAEP, Mechanism.RSA_X_509])
@pytest.mark.parametrize("failure", [pkcs11.EncryptedDataInvalid(), pkcs11.DataLenRange()])
def test_a_block_that_the_card_refuses_is_a_failed_decryption(
    monkeypatch: pytest.MonkeyPatch, mechanism: Mechanism, failure: Exception
) -> None:
    key = Key(rsa_key(), failures={mechanism: failure})
    card = ScriptedCard([stored(ALICE)], [key], mechanisms=frozenset({mechanism}))
    insert(monkeypatch, card)

    with pytest.raises(DecryptionError):
        decrypted()


def test_a_key_that_wants_the_pin_each_time_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    modulus = Key(rsa_key()).attributes
    key = Key(rsa_key(), {**modulus, Attribute.ALWAYS_AUTHENTICATE: True})
    insert(monkeypatch, ScriptedCard([stored(ALICE)], [key]))

    decrypted()

    assert key.pins == [PIN]


def test_other_keys_do_not_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    key = Key(rsa_key())
    insert(monkeypatch, ScriptedCard([stored(ALICE)], [key]))

    decrypted()

    assert key.pins == [None]


def test_the_key_is_told_by_its_modulus(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ids say nothing: all are the same here."""
    keys = [Key(rsa_key("bob")), Key(rsa_key())]
    insert(monkeypatch, ScriptedCard([stored(ALICE, ID=b"1")], keys))

    assert decrypted() == SECRET
    assert keys[0].used == []


def test_a_key_that_hides_its_modulus_is_told_by_its_id(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [Key(rsa_key("bob"), {Attribute.ID: b"2"}), Key(rsa_key(), {Attribute.ID: b"1"})]
    insert(monkeypatch, ScriptedCard([stored(ALICE, ID=b"1")], keys))

    assert decrypted() == SECRET


def test_a_key_that_says_nothing_is_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    insert(monkeypatch, ScriptedCard([stored(ALICE)], [Key(rsa_key(), {})]))

    with pytest.raises(NoPrivateKey):
        decrypted()


def test_a_copy_of_the_certificate_does_not_hide_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    copy = ScriptedCard([stored(ALICE)], label="copy", slot_id=1)
    real = ScriptedCard([stored(ALICE)], [Key(rsa_key())], label="real", serial=b"0002")
    asked: list[str] = []
    insert(monkeypatch, real)
    key, fields = guard_with([], []).new(system_entropy)
    insert(monkeypatch, copy, real)

    found = guard_with([], asked).key(protected(key, fields))

    assert found == key
    assert asked == ["copy", "real"]


def test_a_card_that_decrypts_something_else_protects_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    modulus = Key(rsa_key()).attributes
    insert(monkeypatch, ScriptedCard([stored(ALICE)], [Confused(rsa_key(), modulus)]))

    with pytest.raises(CardFailed, match="does not decrypt what was encrypted"):
        guard_with([], []).new(system_entropy)


class Confused(Key):
    """Decrypts everything to the same."""

    def decrypt(self, data: object, buffer_size: int = 8192, **how: object) -> bytes:
        return bytes(32)


# --- PINs, and cards that go away ---


@pytest.mark.parametrize(
    ("failure", "kind", "text"),
    [
        (pkcs11.PinIncorrect(), WrongPin, "is wrong"),
        (pkcs11.PinInvalid(), WrongPin, "is wrong"),
        (pkcs11.PinLenRange(), WrongPin, "is wrong"),
        (pkcs11.PinLocked(), PinLocked, "is locked"),
        (pkcs11.PinExpired(), PinLocked, "has expired"),
        (pkcs11.UserPinNotInitialized(), PinLocked, "was never set"),
        (pkcs11.DeviceRemoved(), CardGone, "is not there any more"),
        (pkcs11.TokenNotPresent(), CardGone, "is not there any more"),
        (pkcs11.SessionHandleInvalid(), CardGone, "is not there any more"),
        (pkcs11.DeviceError(), CardFailed, r"does not work \(DeviceError\)"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_each_failure_is_told_in_its_own_way(
    monkeypatch: pytest.MonkeyPatch, failure: Exception, kind: type[FlowError], text: str
) -> None:
    insert(monkeypatch, ScriptedCard([stored(ALICE)], [Key(rsa_key())], login=failure))

    with pytest.raises(kind, match=text) as raised:
        decrypted()

    assert raised.value.hint
    assert PIN not in f"{raised.value!r} {raised.value.hint}"


@pytest.mark.parametrize(
    ("flags", "kind", "text"),
    [
        (TokenFlag.USER_PIN_COUNT_LOW, WrongPin, "is wrong$"),
        (TokenFlag.USER_PIN_FINAL_TRY, WrongPin, "one try is left"),
        (TokenFlag.USER_PIN_LOCKED, PinLocked, "was wrong once too often, and is locked now"),
    ],
)
def test_a_wrong_pin_tells_how_much_is_left(
    monkeypatch: pytest.MonkeyPatch, flags: TokenFlag, kind: type[FlowError], text: str
) -> None:
    card = ScriptedCard(
        [stored(ALICE)],
        [Key(rsa_key())],
        login=pkcs11.PinIncorrect(),
        flags_after=WITH_PIN | flags,
    )
    insert(monkeypatch, card)

    with pytest.raises(kind, match=text):
        decrypted()


def test_a_keypad_asks_for_the_pin_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    flags = WITH_PIN | TokenFlag.PROTECTED_AUTHENTICATION_PATH
    card = ScriptedCard([stored(ALICE)], [Key(rsa_key())], flags=flags)
    insert(monkeypatch, card)
    told: list[str] = []
    asked: list[str] = []

    guard_with(told, asked).new(system_entropy)

    assert asked == []
    assert told == ["Enter the PIN of the smartcard `scripted` on its reader"]
    assert card.logins == [pkcs11.PROTECTED_AUTH]


def test_a_card_that_goes_away_while_it_works_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    removed = pkcs11.DeviceRemoved()
    key = Key(rsa_key(), failures={Mechanism.RSA_PKCS_OAEP: removed})
    insert(monkeypatch, ScriptedCard([stored(ALICE)], [key], at_close=removed))

    with pytest.raises(CardGone):
        decrypted()


def test_another_card_in_the_same_reader_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = ScriptedCard([stored(ALICE)], [Key(rsa_key())])
    insert(monkeypatch, mine)
    told: list[str] = []

    def exchange(_: CardCertificate) -> str:
        mine.serial = b"0002"
        return PIN

    guard = SmartcardGuard(
        MODULE,
        choose=lambda offered: offered[0],
        pin=exchange,
        notify=told.append,
        now=lambda: NOW,
    )

    with pytest.raises(CardGone):
        guard.new(system_entropy)
    assert mine.logins == []


def test_a_guard_shows_no_pin(monkeypatch: pytest.MonkeyPatch) -> None:
    insert(monkeypatch, ScriptedCard([stored(ALICE)], [Key(rsa_key())]))
    guard = guard_with([], [])

    _, fields = guard.new(system_entropy)

    assert PIN not in repr(guard)
    assert isinstance(fields, PkiFields)


def test_a_card_tells_what_it_knows_of_a_certificate(monkeypatch: pytest.MonkeyPatch) -> None:
    insert(monkeypatch, ScriptedCard([stored(ALICE, LABEL="Alice's", ID=b"\x07")]))

    (found,) = certificates()

    der = ALICE.public_bytes(serialization.Encoding.DER)
    assert found.certificate.der == der
    assert (found.name, found.label, found.card_label) == ("Alice", "Alice's", "scripted")
    assert found.card_serial == "0001"
