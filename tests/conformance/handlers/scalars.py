"""Vectors of the rules of textual scalars."""

from collections.abc import Callable
from typing import Any

import pytest

from parsec.crypto.sas import SASCode
from parsec.data.address import InvitationType
from parsec.data.certificates import DevicePurpose, RealmRole
from parsec.data.ids import AccessToken, DeviceID, UserID, VlobID
from parsec.data.instant import Instant
from parsec.data.people import (
    DeviceLabel,
    EmailAddress,
    EntryName,
    HumanHandle,
    OrganizationID,
    UserProfile,
    ValidationCode,
)
from parsec.protocol.invite import InvitationStatus
from parsec.protocol.versions import ApiVersion
from tests.conformance.registry import Vector, handles


@handles("wire-ids")
def check_scalar(vector: Vector, document: dict[str, Any]) -> None:
    read = _READERS[vector["type"]]
    if vector["valid"]:
        assert read(vector["input"]) == vector["normalized"]
        return
    with pytest.raises(ValueError):
        read(vector["input"])


def _human_label(text: str) -> str:
    return HumanHandle(EmailAddress("a@b.c"), text).label


def _date(text: str) -> dict[str, Any]:
    instant = Instant.parse(text)
    return {"microseconds": int(instant), "text": instant.rfc3339}


_READERS: dict[str, Callable[[str], object]] = {
    "AccessToken (text)": lambda text: AccessToken.parse(text).hex(),
    "ApiVersion": lambda text: list(ApiVersion.parse(text)),
    "DateTime (RFC 3339)": _date,
    "DeviceID (text)": lambda text: str(DeviceID.parse(text)),
    "DeviceLabel": lambda text: str(DeviceLabel(text)),
    "DevicePurpose": DevicePurpose,
    "EmailAddress": lambda text: str(EmailAddress(text)),
    "EntryName": lambda text: str(EntryName(text)),
    "HumanHandle label": _human_label,
    "InvitationStatus": InvitationStatus,
    "InvitationType": InvitationType,
    "OrganizationID": lambda text: str(OrganizationID(text)),
    "RealmRole": RealmRole,
    "SASCode": SASCode,
    "UserID (text)": lambda text: str(UserID.parse(text)),
    "UserProfile": UserProfile,
    "ValidationCode": lambda text: str(ValidationCode(text)),
    "VlobID (text)": lambda text: str(VlobID.parse(text)),
}
