"""When a date that a client wrote is accepted: near ours, and later than what it follows."""

from parsec.data.instant import Instant
from parsec.protocol.ballpark import CLIENT_EARLY_OFFSET, CLIENT_LATE_OFFSET, in_ballpark
from parsec.protocol.statuses import RequireGreaterTimestamp, TimestampOutOfBallpark
from parsec.server.rules.refusal import Refused


def check_ballpark(timestamp: Instant, *, now: Instant) -> None:
    """Raises Refused with `timestamp_out_of_ballpark`."""
    if not in_ballpark(timestamp, now=now):
        reply = TimestampOutOfBallpark(
            ballpark_client_early_offset=CLIENT_EARLY_OFFSET,
            ballpark_client_late_offset=CLIENT_LATE_OFFSET,
            client_timestamp=timestamp,
            server_timestamp=now,
        )
        raise Refused(reply)


def check_greater(timestamp: Instant, *last: Instant | None) -> None:
    """Raises Refused with `require_greater_timestamp` unless later than the last of each topic."""
    latest = max((one for one in last if one is not None), default=None)
    if latest is not None and timestamp <= latest:
        raise Refused(RequireGreaterTimestamp(strictly_greater_than=latest))
