"""Vectors of signatures, symmetric and sealed encryption, hashes and derived keys."""

from typing import Any
from uuid import UUID

from parsec.crypto.keys import (
    NONCE_SIZE,
    HashDigest,
    KeyDerivation,
    PrivateKey,
    PublicKey,
    SecretKey,
    SigningKey,
    VerifyKey,
    unverified_message,
)
from tests.conformance.handlers.crypto_refusals import refused
from tests.conformance.registry import Vector, handles


@handles("crypto-secretkey")
def check_secret_key(vector: Vector, document: dict[str, Any]) -> None:
    if "error" in vector:
        with refused(vector["error"]):
            key = SecretKey(bytes.fromhex(vector["key_hex"]))
            key.decrypt(bytes.fromhex(vector.get("ciphertext_hex", "")))
        return
    key = SecretKey(bytes.fromhex(vector["key_hex"]))
    plaintext = bytes.fromhex(vector["plaintext_hex"])
    ciphertext = bytes.fromhex(vector["ciphertext_hex"])
    nonce = bytes.fromhex(vector.get("nonce_hex", "")) or ciphertext[:NONCE_SIZE]
    assert key.decrypt(ciphertext) == plaintext
    assert key.encrypt(plaintext, lambda _size: nonce) == ciphertext


@handles("crypto-sign")
def check_signature(vector: Vector, document: dict[str, Any]) -> None:
    if "error" in vector:
        with refused(vector["error"]):
            if "seed_hex" in vector:
                SigningKey(bytes.fromhex(vector["seed_hex"]))
            verify_key = VerifyKey(bytes.fromhex(vector["verify_key_hex"]))
            verify_key.verify(bytes.fromhex(vector["signed_hex"]))
        return
    signing_key = SigningKey(bytes.fromhex(vector["seed_hex"]))
    message, signed = bytes.fromhex(vector["message_hex"]), bytes.fromhex(vector["signed_hex"])
    assert bytes(signing_key.verify_key).hex() == vector["verify_key_hex"]
    assert signing_key.sign(message) == signed
    assert signing_key.sign_only_signature(message) + message == signed
    assert signing_key.verify_key.verify(signed) == message
    assert unverified_message(signed) == message


@handles("crypto-sealedbox")
def check_sealed_box(vector: Vector, document: dict[str, Any]) -> None:
    if "error" in vector:
        with refused(vector["error"]):
            private = PrivateKey(bytes.fromhex(vector["private_key_hex"]))
            private.open(bytes.fromhex(vector["ciphertext_hex"]))
        return
    private = PrivateKey(bytes.fromhex(vector["private_key_hex"]))
    plaintext = bytes.fromhex(vector["plaintext_hex"])
    assert private.public_key == PublicKey(bytes.fromhex(vector["public_key_hex"]))
    assert private.open(bytes.fromhex(vector["ciphertext_hex"])) == plaintext
    if "ephemeral_private_key_hex" in vector:
        # Sealing cannot be made to use it, but it must be the key whose public half leads the box.
        ephemeral = PrivateKey(bytes.fromhex(vector["ephemeral_private_key_hex"]))
        assert vector["ciphertext_hex"].startswith(bytes(ephemeral.public_key).hex())
    assert private.open(private.public_key.seal(plaintext)) == plaintext


@handles("crypto-hash-mac-kdf")
def check_digest(vector: Vector, document: dict[str, Any]) -> None:
    expected = vector["output_hex"] if "output_hex" in vector else UUID(vector["output"]).hex
    assert _digest(vector).hex() == expected


def _digest(vector: Vector) -> bytes:
    match vector["function"]:
        case "sha256":
            return bytes(HashDigest.of(bytes.fromhex(vector["data_hex"])))
        case "mac_512":
            key = SecretKey(bytes.fromhex(vector["key_hex"]))
            return key.mac_512(bytes.fromhex(vector["data_hex"]))
        case "derive_secret_key_from_uuid":
            return bytes(_derivation(vector).derive_secret_key(UUID(vector["uuid"]).bytes))
        case "derive_uuid_from_uuid":
            return _derivation(vector).derive_uuid(UUID(vector["uuid"]).bytes)
    raise AssertionError(f"unknown function {vector['function']}")


def _derivation(vector: Vector) -> KeyDerivation:
    return KeyDerivation(bytes.fromhex(vector["key_hex"]))
