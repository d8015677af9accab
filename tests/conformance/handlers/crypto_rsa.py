"""Vectors of the RSA keys of sequester and PKI, and of X.509 certificates."""

from base64 import b64decode
from typing import Any

from parsec.crypto.errors import SignatureError
from parsec.crypto.rsa import (
    PKI_ENCRYPTION,
    PKI_SIGNATURE,
    PKIPrivateKey,
    PKIPublicKey,
    SequesterPrivateKey,
    SequesterPublicKey,
    SequesterSigningKey,
    SequesterVerifyKey,
)
from parsec.crypto.x509 import Certificate
from parsec.data.people import EmailAddress, HumanHandle
from tests.conformance.handlers.crypto_refusals import refused
from tests.conformance.registry import Vector, handles


@handles("crypto-sequester")
def check_sequester(vector: Vector, document: dict[str, Any]) -> None:
    if "error" in vector:
        with refused(vector["error"]):
            _sequester_result(vector)
        return
    result = _sequester_result(vector)
    match vector["operation"]:
        case "load_public":
            assert result == bytes.fromhex(vector["public_der_hex"])
        case "decrypt":
            assert result == bytes.fromhex(vector["plaintext_hex"])
        case "verify":
            assert result == bytes.fromhex(vector["content_hex"])


@handles("crypto-pki")
def check_pki(vector: Vector, document: dict[str, Any]) -> None:
    match vector["operation"]:
        case "decrypt":
            _check_unwrapping(
                vector["algorithm"],
                vector["private_pem"],
                bytes.fromhex(vector["ciphertext_hex"]),
                bytes.fromhex(vector["plaintext_hex"]),
            )
        case "verify":
            assert vector["algorithm"] == PKI_SIGNATURE
            key = PKIPublicKey(bytes.fromhex(vector["public_key_der_hex"]))
            signature = bytes.fromhex(vector["signature_hex"])
            message = bytes.fromhex(vector["message_hex"])
            assert _is_signed(key, signature, message) == vector["valid"]
        case operation:
            raise AssertionError(f"unknown operation {operation}")


@handles("client-pki")
def check_client_pki(vector: Vector, document: dict[str, Any]) -> None:
    expected = vector["expected"]
    if "encrypted_key_b64" in vector:
        _check_unwrapping(
            vector["algorithm"],
            vector["rsa_private_key_pem"],
            b64decode(vector["encrypted_key_b64"]),
            bytes.fromhex(expected["key_hex"]),
        )
        return
    certificate = Certificate(b64decode(vector["certificate_der_b64"]))
    if "signature_b64" not in vector:
        _check_identity(certificate, expected)
        return
    assert vector["algorithm"] == PKI_SIGNATURE
    signature, message = b64decode(vector["signature_b64"]), b64decode(vector["message_b64"])
    assert _is_signed(certificate.public_key, signature, message) == expected["valid"]


def _sequester_result(vector: Vector) -> bytes:
    match vector["operation"]:
        case "load_public":
            return _loaded_public(vector)
        case "decrypt":
            private = SequesterPrivateKey.from_pem(vector["private_pem"])
            return private.decrypt(bytes.fromhex(vector["ciphertext_hex"]))
        case "verify":
            verify_key = SequesterVerifyKey(bytes.fromhex(vector["verify_key_der_hex"]))
            return verify_key.verify(bytes.fromhex(vector["signed_hex"]))
        case "sign":
            signing_key = SequesterSigningKey.from_pem(vector["private_pem"])
            content = bytes.fromhex(vector["content_hex"])
            return signing_key.verify_key.verify(signing_key.sign(content))
    raise AssertionError(f"unknown operation {vector['operation']}")


def _loaded_public(vector: Vector) -> bytes:
    key = SequesterPublicKey(bytes.fromhex(vector["public_der_hex"]))
    assert key.bits == vector.get("bits", key.bits)
    if "public_pem" in vector:
        assert SequesterPublicKey.from_pem(vector["public_pem"]) == key
        assert key.pem == vector["public_pem"]
    return bytes(key)


def _check_unwrapping(algorithm: str, pem: str, ciphertext: bytes, plaintext: bytes) -> None:
    assert algorithm == PKI_ENCRYPTION
    private = PKIPrivateKey.from_pem(pem)
    assert private.decrypt(ciphertext) == plaintext
    assert private.decrypt(private.public_key.encrypt(plaintext)) == plaintext


def _is_signed(key: PKIPublicKey, signature: bytes, message: bytes) -> bool:
    try:
        key.verify_with_signature(signature, message)
    except SignatureError:
        return False
    return True


def _check_identity(certificate: Certificate, expected: Vector) -> None:
    emails = certificate.emails
    assert certificate.reference_hash == expected["hash_ref"]
    assert certificate.serial.hex() == expected["serial_hex"]
    assert certificate.common_name == expected["common_name"]
    assert list(emails) == expected["emails"]
    assert (emails[0] if emails else None) == expected["email"]
    assert _human_handle(certificate) == expected["human_handle"]


def _human_handle(certificate: Certificate) -> list[str] | None:
    if certificate.common_name is None or not certificate.emails:
        return None
    try:
        return HumanHandle(EmailAddress(certificate.emails[0]), certificate.common_name).to_wire()
    except ValueError:
        return None
