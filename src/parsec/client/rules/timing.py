"""How long a client waits, and how far it moves a refused timestamp (client.md 11.3, 16, 17)."""

import enum
from collections.abc import Iterator
from itertools import chain, repeat

from parsec.data.instant import Instant

DEFAULT_POLL_BASE_MS = 1_000
"""The base of the polling interval of greetings."""


def poll_gaps_ms(base_ms: float = DEFAULT_POLL_BASE_MS) -> Iterator[float]:
    """Endlessly, the milliseconds from the start of one request of a polled greeting step to the
    start of the next.

    The first is for the first request, which goes out at once; each step starts anew.
    """
    return chain([0.0], (base_ms / part for part in (16, 8, 4, 2)), repeat(base_ms))


def reconnection_wait(attempt: int, *, retry: float | None = None) -> float:
    """The seconds to wait before the attempt of that number (from 0) to open the event stream.

    `retry` is what the server last asked for, in seconds.
    """
    if retry is not None:
        return retry
    return _RECONNECTION_WAITS[min(attempt, len(_RECONNECTION_WAITS) - 1)]


def keepalive_timeout(sse_keepalive_seconds: int | None) -> float | None:
    """The seconds of silence after which an event stream counts as lost; None for never."""
    return None if sse_keepalive_seconds is None else sse_keepalive_seconds * 12 / 10


class GreaterTimestampOffset(enum.Enum):
    """By how many milliseconds a timestamp moves past the one it must exceed.

    They differ so that certificates win races against manifests.
    """

    ARCHIVING = 1
    MANIFEST = 100
    REALM_CERTIFICATE = 250
    COMMON_CERTIFICATE = 500
    """Certificates of users, devices and shared recovery."""


def greater_timestamp(
    now: Instant, strictly_greater_than: Instant, offset: GreaterTimestampOffset
) -> Instant:
    """The timestamp to sign with after the server answered `require_greater_timestamp`.

    Raises ValueError when the server asks for one beyond all dates.
    """
    return max(now, strictly_greater_than.plus(milliseconds=offset.value))


_RECONNECTION_WAITS = (0, 1, 5, 10, 30, 60)
