"""When a date that a client wrote is accepted (server-core.md 4.1, 4.2)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsec.data.instant import Instant
from parsec.protocol.statuses import RequireGreaterTimestamp, TimestampOutOfBallpark
from parsec.server.rules.refusal import Refused
from parsec.server.rules.timestamp import check_ballpark, check_greater
from tests.support.server_records import EARLIER, NOW


def test_a_date_out_of_the_ballpark_is_refused_with_both_dates() -> None:
    late = NOW.plus(seconds=-320)

    with pytest.raises(Refused) as refused:
        check_ballpark(late, now=NOW)

    assert refused.value.reply == TimestampOutOfBallpark(
        ballpark_client_early_offset=300.0,
        ballpark_client_late_offset=320.0,
        client_timestamp=late,
        server_timestamp=NOW,
    )


@pytest.mark.parametrize("microseconds", [-319_999_999, 299_999_999])
def test_a_date_just_within_the_ballpark_is_accepted(microseconds: int) -> None:
    check_ballpark(NOW.plus(microseconds=microseconds), now=NOW)


def test_a_date_must_be_later_than_the_last_of_each_topic() -> None:
    with pytest.raises(Refused) as refused:
        check_greater(NOW, EARLIER, NOW)

    assert refused.value.reply == RequireGreaterTimestamp(strictly_greater_than=NOW)


def test_an_empty_topic_demands_nothing() -> None:
    check_greater(NOW, None, EARLIER)


@given(st.integers(0, 2**50), st.lists(st.integers(0, 2**50), max_size=3))
def test_exactly_the_dates_after_all_topics_pass(date: int, topics: list[int]) -> None:
    try:
        check_greater(Instant(date), *map(Instant, topics))
    except Refused:
        assert date <= max(topics)
    else:
        assert all(date > topic for topic in topics)
