"""Identifiers of 16 bytes."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsec.data.ids import AccessToken, DeviceID, Id, UserID, VlobID
from parsec.wire.msgpack import MalformedError, RawUuid, dump, reader

RAW = bytes.fromhex("00112233445566778899aabbccddeeff")
SIXTEEN_BYTES = st.binary(min_size=16, max_size=16)


@given(SIXTEEN_BYTES)
def test_text_forms_read_back(raw: bytes) -> None:
    user_id = UserID(raw)

    assert UserID.parse(str(user_id)) == user_id
    assert UserID.parse(user_id.hyphenated) == user_id


@given(SIXTEEN_BYTES)
def test_text_forms_are_those_of_a_uuid(raw: bytes) -> None:
    user_id = UserID(raw)

    assert str(user_id) == uuid.UUID(bytes=raw).hex
    assert user_id.hyphenated == str(uuid.UUID(bytes=raw))


@pytest.mark.parametrize(
    "text",
    [
        "00112233445566778899aabbccddeeff",
        "00112233445566778899AABBCCDDEEFF",
        "00112233-4455-6677-8899-aabbccddeeff",
        "00112233-4455-6677-8899-AABBCCDDEEFF",
        "{00112233-4455-6677-8899-aabbccddeeff}",
        "urn:uuid:00112233-4455-6677-8899-aabbccddeeff",
    ],
)
def test_reads_every_text_form(text: str) -> None:
    assert VlobID.parse(text) == VlobID(RAW)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 00112233445566778899aabbccddeeff",
        "00112233445566778899aabbccddeeff\n",
        "00112233445566778899aabbccddeef",
        "00112233445566778899aabbccddeefg",
        "0011223344556677-8899-aabbccddeeff",
        "00112233-4455-6677-8899aabbccddeeff",
        "{00112233-4455-6677-8899-aabbccddeeff",
        "00112233-4455-6677-8899-aabbccddeeff}",
        "uuid:00112233-4455-6677-8899-aabbccddeeff",
        "\uff10\uff10112233445566778899aabbccddeeff",
    ],
)
def test_refuses_any_other_text(text: str) -> None:
    with pytest.raises(ValueError):
        VlobID.parse(text)


@pytest.mark.parametrize("size", [0, 15, 17])
@pytest.mark.parametrize("kind", [UserID, AccessToken])
def test_takes_sixteen_bytes(kind: type[Id] | type[AccessToken], size: int) -> None:
    with pytest.raises(ValueError):
        kind(bytes(size))


@given(SIXTEEN_BYTES)
def test_generated_identifiers_are_uuids_of_version_4(drawn: bytes) -> None:
    generated = uuid.UUID(bytes=bytes(DeviceID.generate(lambda size: drawn[:size])))

    assert generated.version == 4
    assert generated.variant == uuid.RFC_4122


def test_generated_tokens_are_the_drawn_bytes() -> None:
    token = AccessToken.generate(lambda size: RAW[:size])

    assert token == RAW


def test_repr_tells_the_kind() -> None:
    assert repr(UserID(RAW)) == "UserID(00112233445566778899aabbccddeeff)"


def test_an_identifier_travels_as_extension_2() -> None:
    assert dump(UserID(RAW)) == b"\xd8\x02" + RAW
    assert reader(UserID).load(b"\xd8\x02" + RAW) == UserID(RAW)


def test_a_token_travels_as_bin() -> None:
    assert dump(AccessToken(RAW)) == b"\xc4\x10" + RAW
    assert reader(AccessToken).load(b"\xc4\x10" + RAW) == AccessToken(RAW)


@pytest.mark.parametrize(
    "encoded",
    [
        b"\xc4\x10" + RAW,
        b"\xd8\x03" + RAW,
        b"\xd9\x20" + RAW.hex().encode(),
        b"\xc7\x0f\x02" + RAW[:15],
    ],
)
def test_an_identifier_is_nothing_else_on_the_wire(encoded: bytes) -> None:
    with pytest.raises(MalformedError):
        reader(UserID).load(encoded)


@pytest.mark.parametrize(
    "encoded",
    [b"\xd8\x02" + RAW, b"\xb0" + b"a" * 16, b"\xc4\x0f" + RAW[:15], b"\xc0"],
)
def test_a_token_is_nothing_else_on_the_wire(encoded: bytes) -> None:
    with pytest.raises(MalformedError):
        reader(AccessToken).load(encoded)


def test_plain_bytes_are_no_identifier_off_the_wire() -> None:
    with pytest.raises(ValueError):
        UserID.from_wire(RAW)
    with pytest.raises(ValueError):
        AccessToken.from_wire(RawUuid(RAW))


@pytest.mark.parametrize("text", ["00112233445566778899AABBccddeeff"])
def test_a_token_is_read_in_any_case(text: str) -> None:
    assert AccessToken.parse(text).hex() == RAW.hex()


@pytest.mark.parametrize("text", ["00112233-4455-6677-8899-aabbccddeeff", "", " " + RAW.hex()])
def test_a_token_has_one_text_form_only(text: str) -> None:
    with pytest.raises(ValueError):
        AccessToken.parse(text)


def test_a_token_is_shown_nowhere() -> None:
    token = AccessToken(RAW)

    shown = f"{token} {token!r} {token!s} {[token]}"

    assert "11" not in shown
    assert "\\x" not in shown


def test_the_refusal_of_a_token_does_not_show_it() -> None:
    with pytest.raises(ValueError) as refusal:
        AccessToken.parse("00112233445566778899aabbccddeefg")

    assert "0011" not in str(refusal.value)


def test_tokens_are_equal_by_their_bytes() -> None:
    assert AccessToken(RAW) == AccessToken(RAW)
    assert AccessToken(RAW) != AccessToken(bytes(16))
    assert AccessToken(RAW) != RAW.hex()
    assert len({AccessToken(RAW), AccessToken(RAW)}) == 1
