"""Certificates: whose they are, what they allow, and which root they lead to."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from parsec.crypto.errors import CertificateChainError, CertificateError, KeyFormatError
from parsec.crypto.x509 import Certificate, RevocationList, verify_chain

START = datetime(2024, 1, 1, tzinfo=UTC)
END = datetime(2034, 1, 1, tzinfo=UTC)
NOW_US = int(datetime(2030, 6, 1, tzinfo=UTC).timestamp()) * 1_000_000
YEAR_US = 366 * 24 * 3600 * 1_000_000


class Party(NamedTuple):
    """A certificate and the key it is about."""

    x509: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def certificate(self) -> Certificate:
        return Certificate(self.x509.public_bytes(serialization.Encoding.DER))


def name(common_name: str | None, *emails: str) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example")]
    if common_name is not None:
        attributes.append(x509.NameAttribute(NameOID.COMMON_NAME, common_name))
    attributes.extend(x509.NameAttribute(NameOID.EMAIL_ADDRESS, email) for email in emails)
    return x509.Name(attributes)


def issue(
    subject: x509.Name,
    issuer: Party | None = None,
    *extensions: x509.ExtensionType,
    serial: int = 4711,
) -> Party:
    """A certificate signed by the issuer, or by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.x509.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(START)
        .not_valid_after(END)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return Party(builder.sign(issuer.key if issuer else key, hashes.SHA256()), key)


def authority(common_name: str, issuer: Party | None = None, *, path: int | None = None) -> Party:
    return issue(name(common_name), issuer, x509.BasicConstraints(ca=True, path_length=path))


def usage(*, sign: bool = False, wrap: bool = False, encrypt: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=sign,
        content_commitment=False,
        key_encipherment=wrap,
        data_encipherment=encrypt,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def revocation_list(issuer: Party, *serials: int, key: Party | None = None) -> RevocationList:
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.x509.subject)
        .last_update(START)
        .next_update(START + timedelta(days=30))
    )
    for serial in serials:
        revoked = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(START)
        builder = builder.add_revoked_certificate(revoked.build())
    crl = builder.sign((key or issuer).key, hashes.SHA256())
    return RevocationList(crl.public_bytes(serialization.Encoding.DER))


ROOT = authority("Root")
MIDDLE = authority("Middle", ROOT)
ALICE = issue(name("Alice"), MIDDLE)


def chain_of(
    leaf: Party, *intermediates: Party, root: Party = ROOT, at_us: int = NOW_US
) -> list[str | None]:
    """The names along the verified chain."""
    chain = verify_chain(
        leaf.certificate,
        intermediates=[each.certificate for each in intermediates],
        roots=[root.certificate],
        at_us=at_us,
    )
    return [certificate.common_name for certificate in chain]


@pytest.mark.parametrize("der", [b"", b"garbage", ALICE.certificate.der + b"\0"])
def test_what_is_no_certificate_is_refused(der: bytes) -> None:
    with pytest.raises(CertificateError):
        Certificate(der)


def test_a_certificate_loads_from_pem() -> None:
    pem = ALICE.x509.public_bytes(serialization.Encoding.PEM).decode()

    assert Certificate.from_pem(pem) == ALICE.certificate


def test_what_is_no_pem_is_refused() -> None:
    with pytest.raises(CertificateError):
        Certificate.from_pem("no PEM")


def test_subject_and_issuer_are_given_as_their_bytes() -> None:
    assert ALICE.certificate.der_subject == ALICE.x509.subject.public_bytes()
    assert ALICE.certificate.der_issuer == MIDDLE.x509.subject.public_bytes()


@pytest.mark.parametrize(("serial", "content"), [(1, "01"), (0x80, "0080"), (0x1234, "1234")])
def test_the_serial_number_is_given_as_its_bytes(serial: int, content: str) -> None:
    """The content of the DER integer, with the zero that keeps it positive."""
    assert issue(name("Alice"), serial=serial).certificate.serial.hex() == content


def test_the_time_of_validity_is_given_in_microseconds() -> None:
    certificate = ALICE.certificate

    assert certificate.valid_from_us == int(START.timestamp()) * 1_000_000
    assert certificate.valid_until_us == int(END.timestamp()) * 1_000_000


def test_alternative_names_come_before_the_subject() -> None:
    alternative = x509.SubjectAlternativeName(
        [x509.RFC822Name("A@example.com"), x509.DNSName("b.example.com")]
    )

    person = issue(name("Alice", "c@example.com", "d@example.com"), None, alternative)

    assert person.certificate.emails == ("A@example.com", "c@example.com", "d@example.com")


def test_a_certificate_may_name_nobody() -> None:
    nobody = issue(name(None))

    assert nobody.certificate.common_name is None
    assert nobody.certificate.emails == ()


def test_without_key_usage_everything_is_allowed() -> None:
    assert ALICE.certificate.may_sign
    assert ALICE.certificate.may_encrypt


@pytest.mark.parametrize(
    ("key_usage", "may_sign", "may_encrypt"),
    [
        (usage(sign=True), True, False),
        (usage(wrap=True), False, True),
        (usage(encrypt=True), False, True),
        (usage(), False, False),
    ],
)
def test_key_usage_limits_what_is_allowed(
    key_usage: x509.KeyUsage, may_sign: bool, may_encrypt: bool
) -> None:
    certificate = issue(name("Alice"), None, key_usage).certificate

    assert certificate.may_sign is may_sign
    assert certificate.may_encrypt is may_encrypt


def test_a_key_that_is_not_rsa_is_refused() -> None:
    with pytest.raises(KeyFormatError):
        _ = ALICE.certificate.public_key


def test_an_unreadable_extension_is_a_certificate_error() -> None:
    broken = x509.UnrecognizedExtension(ObjectIdentifier("2.5.29.17"), b"\xff")
    certificate = issue(name("Alice"), None, broken).certificate

    with pytest.raises(CertificateError):
        _ = certificate.emails


def test_a_chain_leads_to_its_root() -> None:
    assert chain_of(ALICE, MIDDLE) == ["Alice", "Middle", "Root"]


def test_the_order_of_intermediates_and_strangers_among_them_do_not_matter() -> None:
    stranger = authority("Stranger")
    lower = authority("Lower", MIDDLE)
    bob = issue(name("Bob"), lower)

    assert chain_of(bob, stranger, MIDDLE, lower, ROOT) == ["Bob", "Lower", "Middle", "Root"]


def test_a_missing_intermediate_breaks_the_chain() -> None:
    with pytest.raises(CertificateChainError):
        chain_of(ALICE)


def test_another_root_of_the_same_name_is_not_trusted() -> None:
    with pytest.raises(CertificateChainError):
        chain_of(ALICE, MIDDLE, root=authority("Root"))


def test_without_roots_nothing_is_trusted() -> None:
    with pytest.raises(CertificateChainError):
        verify_chain(ALICE.certificate, intermediates=[], roots=[], at_us=NOW_US)


@pytest.mark.parametrize("at_us", [NOW_US + 5 * YEAR_US, NOW_US - 10 * YEAR_US, 0, -1, 1 << 62])
def test_a_chain_holds_at_its_time_only(at_us: int) -> None:
    with pytest.raises(CertificateChainError):
        chain_of(ALICE, MIDDLE, at_us=at_us)


def test_a_person_signs_for_nobody_else() -> None:
    """Else every holder of a certificate could make one in another's name."""
    mallory = issue(name("Alice"), ALICE)

    with pytest.raises(CertificateChainError):
        chain_of(mallory, ALICE, MIDDLE)


@pytest.mark.parametrize(
    "constraints",
    [
        (x509.BasicConstraints(ca=False, path_length=None),),
        (x509.BasicConstraints(ca=True, path_length=None), usage(sign=True)),
    ],
)
def test_an_authority_must_be_allowed_to_sign(constraints: tuple[x509.ExtensionType, ...]) -> None:
    false_authority = issue(name("False"), ROOT, *constraints)

    with pytest.raises(CertificateChainError):
        chain_of(issue(name("Alice"), false_authority), false_authority)


def test_certificates_are_equal_when_their_bytes_are() -> None:
    same = Certificate(ALICE.certificate.der)

    assert {same, ALICE.certificate, MIDDLE.certificate} == {ALICE.certificate, MIDDLE.certificate}
    assert same != ALICE.certificate.der


def test_the_length_of_a_path_is_limited() -> None:
    last = authority("Last", ROOT, path=0)
    beyond = authority("Beyond", last)

    with pytest.raises(CertificateChainError):
        chain_of(issue(name("Alice"), beyond), beyond, last)


@pytest.mark.parametrize(
    ("purpose", "accepted"),
    [
        (ExtendedKeyUsageOID.CLIENT_AUTH, True),
        (ExtendedKeyUsageOID.SERVER_AUTH, False),
        (ExtendedKeyUsageOID.CODE_SIGNING, False),
        (ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE, False),
    ],
)
def test_a_stated_purpose_must_be_that_of_clients(
    purpose: ObjectIdentifier, accepted: bool
) -> None:
    leaf = issue(name("Alice"), ROOT, x509.ExtendedKeyUsage([purpose]))

    if accepted:
        assert chain_of(leaf) == ["Alice", "Root"]
        return
    with pytest.raises(CertificateChainError):
        chain_of(leaf)


def test_an_unreadable_extension_breaks_the_chain() -> None:
    broken = x509.UnrecognizedExtension(ObjectIdentifier("2.5.29.17"), b"\xff")

    with pytest.raises(CertificateChainError):
        chain_of(issue(name("Alice"), ROOT, broken))


def test_a_root_vouches_for_itself() -> None:
    assert chain_of(ROOT) == ["Root"]


@pytest.mark.parametrize("revoked", [ALICE, MIDDLE])
def test_a_revoked_certificate_breaks_the_chain(revoked: Party) -> None:
    issuer = MIDDLE if revoked is ALICE else ROOT

    with pytest.raises(CertificateChainError, match="revoked"):
        verify_chain(
            ALICE.certificate,
            intermediates=[MIDDLE.certificate],
            roots=[ROOT.certificate],
            at_us=NOW_US,
            revocations=[revocation_list(issuer, 4711)],
        )


@pytest.mark.parametrize(
    "harmless",
    [
        revocation_list(MIDDLE, 4712),
        revocation_list(MIDDLE, 4711, key=ALICE),
        revocation_list(authority("Stranger"), 4711),
    ],
    ids=["other serial", "forged", "other issuer"],
)
def test_other_lists_revoke_nothing(harmless: RevocationList) -> None:
    chain = verify_chain(
        ALICE.certificate,
        intermediates=[MIDDLE.certificate],
        roots=[ROOT.certificate],
        at_us=NOW_US,
        revocations=[harmless],
    )

    assert len(chain) == 3


def test_what_is_no_revocation_list_is_refused() -> None:
    with pytest.raises(CertificateError):
        RevocationList(b"garbage")


def test_revocation_list_whose_issuer_cannot_be_read_is_refused() -> None:
    """The library reads names late, and objects then."""
    plain = revocation_list(MIDDLE, 4711)._x509.public_bytes(serialization.Encoding.DER)
    damaged = RevocationList(plain.replace(b"Middle", b"\x88iddle"))

    with pytest.raises(CertificateError):
        damaged.revokes(ALICE.certificate, issuer=MIDDLE.certificate)


def test_name_that_is_no_text_is_refused() -> None:
    """A string of bits, at which the library fails in a way of its own."""
    plain = issue(name("Alice")).certificate
    odd = Certificate(plain.der.replace(b"\x0c\x05Alice", b"\x03\x05\0lice"))

    with pytest.raises(CertificateError):
        _ = odd.common_name
