"""Frames of the event stream, whole, cut and hostile."""

import contextlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsec.client.failure import InvalidAnswer
from parsec.client.rules.event_stream import (
    LARGEST_FRAME,
    EventStream,
    Keepalive,
    MissedEvents,
    Seen,
)

FRAMES = b"event:keepalive\ndata:\n\nid:7\nevent:missed_events\ndata:\n\nretry:10\ndata:\n\n"


def seen(stream: EventStream, *chunks: bytes) -> list[Seen]:
    return [one for chunk in chunks for one in stream.feed(chunk)]


@given(st.lists(st.integers(0, len(FRAMES)), max_size=8))
def test_it_does_not_matter_where_the_network_cuts(places: list[int]) -> None:
    cuts = [0, *sorted(places), len(FRAMES)]
    chunks = [FRAMES[start:end] for start, end in itertools.pairwise(cuts)]
    stream = EventStream()

    assert seen(stream, *chunks) == [Keepalive(), MissedEvents()]
    assert (stream.last_event_id, stream.retry_seconds) == ("7", 0.01)


@given(st.binary(max_size=200))
def test_whatever_comes_is_seen_or_refused(noise: bytes) -> None:
    with contextlib.suppress(InvalidAnswer):
        seen(EventStream(), noise, b"\n\n")


def test_windows_line_ends_and_a_space_after_the_colon_are_understood() -> None:
    assert seen(EventStream(), b"event: keepalive\r\ndata:\r\n\r\n") == [Keepalive()]


def test_a_frame_without_data_is_dropped() -> None:
    assert seen(EventStream(), b"event:keepalive\n\n") == []


def test_an_endless_line_is_refused() -> None:
    with pytest.raises(InvalidAnswer):
        seen(EventStream(), b"data:" + bytes(LARGEST_FRAME + 1))


def test_an_endless_frame_is_refused() -> None:
    stream = EventStream()

    with pytest.raises(InvalidAnswer):
        seen(stream, *[b"data:" + b"a" * 1000 + b"\n"] * (LARGEST_FRAME // 1000 + 2))


def test_the_last_id_of_an_earlier_connection_is_kept_until_there_is_another() -> None:
    stream = EventStream("before")

    seen(stream, b"event:keepalive\ndata:\n\n")
    assert stream.last_event_id == "before"

    seen(stream, b"id:after\nevent:keepalive\ndata:\n\n")
    assert stream.last_event_id == "after"
