"""How far the date of a client may be from the server's (`wire.md` 2.1)."""

from parsec.data.instant import Instant

CLIENT_EARLY_OFFSET = 300.0
CLIENT_LATE_OFFSET = 320.0
"""Seconds; both bounds are excluded. Replies tell them to the client, as floats."""


def in_ballpark(microseconds: int, *, now: Instant) -> bool:
    """Whether a date is near enough; one in a token may be no Instant, hence the plain number."""
    late = int(now) - microseconds
    return -CLIENT_EARLY_OFFSET * 1_000_000 < late < CLIENT_LATE_OFFSET * 1_000_000
