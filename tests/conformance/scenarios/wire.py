"""Bytes of the protocol, written from its description without the package under test."""

import base64
import hashlib
import hmac
import struct
import uuid
from typing import Any

import msgspec
import zstandard
from nacl.signing import SigningKey

_DATE, _UUID = 1, 2


class Moment(int):
    """A date: microseconds since 1970."""

    __slots__ = ()


def dump(value: Any) -> bytes:
    """MessagePack, with the two extensions of the protocol and maps with any keys."""
    match value:
        case Moment():
            return b"\xd7\x01" + value.to_bytes(8, "big", signed=True)
        case uuid.UUID():
            return b"\xd8\x02" + value.bytes
        case dict():
            content = b"".join(dump(key) + dump(item) for key, item in value.items())
            return struct.pack(">BI", 0xDF, len(value)) + content if value else b"\x80"
        case list():
            return struct.pack(">BI", 0xDD, len(value)) + b"".join(map(dump, value))
        case _:
            return msgspec.msgpack.encode(value)


def load(content: bytes) -> Any:
    """The reverse; raises msgspec.DecodeError."""
    return msgspec.msgpack.decode(content, ext_hook=_extension)


def sign(fields: dict[str, Any], key: SigningKey) -> bytes:
    """A certificate: the map behind format byte and compression, behind its signature."""
    frame = b"\x00" + zstandard.ZstdCompressor().compress(dump(fields))
    return bytes(key.sign(frame))


def bearer_of_device(device: uuid.UUID, seconds: int, key: SigningKey) -> str:
    """What authenticates a device at that second (server-core.md 3.4)."""
    text = f"PARSEC-SIGN-ED25519.{device.hex}.{seconds}"
    signature = base64.urlsafe_b64encode(key.sign(text.encode()).signature).decode()
    return f"{text}.{signature}"


def load_address_parameter(text: str) -> Any:
    """The parameter `p` of an address: MessagePack in base64 without padding."""
    return load(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def one_time_code(secret: bytes, step: int) -> str:
    """The six digits of RFC 6238 for a step of thirty seconds."""
    digest = hmac.new(secret, step.to_bytes(8, "big"), hashlib.sha1).digest()
    offset = digest[-1] & 15
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 1_000_000:06}"


def _extension(code: int, data: memoryview) -> Any:
    if code == _DATE:
        return Moment(int.from_bytes(data, "big", signed=True))
    if code == _UUID:
        return uuid.UUID(bytes=bytes(data))
    raise ValueError(f"extension {code}")
