"""What has been verified so far, and the questions it answers.

A ledger never changes: integrating an answer of the server gives another one, or an error. What it
holds came through `integrate`, or from our own storage, into which only `integrate` puts anything.
"""

from collections.abc import Iterable, Mapping

import msgspec

from parsec.client.rules.certificates_common import Member, People
from parsec.client.rules.certificates_realm import Realm
from parsec.client.rules.certificates_sequester import Sequester, restore_sequester
from parsec.client.rules.certificates_shamir import Recoveries, Setup
from parsec.crypto.keys import PublicKey, VerifyKey
from parsec.data.certificates import (
    DeviceCertificate,
    DevicePurpose,
    ShamirRecoveryShareCertificate,
    unverified_common_certificate,
    unverified_realm_certificate,
    unverified_shamir_certificate,
)
from parsec.data.ids import DeviceID, UserID, VlobID
from parsec.data.instant import Instant
from parsec.data.people import DeviceLabel, EmailAddress, HumanHandle, UserProfile
from parsec.data.topics import Topic, TopicCertificate, TopicID
from parsec.protocol.certificate import CertificateGet


class UserInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A user, as far as is known; created by nobody means: by the root key."""

    user_id: UserID
    human_handle: HumanHandle
    profile: UserProfile
    created_on: Instant
    created_by: DeviceID | None
    revoked_on: Instant | None
    revoked_by: DeviceID | None

    @property
    def is_revoked(self) -> bool:
        """Whether the user no longer belongs to the organization."""
        return self.revoked_on is not None


class DeviceInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A device of a user; created by nobody means: by the root key."""

    device_id: DeviceID
    user_id: UserID
    label: DeviceLabel
    purpose: DevicePurpose
    verify_key: VerifyKey
    created_on: Instant
    created_by: DeviceID | None


class ShamirSetup(msgspec.Struct, frozen=True, kw_only=True):
    """The last shared recovery that a user has set up."""

    user_id: UserID
    created_on: Instant
    created_by: DeviceID
    threshold: int
    per_recipient_shares: Mapping[UserID, int]
    deleted_on: Instant | None
    deleted_by: DeviceID | None

    @property
    def is_deleted(self) -> bool:
        """Whether it no longer counts."""
        return self.deleted_on is not None


class Ledger:
    """What has been verified so far."""

    def __init__(
        self, device_user_id: UserID, root_verify_key: VerifyKey, initial_profile: UserProfile
    ) -> None:
        self.device_user_id = device_user_id
        self.root_verify_key = root_verify_key
        self.initial_profile = initial_profile
        # For the rules of this package only: whoever has a ledger asks it the questions below.
        self._people = People()
        self._realms: dict[VlobID, Realm] = {}
        self._recoveries = Recoveries(device_user_id)
        self._sequester = Sequester()

    @classmethod
    def empty(
        cls, device_user_id: UserID, root_verify_key: VerifyKey, initial_profile: UserProfile
    ) -> "Ledger":
        """Nothing but what a device knows from its beginning."""
        return cls(device_user_id, root_verify_key, initial_profile)

    @classmethod
    def restore(
        cls,
        device_user_id: UserID,
        root_verify_key: VerifyKey,
        initial_profile: UserProfile,
        certificates: Iterable[TopicCertificate],
    ) -> "Ledger":
        """What `integrate` accepted before, in that order; no rule is asked again.

        Raises MalformedError, CryptoError or LookupError when it cannot come from there.
        """
        ledger = cls(device_user_id, root_verify_key, initial_profile)
        for topic, signed in certificates:
            ledger._restore(topic, signed)
        return ledger

    # --- What to ask the server ---

    def request(self) -> CertificateGet:
        """Whatever is newer than what is known."""
        return CertificateGet(
            common_after=self._people.last_timestamp,
            sequester_after=self._sequester.last_timestamp,
            shamir_recovery_after=self._recoveries.last_timestamp,
            realm_after={
                realm_id: realm.last_timestamp
                for realm_id, realm in self._realms.items()
                if realm.last_timestamp is not None
            },
        )

    def last_timestamp(self, topic: TopicID) -> Instant | None:
        """The time of the last certificate of a topic; None when there is none."""
        match topic:
            case Topic.COMMON:
                return self._people.last_timestamp
            case Topic.SEQUESTER:
                return self._sequester.last_timestamp
            case Topic.SHAMIR_RECOVERY:
                return self._recoveries.last_timestamp
            case realm_id:
                realm = self._realms.get(realm_id)
                return realm.last_timestamp if realm is not None else None

    def covers(self, required: Mapping[TopicID, Instant]) -> bool:
        """Whether everything up to these times is known; if not, poll before believing more."""
        return all(
            (last := self.last_timestamp(topic)) is not None and last >= t
            for topic, t in required.items()
        )

    @property
    def is_empty(self) -> bool:
        """Whether no certificate of any topic is known."""
        return not self._realms and all(self.last_timestamp(topic) is None for topic in Topic)

    # --- Users and devices ---

    @property
    def self_profile(self) -> UserProfile:
        """The present profile of the device's own user."""
        member = self._people.members.get(self.device_user_id)
        return member.profile if member is not None else self.initial_profile

    def users(self) -> list[UserInfo]:
        """Everybody, revoked users too, in the order of their creation."""
        return [_user_info(member) for member in self._people.members.values()]

    def user(self, user_id: UserID) -> UserInfo | None:
        """A user, revoked or not; None when unknown."""
        member = self._people.members.get(user_id)
        return _user_info(member) if member is not None else None

    def active_user_by_email(self, email: EmailAddress) -> UserInfo | None:
        """The user with exactly that address who is not revoked; the first, should two have it."""
        users = self._people.active_by_email.get(email)
        return self.user(users[0]) if users else None

    def public_key(self, user_id: UserID) -> PublicKey | None:
        """The key that seals for a user; None when unknown."""
        member = self._people.members.get(user_id)
        return member.certificate.public_key if member is not None else None

    def revoked_users(self) -> frozenset[UserID]:
        """The users who no longer belong to the organization."""
        members = self._people.members.items()
        return frozenset(user_id for user_id, member in members if member.revocation is not None)

    def device(self, device_id: DeviceID) -> DeviceInfo | None:
        """A device; None when unknown."""
        device = self._people.devices.get(device_id)
        return _device_info(device) if device is not None else None

    def devices_of(self, user_id: UserID) -> list[DeviceInfo]:
        """The devices of a user, in the order of their creation."""
        member = self._people.members.get(user_id)
        return [_device_info(device) for device in member.devices] if member is not None else []

    # --- Shared recoveries ---

    def shamir_setup(self, user_id: UserID) -> ShamirSetup | None:
        """The last set-up of a user, deleted or not, as far as it concerns this device's user."""
        setup = self._recoveries.setups.get(user_id)
        return _shamir_setup(setup) if setup is not None else None

    def shamir_setups_for_others(self) -> list[ShamirSetup]:
        """The last set-ups in which this device's user is a recipient, in order of creation."""
        setups = [
            _shamir_setup(setup)
            for user_id, setup in self._recoveries.setups.items()
            if user_id != self.device_user_id
        ]
        return sorted(setups, key=lambda setup: setup.created_on)

    def share_certificate(
        self, user_id: UserID, brief_timestamp: Instant
    ) -> ShamirRecoveryShareCertificate | None:
        """The shares that this device's user holds of a user's set-up of that time."""
        return self._recoveries.shares.get((user_id, brief_timestamp))

    # --- For the rules of this package ---

    def _copy(self) -> "Ledger":
        other = Ledger(self.device_user_id, self.root_verify_key, self.initial_profile)
        other._people = self._people.copy()
        other._realms = self._realms.copy()
        other._recoveries = self._recoveries.copy()
        other._sequester = self._sequester.copy()
        return other

    def _restore(self, topic: TopicID, signed: bytes) -> None:
        match topic:
            case Topic.COMMON:
                self._people.add(unverified_common_certificate(signed))
            case Topic.SEQUESTER:
                restore_sequester(self._sequester, signed)
            case Topic.SHAMIR_RECOVERY:
                self._recoveries.add(unverified_shamir_certificate(signed))
            case realm_id:
                realm = self._realms.setdefault(realm_id, Realm())
                realm.add(unverified_realm_certificate(signed))


def _user_info(member: Member) -> UserInfo:
    user, revocation = member.certificate, member.revocation
    return UserInfo(
        user_id=user.user_id,
        human_handle=user.shown_handle,
        profile=member.profile,
        created_on=user.timestamp,
        created_by=user.author,
        revoked_on=revocation.timestamp if revocation is not None else None,
        revoked_by=revocation.author if revocation is not None else None,
    )


def _device_info(device: DeviceCertificate) -> DeviceInfo:
    return DeviceInfo(
        device_id=device.device_id,
        user_id=device.user_id,
        label=device.shown_label,
        purpose=device.purpose or DevicePurpose.STANDARD,
        verify_key=device.verify_key,
        created_on=device.timestamp,
        created_by=device.author,
    )


def _shamir_setup(setup: Setup) -> ShamirSetup:
    brief, deletion = setup.brief, setup.deletion
    return ShamirSetup(
        user_id=brief.user_id,
        created_on=brief.timestamp,
        created_by=brief.author,
        threshold=brief.threshold,
        per_recipient_shares=brief.per_recipient_shares,
        deleted_on=deletion.timestamp if deletion is not None else None,
        deleted_by=deletion.author if deletion is not None else None,
    )
