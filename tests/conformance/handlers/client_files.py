"""Vectors of local devices and of the files that hold them, opened with keys that are known.

How a key is come by (prompts, keyrings, smartcards, token services) is for the guards' own tests.
"""

import base64
from typing import Any

from parsec.client.failure import AuthenticationFailed
from parsec.client.rules.device_file import (
    CorruptedDevice,
    TOTPKeyRejected,
    open_device,
)
from parsec.crypto.errors import DecryptionError, PassphraseError
from parsec.crypto.keys import SecretKey
from parsec.crypto.passphrase import parse_recovery_passphrase
from parsec.crypto.password import argon2id
from parsec.crypto.rsa import PKIPrivateKey
from parsec.crypto.x509 import Certificate
from parsec.data.device_file import (
    AccountVaultDeviceFile,
    AnyDeviceFile,
    KeyringDeviceFile,
    OpenBaoDeviceFile,
    PasswordDeviceFile,
    PkiDeviceFile,
    RecoveryDeviceFile,
    X509CertificateReference,
    load_device_file,
)
from parsec.data.local_device import LocalDevice
from parsec.wire.msgpack import MalformedError
from tests.conformance.notation import agrees
from tests.conformance.refusals import refusal
from tests.conformance.registry import Vector, handles


@handles("client-local-device")
def check_local_device(vector: Vector, document: dict[str, Any]) -> None:
    content = bytes.fromhex(vector["bytes_hex"])
    if "value" not in vector:
        assert vector["expected"] == {"error": "invalid data"}
        with refusal(MalformedError):
            LocalDevice.load(content)
        return
    device = LocalDevice.load(content)
    assert agrees(device, vector["value"])
    assert LocalDevice.load(device.dump()) == device
    if vector["exact"]:
        assert device.dump() == content


@handles("client-device-files")
def check_device_file(vector: Vector, document: dict[str, Any]) -> None:
    expected = vector["expected"]
    content = bytes.fromhex(vector["device_file_hex"])
    outcome = _outcome(content, vector)
    allowed = [expected, *expected.get("either", [])]
    assert any(_is(outcome, one) for one in allowed), f"{outcome}"
    if "header" in expected:
        _check_header(load_device_file(content), expected["header"])


def _is(outcome: LocalDevice | str, expected: dict[str, Any]) -> bool:
    if isinstance(outcome, str):
        return outcome == expected.get("error")
    return "local_device" in expected and agrees(outcome, expected["local_device"])


def _outcome(content: bytes, vector: Vector) -> LocalDevice | str:
    """The device, or what these vectors call the error."""
    unlock = vector["unlock"]
    totp_key = unlock.get("totp_opaque_key_hex")
    try:
        file = load_device_file(content)
        key = _key(file, unlock)
        if isinstance(key, str):
            return key
        if "ciphertext_key_hex" in vector:
            assert key == SecretKey(bytes.fromhex(vector["ciphertext_key_hex"]))
        return open_device(
            file, key=key, totp_key=SecretKey(bytes.fromhex(totp_key)) if totp_key else None
        )
    except (MalformedError, CorruptedDevice):
        return "invalid data"
    except TOTPKeyRejected:
        return "TOTP decryption failed"
    except AuthenticationFailed:
        return "decryption failed"
    except PassphraseError:
        return "invalid passphrase"
    except DecryptionError:
        return "ciphertext key generation failed"


def _key(file: AnyDeviceFile, unlock: dict[str, Any]) -> SecretKey | str:
    """The key of the file, from what is supplied; another kind of supply is another access."""
    match file, unlock:
        case PasswordDeviceFile(), {"password": str(password)}:
            return SecretKey(
                argon2id(
                    password,
                    salt=file.algorithm.salt,
                    opslimit=file.algorithm.opslimit,
                    memlimit_kb=file.algorithm.memlimit_kb,
                    parallelism=file.algorithm.parallelism,
                )
            )
        case (KeyringDeviceFile(), {"keyring_value": str(text)}) | (
            RecoveryDeviceFile(),
            {"passphrase": str(text)},
        ):
            return parse_recovery_passphrase(text)
        case OpenBaoDeviceFile(), {"openbao_opaque_key_b64": str(text)}:
            return SecretKey(base64.b64decode(text))
        case AccountVaultDeviceFile(), {"account_vault_key_id": str(key_id)}:
            assert file.ciphertext_key_id.hex() == key_id
            return SecretKey(bytes.fromhex(unlock["account_vault_opaque_key_hex"]))
        case PkiDeviceFile(), {"certificate_der_hex": str(der), "rsa_private_key_pem": str(pem)}:
            certificate = Certificate(bytes.fromhex(der))
            if X509CertificateReference(hash=certificate.reference_hash) == file.certificate_ref:
                return SecretKey(PKIPrivateKey.from_pem(pem).decrypt(file.encrypted_key))
    return "bad access strategy"


def _check_header(file: AnyDeviceFile, expected: dict[str, Any]) -> None:
    header = dict(expected)
    assert str(file.__struct_config__.tag).upper() == header.pop("type")
    for name in ("user_id", "device_id", "totp_opaque_key_id"):
        found = getattr(file, name, None)
        assert (None if found is None else found.hex()) == header.pop(name)
    for name, value in header.items():
        assert agrees(getattr(file, name), value), name
