"""The wrong guesses of each address, in memory, the one that was silent longest forgotten first.

Whoever shows a valid token is never limited, not even beside somebody who guesses. Only the answers
to wrong ones stop, so that nobody tries names of organizations or tokens by the million.
"""

import math

from parsec.data.instant import Instant
from parsec.server.rules.guess import Bucket, after_guess, full_bucket, place_of
from parsec.server.rules.refusal import Rejected, Verdict
from parsec.server.settings import RateLimit

MAX_PLACES = 16_384
"""How many addresses are remembered; a few megabytes."""

_GUESSES = frozenset([Verdict.ORGANIZATION_NOT_FOUND, Verdict.BAD_AUTHENTICATION])


class Guesses:
    """Counts them; without limit it counts nothing."""

    def __init__(self, limit: RateLimit | None, *, max_places: int = MAX_PLACES) -> None:
        self._limit = limit
        self._max_places = max_places
        # From the place that guessed longest ago to the one that guessed last.
        self._buckets: dict[str, Bucket] = {}

    def judged(self, rejected: Rejected, address: str, *, now: Instant) -> Rejected:
        """What a caller is told: that he was wrong, or that he was wrong too often."""
        if rejected.verdict not in _GUESSES:
            return rejected
        seconds = self.count(address, now=now)
        return Rejected(Verdict.TOO_MANY, retry_after=seconds) if seconds else rejected

    def count(self, address: str, *, now: Instant) -> int:
        """Count a wrong guess; how many seconds to wait if it must not be answered, else 0."""
        if self._limit is None:
            return 0
        place = place_of(address)
        bucket = self._buckets.pop(place, None) or full_bucket(self._limit, now=now)
        self._buckets[place], seconds = after_guess(bucket, self._limit, now=now)
        if len(self._buckets) > self._max_places:
            del self._buckets[next(iter(self._buckets))]
        return math.ceil(seconds)
