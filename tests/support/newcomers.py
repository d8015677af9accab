"""People who are about to join an organization, and the certificates by which they do."""

from dataclasses import dataclass, replace
from typing import Any

import msgspec

from parsec.crypto.entropy import system_entropy
from parsec.crypto.keys import PrivateKey, SigningKey
from parsec.data.certificates import DeviceCertificate, DevicePurpose, UserCertificate
from parsec.data.ids import DeviceID, UserID
from parsec.data.instant import Instant
from parsec.data.people import DeviceLabel, EmailAddress, HumanHandle, UserProfile


@dataclass(frozen=True, kw_only=True)
class Newcomer:
    """A user and its first device, with their keys."""

    user_id: UserID
    device_id: DeviceID
    handle: HumanHandle
    profile: UserProfile
    key: SigningKey
    private_key: PrivateKey


def newcomer(name: str = "bob", profile: UserProfile = UserProfile.STANDARD) -> Newcomer:
    return Newcomer(
        user_id=UserID.generate(system_entropy),
        device_id=DeviceID.generate(system_entropy),
        handle=HumanHandle(EmailAddress(f"{name}@example.com"), name.capitalize()),
        profile=profile,
        key=SigningKey.generate(system_entropy),
        private_key=PrivateKey.generate(system_entropy),
    )


@dataclass(frozen=True, kw_only=True)
class Papers:
    """The four certificates of a newcomer, before they are signed; changed by `but`."""

    user: UserCertificate
    redacted_user: UserCertificate
    device: DeviceCertificate
    redacted_device: DeviceCertificate

    def but(self, *which: str, **fields: Any) -> "Papers":
        """The same with other fields in some of them, or in all."""
        names = which or ("user", "redacted_user", "device", "redacted_device")
        changed = {name: msgspec.structs.replace(getattr(self, name), **fields) for name in names}
        return replace(self, **changed)

    def signed(self, key: SigningKey) -> dict[str, bytes]:
        """As the commands take them."""
        return {
            "user_certificate": self.user.sign(key),
            "redacted_user_certificate": self.redacted_user.sign(key),
            "device_certificate": self.device.sign(key),
            "redacted_device_certificate": self.redacted_device.sign(key),
        }


def papers(person: Newcomer, *, author: DeviceID | None, timestamp: Instant) -> Papers:
    user = UserCertificate(
        author=author,
        timestamp=timestamp,
        user_id=person.user_id,
        human_handle=person.handle,
        public_key=person.private_key.public_key,
        profile=person.profile,
    )
    device = DeviceCertificate(
        purpose=DevicePurpose.STANDARD,
        author=author,
        timestamp=timestamp,
        user_id=person.user_id,
        device_id=person.device_id,
        device_label=DeviceLabel("desk"),
        verify_key=person.key.verify_key,
    )
    return Papers(
        user=user,
        redacted_user=msgspec.structs.replace(user, human_handle=None),
        device=device,
        redacted_device=msgspec.structs.replace(device, device_label=None),
    )
