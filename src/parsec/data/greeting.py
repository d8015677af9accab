"""What the two sides of an invitation tell each other once they trust each other.

`data-types.md` 5. Each payload is framed, then encrypted with the shared key of the attempt.
"""

from typing import Annotated, Self

import msgspec

from parsec.crypto.entropy import Entropy
from parsec.crypto.keys import PrivateKey, PublicKey, SecretKey, VerifyKey
from parsec.crypto.shamir import MAX_SHARES, ShamirShare
from parsec.data.ids import DeviceID, UserID, VlobID
from parsec.data.people import DeviceLabel, HumanHandle, UserProfile
from parsec.data.record import Record


class GreetingPayload(Record, frozen=True, kw_only=True):
    """Any of the payloads of steps 6 and 7."""

    def encrypt(self, key: SecretKey, entropy: Entropy) -> bytes:
        """The payload as it travels."""
        return key.encrypt(self.dump(), entropy)

    @classmethod
    def decrypt(cls, ciphertext: bytes, key: SecretKey) -> Self:
        """Read a payload. Raises DecryptionError or MalformedError."""
        return cls.load(key.decrypt(ciphertext))


class InviteUserData(GreetingPayload, frozen=True, kw_only=True, tag="invite_user_data"):
    """What a future user wishes."""

    requested_device_label: DeviceLabel
    requested_human_handle: HumanHandle
    public_key: PublicKey
    verify_key: VerifyKey


class InviteUserConfirmation(
    GreetingPayload, frozen=True, kw_only=True, tag="invite_user_confirmation"
):
    """What the greeter made of it; the root verify key enters the claimer's device here."""

    user_id: UserID
    device_id: DeviceID
    device_label: DeviceLabel
    human_handle: HumanHandle
    profile: UserProfile
    root_verify_key: VerifyKey


class InviteDeviceData(GreetingPayload, frozen=True, kw_only=True, tag="invite_device_data"):
    """What a future device wishes."""

    requested_device_label: DeviceLabel
    verify_key: VerifyKey


class InviteDeviceConfirmation(
    GreetingPayload, frozen=True, kw_only=True, tag="invite_device_confirmation"
):
    """The user's secrets, for its new device."""

    user_id: UserID
    device_id: DeviceID
    device_label: DeviceLabel
    human_handle: HumanHandle
    profile: UserProfile
    private_key: PrivateKey
    user_realm_id: VlobID
    user_realm_key: SecretKey
    root_verify_key: VerifyKey


class InviteShamirRecoveryData(
    GreetingPayload, frozen=True, kw_only=True, tag="invite_shamir_recovery_data"
):
    """The claimer of a recovery has nothing to say."""


class InviteShamirRecoveryConfirmation(
    GreetingPayload, frozen=True, kw_only=True, tag="invite_shamir_recovery_confirmation"
):
    """The shares of one recipient."""

    weighted_share: Annotated[list[ShamirShare], msgspec.Meta(max_length=MAX_SHARES)]
