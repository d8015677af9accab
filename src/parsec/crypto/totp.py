"""Time-based one-time codes (RFC 6238 over RFC 4226, SHA-1) as authenticator apps show them."""

import base64
import hashlib
import hmac

# docs/protocol/cryptography.md, TOTP: the defaults of RFC 6238, one step of tolerance either way.
SECRET_SIZE = 20
STEP_SECONDS = 30
DIGITS = 6
TOLERATED_STEPS = 1

_MICROSECONDS = 1_000_000
_GROUP = 4


def totp_code(secret: bytes, step: int) -> str:
    """The six digits of a time step (RFC 4226, section 5.3)."""
    digest = hmac.digest(secret, step.to_bytes(8, "big"), hashlib.sha1)
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"


def time_step(instant_us: int) -> int:
    """The number of the time step an instant lies in, counted from 1970."""
    return instant_us // (STEP_SECONDS * _MICROSECONDS)


def accepted_codes(secret: bytes, at_us: int) -> tuple[str, ...]:
    """The codes of the previous, the present and the next time step."""
    now = time_step(at_us)
    first = max(0, now - TOLERATED_STEPS)
    return tuple(totp_code(secret, step) for step in range(first, now + TOLERATED_STEPS + 1))


def matches(secret: bytes, code: str, at_us: int) -> bool:
    """Whether a code is accepted at an instant; takes as long for each of them as for none."""
    typed = code.encode(errors="replace")
    equal = [hmac.compare_digest(typed, each.encode()) for each in accepted_codes(secret, at_us)]
    return any(equal)


def base32_secret(secret: bytes) -> str:
    """The secret as authenticator apps take it, without padding."""
    return base64.b32encode(secret).decode().rstrip("=")


def grouped_base32_secret(secret: bytes) -> str:
    """The secret in groups of four characters, for people who type it."""
    text = base32_secret(secret)
    return " ".join(text[start : start + _GROUP] for start in range(0, len(text), _GROUP))
