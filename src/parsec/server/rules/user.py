"""When a user may be added, changed and revoked."""

import msgspec

from parsec.data.certificates import (
    DeviceCertificate,
    RevokedUserCertificate,
    UserCertificate,
    UserUpdateCertificate,
)
from parsec.data.instant import Instant
from parsec.data.people import UserProfile
from parsec.protocol.organization import OrganizationBootstrap
from parsec.protocol.statuses import (
    ActiveUsersLimitReached,
    AuthorNotAllowed,
    HumanHandleAlreadyTaken,
    InvalidCertificate,
    UserAlreadyExists,
    UserAlreadyRevoked,
    UserNoChanges,
    UserNotFound,
    UserRevoked,
)
from parsec.protocol.user import UserCreate, UserRevoke, UserUpdate
from parsec.server.records import Author, DeviceRecord, UserRecord
from parsec.server.rules.certificate import (
    Signer,
    check_redacted_device,
    check_redacted_user,
    load_signed,
)
from parsec.server.rules.refusal import Refused
from parsec.server.rules.timestamp import check_ballpark, check_greater


class NewUser(msgspec.Struct, frozen=True):
    """A user and its first device, as two certificates of one date say."""

    user: UserCertificate
    device: DeviceCertificate

    @property
    def timestamp(self) -> Instant:
        return self.user.timestamp

    @property
    def user_record(self) -> UserRecord:
        """The facts of the user."""
        assert self.user.human_handle is not None
        return UserRecord(
            user_id=self.user.user_id,
            human_handle=self.user.human_handle,
            profile=self.user.profile,
            created_on=self.user.timestamp,
            revoked_on=None,
            is_frozen=False,
            tos_accepted_on=None,
        )

    @property
    def device_record(self) -> DeviceRecord:
        """The facts of the device."""
        return device_record(self.device)


def device_record(certificate: DeviceCertificate) -> DeviceRecord:
    """The facts of a device."""
    return DeviceRecord(
        device_id=certificate.device_id,
        user_id=certificate.user_id,
        verify_key=certificate.verify_key,
    )


def check_is_admin(author: Author) -> None:
    """Raises Refused with `author_not_allowed`."""
    if author.user.profile is not UserProfile.ADMIN:
        raise Refused(AuthorNotAllowed())


def check_certificates(request: UserCreate, author: Author, *, now: Instant) -> NewUser:
    """A user and a device that belong together, each in both versions. Raises Refused."""
    check_is_admin(author)
    return _check_new_user(request, _signer(author), now=now)


def check_outsider(profile: UserProfile, author: Author, *, is_enforced: bool) -> None:
    """Where the operator wants it, nobody becomes an external user against the organization's wish.

    Otherwise that wish is for clients to heed (server-core.md 20, 21). Raises Refused.
    """
    allowed = author.organization.user_profile_outsider_allowed
    if is_enforced and profile is UserProfile.OUTSIDER and not allowed:
        raise Refused(AuthorNotAllowed(), "the organization allows no external users")


def check_first_user(request: OrganizationBootstrap, root: Signer, *, now: Instant) -> NewUser:
    """The administrator with whom an organization begins. Raises Refused."""
    papers = _load_papers(request, root)
    if papers.user.profile is not UserProfile.ADMIN:
        raise Refused(InvalidCertificate(), "the first user is no administrator")
    _check_same_date(papers)
    _check_same_user(papers)
    check_ballpark(papers.user.timestamp, now=now)
    return _checked(papers)


def _check_new_user(request: UserCreate, signer: Signer, *, now: Instant) -> NewUser:
    papers = _load_papers(request, signer)
    _check_same_date(papers)
    check_ballpark(papers.user.timestamp, now=now)
    _check_same_user(papers)
    return _checked(papers)


class _Papers(msgspec.Struct, frozen=True, kw_only=True):
    """What a newcomer brings: two certificates, each in both versions."""

    user: UserCertificate
    redacted_user: UserCertificate
    device: DeviceCertificate
    redacted_device: DeviceCertificate


def _load_papers(request: UserCreate | OrganizationBootstrap, signer: Signer) -> _Papers:
    return _Papers(
        user=load_signed(UserCertificate, request.user_certificate, signer),
        device=load_signed(DeviceCertificate, request.device_certificate, signer),
        redacted_user=load_signed(UserCertificate, request.redacted_user_certificate, signer),
        redacted_device=load_signed(DeviceCertificate, request.redacted_device_certificate, signer),
    )


def _check_same_date(papers: _Papers) -> None:
    if papers.user.timestamp != papers.device.timestamp:
        raise Refused(InvalidCertificate(), "the dates of user and device differ")


def _check_same_user(papers: _Papers) -> None:
    if papers.user.user_id != papers.device.user_id:
        raise Refused(InvalidCertificate(), "the first device is another user's")


def _checked(papers: _Papers) -> NewUser:
    check_redacted_user(papers.user, papers.redacted_user)
    check_redacted_device(papers.device, papers.redacted_device)
    return NewUser(papers.user, papers.device)


def check_new(
    new: NewUser,
    author: Author,
    *,
    last_common: Instant | None,
    active_users: int,
    same_email: UserRecord | None,
    same_user_id: UserRecord | None,
    same_device_id: DeviceRecord | None,
) -> None:
    """Make sure that they fit behind what the organization has. Raises Refused."""
    check_greater(new.timestamp, last_common)
    if same_email is not None:
        raise Refused(HumanHandleAlreadyTaken())
    limit = author.organization.active_users_limit
    if limit is not None and active_users >= limit:
        raise Refused(ActiveUsersLimitReached(), f"{active_users} active users of {limit}")
    if same_user_id is not None or same_device_id is not None:
        raise Refused(UserAlreadyExists())


def check_update_certificate(
    request: UserUpdate, author: Author, *, now: Instant
) -> UserUpdateCertificate:
    """Another profile for somebody else. Raises Refused."""
    check_is_admin(author)
    certificate = load_signed(
        UserUpdateCertificate, request.user_update_certificate, _signer(author)
    )
    _check_about_somebody_else(certificate, author, now=now)
    return certificate


def check_update(
    certificate: UserUpdateCertificate,
    *,
    target: UserRecord | None,
    last_common: Instant | None,
) -> None:
    """Make sure that there is somebody to update, and something. Raises Refused."""
    if target is None:
        raise Refused(UserNotFound())
    if target.revoked_on is not None:
        raise Refused(UserRevoked())
    if target.profile is certificate.new_profile:
        raise Refused(UserNoChanges())
    check_greater(certificate.timestamp, last_common)


def check_revocation_certificate(
    request: UserRevoke, author: Author, *, now: Instant
) -> RevokedUserCertificate:
    """The end of somebody else. Raises Refused."""
    check_is_admin(author)
    certificate = load_signed(
        RevokedUserCertificate, request.revoked_user_certificate, _signer(author)
    )
    _check_about_somebody_else(certificate, author, now=now)
    return certificate


def check_revocation(
    certificate: RevokedUserCertificate,
    *,
    target: UserRecord | None,
    last_common: Instant,
) -> None:
    """Make sure that there is somebody to revoke. Raises Refused."""
    if target is None:
        raise Refused(UserNotFound())
    if target.revoked_on is not None:
        raise Refused(UserAlreadyRevoked(last_common_certificate_timestamp=last_common))
    check_greater(certificate.timestamp, last_common)


def _check_about_somebody_else(
    certificate: UserUpdateCertificate | RevokedUserCertificate, author: Author, *, now: Instant
) -> None:
    check_ballpark(certificate.timestamp, now=now)
    if certificate.user_id == author.user.user_id:
        raise Refused(InvalidCertificate(), "about the author")


def _signer(author: Author) -> Signer:
    return Signer(device_id=author.device.device_id, key=author.device.verify_key)
