"""What flows keep: the records that a `Keep` step holds, which a later run could not get again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated

import msgspec

from parsec.client.protection import Guard
from parsec.client.step import Wanted
from parsec.crypto.keys import SecretKey
from parsec.crypto.shamir import MAX_SHARES, ShamirShare
from parsec.data.address import ServerAddr
from parsec.data.ids import DeviceID, TOTPOpaqueKeyID, UserID
from parsec.data.instant import Instant
from parsec.data.local_device import LocalDevice
from parsec.data.people import OrganizationID
from parsec.data.record import Record
from parsec.data.topics import TopicCertificate


@dataclass(frozen=True)
class NewDevice:
    """A device that was just made; its file is written with the guard's protection."""

    device: LocalDevice
    guard: Guard
    totp: tuple[TOTPOpaqueKeyID, SecretKey] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class BegunDevice:
    """A device that is about to be registered, and could not be made again.

    It is kept until `NewDevice` says that it came to be, or `DroppedDevice` that it did not. In
    between, a later run may ask for it (`BegunFirstDevices`).
    """

    device: LocalDevice
    guard: Guard


@dataclass(frozen=True)
class DroppedDevice:
    """A device that began and did not come to be."""

    device_id: DeviceID


@dataclass(frozen=True)
class BegunFirstDevices(Wanted[tuple[LocalDevice, ...]]):
    """The devices that earlier runs began, one of which may be the first one of an organization.

    To look for them raises AuthenticationFailed where the guard opens none of those there are.
    """

    server: ServerAddr
    organization_id: OrganizationID
    guard: Guard
    other_than: DeviceID


@dataclass(frozen=True)
class ProtectedAgain:
    """A device whose file is replaced, once the new one is proved to open."""

    device: LocalDevice
    guard: Guard
    totp: tuple[TOTPOpaqueKeyID, SecretKey] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class VerifiedCertificates:
    """Certificates that passed every rule, to be appended to those of the device."""

    device: LocalDevice
    batch: Sequence[TopicCertificate]


@dataclass(frozen=True)
class ForgottenCertificates:
    """All certificates of the device are to be dropped; the next poll begins at nothing."""

    device: LocalDevice


class GatheredShares(Record, frozen=True, kw_only=True, tag="parsec_py_gathered_shares"):
    """The shares that recipients gave so far for a shared recovery, by recipient.

    They belong to one set-up: that of this user, in this organization, on this server, of this
    date. As sensitive as the account once the threshold is reached.
    """

    server: ServerAddr
    organization_id: OrganizationID
    user_id: UserID
    setup_created_on: Instant
    shares: dict[UserID, Annotated[list[ShamirShare], msgspec.Meta(max_length=MAX_SHARES)]]
    device_id: DeviceID | None = None
    """The device that came of them, once its file is about to be saved."""

    def same_setup(self, other: "GatheredShares") -> bool:
        """Whether the shares of both fit together; those of another set-up are of no use."""
        return (self.server, self.organization_id, self.user_id, self.setup_created_on) == (
            other.server,
            other.organization_id,
            other.user_id,
            other.setup_created_on,
        )

    def with_shares(self, shares: Mapping[UserID, list[ShamirShare]]) -> "GatheredShares":
        """The same with further shares, which replace those of a recipient who gave before."""
        return msgspec.structs.replace(self, shares={**self.shares, **shares})


@dataclass(frozen=True)
class EarlierShares(Wanted[GatheredShares]):
    """What an earlier run gathered for the same set-up as `beginning`.

    To look for them raises KeyringUnavailable where they are there, and their key out of reach,
    and Conflict where that run has saved the device already.
    """

    beginning: GatheredShares


@dataclass(frozen=True)
class RecoverySaves:
    """The gathered shares have led to a device whose file is about to be saved."""

    user_id: UserID
    device_id: DeviceID


@dataclass(frozen=True)
class RecoveryDone:
    """The account is recovered and its new device saved: the shares are of no more use."""

    user_id: UserID
