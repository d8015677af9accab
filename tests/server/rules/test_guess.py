"""How often may be guessed (server-core.md 20, 7)."""

import pytest

from parsec.data.instant import Instant
from parsec.server.rules.guess import Bucket, after_guess, full_bucket, place_of
from parsec.server.settings import RateLimit

LIMIT = RateLimit(burst=3, per_second=0.5)
NOW = Instant(0)


def waits(*seconds: float) -> list[float]:
    """How long must be waited after wrong guesses at these dates."""
    bucket, found = full_bucket(LIMIT, now=NOW), []
    for date in seconds:
        bucket, wait = after_guess(bucket, LIMIT, now=NOW.plus(seconds=date))
        found.append(wait)
    return found


def test_a_burst_is_answered_and_then_nothing() -> None:
    assert waits(0, 0, 0, 0, 0) == [0, 0, 0, 2, 2]


def test_who_waits_is_answered_again() -> None:
    assert waits(0, 0, 0, 1, 2, 2) == [0, 0, 0, 1, 0, 2]


def test_nobody_saves_more_than_a_burst() -> None:
    assert waits(1000, 1000, 1000, 1000) == [0, 0, 0, 2]


def test_a_clock_that_is_set_back_takes_nothing() -> None:
    bucket = Bucket(left=1.0, on=NOW.plus(seconds=100))

    assert after_guess(bucket, LIMIT, now=NOW) == (Bucket(left=0.0, on=NOW), 0.0)


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("unknown", "unknown"),
        ("made up", "unknown"),
    ],
)
def test_a_home_is_one_place(address: str, place: str) -> None:
    assert place_of(address) == place
