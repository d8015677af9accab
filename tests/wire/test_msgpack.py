"""Our profile of MessagePack."""

import datetime as dt

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsec.crypto.keys import SecretKey
from parsec.data.ids import UserID
from parsec.data.instant import Instant
from parsec.wire.msgpack import (
    MalformedError,
    Tagged,
    check_keys,
    dump,
    end_of_first,
    reader,
)
from tests.support.mutations import ENDLESS_HEADS, truncations

USER_ID = UserID(bytes(range(16)))

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 64) - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.binary()
    | st.builds(UserID, st.binary(min_size=16, max_size=16))
    | st.integers(-(10**15), 10**15).map(Instant),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=20,
)


class Circle(msgspec.Struct, frozen=True, tag_field="kind", tag="CIRCLE"):
    radius: int


class Drawing(msgspec.Struct, frozen=True):
    shape: Tagged[Circle]


@pytest.mark.parametrize("code", [1, 3, -1, 127, -128])
def test_an_extension_of_another_code_is_no_identifier(code: int) -> None:
    with pytest.raises(MalformedError):
        reader(UserID).load(msgspec.msgpack.encode(msgspec.msgpack.Ext(code, bytes(16))))


@pytest.mark.parametrize("size", [0, 1, 7, 8, 15, 17])
def test_an_extension_of_another_size_is_no_identifier(size: int) -> None:
    with pytest.raises(MalformedError):
        reader(UserID).load(msgspec.msgpack.encode(msgspec.msgpack.Ext(2, bytes(size))))


@pytest.mark.parametrize("size", [0, 4, 7, 9, 12, 16])
def test_an_extension_of_another_size_is_no_date(size: int) -> None:
    with pytest.raises(MalformedError):
        reader(Instant).load(msgspec.msgpack.encode(msgspec.msgpack.Ext(1, bytes(size))))


def test_the_timestamp_of_the_messagepack_specification_is_no_date() -> None:
    now = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)

    with pytest.raises(MalformedError):
        reader(Instant).load(msgspec.msgpack.encode(now))


def test_the_longer_form_of_an_extension_is_read() -> None:
    assert reader(UserID).load(b"\xc7\x10\x02" + USER_ID) == USER_ID


@pytest.mark.parametrize(
    ("microseconds", "is_date"),
    [
        (-8_334_601_228_800_000_000, True),
        (-8_334_601_228_800_000_001, False),
        (8_210_266_876_799_999_999, True),
        (8_210_266_876_800_000_000, False),
        ((1 << 63) - 1, False),
        (-(1 << 63), False),
    ],
)
def test_dates_end_where_the_specification_says(microseconds: int, is_date: bool) -> None:
    encoded = b"\xd7\x01" + microseconds.to_bytes(8, "big", signed=True)

    if is_date:
        assert reader(Instant).load(encoded) == microseconds
        return
    with pytest.raises(MalformedError):
        reader(Instant).load(encoded)


@pytest.mark.parametrize("value", ["x" * 32, 32, None, [0] * 32, {}, USER_ID, Instant(1)])
def test_a_key_is_nothing_but_bytes(value: object) -> None:
    with pytest.raises(MalformedError):
        reader(SecretKey).load(dump(value))


def test_a_key_of_another_size_is_malformed() -> None:
    with pytest.raises(MalformedError):
        reader(SecretKey).load(dump(bytes(31)))


def test_what_has_no_form_on_the_wire_is_not_dumped() -> None:
    with pytest.raises(TypeError, match="object does not travel"):
        dump(object())


def test_the_only_kind_of_a_union_needs_its_tag() -> None:
    with pytest.raises(MalformedError):
        reader(Circle).load(dump({"radius": 1}))
    with pytest.raises(MalformedError):
        reader(Drawing).load(dump({"shape": {"radius": 1}}))
    assert reader(Drawing).load(dump(Drawing(Circle(1)))) == Drawing(Circle(1))


def test_a_union_of_one_has_no_second_kind() -> None:
    with pytest.raises(MalformedError):
        reader(Circle).load(dump({"kind": ""}))
    with pytest.raises(MalformedError):
        reader(Drawing).load(dump({"shape": {"kind": ""}}))


def test_bytes_after_a_value_are_malformed_unless_the_first_value_is_asked_for() -> None:
    encoded = dump(USER_ID)

    with pytest.raises(MalformedError):
        reader(UserID).load(encoded + b"\xc1")
    assert reader(UserID).load_first(encoded + b"\xc1") == USER_ID


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\xd8\x02", b"\xa1x", b"\xa1x\x00"])
def test_the_first_value_must_be_whole_and_of_its_type(data: bytes) -> None:
    with pytest.raises(MalformedError):
        reader(UserID).load_first(data)


@given(PLAIN, st.binary(max_size=5))
def test_the_first_value_ends_where_it_ends(value: object, rest: bytes) -> None:
    encoded = dump(value)

    assert end_of_first(encoded + rest) == len(encoded)


@given(PLAIN)
def test_what_ends_early_has_no_first_value(value: object) -> None:
    for beginning in truncations(dump(value)):
        with pytest.raises(MalformedError):
            end_of_first(beginning)


@pytest.mark.parametrize(
    "encoded",
    [
        b"\xca\x00\x00\x00\x00",
        b"\xd4\x05x",
        b"\xd5\x05xx",
        b"\xd6\x05xxxx",
        b"\xc7\x03\x05xxx",
        b"\xc8\x00\x03\x05xxx",
        b"\xc9\x00\x00\x00\x03\x05xxx",
        b"\xc5\x00\x01x",
        b"\xc6\x00\x00\x00\x01x",
        b"\xd9\x01x",
        b"\xda\x00\x01x",
        b"\xdb\x00\x00\x00\x01x",
        b"\xdc\x00\x01\xc0",
        b"\xdd\x00\x00\x00\x01\xc0",
        b"\xde\x00\x01\xa1k\xc0",
        b"\xdf\x00\x00\x00\x01\xa1k\xc0",
    ],
)
def test_every_form_of_messagepack_is_walked_over(encoded: bytes) -> None:
    assert end_of_first(encoded + b"\x00") == len(encoded)
    check_keys(encoded)


@pytest.mark.parametrize("head", [*ENDLESS_HEADS, b"\xc1"])
def test_what_is_announced_and_does_not_come_is_malformed(head: bytes) -> None:
    with pytest.raises(MalformedError):
        end_of_first(head)
    with pytest.raises(MalformedError):
        check_keys(head)


@pytest.mark.parametrize(
    "key",
    [b"\x01", b"\xcc\x01", b"\xa1k", b"\xd9\x01k", b"\xc4\x01k", b"\xd4\x05x", b"\xd4\xff\x00"],
)
def test_a_key_given_twice_is_malformed(key: bytes) -> None:
    with pytest.raises(MalformedError):
        check_keys(b"\x82" + key + b"\xc0" + key + b"\xc0")


@pytest.mark.parametrize(
    ("short", "long"),
    [(b"\x01", b"\xcd\x00\x01"), (b"\xa1k", b"\xda\x00\x01k"), (b"\xd4\x05x", b"\xc7\x01\x05x")],
)
def test_a_key_given_twice_in_two_forms_is_malformed(short: bytes, long: bytes) -> None:
    with pytest.raises(MalformedError, match="given twice"):
        check_keys(b"\x82" + short + b"\xc0" + long + b"\xc0")


def test_a_text_and_the_bytes_of_it_are_two_keys() -> None:
    check_keys(b"\x82\xa1k\xc0\xc4\x01k\xc0")


def test_equal_keys_in_two_maps_are_fine() -> None:
    check_keys(b"\x92\x81\xa1k\xc0\x81\xa1k\xc0")


def test_a_walk_ends_after_as_many_values_as_allowed() -> None:
    encoded = dump([0] * 99)

    check_keys(encoded, max_values=100)
    with pytest.raises(MalformedError, match="too many values"):
        check_keys(encoded, max_values=99)


@pytest.mark.parametrize("opening", [b"\x91", b"\x81\xa1k"])
def test_a_walk_goes_only_so_deep(opening: bytes) -> None:
    check_keys(opening * 100 + b"\xc0")
    with pytest.raises(MalformedError, match="nested too deep"):
        check_keys(opening * 200 + b"\xc0")
