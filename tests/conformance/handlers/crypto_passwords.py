"""Vectors of passwords and of the passphrase of a recovery file."""

from typing import Any

from parsec.crypto.errors import PassphraseError, WeakPasswordParameters
from parsec.crypto.keys import SecretKey
from parsec.crypto.passphrase import parse_recovery_passphrase, recovery_passphrase
from parsec.crypto.password import account_salt, argon2id, check_not_weak
from tests.conformance.handlers.crypto_refusals import refused
from tests.conformance.registry import Vector, handles


@handles("crypto-password")
def check_password(vector: Vector, document: dict[str, Any]) -> None:
    match vector["operation"]:
        case "argon2id" if "error" in vector:
            with refused(vector["error"]):
                _derived(vector)
        case "argon2id":
            assert _derived(vector).hex() == vector["output_hex"]
        case "salt_from_email":
            assert account_salt(vector["email"]).hex() == vector["salt_hex"]
        case "validate_untrusted":
            assert _is_strong_enough(vector) == vector["valid"]
        case operation:
            raise AssertionError(f"unknown operation {operation}")


@handles("crypto-passphrase")
def check_passphrase(vector: Vector, document: dict[str, Any]) -> None:
    if "error" in vector:
        with refused(vector["error"]):
            parse_recovery_passphrase(vector["passphrase"])
        if "decoded_length" in vector:
            assert _refused_length(vector["passphrase"]) == vector["decoded_length"]
        return
    _check_reading(vector, vector["key_hex"], canonical=vector.get("canonical", False))


@handles("client-recovery-passphrase")
def check_recovery_passphrase(vector: Vector, document: dict[str, Any]) -> None:
    expected = vector["expected"]
    if "error" in expected:
        with refused(expected["error"]):
            parse_recovery_passphrase(vector["passphrase"])
        return
    if "key_hex" in vector:
        key = SecretKey(bytes.fromhex(vector["key_hex"]))
        assert recovery_passphrase(key) == vector["passphrase"]
    _check_reading(vector, expected["key_hex"], canonical=expected.get("canonical", False))


def _derived(vector: Vector) -> bytes:
    return argon2id(
        vector["password"],
        salt=bytes.fromhex(vector["salt_hex"]),
        opslimit=vector["opslimit"],
        memlimit_kb=vector["memlimit_kb"],
        parallelism=vector["parallelism"],
    )


def _is_strong_enough(vector: Vector) -> bool:
    try:
        check_not_weak(
            opslimit=vector["opslimit"],
            memlimit_kb=vector["memlimit_kb"],
            parallelism=vector["parallelism"],
        )
    except WeakPasswordParameters:
        return False
    return True


def _refused_length(text: str) -> int | None:
    try:
        parse_recovery_passphrase(text)
    except PassphraseError as error:
        return error.found
    return None


def _check_reading(vector: Vector, key: str, *, canonical: bool) -> None:
    parsed = parse_recovery_passphrase(vector["passphrase"])
    assert parsed == SecretKey(bytes.fromhex(key))
    assert parse_recovery_passphrase(recovery_passphrase(parsed)) == parsed
    if canonical:
        assert recovery_passphrase(parsed) == vector["passphrase"]
