"""What must hold for certificates of realms (`client.md` 15.5)."""

from parsec.client.rules.certificates_common import Author, People, Warn, check_newest
from parsec.client.rules.certificates_faults import Fault, Gap, Unacceptable
from parsec.data.certificates import (
    RealmCertificate,
    RealmKeyRotationCertificate,
    RealmRole,
    RealmRoleCertificate,
)
from parsec.data.ids import UserID
from parsec.data.instant import Instant
from parsec.data.people import UserProfile

_RANK = {
    RealmRole.READER: 1,
    RealmRole.CONTRIBUTOR: 2,
    RealmRole.MANAGER: 3,
    RealmRole.OWNER: 4,
}
_RULERS = (RealmRole.OWNER, RealmRole.MANAGER)


class Realm:
    """What is known about one realm so far."""

    def __init__(self) -> None:
        self.roles: dict[UserID, RealmRole | None] = {}
        """The last role of each user who ever had one; None: it was taken away."""
        self.last_key_index = 0
        self.last_timestamp: Instant | None = None

    def copy(self) -> "Realm":
        """Another one, to which certificates can be added without changing this one."""
        other = Realm()
        other.roles = self.roles.copy()
        other.last_key_index = self.last_key_index
        other.last_timestamp = self.last_timestamp
        return other

    def add(self, certificate: RealmCertificate) -> None:
        """Believe a certificate."""
        if isinstance(certificate, RealmRoleCertificate):
            self.roles[certificate.user_id] = certificate.role
        if isinstance(certificate, RealmKeyRotationCertificate):
            self.last_key_index = certificate.key_index
        self.last_timestamp = certificate.timestamp


def check_realm(
    realm: Realm, people: People, certificate: RealmCertificate, author: Author, *, warn: Warn
) -> None:
    """The rules of `client.md` 15.5. Raises Unacceptable."""
    check_newest(certificate.timestamp, realm.last_timestamp)
    if isinstance(certificate, RealmRoleCertificate):
        _check_role(realm, people, certificate, author, warn)
        return
    _check_owner_speaks(realm, people, certificate, author)
    if (
        isinstance(certificate, RealmKeyRotationCertificate)
        and certificate.key_index != realm.last_key_index + 1
    ):
        warn(Gap.KEY_INDEX_NOT_NEXT)


def _check_role(
    realm: Realm, people: People, certificate: RealmRoleCertificate, author: Author, warn: Warn
) -> None:
    """`client.md` 15.5, role certificate, and the first gap of 15.8."""
    if not realm.roles:
        _check_first_role(certificate, author)
    elif author.user_id == certificate.user_id:
        _check_self_promotion(realm, people, certificate)
    else:
        _check_role_of_other(realm, certificate, author)
    _check_role_fits(people, certificate)
    if people.members[author.user_id].is_revoked_at(certificate.timestamp):
        warn(Gap.ROLE_BY_REVOKED_AUTHOR)


def _check_first_role(certificate: RealmRoleCertificate, author: Author) -> None:
    """`client.md` 15.5, role certificate, 2a."""
    if author.user_id != certificate.user_id:
        raise Unacceptable(Fault.REALM_FIRST_ROLE_MUST_BE_SELF_SIGNED)
    if certificate.role is not RealmRole.OWNER:
        raise Unacceptable(Fault.REALM_FIRST_ROLE_MUST_BE_OWNER)


def _check_self_promotion(realm: Realm, people: People, certificate: RealmRoleCertificate) -> None:
    """`client.md` 15.5, role certificate, 2b."""
    if certificate.role is not RealmRole.OWNER:
        raise Unacceptable(Fault.REALM_SELF_PROMOTION_ROLE_MUST_BE_OWNER)
    present = _role_of_author(realm, certificate.user_id)
    if present is RealmRole.OWNER:
        raise Unacceptable(Fault.CONTENT_ALREADY_EXISTS)
    for user_id, role in realm.roles.items():
        if (
            role is not None
            and _RANK[role] > _RANK[present]
            and _could_act(people, user_id, certificate.timestamp)
        ):
            raise Unacceptable(Fault.REALM_SELF_PROMOTION_HIGHER_ACTIVE_ROLE)


def _could_act(people: People, user_id: UserID, t: Instant) -> bool:
    member = people.members[user_id]
    return not member.is_revoked_at(t) and member.profile_at(t) is not UserProfile.OUTSIDER


def _check_role_of_other(realm: Realm, certificate: RealmRoleCertificate, author: Author) -> None:
    """`client.md` 15.5, role certificate, 2c."""
    authors_role = _role_of_author(realm, author.user_id)
    present = realm.roles.get(certificate.user_id)
    if present is certificate.role:
        raise Unacceptable(Fault.CONTENT_ALREADY_EXISTS)
    if present in _RULERS or certificate.role in _RULERS:
        if authors_role is not RealmRole.OWNER:
            raise Unacceptable(Fault.REALM_AUTHOR_NOT_OWNER)
    elif authors_role not in _RULERS:
        raise Unacceptable(Fault.REALM_AUTHOR_NOT_OWNER_OR_MANAGER)


def _check_role_fits(people: People, certificate: RealmRoleCertificate) -> None:
    """`client.md` 15.5, role certificate, 3 and 4."""
    if certificate.role is None:
        # Whoever was revoked is expected to lose its roles afterwards.
        people.existing(certificate.user_id, certificate.timestamp)
        return
    member = people.check_active(certificate.user_id, certificate.timestamp)
    outsider = member.profile_at(certificate.timestamp) is UserProfile.OUTSIDER
    if outsider and certificate.role in _RULERS:
        raise Unacceptable(Fault.REALM_OUTSIDER_CANNOT_BE_OWNER_OR_MANAGER)


def _check_owner_speaks(
    realm: Realm, people: People, certificate: RealmCertificate, author: Author
) -> None:
    """`client.md` 15.5, name, key rotation, archiving."""
    if not realm.roles:
        raise Unacceptable(Fault.REALM_FIRST_CERTIFICATE_MUST_BE_ROLE)
    if _role_of_author(realm, author.user_id) is not RealmRole.OWNER:
        raise Unacceptable(Fault.REALM_AUTHOR_NOT_OWNER)
    people.check_author_active(author, certificate.timestamp)


def _role_of_author(realm: Realm, user_id: UserID) -> RealmRole:
    """The role that an author must have (`client.md` 15.5). Raises Unacceptable."""
    role = realm.roles.get(user_id)
    if role is None:
        raise Unacceptable(Fault.REALM_AUTHOR_HAS_NO_ROLE)
    return role
