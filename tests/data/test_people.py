"""What people, devices and organizations are called."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsec.data.ids import DeviceID, UserID
from parsec.data.people import (
    DeviceLabel,
    EmailAddress,
    EntryName,
    EntryNameInvalid,
    EntryNameTooLong,
    HumanHandle,
    LocalHumanHandle,
    OrganizationID,
    Text,
    UserProfile,
    ValidationCode,
)
from parsec.wire.msgpack import MalformedError, dump, reader

ALICE = EmailAddress("alice@example.com")
SOMEBODY = UserID(bytes.fromhex("940a380aedd44127863e952a66cfd1f3"))
SOMETHING = DeviceID(bytes.fromhex("de10a11cec0010000000000000000000"))

# The grammar as wire.md 4.4 writes it, to compare with ours, which never goes back.
A = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~]"
FWS = r"(?:(?:[ \t]*\r\n)?[ \t]+(?:\r\n[ \t]+)*)"
CTL = r"\x01-\x08\x0b\x0c\x0e-\x1f\x7f"
COMM = rf"(?:\((?:{FWS}?(?:[\x21-\x27\x2a-\x5b\x5d-\x7e{CTL}]|\\[\x00-\x7f]))*{FWS}?\))"
CFWS = rf"(?:(?:{FWS}?{COMM})+{FWS}?|{FWS})"
DOT = rf"[ \t]?{A}+(?:(?:\.(?:{CFWS})*|-+){A}+)*[ \t]?"
QTEXT = rf"(?:[\x21\x23-\x5b\x5d-\x7e{CTL}]|\\[\x00-\x7f])"
QS = rf'(?:{CFWS})?"(?:{FWS}?{QTEXT})*{FWS}?"(?:{CFWS})?'
LIT = rf"(?:{CFWS})?\[(?:{FWS}?[\x21-\x5a\x5e-\x7e{CTL}])*{FWS}?\](?:{CFWS})?"
SPECIFIED_EMAIL = re.compile(rf"(?:{DOT}|{QS})@(?:{DOT}|{LIT})")

MIB = 1 << 20

EMAIL_PIECES = st.one_of(
    st.sampled_from(["a", "b.c", "-", "--", ".", "@", "<", ",", "\\", "\x00", "\x01", "é"]),
    st.sampled_from([" ", "\t", "\r\n", "\r\n ", "(", ")", "(x)", "(\\))"]),
    st.sampled_from(['"', '"q"', "[", "]", "[1]"]),
)
EMAIL_SIDES = st.lists(EMAIL_PIECES, max_size=6).map("".join)


@given(
    st.tuples(EMAIL_SIDES, st.sampled_from(["@", ""]), EMAIL_SIDES).map("".join)
    | st.text("aB1_+.-@ ", max_size=9)
)
def test_email_addresses_are_those_of_the_specified_grammar(text: str) -> None:
    assert _accepts(EmailAddress, text) == bool(SPECIFIED_EMAIL.fullmatch(text))


@pytest.mark.parametrize(
    "hostile",
    [
        "a" * MIB,
        "a-" * MIB,
        "a." * MIB,
        " " * MIB,
        '"' + " " * MIB,
        '"' + "\\\\" * MIB,
        "a@a" + "-" * MIB,
        "a@b." + " " * MIB,
        "a@b." + "\r\n " * MIB + "\r",
        "a@b." + "( )" * MIB,
        "a@b." + "(" * MIB,
        "a@b." + "()" * MIB + "\0",
        "a@[" + " a" * MIB,
        '"a"@' + "()" * MIB,
    ],
    ids=repr,
)
def test_no_text_makes_reading_an_email_address_endless(hostile: str) -> None:
    assert not _accepts(EmailAddress, hostile)


def test_an_email_address_may_be_long() -> None:
    text = "a" * MIB + "@b.c"

    assert EmailAddress(text) == text


@pytest.mark.parametrize(
    ("text", "local_part", "domain"),
    [
        ("a.b@c.d", "a.b", "c.d"),
        ('"@"@c.d', '"@"', "c.d"),
        ("a@c.(@)d", "a", "c.(@)d"),
    ],
)
def test_an_email_address_has_two_parts(text: str, local_part: str, domain: str) -> None:
    address = EmailAddress(text)

    assert address.local_part == local_part
    assert address.domain == domain


@pytest.mark.parametrize("text", ["a@redacted.invalid", '"x"@redacted.invalid'])
def test_the_domain_of_redacted_people_is_reserved(text: str) -> None:
    with pytest.raises(ValueError, match="reserved"):
        EmailAddress(text)


@pytest.mark.parametrize(
    "text", ["a@sub.redacted.invalid", "a@Redacted.invalid", "a@redacted.invalid "]
)
def test_only_exactly_that_domain_is_reserved(text: str) -> None:
    assert EmailAddress(text) == text


@pytest.mark.parametrize(
    ("kind", "size"),
    [(OrganizationID, 32), (DeviceLabel, 255), (EntryName, 255)],
)
def test_lengths_count_bytes_in_normal_form(kind: type[Text], size: int) -> None:
    fitting = "e\u0301" * (size // 2)

    assert kind(fitting) == "\u00e9" * (size // 2)
    with pytest.raises(ValueError):
        kind(fitting + "e\u0301")
    with pytest.raises(ValueError):
        kind("")


@given(st.text(max_size=40))
def test_what_is_kept_is_in_normal_form(text: str) -> None:
    if _accepts(DeviceLabel, text):
        assert DeviceLabel(text) == unicodedata.normalize("NFC", text)


@pytest.mark.parametrize("kind", [OrganizationID, DeviceLabel, EntryName])
@pytest.mark.parametrize("character", ["a", "\u0300\u0316"])
def test_long_texts_are_refused_before_any_work_on_them(kind: type[Text], character: str) -> None:
    with pytest.raises(ValueError, match="longer than"):
        kind(character * MIB)


@pytest.mark.parametrize("kind", [OrganizationID, DeviceLabel, EntryName, EmailAddress])
def test_half_surrogate_pairs_are_no_text(kind: type[Text]) -> None:
    with pytest.raises(ValueError):
        kind("\ud800")


def test_an_entry_name_tells_too_long_from_invalid() -> None:
    with pytest.raises(EntryNameTooLong):
        EntryName("x" * 256)
    for text in ("", ".", "..", "a/b", "a\0"):
        with pytest.raises(EntryNameInvalid):
            EntryName(text)


@given(st.sampled_from([OrganizationID, DeviceLabel, EntryName]), st.text(max_size=10))
def test_texts_travel_as_str(kind: type[Text], text: str) -> None:
    if _accepts(kind, text):
        value = kind(text)

        assert dump(value) == dump(str(value))
        assert reader(kind).load(dump(value)) == value


@pytest.mark.parametrize("encoded", [b"\xc4\x01a", b"\x01", b"\xc0", b"\xa0"])
def test_nothing_else_is_a_text_on_the_wire(encoded: bytes) -> None:
    with pytest.raises(MalformedError):
        reader(OrganizationID).load(encoded)


def test_subclasses_of_str_are_no_text_off_the_wire() -> None:
    with pytest.raises(ValueError):
        DeviceLabel.from_wire(OrganizationID("a"))


def test_people_are_the_same_by_their_address() -> None:
    alice, renamed = HumanHandle(ALICE, "Alice"), HumanHandle(ALICE, "Alice B.")
    other = HumanHandle(EmailAddress("Alice@example.com"), "Alice")

    assert alice == renamed
    assert hash(alice) == hash(renamed)
    assert alice != other


def test_a_person_is_written_with_name_and_address() -> None:
    assert str(HumanHandle(ALICE, "Alice")) == "Alice <alice@example.com>"


@pytest.mark.parametrize("label", ["", "x" * 255, "a@b", "a;b", "[a"])
def test_refuses_names_that_break_the_rules(label: str) -> None:
    with pytest.raises(ValueError):
        HumanHandle(ALICE, label)


def test_the_name_of_a_person_is_kept_in_normal_form() -> None:
    assert HumanHandle(ALICE, "e\u0301").label == "\u00e9"


def test_a_person_travels_as_two_texts() -> None:
    person = HumanHandle(EmailAddress("a@b"), "c")

    assert dump(person) == b"\x92\xa3a@b\xa1c"
    assert reader(HumanHandle).load(dump(person)) == person
    assert HumanHandle.from_wire(person.to_wire()) == person


@pytest.mark.parametrize(
    "encoded",
    [
        b"\x91\xa3a@b",
        b"\x93\xa3a@b\xa1c\xa1d",
        b"\x92\xa1c\xa3a@b",
        b"\x92\xa3a@b\xa0",
        b"\x92\xa3a@b\xc4\x01c",
        b"\x82\xa5email\xa3a@b\xa5label\xa1c",
    ],
)
def test_nothing_else_is_a_person_on_the_wire(encoded: bytes) -> None:
    with pytest.raises(MalformedError):
        reader(HumanHandle).load(encoded)


@pytest.mark.parametrize("value", [["a@b"], ["a@b", 1], ("a@b", "c"), ["a@b", "c", "d"], "a@b"])
def test_nothing_else_is_a_person_off_the_wire(value: object) -> None:
    with pytest.raises(ValueError):
        HumanHandle.from_wire(value)


def test_a_redacted_person_is_named_by_the_user_id() -> None:
    person = HumanHandle.redacted(SOMEBODY)

    assert person.label == "940a380aedd44127863e952a66cfd1f3"
    assert person.email == "940a380aedd44127863e952a66cfd1f3@redacted.invalid"


def test_a_redacted_person_is_not_read() -> None:
    with pytest.raises(MalformedError):
        reader(HumanHandle).load(dump(HumanHandle.redacted(SOMEBODY)))


def test_a_redacted_device_is_labelled_by_its_id() -> None:
    assert DeviceLabel.redacted(SOMETHING) == "de10a11cec0010000000000000000000"


def test_a_profile_travels_by_its_name() -> None:
    assert dump(UserProfile.OUTSIDER) == b"\xa8OUTSIDER"


def test_a_code_is_drawn_from_its_alphabet() -> None:
    code = ValidationCode.generate(lambda size: bytes([0, 31, 32, 255, 24, 23][:size]))

    assert code == "A9A92Z"


@pytest.mark.parametrize("text", ["", "ABC23", "ABC2345", "abc234", "ABC230", "ABCI34", "ABC 34"])
def test_what_is_no_code_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a validation code takes 6 of"):
        ValidationCode(text)


def test_a_code_is_not_shown_by_repr() -> None:
    assert "ABC234" not in repr([ValidationCode("ABC234")])


def test_codes_compare_by_their_text() -> None:
    code = ValidationCode("ABC234")

    assert code == ValidationCode("ABC234")
    assert code != ValidationCode("ABC235")
    assert code != "é"
    assert code != "\ud800"
    assert code != b"ABC234"


def test_texts_say_their_kind_in_repr() -> None:
    assert repr(OrganizationID("CoolOrg")) == "OrganizationID('CoolOrg')"


def _accepts(kind: type[Text], text: str) -> bool:
    try:
        kind(text)
    except ValueError:
        return False
    return True


def test_a_text_shows_its_kind_where_developers_look() -> None:
    assert repr(DeviceLabel("laptop")) == "DeviceLabel('laptop')"


def test_people_with_one_address_are_one_whatever_their_label() -> None:
    handle = HumanHandle(EmailAddress("a@b.c"), "A")
    other = HumanHandle(EmailAddress("a@b.c"), "B")

    assert handle == other
    assert (handle != other) is False


def test_a_local_file_may_hold_an_address_of_any_alphabet() -> None:
    handle = reader(LocalHumanHandle).load(dump(["zoé@example.com", "Zoé"]))

    assert handle.email.local_part == "zoé"
    assert handle.email.domain == "example.com"


@pytest.mark.parametrize("address", ["zoé", "zoé@", "@é", "é@redacted.invalid"])
def test_a_local_file_holds_no_other_addresses_than_the_wire_but_for_letters(address: str) -> None:
    with pytest.raises(MalformedError):
        reader(LocalHumanHandle).load(dump([address, "Zoé"]))
