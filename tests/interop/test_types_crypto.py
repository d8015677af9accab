"""What one side signed, sealed or encrypted, the other one verifies and opens.

The official module exposes neither Argon2id nor the greeting's codes nor secret sharing: those are
held to vectors, and to the official programs in the stories.
"""

import json
from typing import NamedTuple

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from parsec.crypto.errors import CryptoError, PassphraseError
from parsec.crypto.keys import HashDigest, PrivateKey, SecretKey, SigningKey, VerifyKey
from parsec.crypto.passphrase import parse_recovery_passphrase, recovery_passphrase
from parsec.crypto.rsa import (
    SequesterPrivateKey,
    SequesterPublicKey,
    SequesterSigningKey,
    SequesterVerifyKey,
)
from tests.interop.examples import BINARIES, VECTORS, Examples
from tests.interop.peer import Official

MESSAGES = BINARIES
KEYS = 16


def test_signatures_are_the_same(official_types: Official) -> None:
    keys = Examples(1).many(SigningKey, KEYS)

    for key in keys:
        assert official_types.ask("verify_key_of", bytes(key)) == bytes(key.verify_key)
        answers = official_types.answers(("sign", bytes(key), message) for message in MESSAGES)
        assert [answer.value for answer in answers] == [
            (key.sign(message), key.sign_only_signature(message)) for message in MESSAGES
        ]


# The identity, and points of order 2, 4 and 8 (RFC 7748 and RFC 8032 curves, compressed).
SMALL_ORDER = [
    bytes(32),
    b"\x01" + bytes(31),
    b"\xec" + b"\xff" * 30 + b"\x7f",
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
]


def test_both_refuse_the_same_signatures(official_types: Official) -> None:
    key = Examples(2).of(SigningKey)
    signed = key.sign(b"message")
    touched = [signed[:at] + bytes([signed[at] ^ 1]) + signed[at + 1 :] for at in range(71)]
    # S + L, the same signature in a form that is not reduced.
    order = 2**252 + 27742317777372353535851937790883648493
    s = int.from_bytes(signed[32:64], "little") + order
    unreduced = signed[:32] + s.to_bytes(32, "little") + signed[64:]
    own = [*touched, unreduced, *(signed[:size] for size in (0, 63, 64, 70))]
    cases = [(bytes(key.verify_key), text) for text in own]
    cases += [(weak, weak + bytes(32) + b"message") for weak in SMALL_ORDER]

    answers = official_types.answers(("verify", *case) for case in cases)

    assert not any(answer.accepted for answer in answers)
    for verify_key, text in cases:
        with pytest.raises(CryptoError):
            VerifyKey(verify_key).verify(text)


def test_secret_keys_open_what_the_other_side_encrypted(official_types: Official) -> None:
    source = Examples(3)
    for key in source.many(SecretKey, KEYS):
        ours = [key.encrypt(message, source.bytes) for message in MESSAGES]

        opened = official_types.answers(("decrypt", bytes(key), text) for text in ours)
        theirs = official_types.answers(("encrypt", bytes(key), message) for message in MESSAGES)

        assert [answer.value for answer in opened] == list(MESSAGES)
        assert [key.decrypt(answer.value) for answer in theirs] == list(MESSAGES)


def test_both_refuse_the_same_ciphertexts(official_types: Official) -> None:
    source = Examples(4)
    key = source.of(SecretKey)
    text = key.encrypt(b"message", source.bytes)
    changed = [text[:at] + bytes([text[at] ^ 1]) + text[at + 1 :] for at in range(len(text))]
    changed += [text[:size] for size in range(len(text))]

    answers = official_types.answers(("decrypt", bytes(key), each) for each in changed)

    assert not any(answer.accepted for answer in answers)
    for each in changed:
        with pytest.raises(CryptoError):
            key.decrypt(each)


def test_sealed_boxes_open_on_the_other_side(official_types: Official) -> None:
    for key in Examples(5).many(PrivateKey, KEYS):
        public = bytes(key.public_key)
        ours = [key.public_key.seal(message) for message in MESSAGES]

        opened = official_types.answers(("open_sealed", bytes(key), box) for box in ours)
        theirs = official_types.answers(("seal", public, message) for message in MESSAGES)

        assert official_types.ask("public_key_of", bytes(key)) == public
        assert [answer.value for answer in opened] == list(MESSAGES)
        assert [key.open(answer.value) for answer in theirs] == list(MESSAGES)


def test_both_refuse_the_same_sealed_boxes(official_types: Official) -> None:
    key = Examples(6).of(PrivateKey)
    box = key.public_key.seal(b"message")
    changed = [box[:at] + bytes([box[at] ^ 1]) + box[at + 1 :] for at in range(len(box))]
    changed += [box[:size] for size in range(len(box))]
    changed += [weak + box[32:] for weak in SMALL_ORDER[:2]]

    answers = official_types.answers(("open_sealed", bytes(key), each) for each in changed)

    for each, answer in zip(changed, answers, strict=True):
        assert not answer.accepted
        with pytest.raises(CryptoError):
            key.open(each)


def test_digests_and_authentication_codes_are_the_same(official_types: Official) -> None:
    key = Examples(7).of(SecretKey)

    for message in MESSAGES:
        assert official_types.ask("digest", message) == bytes(HashDigest.of(message))
        assert official_types.ask("mac_512", bytes(key), message) == key.mac_512(message)


def test_recovery_passphrases_are_read_by_the_other_side(official_types: Official) -> None:
    keys = Examples(8).many(SecretKey, KEYS)

    read = official_types.answers(("load_passphrase", recovery_passphrase(key)) for key in keys)
    passphrase, raw = official_types.ask("new_passphrase")

    assert [answer.value for answer in read] == list(map(bytes, keys))
    assert bytes(parse_recovery_passphrase(passphrase)) == raw
    assert recovery_passphrase(SecretKey(raw)) == passphrase


def test_passphrases_as_people_type_them_are_read_as_by_the_official_types(
    official_types: Official,
) -> None:
    good = recovery_passphrase(Examples(9).of(SecretKey))
    nasty = ("", "-", " ", "\n", "=", "0", "1", "8", "9", "o", "i", "a", "é", "ı", "ſ", "\0", "AB")
    texts = [
        variant
        for at in range(len(good) + 1)
        for put in nasty
        for variant in (good[:at] + put + good[at:], good[:at] + put + good[at + 1 :])
    ]
    texts += [good.lower(), good.replace("-", ""), good[:-1], good[: len(good) // 2], good * 2]

    answers = official_types.answers(("load_passphrase", text) for text in texts)

    theirs = [answer.outcome if answer.accepted else None for answer in answers]
    assert [_passphrase(text) for text in texts] == theirs


def _passphrase(text: str) -> bytes | None:
    try:
        return bytes(parse_recovery_passphrase(text))
    except PassphraseError:
        return None


class Sequester(NamedTuple):
    """Keys of an authority and a service: PEM of the private ones, DER of the public ones."""

    signing: str
    verify: bytes
    private: str
    public: bytes


@pytest.fixture(scope="module", params=[1024, 2048])
def sequester(official_types: Official, request: pytest.FixtureRequest) -> Sequester:
    signing, _, _, verify = official_types.ask("new_sequester_signing_keys", request.param)
    private, _, _, public = official_types.ask("new_sequester_encryption_keys", request.param)
    return Sequester(signing, verify, private, public)


def test_sequester_services_open_what_the_other_side_encrypted(
    official_types: Official, sequester: Sequester
) -> None:
    source = Examples(10)
    private = SequesterPrivateKey.from_pem(sequester.private)
    public = SequesterPublicKey(sequester.public)
    assert private.public_key == public

    ours = [public.encrypt(message, source.bytes) for message in MESSAGES]
    opened = official_types.answers(("sequester_decrypt", sequester.private, text) for text in ours)
    theirs = official_types.answers(
        ("sequester_encrypt", sequester.public, message) for message in MESSAGES
    )

    assert [answer.value for answer in opened] == list(MESSAGES)
    assert [private.decrypt(answer.value) for answer in theirs] == list(MESSAGES)


def test_sequester_authorities_are_verified_by_the_other_side(
    official_types: Official, sequester: Sequester
) -> None:
    signing = SequesterSigningKey.from_pem(sequester.signing)
    verify = SequesterVerifyKey(sequester.verify)
    assert signing.verify_key == verify

    ours = [signing.sign(message) for message in MESSAGES]
    verified = official_types.answers(("sequester_verify", sequester.verify, text) for text in ours)
    theirs = official_types.answers(
        ("sequester_sign", sequester.signing, message) for message in MESSAGES
    )

    assert [answer.value for answer in verified] == list(MESSAGES)
    assert [verify.verify(answer.value) for answer in theirs] == list(MESSAGES)


def test_both_refuse_the_same_sequester_texts(
    official_types: Official, sequester: Sequester
) -> None:
    private = SequesterPrivateKey.from_pem(sequester.private)
    verify = SequesterVerifyKey(sequester.verify)
    encrypted = private.public_key.encrypt(b"message", Examples(11).bytes)
    signed = SequesterSigningKey.from_pem(sequester.signing).sign(b"message")
    ciphertexts, signatures = _changed(encrypted), _changed(signed)

    answers = official_types.answers(
        [
            *(("sequester_decrypt", sequester.private, text) for text in ciphertexts),
            *(("sequester_verify", sequester.verify, text) for text in signatures),
        ]
    )

    assert not any(answer.accepted for answer in answers)
    for text in ciphertexts:
        with pytest.raises(CryptoError):
            private.decrypt(text)
    for text in signatures:
        with pytest.raises(CryptoError):
            verify.verify(text)


def _changed(text: bytes) -> list[bytes]:
    """Cut and touched, every few bytes."""
    places = range(0, len(text), 7)
    touched = [text[:at] + bytes([text[at] ^ 1]) + text[at + 1 :] for at in places]
    return [*touched, *(text[:at] for at in places), text[1:], b":" + text, text.lower()]


_PKI_VECTORS = json.loads((VECTORS / "crypto-pki.json").read_text(encoding="utf-8"))["vectors"]
KEY_2048 = serialization.load_pem_private_key(
    next(vector["private_pem"] for vector in _PKI_VECTORS if "private_pem" in vector).encode(),
    password=None,
)
PLAIN = serialization.NoEncryption()
PEM = serialization.Encoding.PEM
# Not one with a password: the official types would ask the terminal for it.
PRIVATE_PEMS = {
    "pkcs8": KEY_2048.private_bytes(PEM, serialization.PrivateFormat.PKCS8, PLAIN),
    "pkcs1": KEY_2048.private_bytes(PEM, serialization.PrivateFormat.TraditionalOpenSSL, PLAIN),
    "ed25519": ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)).private_bytes(
        PEM, serialization.PrivateFormat.PKCS8, PLAIN
    ),
    "public": KEY_2048.public_key().public_bytes(
        PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ),
    "nothing": b"",
}
PUBLIC_PEMS = {
    "spki": PRIVATE_PEMS["public"],
    "pkcs1": KEY_2048.public_key().public_bytes(PEM, serialization.PublicFormat.PKCS1),
    "ed25519": ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))
    .public_key()
    .public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
    "private": PRIVATE_PEMS["pkcs8"],
    "nothing": b"",
}


@pytest.mark.parametrize("kind", [SequesterSigningKey, SequesterPrivateKey])
@pytest.mark.parametrize("form", PRIVATE_PEMS)
def test_private_sequester_keys_are_read_from_the_same_files(
    official_types: Official,
    kind: type[SequesterSigningKey | SequesterPrivateKey],
    form: str,
) -> None:
    pem = PRIVATE_PEMS[form].decode()

    answer = official_types.answer("load_sequester_key", f"{kind.__name__}Der", pem)

    assert answer.accepted == _is_read(kind, pem)


@pytest.mark.parametrize("kind", [SequesterVerifyKey, SequesterPublicKey])
@pytest.mark.parametrize("form", PUBLIC_PEMS)
def test_public_sequester_keys_are_read_from_the_same_files(
    official_types: Official,
    kind: type[SequesterVerifyKey | SequesterPublicKey],
    form: str,
) -> None:
    pem = PUBLIC_PEMS[form].decode()

    answer = official_types.answer("load_sequester_key", f"{kind.__name__}Der", pem)

    assert answer.accepted == _is_read(kind, pem)
    if answer.accepted:
        key = kind.from_pem(pem)
        assert answer.value == (bytes(key), key.pem)


def _is_read(
    kind: type[SequesterSigningKey | SequesterPrivateKey | SequesterVerifyKey | SequesterPublicKey],
    pem: str,
) -> bool:
    try:
        kind.from_pem(pem)
    except CryptoError:
        return False
    return True
