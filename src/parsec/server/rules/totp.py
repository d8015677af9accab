"""One-time codes: how they are set up, and how wrong ones slow down who guesses.

A set-up has no secret, then one that the user's app learns, and is complete when a code proves that
it did. A reset takes the secret away and makes a token, with which the user starts again without a
device; the keys stay, so that old device files open with the new codes. Keys are released by a
complete set-up only.

Each key counts the wrong codes in a row, and so does each user over all keys. While either has to
wait no code is looked at, right or wrong, and no failure counted. A right code clears the counts
of its key and of its user, a reset those of all keys.
"""

import hmac
from typing import TypeAlias

import msgspec

from parsec.crypto.keys import HashDigest
from parsec.crypto.totp import SECRET_SIZE, TOLERATED_STEPS, accepted_codes, time_step
from parsec.data.ids import AccessToken
from parsec.data.instant import Instant
from parsec.protocol.statuses import AlreadySetup, BadToken, InvalidOneTimePassword
from parsec.server.records import (
    Failures,
    OpaqueKeyRecord,
    TotpRecord,
    TotpSecret,
    TotpStanding,
    UserRecord,
)
from parsec.server.rules.refusal import Refused, Rejected, Verdict

_SECOND = 1_000_000

LONGEST_WAIT = 3_600
"""Seconds. Who knows the names of a user and a key can make the owner wait no longer than that,
and has fewer than a hundred of a million codes looked at in a day."""

TOLERATED_BY_USER = 5
"""Wrong codes in a row after which a user's keys have to wait together."""

# Where there is nothing to compare with, as much work is done on what nobody can know.
_NO_SECRET = TotpSecret(bytes(SECRET_SIZE))
_NO_DIGEST = HashDigest(bytes(HashDigest.SIZE))


# --- Set-up ---


def check_not_complete(setup: TotpRecord) -> None:
    """Raises Refused: only the administration can begin a complete set-up again."""
    if setup.completed_on is not None:
        raise Refused(AlreadySetup())


def check_confirmation(setup: TotpRecord, code: str, *, now: Instant) -> None:
    """Make sure that the user's app knows the secret. Raises Refused."""
    if setup.secret is None:
        raise Refused(InvalidOneTimePassword(), "there is no secret yet")
    if accepted_step(setup.secret, code, now=now) is None:
        raise Refused(InvalidOneTimePassword(), "wrong code")


def check_reset_token(
    user: UserRecord | None,
    setup: TotpRecord,
    token: AccessToken,
    *,
    now: Instant,
    lifetime: int | None,
) -> None:
    """Make sure that the administration lets the holder of a token set up anew.

    `lifetime` is in seconds, None for ever. Raises Refused with one reply for all causes.
    """
    # First, so that it takes as long for a user who is not there.
    is_the_token = HashDigest.of(token) == (setup.reset_token_digest or _NO_DIGEST)
    if user is None or user.revoked_on is not None or user.is_frozen:
        raise Refused(BadToken(), "no user who may set up")
    if setup.completed_on is not None or not is_the_token:
        raise Refused(BadToken(), "another token")
    if setup.reset_on is None or _is_over(setup.reset_on, lifetime, now):
        raise Refused(BadToken(), "the token has expired")


def _is_over(begin: Instant, lifetime: int | None, now: Instant) -> bool:
    return lifetime is not None and now.microseconds_since(begin) > lifetime * _SECOND


def check_may_create_key(keys: int, *, quota: int | None) -> None:
    """`keys` is how many the user has. Raises Rejected."""
    if quota is not None and keys >= quota:
        raise Rejected(Verdict.TOO_MANY, cause="the user has as many keys as the server allows")


# --- Release of a key ---


class Waits(msgspec.Struct, frozen=True):
    """The code is not looked at."""

    until: Instant


class Missed(msgspec.Struct, frozen=True, kw_only=True):
    """The code is wrong, or opens nothing; what to count."""

    key: Failures
    user: Failures


class Released(msgspec.Struct, frozen=True, kw_only=True):
    """The code is right."""

    step: int
    is_used_again: bool
    """A code of this or a later step was accepted before: allowed, but worth a line in the log."""


Decision: TypeAlias = Waits | Missed | Released


def can_release(user: UserRecord, setup: TotpRecord) -> bool:
    """Whether any code releases any key of a user."""
    return user.revoked_on is None and not user.is_frozen and setup.completed_on is not None


def judge_code(setup: TotpRecord, key: OpaqueKeyRecord, code: str, *, now: Instant) -> Decision:
    """What a code does to a key of a user whose keys can be released."""
    wait = _wait(now, throttled_until(key.failures), _user_throttled_until(setup.failures))
    if wait is not None:
        return Waits(wait)
    assert setup.secret is not None, "a complete set-up has a secret"
    step = accepted_step(setup.secret, code, now=now)
    if step is None:
        return Missed(key=_once_more(key.failures, now), user=_once_more(setup.failures, now))
    is_used_again = setup.last_step is not None and step <= setup.last_step
    return Released(step=step, is_used_again=is_used_again)


def judge_stray_code(failures: Failures, code: str, *, now: Instant) -> Waits | Missed:
    """The same for a key that was never created, or whose user is unknown: never released.

    The failures of its users' real keys are no concern of it, nor the other way round: who knows
    nothing but a user's name must not be able to lock the user out.
    """
    wait = _wait(now, throttled_until(failures))
    if wait is not None:
        return Waits(wait)
    accepted_step(_NO_SECRET, code, now=now)
    return Missed(key=_once_more(failures, now), user=Failures())


def throttled_until(failures: Failures) -> Instant | None:
    """The end of the wait after wrong codes in a row, that instant included."""
    if failures.last_on is None or failures.count < 1:
        return None
    # The exponent is bounded first: nobody needs the power of a million.
    seconds = min(2 ** min(failures.count - 1, 32), LONGEST_WAIT)
    return failures.last_on.plus(seconds=seconds)


def _user_throttled_until(failures: Failures) -> Instant | None:
    return throttled_until(failures) if failures.count > TOLERATED_BY_USER else None


def _wait(now: Instant, *ends: Instant | None) -> Instant | None:
    """The latest of these ends of waits; None if all are over.

    One that is farther than any wait lasts was counted by a clock that has been set back since. It
    would keep the owner waiting for as long as that clock was wrong.
    """
    farthest = now.plus(seconds=LONGEST_WAIT)
    lasting = [end for end in ends if end is not None and now <= end <= farthest]
    return max(lasting, default=None)


# --- Overview ---


def waits_until(standing: TotpStanding, *, now: Instant) -> Instant | None:
    """Until when no code is looked at, for at least one of a user's keys; None if for no longer."""
    return _wait(
        now, _user_throttled_until(standing.failures), *map(throttled_until, standing.failing_keys)
    )


def pending_reset(standing: TotpStanding, *, now: Instant, lifetime: int | None) -> Instant | None:
    """When the link was made that a user may still set up with; None if there is none."""
    reset_on = standing.reset_on
    if standing.completed_on is not None or not standing.has_reset_token or reset_on is None:
        return None
    return None if _is_over(reset_on, lifetime, now) else reset_on


# --- Codes ---


def accepted_step(secret: TotpSecret, code: str, *, now: Instant) -> int | None:
    """The time step whose code that is; takes as long for each of them as for none."""
    typed = code.encode(errors="replace")
    newest = time_step(now) + TOLERATED_STEPS
    found = None
    for age, each in enumerate(reversed(accepted_codes(secret, now))):
        if hmac.compare_digest(typed, each.encode()):
            found = newest - age
    return found


def _once_more(failures: Failures, now: Instant) -> Failures:
    return Failures(failures.count + 1, now)
