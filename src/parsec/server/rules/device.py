"""When a device may be added."""

from parsec.data.certificates import DeviceCertificate
from parsec.data.instant import Instant
from parsec.protocol.device import DeviceCreate
from parsec.protocol.statuses import DeviceAlreadyExists, InvalidCertificate
from parsec.server.records import Author, DeviceRecord
from parsec.server.rules.certificate import Signer, check_redacted_device, load_signed
from parsec.server.rules.refusal import Refused
from parsec.server.rules.timestamp import check_ballpark, check_greater


def check_certificate(request: DeviceCreate, author: Author, *, now: Instant) -> DeviceCertificate:
    """A device of the author's own user, in both versions. Raises Refused."""
    signer = Signer(device_id=author.device.device_id, key=author.device.verify_key)
    certificate = load_signed(DeviceCertificate, request.device_certificate, signer)
    redacted = load_signed(DeviceCertificate, request.redacted_device_certificate, signer)
    check_ballpark(certificate.timestamp, now=now)
    if certificate.user_id != author.user.user_id:
        raise Refused(InvalidCertificate(), "a device of another user")
    check_redacted_device(certificate, redacted)
    return certificate


def check_new(
    certificate: DeviceCertificate,
    *,
    last_common: Instant | None,
    same_id: DeviceRecord | None,
) -> None:
    """Make sure that it fits behind what the organization has. Raises Refused."""
    check_greater(certificate.timestamp, last_common)
    if same_id is not None:
        raise Refused(DeviceAlreadyExists())
