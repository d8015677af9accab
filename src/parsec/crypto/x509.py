"""X.509 certificates of people: read one, tell whose it is, follow it to a trusted root."""

import base64
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Self, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from parsec.crypto.errors import CertificateChainError, CertificateError
from parsec.crypto.rsa import PKIPublicKey

T = TypeVar("T")
_E = TypeVar("_E", bound=x509.ExtensionType)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Certificate:
    """A certificate that has been read and not been verified; equal if the bytes are."""

    __slots__ = ("_x509", "der")

    def __init__(self, der: bytes) -> None:
        """Raises CertificateError, also for bytes after the certificate."""
        self._x509 = _readable(lambda: x509.load_der_x509_certificate(der))
        self.der = der

    @classmethod
    def from_pem(cls, pem: str) -> Self:
        """Raises CertificateError."""
        parsed = _readable(lambda: x509.load_pem_x509_certificate(pem.encode()))
        return cls(parsed.public_bytes(serialization.Encoding.DER))

    @property
    def reference_hash(self) -> str:
        """How the protocol names a certificate (docs/protocol/cryptography.md, PKI)."""
        return "sha256-" + base64.b64encode(hashlib.sha256(self.der).digest()).decode()

    @property
    def common_name(self) -> str | None:
        """The subject's common name.

        Raises CertificateError.
        """
        return next(iter(self._subject_texts(NameOID.COMMON_NAME)), None)

    @property
    def emails(self) -> tuple[str, ...]:
        """The e-mail addresses as written: alternative names first, then the subject's.

        Raises CertificateError.
        """
        names = self._extension(x509.SubjectAlternativeName)
        alternative = names.get_values_for_type(x509.RFC822Name) if names else []
        return (*alternative, *self._subject_texts(NameOID.EMAIL_ADDRESS))

    @property
    def valid_from_us(self) -> int:
        """Microseconds since 1970."""
        return _microseconds(_readable(lambda: self._x509.not_valid_before_utc))

    @property
    def valid_until_us(self) -> int:
        """Microseconds since 1970."""
        return _microseconds(_readable(lambda: self._x509.not_valid_after_utc))

    @property
    def serial(self) -> bytes:
        """The content bytes of the serial number."""
        return _content(_tbs_fields(self.der)[_SERIAL])

    @property
    def der_issuer(self) -> bytes:
        return _tbs_fields(self.der)[_ISSUER]

    @property
    def der_subject(self) -> bytes:
        return _tbs_fields(self.der)[_SUBJECT]

    @property
    def may_encrypt(self) -> bool:
        """Whether its key usage, if it states one, allows to encrypt for its holder.

        Raises CertificateError.
        """
        usage = self._extension(x509.KeyUsage)
        return usage is None or usage.key_encipherment or usage.data_encipherment

    @property
    def may_sign(self) -> bool:
        """Whether its key usage, if it states one, allows its holder to sign.

        Raises CertificateError.
        """
        usage = self._extension(x509.KeyUsage)
        return usage is None or usage.digital_signature

    @property
    def public_key(self) -> PKIPublicKey:
        """Raises KeyFormatError: not RSA, or of another size than the protocol allows."""
        info = serialization.PublicFormat.SubjectPublicKeyInfo
        key = _readable(self._x509.public_key)
        return PKIPublicKey(key.public_bytes(serialization.Encoding.DER, info))

    def __eq__(self, other: object) -> bool:
        return self.der == other.der if isinstance(other, Certificate) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.der)

    def __repr__(self) -> str:
        return f"<Certificate {self.reference_hash}>"

    def _extension(self, kind: type[_E]) -> _E | None:
        try:
            return _readable(lambda: self._x509.extensions).get_extension_for_class(kind).value
        except x509.ExtensionNotFound:
            return None

    def _subject_texts(self, oid: x509.ObjectIdentifier) -> list[str]:
        subject = _readable(lambda: self._x509.subject)
        values = (attribute.value for attribute in subject.get_attributes_for_oid(oid))
        return [value for value in values if isinstance(value, str)]


class RevocationList:
    """A list by which an issuer takes certificates back, not yet verified."""

    __slots__ = ("_x509",)

    def __init__(self, der: bytes) -> None:
        """Raises CertificateError."""
        self._x509 = _readable(lambda: x509.load_der_x509_crl(der))

    def revokes(self, certificate: Certificate, *, issuer: Certificate) -> bool:
        """Whether the certificate's issuer truly takes it back.

        An outdated list still counts: what was revoked stays so. Raises CertificateError.
        """
        # The library reads most of a list when it is asked, and objects only then.
        return _readable(lambda: self._revokes(certificate._x509, issuer._x509))

    def _revokes(self, certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
        crl = self._x509
        if crl.issuer != certificate.issuer:
            return False
        if crl.get_revoked_certificate_by_serial_number(certificate.serial_number) is None:
            return False
        return crl.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]


def verify_chain(
    leaf: Certificate,
    *,
    intermediates: Iterable[Certificate],
    roots: Iterable[Certificate],
    at_us: int,
    revocations: Sequence[RevocationList] = (),
) -> tuple[Certificate, ...]:
    """The chain from leaf to root, for a person's certificate at an instant.

    The intermediates are hints by anybody, the roots are what is trusted: of a peer's certificate,
    the root of one's own. Raises CertificateChainError, or CertificateError for a list of revoked
    ones that cannot be read.
    """
    try:
        verified = _verifier(roots, at_us).verify(
            leaf._x509, [each._x509 for each in intermediates]
        )
    except (verification.VerificationError, ValueError, OverflowError) as error:
        # Besides its own error: no root at all, an unreadable extension, an instant past year 9999.
        raise CertificateChainError(f"{leaf!r} does not lead to a trusted root") from error
    chain = tuple(
        Certificate(each.public_bytes(serialization.Encoding.DER)) for each in verified.chain
    )
    _check_revocations(chain, revocations)
    return chain


def _verifier(roots: Iterable[Certificate], at_us: int) -> verification.ClientVerifier:
    return (
        verification.PolicyBuilder()
        .store(verification.Store([root._x509 for root in roots]))
        .time(_EPOCH + timedelta(microseconds=at_us))
        .extension_policies(ca_policy=_authority_policy(), ee_policy=_person_policy())
        .build_client_verifier()
    )


def _check_revocations(chain: Sequence[Certificate], revocations: Sequence[RevocationList]) -> None:
    for certificate, issuer in pairwise(chain):
        if any(each.revokes(certificate, issuer=issuer) for each in revocations):
            raise CertificateChainError(f"{certificate!r} has been revoked")


def _authority_policy() -> verification.ExtensionPolicy:
    """What the certificates of authorities must have: being one, and being allowed to sign."""
    return (
        verification.ExtensionPolicy.permit_all()
        .require_present(x509.BasicConstraints, verification.Criticality.AGNOSTIC, _is_authority)
        .may_be_present(x509.KeyUsage, verification.Criticality.AGNOSTIC, _signs_certificates)
        .may_be_present(x509.ExtendedKeyUsage, verification.Criticality.AGNOSTIC, _serves_clients)
    )


def _person_policy() -> verification.ExtensionPolicy:
    """What a person's certificate must have; unlike one of a web site, no alternative name."""
    return verification.ExtensionPolicy.permit_all().may_be_present(
        x509.ExtendedKeyUsage, verification.Criticality.AGNOSTIC, _serves_clients
    )


def _is_authority(
    _policy: verification.Policy, _certificate: x509.Certificate, constraints: x509.BasicConstraints
) -> None:
    # Today's releases of the library find this first, without promising it.
    if not constraints.ca:  # pragma: no cover
        raise ValueError("not the certificate of an authority")


def _signs_certificates(
    _policy: verification.Policy, _certificate: x509.Certificate, usage: x509.KeyUsage | None
) -> None:
    if usage is not None and not usage.key_cert_sign:
        raise ValueError("a key that must not sign certificates")


def _serves_clients(
    _policy: verification.Policy,
    _certificate: x509.Certificate,
    usages: x509.ExtendedKeyUsage | None,
) -> None:
    if usages is not None and ExtendedKeyUsageOID.CLIENT_AUTH not in usages:
        raise ValueError("not a certificate of a client")


def _microseconds(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(microseconds=1)


def _readable(read: Callable[[], T]) -> T:
    try:
        return read()
    except (
        ValueError,
        TypeError,  # of a bit string where a name should be a text
        UnsupportedAlgorithm,
        x509.InvalidVersion,
        x509.DuplicateExtension,
        x509.UnsupportedGeneralNameType,
    ) as error:
        raise CertificateError("not a readable X.509 certificate") from error


# The first fields of a TBSCertificate (RFC 5280, section 4.1), its optional version left out. The
# library decodes names and numbers; the protocol wants their bytes as they stand.
_SERIAL, _ISSUER, _SUBJECT = 0, 2, 4
_VERSION_TAG = 0xA0


def _tbs_fields(certificate: bytes) -> list[bytes]:
    to_be_signed = next(_elements(_content(certificate)))
    fields = list(_elements(_content(to_be_signed)))
    return fields[1:] if fields[0][0] == _VERSION_TAG else fields


def _elements(content: bytes) -> Iterator[bytes]:
    while content:
        size = sum(_header(content))
        yield content[:size]
        content = content[size:]


def _content(element: bytes) -> bytes:
    header_size, content_size = _header(element)
    return element[header_size : header_size + content_size]


def _header(element: bytes) -> tuple[int, int]:
    """Sizes of the header and of the content of DER that the library has accepted (X.690, 8.1)."""
    first = element[1]
    if first < 0x80:
        return 2, first
    count = first & 0x7F
    return 2 + count, int.from_bytes(element[2 : 2 + count], "big")
