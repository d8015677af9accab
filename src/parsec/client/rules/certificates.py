"""Integrating what the server delivers: all of an answer is believed, or nothing.

`client.md` 15.2. Each certificate is read to learn who claims to have signed it, verified with the
key of that device, and held against the rules of its topic, which see all before it as known.
"""

from collections.abc import Callable, Iterable
from typing import TypeAlias, TypeVar

import msgspec

from parsec.client.rules.certificates_common import Author, check_common
from parsec.client.rules.certificates_faults import (
    Fault,
    Gap,
    InvalidCertificate,
    Unacceptable,
    Warned,
)
from parsec.client.rules.certificates_realm import Realm, check_realm
from parsec.client.rules.certificates_sequester import accept_sequester
from parsec.client.rules.certificates_shamir import check_shamir
from parsec.client.rules.ledger import DeviceInfo, Ledger, ShamirSetup, UserInfo
from parsec.crypto.errors import SignatureError
from parsec.crypto.keys import VerifyKey
from parsec.data.certificates import (
    CommonCertificate,
    DeviceCertificate,
    RealmCertificate,
    RevokedUserCertificate,
    ShamirCertificate,
    UserCertificate,
    unverified_common_certificate,
    unverified_realm_certificate,
    unverified_shamir_certificate,
)
from parsec.data.ids import UserID, VlobID
from parsec.data.people import UserProfile
from parsec.data.topics import Topic, TopicCertificate, TopicID
from parsec.protocol.certificate import CertificateGetOk
from parsec.wire.msgpack import MalformedError

__all__ = [
    "DeviceInfo",
    "Fault",
    "Gap",
    "Integration",
    "InvalidCertificate",
    "Ledger",
    "ShamirSetup",
    "UserInfo",
    "Warned",
    "integrate",
]


class Integration(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an answer that was believed."""

    ledger: Ledger
    accepted: list[TopicCertificate]
    """To be stored behind what is stored already."""
    must_refetch: bool
    """The own profile came from or went to external user: empty the storage and ask again from
    nothing, because external users see other versions of the certificates. The ledger is empty."""
    warnings: list[Warned]


def integrate(ledger: Ledger, answer: CertificateGetOk) -> Integration:
    """Verify an answer (`client.md` 15.2). Raises InvalidCertificate; then nothing may be kept."""
    reading = _Reading(ledger)
    reading.group(Topic.SEQUESTER, answer.sequester_certificates, reading.sequester)
    reading.group(Topic.COMMON, answer.common_certificates, reading.common)
    reading.check_last_user_has_device(len(answer.common_certificates))
    for realm_id, signed_certificates in answer.realm_certificates.items():
        reading.realm_group(realm_id, signed_certificates)
    reading.group(
        Topic.SHAMIR_RECOVERY, answer.shamir_recovery_certificates, reading.shamir_recovery
    )
    reading.check_no_share_missing(len(answer.shamir_recovery_certificates))
    return _outcome(ledger, reading)


def _outcome(before: Ledger, reading: "_Reading") -> Integration:
    after = reading.ledger
    must_refetch = not before.is_empty and _sees_other_versions(
        before.self_profile, after.self_profile
    )
    if must_refetch:
        after = Ledger.empty(after.device_user_id, after.root_verify_key, after.initial_profile)
    return Integration(
        ledger=after,
        accepted=[] if must_refetch else reading.accepted,
        must_refetch=must_refetch,
        warnings=reading.warnings,
    )


def _sees_other_versions(before: UserProfile, after: UserProfile) -> bool:
    return (before is UserProfile.OUTSIDER) is not (after is UserProfile.OUTSIDER)


_Framed: TypeAlias = CommonCertificate | RealmCertificate | ShamirCertificate

C = TypeVar("C", bound=_Framed)


class _Reading:
    """One answer being read, certificate by certificate, into a copy of the ledger.

    The checks for every certificate (`client.md` 15.3) in their order, then those of its topic.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger._copy()
        self.accepted: list[TopicCertificate] = []
        self.warnings: list[Warned] = []
        self._nothing_before = ledger.is_empty
        self._topic: TopicID = Topic.SEQUESTER
        self._index = 0
        self._newcomer: UserID | None = None

    def group(
        self, topic: TopicID, signed_certificates: Iterable[bytes], accept: Callable[[bytes], None]
    ) -> None:
        """Accept one certificate after the other. Raises InvalidCertificate."""
        self._topic = topic
        for self._index, signed in enumerate(signed_certificates):
            try:
                accept(signed)
            except Unacceptable as refusal:
                raise InvalidCertificate(refusal.fault, topic, self._index) from refusal
            self.accepted.append(TopicCertificate(topic, signed))

    def realm_group(self, realm_id: VlobID, signed_certificates: list[bytes]) -> None:
        """The same for a realm. Raises InvalidCertificate."""
        if not signed_certificates:
            return
        known = self.ledger._realms.get(realm_id)
        realm = self.ledger._realms[realm_id] = known.copy() if known is not None else Realm()
        self.group(
            realm_id, signed_certificates, lambda signed: self._realm(realm_id, realm, signed)
        )

    def sequester(self, signed: bytes) -> None:
        accept_sequester(
            self.ledger._sequester,
            signed,
            root_verify_key=self.ledger.root_verify_key,
            nothing_else=self._nothing_before,
            warn=self._warn,
        )

    def common(self, signed: bytes) -> None:
        people = self.ledger._people
        certificate = _read(unverified_common_certificate, signed)
        author = self._verified_author(certificate, signed)
        authority = self.ledger._sequester.authority
        check_common(
            people,
            certificate,
            author,
            sequestered_on=authority.timestamp if authority is not None else None,
            warn=self._warn,
        )
        self._watch_newcomer(certificate)
        self._watch_recoveries(certificate)
        people.add(certificate)

    def _realm(self, realm_id: VlobID, realm: Realm, signed: bytes) -> None:
        """`client.md` 15.3, check 4, among the others."""
        certificate = _read(unverified_realm_certificate, signed)
        author = self._verified_author_device(certificate, signed)
        if certificate.realm_id != realm_id:
            raise Unacceptable(Fault.CORRUPTED)
        check_realm(realm, self.ledger._people, certificate, author, warn=self._warn)
        realm.add(certificate)

    def shamir_recovery(self, signed: bytes) -> None:
        recoveries = self.ledger._recoveries
        certificate = _read(unverified_shamir_certificate, signed)
        author = self._verified_author_device(certificate, signed)
        check_shamir(recoveries, self.ledger._people, certificate, author)
        recoveries.add(certificate)

    def check_no_share_missing(self, end: int) -> None:
        """Raises InvalidCertificate when the answer ends where our share should follow.

        `client.md` 15.6, pairing.
        """
        if self.ledger._recoveries.awaits_share:
            raise InvalidCertificate(Fault.SHAMIR_MISSING_SHARE, Topic.SHAMIR_RECOVERY, end)

    def check_last_user_has_device(self, end: int) -> None:
        """Warn when the answer ends where a first device should follow (`client.md` 15.8)."""
        if self._newcomer is not None:
            self.warnings.append(Warned(Gap.USER_WITHOUT_DEVICE, Topic.COMMON, end))

    def _verified_author(self, certificate: _Framed, signed: bytes) -> Author | None:
        """Who signed; None is the root key (`client.md` 15.3, checks 2, 3). Raises Unacceptable."""
        if certificate.author is None:
            _verify(self.ledger.root_verify_key, signed)
            return None
        return self._verified_author_device(certificate, signed)

    def _verified_author_device(self, certificate: _Framed, signed: bytes) -> Author:
        """`client.md` 15.3, checks 2 and 3, where only devices may sign. Raises Unacceptable."""
        assert certificate.author is not None
        author = self.ledger._people.author(certificate.author, certificate.timestamp)
        _verify(author.verify_key, signed)
        return author

    def _watch_newcomer(self, certificate: CommonCertificate) -> None:
        """`client.md` 15.8, user without device."""
        if self._newcomer is not None and not (
            isinstance(certificate, DeviceCertificate) and certificate.user_id == self._newcomer
        ):
            self._warn(Gap.USER_WITHOUT_DEVICE)
        is_user = isinstance(certificate, UserCertificate)
        self._newcomer = certificate.user_id if is_user else None

    def _watch_recoveries(self, certificate: CommonCertificate) -> None:
        """`client.md` 15.8, revocation against the shared recovery topic."""
        # The server does not order revocations against set-ups; only a dishonest one, or a rare
        # race, makes known after a set-up that somebody in it had been revoked before.
        if isinstance(certificate, RevokedUserCertificate):
            for setup in self.ledger._recoveries.setups.values():
                brief = setup.brief
                if brief.timestamp >= certificate.timestamp and certificate.user_id in (
                    brief.user_id,
                    *brief.per_recipient_shares,
                ):
                    self._warn(Gap.SETUP_AFTER_REVOCATION)

    def _warn(self, gap: Gap) -> None:
        self.warnings.append(Warned(gap, self._topic, self._index))


def _read(reader: Callable[[bytes], C], signed: bytes) -> C:
    """`client.md` 15.3, check 1. Raises Unacceptable."""
    try:
        return reader(signed)
    except (SignatureError, MalformedError) as error:
        raise Unacceptable(Fault.CORRUPTED) from error


def _verify(key: VerifyKey, signed: bytes) -> None:
    """`client.md` 15.3, check 3. Raises Unacceptable."""
    try:
        key.verify(signed)
    except SignatureError as error:
        raise Unacceptable(Fault.CORRUPTED) from error
