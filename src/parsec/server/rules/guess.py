"""How often may be guessed from one place: names of organizations, tokens.

A token bucket: a place may fail so many times at once, and so many times a second in the long run.
"""

import ipaddress

import msgspec

from parsec.data.instant import Instant
from parsec.server.settings import RateLimit

_SECOND = 1_000_000

# A home has a /64 at least, with as many addresses as it likes.
_IPV6_HOME = 64


class Bucket(msgspec.Struct, frozen=True, kw_only=True):
    """How many wrong guesses a place had left at a date."""

    left: float
    on: Instant


def full_bucket(limit: RateLimit, *, now: Instant) -> Bucket:
    """Of a place that did not guess lately."""
    return Bucket(left=limit.burst, on=now)


def after_guess(bucket: Bucket, limit: RateLimit, *, now: Instant) -> tuple[Bucket, float]:
    """The bucket after a wrong guess, and after how many seconds one is answered; 0: this one."""
    # A clock that is set back gives nothing and takes nothing.
    seconds = max(0, now.microseconds_since(bucket.on)) / _SECOND
    left = min(limit.burst, bucket.left + seconds * limit.per_second)
    if left < 1:
        return Bucket(left=left, on=now), (1 - left) / limit.per_second
    return Bucket(left=left - 1, on=now), 0.0


def place_of(address: str) -> str:
    """What shares a bucket: an IPv4 address, or the network of an IPv6 address."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        # What a careless proxy passes on unread: who makes up another text for each guess
        # gains nothing by it.
        return "unknown"
    if parsed.version == 4:
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(parsed), _IPV6_HOME), strict=False))
