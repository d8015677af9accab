"""Vectors of the key that two sides of a greeting share, and of the codes they compare."""

from typing import Any

from parsec.crypto.key_exchange import shared_key_as_claimer, shared_key_as_greeter
from parsec.crypto.keys import HashDigest, PrivateKey, PublicKey, SecretKey
from parsec.crypto.sas import SASCode, sas_codes
from tests.conformance.handlers.crypto_refusals import refused
from tests.conformance.registry import Vector, handles


@handles("crypto-sas")
def check_operation(vector: Vector, document: dict[str, Any]) -> None:
    match vector["operation"]:
        case "greeting":
            _check_shared_key(vector, "_key_hex", vector["shared_secret_key_hex"])
            _check_codes(vector["shared_secret_key_hex"], vector, vector)
        case "code_from_integer":
            _check_code_of_integer(vector["integer"], vector.get("code"))
        case "parse_code":
            _check_parsing(vector["text"], valid=vector["valid"])
        case "shared_secret":
            _check_small_order(
                vector["private_key_hex"], vector["peer_public_key_hex"], vector["error"]
            )
        case operation:
            raise AssertionError(f"unknown operation {operation}")


@handles("client-sas")
def check_sas(vector: Vector, document: dict[str, Any]) -> None:
    expected = vector["expected"]
    if "code_from_int" in vector:
        _check_code_of_integer(vector["code_from_int"], expected.get("code"))
    elif "parse" in vector:
        _check_parsing(vector["parse"], valid=expected["valid"])
    else:
        nonces = bytes.fromhex(vector["claimer_nonce_hex"] + vector["greeter_nonce_hex"])
        key = SecretKey(bytes.fromhex(vector["shared_key_hex"]))
        assert key.mac_512(nonces).hex() == expected["mac_hex"]
        _check_codes(vector["shared_key_hex"], vector, expected)


@handles("client-shared-key")
def check_shared_key(vector: Vector, document: dict[str, Any]) -> None:
    expected = vector["expected"]
    if "error" not in expected:
        _check_shared_key(vector, "_hex", expected["shared_key_hex"])
        return
    for own, peer in (("greeter", "claimer"), ("claimer", "greeter")):
        if f"{own}_private_hex" in vector and f"{peer}_public_hex" in vector:
            _check_small_order(
                vector[f"{own}_private_hex"], vector[f"{peer}_public_hex"], expected["error"]
            )


def _check_shared_key(vector: Vector, suffix: str, expected: str) -> None:
    greeter = PrivateKey(bytes.fromhex(vector[f"greeter_private{suffix}"]))
    claimer = PrivateKey(bytes.fromhex(vector[f"claimer_private{suffix}"]))
    assert bytes(greeter.public_key).hex() == vector[f"greeter_public{suffix}"]
    assert bytes(claimer.public_key).hex() == vector[f"claimer_public{suffix}"]
    assert bytes(shared_key_as_greeter(greeter, claimer.public_key)).hex() == expected
    assert bytes(shared_key_as_claimer(claimer, greeter.public_key)).hex() == expected


def _check_small_order(private: str, peer: str, error: str) -> None:
    key, point = PrivateKey(bytes.fromhex(private)), PublicKey(bytes.fromhex(peer))
    for shared_key in (shared_key_as_greeter, shared_key_as_claimer):
        with refused(error):
            shared_key(key, point)


def _check_codes(shared_key: str, nonces: Vector, expected: Vector) -> None:
    claimer_nonce = bytes.fromhex(nonces["claimer_nonce_hex"])
    codes = sas_codes(
        SecretKey(bytes.fromhex(shared_key)),
        claimer_nonce=claimer_nonce,
        greeter_nonce=bytes.fromhex(nonces["greeter_nonce_hex"]),
    )
    assert HashDigest.of(claimer_nonce).hex() == expected["hashed_nonce_hex"]
    assert codes.claimer == expected["claimer_sas"]
    assert codes.greeter == expected["greeter_sas"]


def _check_code_of_integer(value: int, expected: str | None) -> None:
    if expected is not None:
        assert SASCode.from_int(value) == expected
        return
    with refused("too large"):
        SASCode.from_int(value)


def _check_parsing(text: str, *, valid: bool) -> None:
    if valid:
        assert SASCode(text) == text
        return
    with refused("not a code"):
        SASCode(text)
