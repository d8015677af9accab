"""Vectors of scalars, messages, tokens and frames."""

import enum
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec

from parsec.crypto.keys import SecretKey, SigningKey
from parsec.data.certificates import RevokedUserCertificate
from parsec.data.ids import AccessToken, AccountAuthMethodID, DeviceID, Id
from parsec.data.instant import Instant
from parsec.protocol.authentication import (
    MalformedTokenError,
    account_authorization,
    bearer_token,
    device_authorization,
    invitation_authorization,
    load_account_token,
    load_device_token,
    load_invitation_token,
    verify_account_token,
    verify_device_token,
)
from parsec.protocol.command import Family, UnknownStatus, load_reply
from parsec.protocol.families import commands, load_request
from parsec.wire.frame import dump_frame, load_frame
from parsec.wire.msgpack import MalformedError, dump, reader
from tests.conformance.refusals import refusal
from tests.conformance.registry import Vector, handles
from tests.support.wire_types import named_in_protocol, wire_type


@handles("wire-scalars")
def check_scalar(vector: Vector, document: dict[str, Any]) -> None:
    kind = reader(wire_type(vector["type"], named_in_protocol))
    if "msgpack_hex" not in vector:
        _check_long(kind, vector)
        return
    encoded = bytes.fromhex(vector["msgpack_hex"])
    value = kind.load(encoded)
    assert _view(value) == vector["value"]
    assert dump(value) == encoded
    if "rfc3339" in vector:
        assert value.rfc3339 == vector["rfc3339"]


@handles("wire-decode")
def check_decoding(vector: Vector, document: dict[str, Any]) -> None:
    body, family = bytes.fromhex(vector["message_hex"]), Family(vector["family"])
    if vector["expect"] == "reject":
        with refusal(MalformedError):
            _load(vector, family, body)
        return
    message = _load(vector, family, body)
    if vector["expect"] == "unknown_status":
        assert message == UnknownStatus(status=vector["unknown_status"], reason=vector["reason"])
        return
    assert vector["expect"] == "accept"
    assert not isinstance(message, UnknownStatus)


@handles("wire-auth-token")
def check_token(vector: Vector, document: dict[str, Any]) -> None:
    header = vector["authorization"]
    match vector["kind"]:
        case "device":
            _check_device_token(vector, header)
        case "account":
            _check_account_token(vector, header)
        case "invitation":
            token = AccessToken.parse(vector["token_hex"])
            assert invitation_authorization(token) == header
            assert load_invitation_token(bearer_token(header)) == token
        case kind:
            raise AssertionError(f"unknown kind {kind}")


@handles("server-auth-token")
def check_server_token(vector: Vector, document: dict[str, Any]) -> None:
    inputs, expected = vector["inputs"], vector["expected"]
    if "syntax_accepted" in expected:
        assert _is_device_token(inputs["token"]) == expected["syntax_accepted"]
        return
    header = device_authorization(
        DeviceID.parse(inputs["device_id_hex"]),
        SigningKey(bytes.fromhex(inputs["signing_key_hex"])),
        now=Instant.from_seconds(inputs["timestamp_seconds"]),
    )
    assert bearer_token(header) == expected["token"]


@handles("crypto-v0-container")
def check_frame(vector: Vector, document: dict[str, Any]) -> None:
    frame = bytes.fromhex(vector["container_hex"])
    if not vector["valid"]:
        with refusal(MalformedError):
            RevokedUserCertificate.load(frame)
        return
    payload = bytes.fromhex(vector["payload_hex"])
    certificate = RevokedUserCertificate.load(frame)
    assert load_frame(frame).startswith(payload)
    assert dump(certificate) == payload
    assert load_frame(dump_frame(payload)) == payload


def _check_long(kind: Any, vector: Vector) -> None:
    """Only the beginning and the length of a long text are written down."""
    if "repeat_char" in vector:
        value: object = vector["repeat_char"] * vector["repeat_count"]
    else:
        value = bytes.fromhex(vector["repeat_byte_hex"]) * vector["repeat_count"]
    encoded = dump(value)
    assert encoded.hex().startswith(vector["msgpack_prefix_hex"])
    assert len(encoded) == vector["msgpack_length"]
    assert kind.load(encoded) == value


def _view(value: Any) -> object:
    """The value as this file writes it: without notation, the type tells what a text means."""
    match value:
        case msgspec.Struct():
            fields = [_view(getattr(value, name)) for name in value.__struct_fields__]
            config = value.__struct_config__
            if config.array_like:
                return fields
            tag = {} if config.tag is None else {config.tag_field: config.tag}
            return tag | dict(zip(value.__struct_encode_fields__, fields, strict=True))
        case Mapping():
            return {_view(key): _view(item) for key, item in value.items()}
        case list() | tuple():
            return [_view(item) for item in value]
        case Id():
            return str(UUID(bytes=bytes(value)))
        case enum.Enum():
            return value.value
        case None | str() | int() | float():
            return value
    return bytes(value).hex()


def _load(vector: Vector, family: Family, body: bytes) -> object:
    if vector["kind"] == "request":
        return load_request(family, body)
    assert vector["kind"] == "reply"
    return load_reply(commands(family)[vector["cmd"]], body)


def _check_device_token(vector: Vector, header: str) -> None:
    key = SigningKey(bytes.fromhex(vector["signing_key_seed_hex"]))
    device_id, now = DeviceID.parse(vector["device_id_hex"]), _now(vector)
    assert device_authorization(device_id, key, now=now) == header
    token = load_device_token(bearer_token(header))
    assert (token.device_id, token.seconds) == (device_id, now.seconds)
    assert token.signed_text.decode() == vector.get("signed_text", token.signed_text.decode())
    verify_device_token(token, key.verify_key)


def _check_account_token(vector: Vector, header: str) -> None:
    key = SecretKey(bytes.fromhex(vector["mac_key_hex"]))
    method, now = AccountAuthMethodID.parse(vector["auth_method_id_hex"]), _now(vector)
    assert account_authorization(method, key, now=now) == header
    token = load_account_token(bearer_token(header))
    assert (token.auth_method_id, token.seconds) == (method, now.seconds)
    text = token.authenticated_text.decode()
    assert text == vector.get("signed_text", text)
    verify_account_token(token, key)


def _now(vector: Vector) -> Instant:
    if "timestamp_microseconds" in vector:
        return Instant(vector["timestamp_microseconds"])
    return Instant.from_seconds(vector["timestamp_seconds"])


def _is_device_token(text: str) -> bool:
    try:
        load_device_token(text)
    except MalformedTokenError:
        return False
    return True
