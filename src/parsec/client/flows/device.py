"""Further devices of the same user."""

from typing import NamedTuple

from parsec.client.failure import Conflict, Refused
from parsec.client.flows.certificate import upload
from parsec.client.step import Flow, Means
from parsec.crypto.keys import SigningKey, VerifyKey
from parsec.data.certificates import DeviceCertificate, DevicePurpose
from parsec.data.ids import DeviceID, UserID
from parsec.data.instant import Instant
from parsec.data.local_device import LocalDevice
from parsec.data.people import DeviceLabel
from parsec.protocol import statuses
from parsec.protocol.device import DeviceCreate


class SignedPair(NamedTuple):
    """A certificate and its redacted version, both signed."""

    full: bytes
    redacted: bytes


def create_device(
    author: LocalDevice,
    means: Means,
    *,
    device_id: DeviceID,
    label: DeviceLabel,
    verify_key: VerifyKey,
    purpose: DevicePurpose,
) -> Flow[None]:
    """Register another device of the author's user."""

    def request(timestamp: Instant) -> DeviceCreate:
        pair = device_certificates(
            author=author.device_id,
            key=author.signing_key,
            timestamp=timestamp,
            user_id=author.user_id,
            device_id=device_id,
            label=label,
            verify_key=verify_key,
            purpose=purpose,
        )
        return DeviceCreate(device_certificate=pair.full, redacted_device_certificate=pair.redacted)

    reply = yield from upload(author, means, request)
    match reply:
        case statuses.Ok():
            return
        case statuses.DeviceAlreadyExists():
            raise Conflict("This device exists already")
        case _:
            raise Refused("Server refused to create the device")


def device_certificates(
    *,
    author: DeviceID | None,
    key: SigningKey,
    timestamp: Instant,
    user_id: UserID,
    device_id: DeviceID,
    label: DeviceLabel,
    verify_key: VerifyKey,
    purpose: DevicePurpose,
) -> SignedPair:
    """The certificate of a device in both versions; without author the key is the root key."""
    full, redacted = (
        DeviceCertificate(
            purpose=purpose,
            author=author,
            timestamp=timestamp,
            user_id=user_id,
            device_id=device_id,
            device_label=shown,
            verify_key=verify_key,
        ).sign(key)
        for shown in (label, None)
    )
    return SignedPair(full, redacted)
