"""The server's one-time codes: which it takes, and how long wrong ones make it wait."""

from typing import Any

from parsec.crypto.totp import time_step, totp_code
from parsec.data.instant import Instant
from parsec.server.records import Failures, TotpSecret
from parsec.server.rules.totp import LONGEST_WAIT, accepted_step, throttled_until
from tests.conformance.registry import Vector, handles


@handles("server-totp")
def check_totp(vector: Vector, _document: dict[str, Any]) -> None:
    inputs, expected = vector["inputs"], vector["expected"]
    if "failed_attempts" in inputs:
        assert _wait_until(inputs) == _capped(inputs, expected["wait_until_seconds"])
        return
    secret = bytes.fromhex(inputs["secret_hex"])
    if "code" in inputs:
        now = Instant.from_seconds(inputs["now_seconds"])
        step = accepted_step(TotpSecret(secret), inputs["code"], now=now)
        assert (step is not None) is expected["accepted"]
    else:
        step = time_step(Instant.from_seconds(inputs["timestamp_seconds"]))
        assert totp_code(secret, step) == expected["code"]


def _wait_until(inputs: dict[str, Any]) -> Instant | None:
    last = inputs["last_failed_attempt_seconds"]
    last_on = Instant.from_seconds(last) if last is not None else None
    return throttled_until(Failures(inputs["failed_attempts"], last_on))


def _capped(inputs: dict[str, Any], wait_until: int | None) -> Instant | None:
    """What the official server says, but for waits longer than ours (server-core.md 20, 11)."""
    if wait_until is None:
        return None
    longest = inputs["last_failed_attempt_seconds"] + LONGEST_WAIT
    return Instant.from_seconds(min(wait_until, longest))
