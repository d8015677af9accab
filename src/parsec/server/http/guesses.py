"""The wrong guesses of each address, in memory, the one that was silent longest forgotten first.

Whoever shows a valid token is never limited, not even beside somebody who guesses. Only the answers
to wrong ones stop, so that nobody tries names of organizations, tokens or one-time codes by the
million. Several processes count each for itself: together they answer as many times as much, which
changes nothing of that, and no wrong guess makes any of them write for it.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

from parsec.data.instant import Instant
from parsec.protocol.command import Reply, Request
from parsec.protocol.organization import OrganizationBootstrap
from parsec.protocol.statuses import BadToken, InvalidBootstrapToken, InvalidOneTimePassword
from parsec.protocol.totp import (
    AnonymousTotpSetupConfirm,
    AnonymousTotpSetupGetSecret,
    TotpFetchOpaqueKey,
)
from parsec.server.rules.guess import Bucket, after_guess, full_bucket, place_of
from parsec.server.rules.refusal import Rejected, Verdict
from parsec.server.settings import RateLimit

MAX_PLACES = 16_384
"""How many addresses are remembered; a few megabytes."""

_GUESSES = frozenset([Verdict.ORGANIZATION_NOT_FOUND, Verdict.BAD_AUTHENTICATION])

# Commands that anybody may send, and how the wrong token or code in them is answered. A code that
# comes with a valid token is none of them; nor is one that has to wait, as nobody looks at it.
_GUESSED: Mapping[type[Request[Any]], type[Reply]] = {
    AnonymousTotpSetupGetSecret: BadToken,
    AnonymousTotpSetupConfirm: BadToken,
    OrganizationBootstrap: InvalidBootstrapToken,
    TotpFetchOpaqueKey: InvalidOneTimePassword,
}


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

    def check_reply(
        self,
        kind: type[Request[Any]] | None,
        reply: Reply | None,
        address: str,
        *,
        now: Callable[[], Instant],
    ) -> None:
        """The same for a wrong guess whose answer is a reply. Raises Rejected."""
        guessed = _GUESSED.get(kind) if kind is not None else None
        if guessed is None or not isinstance(reply, guessed):
            return
        seconds = self.count(address, now=now())
        if seconds:
            raise Rejected(Verdict.TOO_MANY, retry_after=seconds)

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
