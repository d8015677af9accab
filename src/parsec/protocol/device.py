"""Devices: creation."""

from typing import ClassVar, TypeAlias

from parsec.protocol.command import Family, Request
from parsec.protocol.statuses import (
    DeviceAlreadyExists,
    InvalidCertificate,
    Ok,
    RequireGreaterTimestamp,
    TimestampOutOfBallpark,
)

DeviceCreateReply: TypeAlias = (
    Ok | InvalidCertificate | DeviceAlreadyExists | TimestampOutOfBallpark | RequireGreaterTimestamp
)


class DeviceCreate(Request[DeviceCreateReply], frozen=True, kw_only=True, tag="device_create"):
    """Author adds a device to its own user."""

    FAMILY: ClassVar[Family] = Family.AUTHENTICATED

    device_certificate: bytes
    redacted_device_certificate: bytes
