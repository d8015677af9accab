"""The secrets that a device holds.

`data-types.md` 9. What is read from here is trusted: the root verify key anchors all certificates.
"""

from parsec.crypto.entropy import Entropy
from parsec.crypto.keys import PrivateKey, SecretKey, SigningKey, VerifyKey
from parsec.data.address import OrganizationAddr, ServerAddr
from parsec.data.ids import DeviceID, UserID, VlobID
from parsec.data.people import (
    DeviceLabel,
    HumanHandle,
    LocalHumanHandle,
    OrganizationID,
    UserProfile,
)
from parsec.data.record import BareRecord


class LocalDevice(BareRecord, frozen=True, kw_only=True, tag="local_device"):
    """A device with all its keys."""

    server_url: ServerAddr
    organization_id: OrganizationID
    root_verify_key: VerifyKey
    user_id: UserID
    device_id: DeviceID
    device_label: DeviceLabel
    human_handle: LocalHumanHandle
    signing_key: SigningKey
    private_key: PrivateKey
    initial_profile: UserProfile
    user_realm_id: VlobID
    user_realm_key: SecretKey
    local_symkey: SecretKey

    @property
    def organization_addr(self) -> OrganizationAddr:
        """Where the organization lives, with the key that anchors it."""
        return OrganizationAddr(
            server=self.server_url,
            organization_id=self.organization_id,
            root_verify_key=self.root_verify_key,
        )


def first_device(
    *,
    server_url: ServerAddr,
    organization_id: OrganizationID,
    root_verify_key: VerifyKey,
    user_id: UserID,
    device_id: DeviceID,
    human_handle: HumanHandle,
    device_label: DeviceLabel,
    profile: UserProfile,
    signing_key: SigningKey,
    private_key: PrivateKey,
    entropy: Entropy,
) -> LocalDevice:
    """The first device of a user: what identifies it is given, what it keeps to itself is drawn."""
    return LocalDevice(
        server_url=server_url,
        organization_id=organization_id,
        root_verify_key=root_verify_key,
        user_id=user_id,
        device_id=device_id,
        device_label=device_label,
        human_handle=human_handle,
        signing_key=signing_key,
        private_key=private_key,
        initial_profile=profile,
        user_realm_id=VlobID.generate(entropy),
        user_realm_key=SecretKey.generate(entropy),
        local_symkey=SecretKey.generate(entropy),
    )


def further_device(existing: LocalDevice, label: DeviceLabel, entropy: Entropy) -> LocalDevice:
    """Another device of the same user: its own id, label, signing key and local key."""
    return LocalDevice(
        server_url=existing.server_url,
        organization_id=existing.organization_id,
        root_verify_key=existing.root_verify_key,
        user_id=existing.user_id,
        device_id=DeviceID.generate(entropy),
        device_label=label,
        human_handle=existing.human_handle,
        signing_key=SigningKey.generate(entropy),
        private_key=existing.private_key,
        initial_profile=existing.initial_profile,
        user_realm_id=existing.user_realm_id,
        user_realm_key=existing.user_realm_key,
        local_symkey=SecretKey.generate(entropy),
    )
