"""RSA keys of sequester and PKI: which are taken, and what they refuse."""

import json
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from parsec.crypto.errors import (
    AlgorithmError,
    DataSizeError,
    DecryptionError,
    KeyFormatError,
    NonceError,
    SignatureError,
)
from parsec.crypto.rsa import (
    PKIPrivateKey,
    PKIPublicKey,
    SequesterPrivateKey,
    SequesterPublicKey,
    SequesterSigningKey,
    SequesterVerifyKey,
)

ENTROPY = Random(1).randbytes
VECTORS = Path(__file__).parent.parent / "vectors" / "client-pki.json"
PEM = next(
    vector["rsa_private_key_pem"]
    for vector in json.loads(VECTORS.read_text())["vectors"]
    if "rsa_private_key_pem" in vector
)
"""A private key of 2048 bits that the vectors brought; making one takes long."""

Plain = serialization.NoEncryption()
SMALL = rsa.generate_private_key(65537, 1024)


def raw_key() -> rsa.RSAPrivateKey:
    key = serialization.load_pem_private_key(PEM.encode(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


def private_der(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey,
    form: serialization.PrivateFormat = serialization.PrivateFormat.PKCS8,
) -> bytes:
    return key.private_bytes(serialization.Encoding.DER, form, Plain)


def test_what_is_encrypted_for_a_service_decrypts() -> None:
    private = SequesterPrivateKey.from_pem(PEM)

    ciphertext = private.public_key.encrypt(b"message", ENTROPY)

    assert ciphertext.startswith(b"RSAES-OAEP-SHA256-XSALSA20-POLY1305:")
    assert private.decrypt(ciphertext) == b"message"


def test_a_message_may_hold_colons() -> None:
    private = SequesterPrivateKey.from_pem(PEM)

    assert private.decrypt(private.public_key.encrypt(b":a:b:", ENTROPY)) == b":a:b:"


def test_what_an_authority_signs_verifies() -> None:
    signing_key = SequesterSigningKey.from_pem(PEM)

    signed = signing_key.sign(b"a:b")

    assert signed.startswith(b"RSASSA-PSS-SHA256:")
    assert signing_key.verify_key.verify(signed) == b"a:b"


def test_an_authority_signs_with_a_salt_of_32_bytes() -> None:
    """Verified with exactly that length, which PKI demands."""
    signed = SequesterSigningKey.from_pem(PEM).sign(b"content")
    signature = signed[len(b"RSASSA-PSS-SHA256:") :][:256]

    PKIPrivateKey.from_pem(PEM).public_key.verify_with_signature(signature, b"content")


def test_a_changed_content_is_refused() -> None:
    signing_key = SequesterSigningKey.from_pem(PEM)

    with pytest.raises(SignatureError):
        signing_key.verify_key.verify(signing_key.sign(b"content") + b"!")


@pytest.mark.parametrize(
    ("ciphertext", "error"),
    [
        (b"", DecryptionError),
        (b"RSAES-OAEP-SHA256-XSALSA20-POLY1305", DecryptionError),
        (b":", AlgorithmError),
        (b"RSASSA-PSS-SHA256:" + bytes(300), AlgorithmError),
        (b"RSAES-OAEP-SHA256-XSALSA20-POLY1305:" + bytes(255), DataSizeError),
        (b"RSAES-OAEP-SHA256-XSALSA20-POLY1305:" + bytes(256), DecryptionError),
    ],
)
def test_a_malformed_ciphertext_is_refused(ciphertext: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        SequesterPrivateKey.from_pem(PEM).decrypt(ciphertext)


def test_a_ciphertext_without_content_is_refused() -> None:
    private = SequesterPrivateKey.from_pem(PEM)
    ciphertext = private.public_key.encrypt(b"", ENTROPY)

    with pytest.raises(NonceError):
        private.decrypt(ciphertext[:-40])


def test_a_modulus_of_odd_size_has_a_block_of_whole_bytes() -> None:
    key = rsa.generate_private_key(65537, 1025)
    private = SequesterPrivateKey(private_der(key))

    assert private.decrypt(private.public_key.encrypt(b"message", ENTROPY)) == b"message"


@pytest.mark.parametrize(
    "form", [serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL]
)
def test_private_keys_load_in_both_forms(form: serialization.PrivateFormat) -> None:
    key = raw_key()
    pem = key.private_bytes(serialization.Encoding.PEM, form, Plain).decode()

    from_pem, from_der = (
        SequesterPrivateKey.from_pem(pem),
        SequesterPrivateKey(private_der(key, form)),
    )

    assert from_pem.public_key == from_der.public_key


def test_a_private_key_with_a_password_is_refused() -> None:
    encryption = serialization.BestAvailableEncryption(b"password")
    form = serialization.PrivateFormat.PKCS8

    with pytest.raises(KeyFormatError):
        SequesterPrivateKey(SMALL.private_bytes(serialization.Encoding.DER, form, encryption))
    with pytest.raises(KeyFormatError):
        SequesterPrivateKey.from_pem(
            SMALL.private_bytes(serialization.Encoding.PEM, form, encryption).decode()
        )


@pytest.mark.parametrize("pem", ["", "no PEM", "\udcff", "-----BEGIN PRIVATE KEY-----\n"])
@pytest.mark.parametrize("load", [SequesterPrivateKey.from_pem, SequesterPublicKey.from_pem])
def test_what_is_no_pem_is_refused(load: Callable[[str], object], pem: str) -> None:
    with pytest.raises(KeyFormatError):
        load(pem)


def test_public_keys_in_pkcs1_form_are_refused() -> None:
    form = serialization.PublicFormat.PKCS1
    public = SMALL.public_key()

    with pytest.raises(KeyFormatError):
        SequesterPublicKey(public.public_bytes(serialization.Encoding.DER, form))
    with pytest.raises(KeyFormatError):
        SequesterPublicKey.from_pem(public.public_bytes(serialization.Encoding.PEM, form).decode())


def test_keys_of_another_algorithm_are_refused() -> None:
    other = ec.generate_private_key(ec.SECP256R1())
    spki = serialization.PublicFormat.SubjectPublicKeyInfo

    with pytest.raises(KeyFormatError):
        SequesterPrivateKey(private_der(other))
    with pytest.raises(KeyFormatError):
        SequesterPublicKey(other.public_key().public_bytes(serialization.Encoding.DER, spki))


def test_bytes_after_a_public_key_are_refused() -> None:
    der = bytes(SequesterPrivateKey(private_der(SMALL)).public_key)

    with pytest.raises(KeyFormatError):
        SequesterPublicKey(der + b"\0")


def test_public_keys_are_equal_when_kind_and_bytes_are() -> None:
    der = bytes(SequesterPrivateKey.from_pem(PEM).public_key)

    assert SequesterPublicKey(der) == SequesterPublicKey(der)
    assert hash(SequesterPublicKey(der)) == hash(SequesterPublicKey(der))
    assert SequesterPublicKey(der) != SequesterVerifyKey(der)


def test_a_public_key_reads_back_from_pem() -> None:
    key = SequesterPrivateKey.from_pem(PEM).public_key

    assert SequesterPublicKey.from_pem(key.pem) == key


def test_keys_show_their_size_only() -> None:
    key = PKIPrivateKey.from_pem(PEM)

    assert repr(key) == str(key) == "<PKIPrivateKey of 2048 bits>"
    assert repr(key.public_key) == "<PKIPublicKey of 2048 bits>"


def test_a_key_wrapped_for_a_certificate_unwraps() -> None:
    private = PKIPrivateKey.from_pem(PEM)

    wrapped = private.public_key.encrypt(bytes(range(32)))

    assert len(wrapped) == 256
    assert private.decrypt(wrapped) == bytes(range(32))


def test_the_modulus_is_given_as_bytes() -> None:
    public = PKIPrivateKey.from_pem(PEM).public_key

    number = raw_key().public_key().public_numbers().n
    assert public.modulus == number.to_bytes(256, "big")
    assert public.block_size == 256


def test_a_message_beyond_one_block_is_refused() -> None:
    public = PKIPrivateKey.from_pem(PEM).public_key

    assert public.encrypt(bytes(190))
    with pytest.raises(DataSizeError):
        public.encrypt(bytes(191))


@pytest.mark.parametrize("size", [0, 255, 256, 257])
def test_a_wrong_rsa_block_is_refused(size: int) -> None:
    with pytest.raises(DecryptionError):
        PKIPrivateKey.from_pem(PEM).decrypt(bytes(size))


@pytest.mark.parametrize("salt_size", [0, 20, 31, 33, 222])
def test_a_pki_signature_with_another_salt_is_refused(salt_size: int) -> None:
    scheme = padding.PSS(padding.MGF1(hashes.SHA256()), salt_size)
    signature = raw_key().sign(b"message", scheme, hashes.SHA256())

    with pytest.raises(SignatureError):
        PKIPrivateKey.from_pem(PEM).public_key.verify_with_signature(signature, b"message")


def test_a_pki_signature_verifies() -> None:
    private = PKIPrivateKey.from_pem(PEM)

    signature = private.sign_only_signature(b"message")

    private.public_key.verify_with_signature(signature, b"message")
    with pytest.raises(SignatureError):
        private.public_key.verify_with_signature(signature, b"massage")


def test_small_keys_serve_tests_of_sequester_and_never_pki() -> None:
    der = private_der(SMALL)

    assert SequesterPrivateKey(der).bits == 1024
    with pytest.raises(KeyFormatError):
        PKIPrivateKey(der)
    with pytest.raises(KeyFormatError):
        PKIPublicKey(bytes(SequesterPrivateKey(der).public_key))
