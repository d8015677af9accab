"""From a password to a key (Argon2id), with parameters of one's own or a server's."""

import hashlib

import nacl.exceptions
import nacl.pwhash.argon2id

from parsec.crypto.errors import PasswordParametersError, WeakPasswordParameters
from parsec.crypto.keys import KEY_SIZE

# docs/protocol/cryptography.md, passwords. Clients create these parameters, and refuse weaker ones
# from a server, which for an unknown account invents just these.
SALT_SIZE = 16
DEFAULT_OPSLIMIT = 3
DEFAULT_MEMLIMIT_KB = 131072
DEFAULT_PARALLELISM = 1

_MIN_MEMLIMIT_KB = 8
_ACCOUNT_SALT_PREFIX = b"PARSEC_PASSWORD_ARGON2ID."


def argon2id(
    password: str, *, salt: bytes, opslimit: int, memlimit_kb: int, parallelism: int
) -> bytes:
    """32 bytes out of the password's UTF-8 as it was typed (Argon2id version 1.3, RFC 9106).

    Raises PasswordParametersError: out of range, or more than this machine can do.
    """
    if parallelism != 1:
        raise PasswordParametersError(f"parallelism {parallelism}, libsodium only knows 1")
    if opslimit < 1 or memlimit_kb < _MIN_MEMLIMIT_KB:
        raise PasswordParametersError(f"opslimit {opslimit} and {memlimit_kb} KiB are too few")
    if len(salt) != SALT_SIZE:
        raise PasswordParametersError(f"a salt of {len(salt)} bytes, expected {SALT_SIZE}")
    raw = _utf8(password)
    try:
        return nacl.pwhash.argon2id.kdf(
            KEY_SIZE, raw, salt, opslimit=opslimit, memlimit=memlimit_kb * 1024
        )
    except (nacl.exceptions.ValueError, nacl.exceptions.RuntimeError) as error:
        text = f"opslimit {opslimit} and {memlimit_kb} KiB are more than can be computed here"
        raise PasswordParametersError(text) from error


def account_salt(email: str) -> bytes:
    """The salt of an account's password; the e-mail address counts as typed, case included."""
    return hashlib.blake2b(_ACCOUNT_SALT_PREFIX + email.encode(), digest_size=SALT_SIZE).digest()


def check_not_weak(*, opslimit: int, memlimit_kb: int, parallelism: int) -> None:
    """Refuse a server's parameters below the defaults, with which it could guess the password.

    Raises WeakPasswordParameters.
    """
    if (
        opslimit < DEFAULT_OPSLIMIT
        or memlimit_kb < DEFAULT_MEMLIMIT_KB
        or parallelism < DEFAULT_PARALLELISM
    ):
        raise WeakPasswordParameters(
            f"the server asks for opslimit {opslimit}, {memlimit_kb} KiB, {parallelism} lanes"
        )


def _utf8(password: str) -> bytes:
    try:
        return password.encode()
    except UnicodeEncodeError:
        # Without its cause, which holds the password.
        raise PasswordParametersError("the password is not valid Unicode") from None
