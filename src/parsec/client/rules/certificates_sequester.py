"""What must hold for certificates of a sequester authority and its services (`client.md` 15.6)."""

from typing import Any, TypeAlias

from parsec.client.rules.certificates_common import Warn, check_newest
from parsec.client.rules.certificates_faults import Fault, Gap, Unacceptable
from parsec.crypto.errors import CryptoError
from parsec.crypto.keys import VerifyKey
from parsec.crypto.rsa import SequesterPublicKey, SequesterVerifyKey
from parsec.data.certificates import (
    SequesterAuthorityCertificate,
    SequesterRevokedServiceCertificate,
    SequesterServiceCertificate,
)
from parsec.data.ids import SequesterServiceID
from parsec.data.instant import Instant
from parsec.data.record import load_content
from parsec.wire.frame import load_frame
from parsec.wire.msgpack import MalformedError, Reader

_ByAuthority: TypeAlias = SequesterServiceCertificate | SequesterRevokedServiceCertificate

_BY_AUTHORITY: Reader[Any] = Reader(_ByAuthority)


class Sequester:
    """The authority and the services that are known so far."""

    def __init__(self) -> None:
        self.authority: SequesterAuthorityCertificate | None = None
        self.authority_key: SequesterVerifyKey | None = None
        self.services: dict[SequesterServiceID, SequesterServiceCertificate] = {}
        self.revoked: dict[SequesterServiceID, SequesterRevokedServiceCertificate] = {}
        self.last_timestamp: Instant | None = None

    def copy(self) -> "Sequester":
        """Another one, to which certificates can be added without changing this one."""
        other = Sequester()
        other.authority = self.authority
        other.authority_key = self.authority_key
        other.services = self.services.copy()
        other.revoked = self.revoked.copy()
        other.last_timestamp = self.last_timestamp
        return other

    def add_authority(self, authority: SequesterAuthorityCertificate) -> None:
        """Believe the first certificate of the topic. Raises CryptoError for a broken key."""
        self.authority_key = SequesterVerifyKey(authority.verify_key_der)
        self.authority = authority
        self.last_timestamp = authority.timestamp

    def add(self, certificate: _ByAuthority) -> None:
        """Believe any further certificate."""
        match certificate:
            case SequesterServiceCertificate():
                self.services[certificate.service_id] = certificate
            case SequesterRevokedServiceCertificate():
                self.revoked[certificate.service_id] = certificate
        self.last_timestamp = certificate.timestamp


def accept_sequester(
    sequester: Sequester,
    signed: bytes,
    *,
    root_verify_key: VerifyKey,
    nothing_else: bool,
    warn: Warn,
) -> None:
    """Verify, check and add, by the rules of `client.md` 15.6, sequester. Raises Unacceptable.

    `nothing_else`: no other topic holds anything.
    """
    try:
        if sequester.authority_key is None:
            authority = SequesterAuthorityCertificate.load_signed(signed, root_verify_key)
            if not nothing_else:
                raise Unacceptable(Fault.SEQUESTER_AUTHORITY_MUST_BE_FIRST)
            sequester.add_authority(authority)
            return
        certificate = _verified(sequester.authority_key, signed)
    except (CryptoError, MalformedError) as error:
        raise Unacceptable(Fault.CORRUPTED) from error
    _check(sequester, certificate, warn)
    sequester.add(certificate)


def restore_sequester(sequester: Sequester, signed: bytes) -> None:
    """Add a certificate that was accepted before. Raises CryptoError or MalformedError."""
    if sequester.authority_key is None:
        sequester.add_authority(SequesterAuthorityCertificate.load_unverified(signed))
    else:
        # The envelope says nothing without the key; and there are only a few of these.
        sequester.add(_verified(sequester.authority_key, signed))


def _verified(authority_key: SequesterVerifyKey, signed: bytes) -> _ByAuthority:
    certificate: _ByAuthority = load_content(
        _BY_AUTHORITY, load_frame(authority_key.verify(signed))
    )
    if isinstance(certificate, SequesterServiceCertificate):
        SequesterPublicKey(certificate.encryption_key_der)
    return certificate


def _check(sequester: Sequester, certificate: _ByAuthority, warn: Warn) -> None:
    """`client.md` 15.6, sequester, once the authority is known, and the gap of 15.8."""
    check_newest(certificate.timestamp, sequester.last_timestamp)
    match certificate:
        case SequesterServiceCertificate():
            if certificate.service_id in sequester.services:
                raise Unacceptable(Fault.CONTENT_ALREADY_EXISTS)
        case SequesterRevokedServiceCertificate():
            if certificate.service_id in sequester.revoked:
                raise Unacceptable(Fault.SEQUESTER_SERVICE_ALREADY_REVOKED)
            if certificate.service_id not in sequester.services:
                warn(Gap.UNKNOWN_SERVICE_REVOKED)
