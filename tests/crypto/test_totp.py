"""One-time codes, held against the appendices of the RFCs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsec.crypto.totp import (
    accepted_codes,
    base32_secret,
    grouped_base32_secret,
    matches,
    time_step,
    totp_code,
)

RFC_SECRET = b"12345678901234567890"
SECOND = 1_000_000
instants = st.integers(0, 2**40 * SECOND)


@pytest.mark.parametrize(
    ("step", "code"),
    [
        (0, "755224"),
        (1, "287082"),
        (2, "359152"),
        (3, "969429"),
        (4, "338314"),
        (5, "254676"),
        (6, "287922"),
        (7, "162583"),
        (8, "399871"),
        (9, "520489"),
    ],
)
def test_codes_are_those_of_rfc_4226(step: int, code: str) -> None:
    """RFC 4226, appendix D."""
    assert totp_code(RFC_SECRET, step) == code


@pytest.mark.parametrize(
    ("seconds", "eight_digits"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_codes_are_the_last_six_digits_of_rfc_6238(seconds: int, eight_digits: str) -> None:
    """RFC 6238, appendix B, SHA-1."""
    assert totp_code(RFC_SECRET, time_step(seconds * SECOND)) == eight_digits[-6:]


@pytest.mark.parametrize(
    ("instant_us", "step"), [(0, 0), (30 * SECOND - 1, 0), (30 * SECOND, 1), (-1, -1)]
)
def test_a_step_lasts_thirty_seconds(instant_us: int, step: int) -> None:
    assert time_step(instant_us) == step


@pytest.mark.parametrize(
    ("distance", "accepted"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)]
)
def test_the_steps_before_and_after_are_accepted(distance: int, accepted: bool) -> None:
    now = 1_700_000_010 * SECOND
    code = totp_code(RFC_SECRET, time_step(now) + distance)

    assert matches(RFC_SECRET, code, now) is accepted


@given(at_us=instants)
def test_every_accepted_code_matches(at_us: int) -> None:
    codes = accepted_codes(RFC_SECRET, at_us)

    assert all(matches(RFC_SECRET, code, at_us) for code in codes)


@pytest.mark.parametrize(
    "code", ["", "28708", "2870820", " 287082", "287082\n", "٢٨٧٠٨٢", "\udcff87082"]
)
def test_the_form_of_a_code_is_strict(code: str) -> None:
    """The digits are right, for the 59th second."""
    assert not matches(RFC_SECRET, code, 59 * SECOND)


def test_there_is_no_step_before_1970() -> None:
    assert accepted_codes(RFC_SECRET, 0) == ("755224", "287082")
    assert not matches(RFC_SECRET, "755224", -61 * SECOND)


def test_the_secret_is_shown_in_base32() -> None:
    """RFC 4648: the text that apps know for the secret of RFC 4226."""
    assert base32_secret(RFC_SECRET) == "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    assert grouped_base32_secret(RFC_SECRET) == "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ"


def test_the_text_of_a_secret_has_no_padding() -> None:
    """RFC 4648, section 10."""
    assert base32_secret(b"foobar") == "MZXW6YTBOI"
