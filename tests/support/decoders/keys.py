"""Targets: keys, ciphertexts, signatures, X.509 certificates and revocation lists."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from parsec.crypto.errors import CertificateError, CryptoError, KeyFormatError
from parsec.crypto.keys import PrivateKey, SecretKey, SigningKey
from parsec.crypto.rsa import (
    PKIPrivateKey,
    PKIPublicKey,
    SequesterPrivateKey,
    SequesterPublicKey,
    SequesterVerifyKey,
)
from parsec.crypto.x509 import Certificate, RevocationList, verify_chain
from tests.support.decoders import seeds
from tests.support.decoders.target import Form, Target

_AT_US = 1_700_000_000_000_000


def check_x509(der: bytes) -> None:
    """A certificate of a person: all that is asked of one, and its way to a root."""
    try:
        certificate = Certificate(der)
    except CertificateError:
        return
    assert Certificate(certificate.der) == certificate
    for ask in _QUESTIONS:
        try:
            ask(certificate)
        except (CertificateError, KeyFormatError):
            continue
    for leaf, roots in ((certificate, [_authority()]), (_authority(), [certificate])):
        try:
            chain = verify_chain(leaf, intermediates=[certificate], roots=roots, at_us=_AT_US)
        except CertificateError:
            continue
        assert chain[0] == leaf


_QUESTIONS: Sequence[Callable[[Certificate], object]] = (
    lambda it: it.common_name,
    lambda it: it.emails,
    lambda it: (it.valid_from_us, it.valid_until_us),
    lambda it: (it.serial, it.der_issuer, it.der_subject),
    lambda it: it.may_encrypt,
    lambda it: it.may_sign,
    lambda it: it.public_key,
    lambda it: (it.reference_hash, hash(it), repr(it)),
)


def check_revocation_lists(der: bytes) -> None:
    """A list of certificates that were taken back."""
    try:
        found = RevocationList(der)
    except CertificateError:
        return
    try:
        found.revokes(_authority(), issuer=_authority())
    except CertificateError:
        return


def check_pem(data: bytes) -> None:
    """Keys and certificates in their text form."""
    text = data.decode("utf-8", "replace")
    readers: Sequence[Callable[[str], Any]] = (
        Certificate.from_pem,
        SequesterPublicKey.from_pem,
        SequesterVerifyKey.from_pem,
        SequesterPrivateKey.from_pem,
        PKIPublicKey.from_pem,
    )
    for read in readers:
        try:
            read(text)
        except (CertificateError, KeyFormatError):
            continue


def check_rsa_keys(der: bytes) -> None:
    """RSA keys; a public one gives back the bytes that it was given."""
    for kind in (SequesterPublicKey, SequesterVerifyKey, PKIPublicKey):
        try:
            key = kind(der)
        except KeyFormatError:
            continue
        assert bytes(key) == der
        assert kind.from_pem(key.pem).bits == key.bits
    for private in (SequesterPrivateKey, PKIPrivateKey):
        try:
            private(der)
        except KeyFormatError:
            continue


def check_ciphertexts(data: bytes) -> None:
    """What claims to be encrypted for us, or signed by somebody."""
    secret, private, signing = SecretKey(bytes(32)), PrivateKey(bytes(32)), SigningKey(bytes(32))
    openers: Sequence[Callable[[bytes], object]] = (
        secret.decrypt,
        private.open,
        signing.verify_key.verify,
        lambda raw: signing.verify_key.verify_with_signature(raw[:64], raw[64:]),
        _service_key().decrypt,
        _authority_key().verify,
    )
    for opened in openers:
        try:
            opened(data)
        except CryptoError:
            continue


@cache
def _service_key() -> SequesterPrivateKey:
    key = rsa.generate_private_key(65537, 1024)
    return SequesterPrivateKey(_private_der(key))


@cache
def _authority_key() -> SequesterVerifyKey:
    return SequesterVerifyKey(bytes(_service_key().public_key))


@cache
def _authority_rsa() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@cache
def _authority() -> Certificate:
    return Certificate(_issued("Root").public_bytes(serialization.Encoding.DER))


def _issued(name: str) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Root")]))
        .public_key(_authority_rsa().public_key())
        .serial_number(7)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2040, 1, 1, tzinfo=UTC))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.RFC822Name("alice@example.com")]), critical=False
        )
        .sign(_authority_rsa(), hashes.SHA256())
    )


def _revocation_list() -> bytes:
    revoked = (
        x509.RevokedCertificateBuilder()
        .serial_number(7)
        .revocation_date(datetime(2021, 1, 1, tzinfo=UTC))
        .build()
    )
    return (
        x509.CertificateRevocationListBuilder()
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Root")]))
        .last_update(datetime(2021, 1, 1, tzinfo=UTC))
        .next_update(datetime(2022, 1, 1, tzinfo=UTC))
        .add_revoked_certificate(revoked)
        .sign(_authority_rsa(), hashes.SHA256())
        .public_bytes(serialization.Encoding.DER)
    )


def _private_der(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _certificates() -> list[bytes]:
    return [*seeds.from_base64("client-pki", "certificate_der_b64"), _authority().der]


def _pems() -> list[bytes]:
    certificate = _issued("Root").public_bytes(serialization.Encoding.PEM)
    return [certificate, _service_key().public_key.pem.encode()]


def _rsa_keys() -> list[bytes]:
    public = seeds.from_hex("crypto-pki", "public_key_der_hex")
    return [
        *public[:4],
        bytes(_authority_key()),
        _private_der(rsa.generate_private_key(65537, 1024)),
    ]


def _ciphertexts() -> list[bytes]:
    secret, private = SecretKey(bytes(32)), PrivateKey(bytes(32))
    return [
        secret.encrypt(b"text", bytes),
        private.public_key.seal(b"text"),
        SigningKey(bytes(32)).sign(b"text"),
        _service_key().public_key.encrypt(b"text", bytes),
    ]


TARGETS = (
    Target("x509", Form.BYTES, check_x509, _certificates),
    Target("revocation-lists", Form.BYTES, check_revocation_lists, lambda: [_revocation_list()]),
    Target("pem", Form.TEXT, check_pem, _pems),
    Target("rsa-keys", Form.BYTES, check_rsa_keys, _rsa_keys),
    Target("ciphertexts", Form.BYTES, check_ciphertexts, _ciphertexts),
)
