"""UTC timestamps."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsec.data.instant import Instant
from parsec.wire.msgpack import MalformedError, dump, reader

# wire.md 3.2.
FIRST = -8_334_601_228_800_000_000
LAST = 8_210_266_876_799_999_999

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECONDS = st.integers(FIRST, LAST)


@given(MICROSECONDS)
def test_the_text_reads_back(microseconds: int) -> None:
    instant = Instant(microseconds)

    assert Instant.parse(instant.rfc3339) == instant


@given(st.datetimes(timezones=st.just(UTC)))
def test_agrees_with_datetime_where_that_reaches(moment: datetime) -> None:
    instant = Instant((moment - EPOCH) // timedelta(microseconds=1))

    assert instant.rfc3339[:19] == moment.isoformat()[:19]
    assert Instant.parse(moment.isoformat()) == instant


@given(st.datetimes(timezones=st.just(UTC)), st.integers(-1439, 1439))
def test_offsets_are_taken_away(moment: datetime, minutes: int) -> None:
    sign, (hours, rest) = "-" if minutes < 0 else "+", divmod(abs(minutes), 60)
    text = f"{moment.replace(tzinfo=None).isoformat()}{sign}{hours:02}:{rest:02}"

    read = Instant.parse(text)

    assert read == Instant.parse(moment.isoformat()).plus(seconds=-60 * minutes)


@given(MICROSECONDS)
def test_travels_as_extension_1(microseconds: int) -> None:
    encoded = b"\xd7\x01" + microseconds.to_bytes(8, "big", signed=True)

    assert dump(Instant(microseconds)) == encoded
    assert reader(Instant).load(encoded) == Instant(microseconds)


@pytest.mark.parametrize(
    "encoded",
    [
        b"\x00",
        b"\xa120",
        b"\xd7\x02" + bytes(8),
        b"\xd7\xff" + bytes(8),
        b"\xd6\x01" + bytes(4),
        b"\xd7\x01" + (LAST + 1).to_bytes(8, "big"),
        b"\xd7\x01" + (FIRST - 1).to_bytes(8, "big", signed=True),
    ],
)
def test_nothing_else_is_a_date_on_the_wire(encoded: bytes) -> None:
    with pytest.raises(MalformedError):
        reader(Instant).load(encoded)


def test_a_plain_number_is_no_date_off_the_wire() -> None:
    with pytest.raises(ValueError):
        Instant.from_wire(0)


@pytest.mark.parametrize("microseconds", [FIRST - 1, LAST + 1, 10**30])
def test_refuses_what_the_wire_cannot_say(microseconds: int) -> None:
    with pytest.raises(ValueError):
        Instant(microseconds)


@pytest.mark.parametrize(
    ("microseconds", "text"),
    [
        (FIRST, "-262143-01-01T00:00:00Z"),
        (LAST, "+262142-12-31T23:59:59.999999Z"),
        (0, "1970-01-01T00:00:00Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
        (100_000, "1970-01-01T00:00:00.100Z"),
        (120, "1970-01-01T00:00:00.000120Z"),
        (253_402_300_799_999_999, "9999-12-31T23:59:59.999999Z"),
        (253_402_300_800_000_000, "+10000-01-01T00:00:00Z"),
        (-62_167_219_200_000_000, "0000-01-01T00:00:00Z"),
        (-62_167_219_200_000_001, "-0001-12-31T23:59:59.999999Z"),
    ],
)
def test_writes_the_shortest_exact_text(microseconds: int, text: str) -> None:
    assert Instant(microseconds).rfc3339 == text
    assert str(Instant(microseconds)) == text
    assert f"{Instant(microseconds)}" == text


@pytest.mark.parametrize(
    "text",
    [
        "2000-01-01T00:00:00",
        "2000-01-01T00:00Z",
        "2000-01-01T00:00:60Z",
        "2000-01-01T00:60:00Z",
        "2000-01-01T24:00:00Z",
        "2000-00-01T00:00:00Z",
        "2000-13-01T00:00:00Z",
        "2000-01-00T00:00:00Z",
        "2000-04-31T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2000-01-01T00:00:00.Z",
        "2000-01-01T00:00:00+24:00",
        "2000-01-01T00:00:00+00:60",
        "2000-01-01T00:00:00+0000",
        "2000-01-01_00:00:00Z",
        " 2000-01-01T00:00:00Z",
        "2000-01-01T00:00:00Z\n",
        "10000-01-01T00:00:00Z",
        "+262143-01-01T00:00:00Z",
        "-262144-12-31T23:59:59Z",
        "\u0662\u0660\u0660\u0660-01-01T00:00:00Z",
    ],
)
def test_refuses_other_texts(text: str) -> None:
    with pytest.raises(ValueError):
        Instant.parse(text)


@pytest.mark.parametrize("text", ["2000-02-29T00:00:00Z", "2024-02-29T00:00:00Z"])
def test_reads_leap_days(text: str) -> None:
    assert Instant.parse(text).rfc3339 == text


def test_cuts_the_fraction_after_six_digits() -> None:
    read = Instant.parse("1970-01-01T00:00:00." + "9" * 1_000 + "Z")

    assert read == Instant(999_999)


@pytest.mark.parametrize(("microseconds", "seconds"), [(-1, -1), (0, 0), (1_999_999, 1)])
def test_seconds_are_rounded_down(microseconds: int, seconds: int) -> None:
    assert Instant(microseconds).seconds == seconds


def test_moves_by_an_exact_amount() -> None:
    far = Instant(LAST - 10_000_000)

    moved = far.plus(seconds=3, milliseconds=2, microseconds=1)

    assert moved.microseconds_since(far) == 3_002_001


def test_refuses_to_move_out_of_range() -> None:
    with pytest.raises(ValueError):
        Instant(LAST).plus(microseconds=1)


def test_tells_how_much_later_it_is() -> None:
    assert Instant(1_500_000).seconds_since(Instant(2_000_000)) == -0.5


def test_counts_whole_seconds_from_the_epoch() -> None:
    assert Instant.from_seconds(946_684_800).rfc3339 == "2000-01-01T00:00:00Z"


def test_an_instant_shows_its_date_where_developers_look() -> None:
    assert repr(Instant(0)) == "Instant(1970-01-01T00:00:00Z)"
