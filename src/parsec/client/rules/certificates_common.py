"""What must hold for certificates of users and devices (`client.md` 15.4).

"At t" means: as far as certificates up to that time tell. Rules look, `add` writes; a certificate
from our own storage, which passed the rules once, is added without asking them again.
"""

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from parsec.client.rules.certificates_faults import Fault, Gap, Unacceptable
from parsec.data.certificates import (
    CommonCertificate,
    DeviceCertificate,
    RevokedUserCertificate,
    UserCertificate,
    UserUpdateCertificate,
)
from parsec.data.ids import DeviceID, UserID
from parsec.data.instant import Instant
from parsec.data.people import EmailAddress, UserProfile

Author: TypeAlias = DeviceCertificate
"""Who signed: a device that is known and not younger than what it signed."""

Warn: TypeAlias = Callable[[Gap], None]


class Member(msgspec.Struct, frozen=True):
    """All that certificates say about one user."""

    certificate: UserCertificate
    updates: tuple[UserUpdateCertificate, ...] = ()
    revocation: RevokedUserCertificate | None = None
    devices: tuple[DeviceCertificate, ...] = ()

    @property
    def profile(self) -> UserProfile:
        """The latest profile."""
        return self.updates[-1].new_profile if self.updates else self.certificate.profile

    def profile_at(self, t: Instant) -> UserProfile:
        for update in reversed(self.updates):
            if update.timestamp <= t:
                return update.new_profile
        return self.certificate.profile

    def is_revoked_at(self, t: Instant) -> bool:
        return self.revocation is not None and self.revocation.timestamp <= t


class People:
    """The users and devices that are known so far."""

    def __init__(self) -> None:
        self.members: dict[UserID, Member] = {}
        """In the order of their creation."""
        self.devices: dict[DeviceID, DeviceCertificate] = {}
        self.active_by_email: dict[EmailAddress, tuple[UserID, ...]] = {}
        self.last_timestamp: Instant | None = None

    def copy(self) -> "People":
        """Another one, to which certificates can be added without changing this one."""
        other = People()
        other.members = self.members.copy()
        other.devices = self.devices.copy()
        other.active_by_email = self.active_by_email.copy()
        other.last_timestamp = self.last_timestamp
        return other

    def author(self, device_id: DeviceID, t: Instant) -> Author:
        """The device that claims to have signed something at t (`client.md` 15.3, check 2).

        Raises Unacceptable.
        """
        device = self.devices.get(device_id)
        if device is None:
            raise Unacceptable(Fault.NON_EXISTING_AUTHOR)
        if device.timestamp > t:
            raise Unacceptable(Fault.OLDER_THAN_AUTHOR)
        return device

    def existing(self, user_id: UserID, t: Instant) -> Member:
        """The user that something at t is about: "user exists" of `client.md` 15.3.

        Raises Unacceptable.
        """
        member = self.members.get(user_id)
        if member is None:
            raise Unacceptable(Fault.NON_EXISTING_RELATED_USER)
        if member.certificate.timestamp > t:
            raise Unacceptable(Fault.OLDER_THAN_RELATED_USER)
        return member

    def check_author_active(self, author: Author, t: Instant) -> None:
        """Raises Unacceptable when the author's user was revoked at t (`client.md` 15.3)."""
        if self.members[author.user_id].is_revoked_at(t):
            raise Unacceptable(Fault.REVOKED_AUTHOR)

    def check_author_admin(self, author: Author, t: Instant) -> None:
        """Raises Unacceptable unless the author's user was an active administrator at t.

        "Not revoked" and "profile at t" of `client.md` 15.3.
        """
        self.check_author_active(author, t)
        if self.members[author.user_id].profile_at(t) is not UserProfile.ADMIN:
            raise Unacceptable(Fault.AUTHOR_NOT_ADMIN)

    def check_active(self, user_id: UserID, t: Instant) -> Member:
        """The user, who exists and is not revoked at t (`client.md` 15.3). Raises Unacceptable."""
        member = self.existing(user_id, t)
        if member.is_revoked_at(t):
            raise Unacceptable(Fault.RELATED_USER_ALREADY_REVOKED)
        return member

    def add(self, certificate: CommonCertificate) -> None:
        """Believe a certificate."""
        match certificate:
            case UserCertificate():
                self.members[certificate.user_id] = Member(certificate)
                self._list_email(certificate)
            case DeviceCertificate(user_id=user_id):
                self.devices[certificate.device_id] = certificate
                devices = (*self.members[user_id].devices, certificate)
                self._update(user_id, devices=devices)
            case UserUpdateCertificate(user_id=user_id):
                updates = (*self.members[user_id].updates, certificate)
                self._update(user_id, updates=updates)
            case RevokedUserCertificate(user_id=user_id):
                self._update(user_id, revocation=certificate)
                self._unlist_email(self.members[user_id].certificate)
        self.last_timestamp = certificate.timestamp

    def _update(self, user_id: UserID, **changes: object) -> None:
        self.members[user_id] = msgspec.structs.replace(self.members[user_id], **changes)

    def _list_email(self, user: UserCertificate) -> None:
        if user.human_handle is not None:
            email = user.human_handle.email
            others = self.active_by_email.get(email, ())
            self.active_by_email[email] = (*others, user.user_id)

    def _unlist_email(self, user: UserCertificate) -> None:
        if user.human_handle is not None:
            email = user.human_handle.email
            others = tuple(who for who in self.active_by_email[email] if who != user.user_id)
            if others:
                self.active_by_email[email] = others
            else:
                del self.active_by_email[email]


def check_common(
    people: People,
    certificate: CommonCertificate,
    author: Author | None,
    *,
    sequestered_on: Instant | None,
    warn: Warn,
) -> None:
    """The rules of `client.md` 15.4. Raises Unacceptable.

    Author None is the root key, `sequestered_on` the authority's time.
    """
    match certificate:
        case UserCertificate():
            _check_user(people, certificate, author, sequestered_on, warn)
        case DeviceCertificate():
            _check_device(people, certificate, author, warn)
        case UserUpdateCertificate():
            assert author is not None
            _check_update(people, certificate, author)
        case RevokedUserCertificate():
            assert author is not None
            _check_revocation(people, certificate, author)


def _check_user(
    people: People,
    user: UserCertificate,
    author: Author | None,
    sequestered_on: Instant | None,
    warn: Warn,
) -> None:
    """`client.md` 15.4, user certificate."""
    check_newest(user.timestamp, people.last_timestamp)
    if author is not None:
        people.check_author_admin(author, user.timestamp)
    elif people.last_timestamp is not None:
        raise Unacceptable(Fault.ROOT_SIGNATURE_OUT_OF_BOOTSTRAP)
    elif sequestered_on is not None and sequestered_on != user.timestamp:
        raise Unacceptable(Fault.ROOT_SIGNATURE_TIMESTAMP_MISMATCH)
    if user.user_id in people.members:
        raise Unacceptable(Fault.CONTENT_ALREADY_EXISTS)
    if user.human_handle is not None and user.human_handle.email in people.active_by_email:
        warn(Gap.EMAIL_ALREADY_USED)


def _check_device(
    people: People, device: DeviceCertificate, author: Author | None, warn: Warn
) -> None:
    """`client.md` 15.4, device certificate."""
    if author is not None and author.user_id == device.user_id:
        check_newest(device.timestamp, people.last_timestamp)
        people.check_author_active(author, device.timestamp)
        people.check_active(device.user_id, device.timestamp)
    else:
        _check_first_device(people, device, author, warn)
    if device.device_id in people.devices:
        raise Unacceptable(Fault.CONTENT_ALREADY_EXISTS)


def _check_first_device(
    people: People, device: DeviceCertificate, author: Author | None, warn: Warn
) -> None:
    """`client.md` 15.4, device certificate, where it is a first device."""
    # The same time as the last certificate is right for a pair of user and device.
    check_not_older(device.timestamp, people.last_timestamp)
    if author is not None:
        people.check_author_admin(author, device.timestamp)
    user = people.existing(device.user_id, device.timestamp)
    if user.certificate.author != device.author:
        raise Unacceptable(Fault.USER_FIRST_DEVICE_AUTHOR_MISMATCH)
    if user.certificate.timestamp != device.timestamp:
        raise Unacceptable(Fault.USER_FIRST_DEVICE_TIMESTAMP_MISMATCH)
    if user.is_revoked_at(device.timestamp):
        raise Unacceptable(Fault.RELATED_USER_ALREADY_REVOKED)
    if user.devices:
        warn(Gap.SECOND_FIRST_DEVICE)


def _check_update(people: People, update: UserUpdateCertificate, author: Author) -> None:
    """`client.md` 15.4, user update."""
    member = _check_decision_about_other(people, update, author)
    if member.profile_at(update.timestamp) is update.new_profile:
        raise Unacceptable(Fault.CONTENT_ALREADY_EXISTS)


def _check_revocation(people: People, revocation: RevokedUserCertificate, author: Author) -> None:
    """`client.md` 15.4, revoked user."""
    _check_decision_about_other(people, revocation, author)


def _check_decision_about_other(
    people: People, decision: UserUpdateCertificate | RevokedUserCertificate, author: Author
) -> Member:
    """The user whom an administrator decides about (`client.md` 15.4, user update, revoked user).

    Raises Unacceptable.
    """
    check_newest(decision.timestamp, people.last_timestamp)
    if author.user_id == decision.user_id:
        raise Unacceptable(Fault.SELF_SIGNED)
    people.check_author_admin(author, decision.timestamp)
    return people.check_active(decision.user_id, decision.timestamp)


def check_newest(t: Instant, last: Instant | None) -> None:
    """Raises Unacceptable unless t is later than the last certificate of its topic.

    "Newest" of `client.md` 15.3.
    """
    if last is not None and t <= last:
        raise Unacceptable(Fault.INVALID_TIMESTAMP)


def check_not_older(t: Instant, last: Instant | None) -> None:
    """Raises Unacceptable when t is before the last certificate of its topic.

    For first devices (`client.md` 15.4) and for shares (15.6), which come in pairs.
    """
    if last is not None and t < last:
        raise Unacceptable(Fault.INVALID_TIMESTAMP)
