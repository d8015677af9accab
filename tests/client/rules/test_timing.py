"""How long a client waits, and how far it moves a refused timestamp."""

from itertools import islice

import pytest

from parsec.client.rules.timing import (
    GreaterTimestampOffset,
    greater_timestamp,
    keepalive_timeout,
    poll_gaps_ms,
    reconnection_wait,
)
from parsec.data.instant import Instant


def test_polling_slows_down_to_its_base() -> None:
    assert list(islice(poll_gaps_ms(), 7)) == [0, 62.5, 125, 250, 500, 1000, 1000]


def test_reconnections_wait_up_to_a_minute() -> None:
    waits = [reconnection_wait(attempt) for attempt in range(8)]

    assert waits == [0, 1, 5, 10, 30, 60, 60, 60]


def test_the_server_may_ask_for_another_wait() -> None:
    assert [reconnection_wait(attempt, retry=2.5) for attempt in (0, 9)] == [2.5, 2.5]


@pytest.mark.parametrize(("seconds", "timeout"), [(30, 36.0), (1, 1.2), (None, None)])
def test_silence_is_measured_by_the_keepalive(seconds: int | None, timeout: float | None) -> None:
    assert keepalive_timeout(seconds) == timeout


@pytest.mark.parametrize(
    ("offset", "milliseconds"),
    [
        (GreaterTimestampOffset.MANIFEST, 100),
        (GreaterTimestampOffset.COMMON_CERTIFICATE, 500),
        (GreaterTimestampOffset.REALM_CERTIFICATE, 250),
        (GreaterTimestampOffset.ARCHIVING, 1),
    ],
)
def test_a_refused_timestamp_moves_past_the_one_to_exceed(
    offset: GreaterTimestampOffset, milliseconds: int
) -> None:
    now, to_exceed = Instant(1_000_000), Instant(1_000_000)

    moved = greater_timestamp(now, to_exceed, offset)

    assert moved.microseconds_since(to_exceed) == 1_000 * milliseconds


def test_the_present_is_taken_when_it_is_late_enough() -> None:
    now = Instant(10_000_000)

    moved = greater_timestamp(now, Instant(0), GreaterTimestampOffset.MANIFEST)

    assert moved == now
