"""How far the date of a client may be from the server's."""

import pytest

from parsec.data.instant import Instant
from parsec.protocol.ballpark import in_ballpark

NOW = Instant.from_seconds(1_700_000_000)


@pytest.mark.parametrize(
    ("microseconds_late", "accepted"),
    [
        (0, True),
        (319_999_999, True),
        (320_000_000, False),
        (-299_999_999, True),
        (-300_000_000, False),
    ],
)
def test_both_bounds_are_excluded_to_the_microsecond(
    microseconds_late: int, accepted: bool
) -> None:
    assert in_ballpark(int(NOW) - microseconds_late, now=NOW) == accepted


def test_a_number_that_is_no_date_is_far_off() -> None:
    assert not in_ballpark(10**30, now=NOW)
    assert not in_ballpark(-(10**30), now=NOW)
