"""Vectors of signed, encrypted and stored data: what they hold, and what is refused about them."""

import base64
from collections.abc import Callable
from typing import Any, TypeAlias
from uuid import UUID

import msgspec

from parsec.crypto.errors import CryptoError, DecryptionError, SignatureError
from parsec.crypto.keys import KeyDerivation, PrivateKey, SecretKey, VerifyKey
from parsec.crypto.rsa import SequesterPrivateKey, SequesterVerifyKey
from parsec.crypto.shamir import ShamirError, ShamirShare, gf_divide, gf_multiply
from parsec.data import (
    account,
    certificates,
    cryptpad,
    enrollment,
    greeting,
    local_manifests,
    manifests,
    realm_keys,
    recovery,
)
from parsec.data.certificates import AuthorityCertificate, Certificate
from parsec.data.device_file import AnyDeviceFile, load_device_file
from parsec.data.ids import DeviceID, VlobID
from parsec.data.instant import Instant
from parsec.data.local_device import LocalDevice
from parsec.data.manifests import Announcement
from parsec.data.record import BareRecord, MismatchError, Record
from parsec.wire.frame import load_frame
from parsec.wire.msgpack import MalformedError, dump
from tests.conformance.notation import agrees
from tests.conformance.refusals import refusal
from tests.conformance.registry import Vector, handles

Verifier: TypeAlias = VerifyKey | SequesterVerifyKey


# --- Certificates ---


@handles("data-certificates")
def check_certificate(vector: Vector, document: dict[str, Any]) -> None:
    kind, signed = _KINDS[vector["type"]], base64.b64decode(vector["signed_b64"])
    certificate = _load_signed(kind, signed, _signer(vector["signed_with"], document["keys"]))
    _check_content(certificate, vector)
    if "decoded_purpose" in vector:
        assert certificate.known_purpose == vector["decoded_purpose"]
    if "shown_human_handle" in vector:
        assert agrees(certificate.shown_handle, vector["shown_human_handle"])
    if "shown_device_label" in vector:
        assert certificate.shown_label == vector["shown_device_label"]


@handles("data-certificates-checks")
def check_certificate_checks(vector: Vector, document: dict[str, Any]) -> None:
    kind, signed = _KINDS[vector["type"]], base64.b64decode(vector["signed_b64"])
    key = VerifyKey(bytes.fromhex(vector["verify_key_hex"]))
    expected = {
        field: None if vector[name] is None else UUID(vector[name]).bytes
        for name, field in _EXPECTED_FIELDS.items()
        if name in vector
    }
    match vector["outcome"], vector.get("fails_at"):
        case "accept", None:
            _load_signed(kind, signed, key).expect(**expected)
        case "refuse", "signature":
            with refusal(SignatureError):
                _load_signed(kind, signed, key)
        case "refuse", "expectation":
            certificate = _load_signed(kind, signed, key)
            with refusal(MismatchError):
                certificate.expect(**expected)
        case "refuse", layer:
            with refusal(MalformedError):
                _load_signed(kind, signed, key)
            assert _failing_layer(key.verify(signed)) == _LAYERS.get(str(layer), layer)


_EXPECTED_FIELDS = {
    "expected_author": "author",
    "expected_user": "user_id",
    "expected_device": "device_id",
    "expected_realm": "realm_id",
    "expected_recipient": "recipient",
}
_LAYERS = {"invariant": "content"}


def _load_signed(kind: type[Any], signed: bytes, key: Verifier) -> Any:
    assert issubclass(kind, Certificate | AuthorityCertificate)
    return kind.load_signed(signed, key)  # type: ignore[arg-type]


def _signer(name: str, keys: dict[str, Any]) -> Verifier:
    if name in keys["signing_keys"]:
        return VerifyKey(bytes.fromhex(keys["signing_keys"][name]["verify_key_hex"]))
    der = keys["sequester"]["authority_verify_spki_der_b64"]
    return SequesterVerifyKey(base64.b64decode(der))


# --- Manifests ---


@handles("data-manifests")
def check_manifest(vector: Vector, document: dict[str, Any]) -> None:
    value = vector["value"]
    manifest = _load_manifest(
        vector,
        load=_manifest_loader(value),
        key=_signer(vector["signed_with"], document["keys"]),
        announced=Announcement(
            author=DeviceID.parse(value["author"]["uuid"]),
            timestamp=Instant(value["timestamp"]["us"]),
            id=VlobID.parse(value["id"]["uuid"]),
            version=value["version"],
        ),
    )
    _check_content(manifest, vector)


@handles("data-manifests-checks")
def check_manifest_checks(vector: Vector, document: dict[str, Any]) -> None:
    loaders = {"child": manifests.load_child_manifest, "user": manifests.load_user_manifest}
    announced = Announcement(
        author=DeviceID.parse(vector["expected_author"]),
        timestamp=Instant(vector["expected_timestamp"]),
        id=VlobID.parse(vector["expected_id"]) if "expected_id" in vector else None,
        version=vector.get("expected_version"),
    )

    def load() -> object:
        key = VerifyKey(bytes.fromhex(vector["verify_key_hex"]))
        return _load_manifest(vector, load=loaders[vector["load_as"]], key=key, announced=announced)

    if vector["outcome"] == "accept":
        load()
        return
    error = {
        "decryption": DecryptionError,
        "signature": SignatureError,
        "content": MalformedError,
        "invariant": MalformedError,
        "expectation": MismatchError,
    }[vector["fails_at"]]
    with refusal(error):
        load()


def _manifest_loader(value: dict[str, Any]) -> Callable[..., Any]:
    if value["type"] == "user_manifest":
        return manifests.load_user_manifest
    if value["id"] == value["parent"]:
        return manifests.load_workspace_manifest
    return manifests.load_child_manifest


def _load_manifest(
    vector: Vector, *, load: Callable[..., Any], key: Verifier, announced: Announcement
) -> Any:
    return load(
        base64.b64decode(vector["encrypted_b64"]),
        key=SecretKey(bytes.fromhex(vector["secret_key_hex"])),
        author_verify_key=key,
        announced=announced,
    )


# --- Everything else that travels ---


@handles("data-payloads")
def check_payload(vector: Vector, document: dict[str, Any]) -> None:
    record = _open(vector)
    _check_content(record, vector)
    if "fingerprint_hex" in vector:
        assert record.fingerprint.hex() == vector["fingerprint_hex"]


@handles("data-payloads-checks")
def check_payload_checks(vector: Vector, document: dict[str, Any]) -> None:
    if vector["outcome"] == "accept":
        _open(vector)
        return
    with refusal(CryptoError, MalformedError):
        _open(vector)


@handles("data-realm-key-use")
def check_realm_key(vector: Vector, document: dict[str, Any]) -> None:
    key = KeyDerivation(bytes.fromhex(vector["realm_key_hex"]))
    realm_keys.check_key_canary(key, bytes.fromhex(vector["key_canary_hex"]))
    name = realm_keys.decrypt_realm_name(key, bytes.fromhex(vector["encrypted_name_hex"]))
    assert name == vector["name"]
    vlob_key = realm_keys.content_key(key, VlobID.parse(vector["vlob_id"]))
    assert bytes(vlob_key).hex() == vector["vlob_key_hex"]
    canary_key = SecretKey(bytes.fromhex(vector["canary_key_hex"]))
    assert canary_key.decrypt(realm_keys.key_canary(key, bytes)) == b""
    name_key = SecretKey(bytes.fromhex(vector["name_key_hex"]))
    encrypted = realm_keys.encrypt_realm_name(key, name, bytes)
    assert name_key.decrypt(encrypted).decode() == vector["name"]


@handles("data-shamir-shares", "shamir-recovery-secret")
def check_shares(vector: Vector, document: dict[str, Any]) -> None:
    for example in document.get("field", {}).get("examples", ()):
        operation = {"mul": gf_multiply, "div": gf_divide}[example["op"]]
        assert operation(example["a"], example["b"]) == example["result"]
    if vector.get("outcome") == "fail":
        with refusal(ShamirError, ValueError):
            _join(vector)
        return
    secret = _join(vector)
    if "value" in vector:
        assert agrees(secret, vector["value"])
        return
    assert bytes(secret.data_key).hex() == vector["data_key_hex"]
    assert secret.reveal_token.hex() == vector["reveal_token_hex"]


def _join(vector: Vector) -> recovery.ShamirRecoverySecret:
    shares = [ShamirShare(bytes.fromhex(text)) for text in vector["shares_hex"]]
    return recovery.join_secret(shares, threshold=vector["threshold"])


@handles("data-local")
def check_local(vector: Vector, document: dict[str, Any]) -> None:
    record = _open(vector)
    _check_content(record, vector)
    if "local_device" in vector:
        _check_device_inside(record, vector)
    if "cleartext_value" in vector:
        assert agrees(record.unverified_content, vector["cleartext_value"])
        keys = record.open(SecretKey(bytes.fromhex(vector["ciphertext_key_hex"])))
        assert bytes(keys.signing_key).hex() == vector["signing_key_hex"]
        assert bytes(keys.private_key).hex() == vector["private_key_hex"]


def _check_device_inside(file: AnyDeviceFile, vector: Vector) -> None:
    ciphertext = file.ciphertext
    for name in ("totp_key_hex", "ciphertext_key_hex"):
        if name in vector:
            ciphertext = SecretKey(bytes.fromhex(vector[name])).decrypt(ciphertext)
    assert agrees(LocalDevice.load(ciphertext), vector["local_device"])


# --- What they have in common ---


def _records(module: Any) -> dict[str, type[Any]]:
    return {
        str(kind.__struct_config__.tag): kind
        for kind in vars(module).values()
        if isinstance(kind, type)
        if issubclass(kind, Record | BareRecord)
        if kind.__struct_config__.tag
    }


_KINDS: dict[str, type[Any]] = {
    tag: kind
    for module in (
        account,
        certificates,
        cryptpad,
        enrollment,
        greeting,
        local_manifests,
        manifests,
        realm_keys,
        recovery,
    )
    for tag, kind in _records(module).items()
} | {"local_device": LocalDevice}


def _open(vector: Vector) -> Any:
    """Take the layers off, from the outermost on, then read."""
    data = base64.b64decode(vector["bytes_b64"])
    kind = _KINDS.get(vector["type"])
    if kind is None:
        return load_device_file(data)
    if kind is recovery.ShamirRecoveryShareData:
        return _open_share(vector, data)
    if "recipient_private_key_hex" in vector:
        data = PrivateKey(bytes.fromhex(vector["recipient_private_key_hex"])).open(data)
    if "service_private_pkcs8_der_b64" in vector:
        der = base64.b64decode(vector["service_private_pkcs8_der_b64"])
        data = SequesterPrivateKey(der).decrypt(data)
    if "secret_key_hex" in vector:
        data = SecretKey(bytes.fromhex(vector["secret_key_hex"])).decrypt(data)
    if "verify_key_hex" in vector:
        data = VerifyKey(bytes.fromhex(vector["verify_key_hex"])).verify(data)
    return kind.load(data)


def _open_share(vector: Vector, ciphered: bytes) -> recovery.ShamirRecoveryShareData:
    return recovery.ShamirRecoveryShareData.open(
        ciphered,
        recipient_key=PrivateKey(bytes.fromhex(vector["recipient_private_key_hex"])),
        author_verify_key=VerifyKey(bytes.fromhex(vector["verify_key_hex"])),
        author=DeviceID.parse(vector["expected_author"]),
        timestamp=Instant(vector["expected_timestamp"]),
    )


def _check_content(record: Any, vector: Vector) -> None:
    """What a record says, and that we would write the same."""
    assert agrees(record, vector["value"])
    assert type(record).load(record.dump()) == record
    if vector["exact"] and _is_written_whole(record, vector):
        assert dump(record).hex() == vector["content_hex"]


def _is_written_whole(record: msgspec.Struct, vector: Vector) -> bool:
    """Whether nothing is absent that we would write, and nothing is in a form of the past."""
    written = [
        name
        for name in type(record).__struct_fields__
        if getattr(record, name) is not msgspec.UNSET
    ]
    return len(vector["value"]) == len(written) + 1 and not vector.get("legacy_array")


def _failing_layer(frame: bytes) -> str:
    """Which layer of a malformed frame objects; those above the compression are not told apart."""
    if frame[:1] != b"\0":
        return "format"
    try:
        load_frame(frame)
    except MalformedError:
        return "zstd"
    return "content"
