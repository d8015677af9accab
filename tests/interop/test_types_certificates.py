"""Certificates, between our types and the official ones."""

from collections.abc import Callable
from typing import Any

import hypothesis
import msgspec
import pytest
import zstandard
from hypothesis import given

from parsec.crypto.errors import CryptoError
from parsec.crypto.keys import SigningKey
from parsec.crypto.rsa import SequesterSigningKey
from parsec.data import certificates
from parsec.data.certificates import (
    AuthorityCertificate,
    Certificate,
    DeviceCertificate,
    RevokedUserCertificate,
    UserCertificate,
)
from parsec.data.ids import DeviceID, UserID
from parsec.data.instant import Instant
from parsec.wire.frame import dump_frame
from parsec.wire.msgpack import MalformedError, dump
from tests.interop.peer import Official
from tests.interop.pictures import picture
from tests.interop.twists import twists
from tests.interop.verdicts import ODD, disagreements, read
from tests.support.strategies import values

KINDS = [
    kind
    for kind in vars(certificates).values()
    if isinstance(kind, type)
    if issubclass(kind, Certificate) and kind is not Certificate
]
BY_AUTHORITY = [
    kind
    for kind in vars(certificates).values()
    if isinstance(kind, type)
    if issubclass(kind, AuthorityCertificate) and kind is not AuthorityCertificate
]
UNVERIFIED = [kind for kind in KINDS if "author" in kind.__struct_fields__]

KEY = SigningKey(bytes(range(32)))
SOMEBODY = DeviceID(bytes(16))

# Of an unknown field that is given twice, two readers could keep different ones: we refuse it.
OFFICIAL_ALONE = ODD | {"an unknown field twice"}

# Every run the same: what fails in one is to fail in the next.
some = hypothesis.settings(max_examples=50, derandomize=True, database=None)
few = hypothesis.settings(some, max_examples=5, phases=[hypothesis.Phase.generate])


@pytest.fixture(scope="module")
def authority(official_types: Official) -> tuple[str, bytes]:
    """The PEM of an authority's signing key, and the DER of its verify key."""
    signing_pem, _, _, verify_der = official_types.ask("new_sequester_signing_keys", 1024)
    return signing_pem, verify_der


@pytest.mark.parametrize("kind", KINDS)
def test_the_official_types_read_our_certificates(
    official_types: Official, kind: type[Certificate]
) -> None:
    @some
    @given(values(kind))
    def check(certificate: Certificate) -> None:
        seen = official_types.ask(*_verification(certificate, certificate.sign(KEY)))

        assert seen == picture(certificate)

    check()


@pytest.mark.parametrize("kind", KINDS)
def test_we_read_official_certificates(official_types: Official, kind: type[Certificate]) -> None:
    @some
    @given(values(kind))
    def check(certificate: Certificate) -> None:
        signed = official_types.ask("sign_certificate", picture(certificate), bytes(KEY))

        ours = kind.load_signed(signed, KEY.verify_key)

        # The official types always write the purpose that an old device certificate lacks.
        assert picture(ours) == picture(certificate)
        seen = official_types.ask(*_verification(certificate, ours.sign(KEY)))
        assert seen == picture(certificate)

    check()


@pytest.mark.parametrize("kind", UNVERIFIED)
def test_authors_are_found_before_verification_as_the_official_types_find_them(
    official_types: Official, kind: type[Certificate]
) -> None:
    @few
    @given(values(kind))
    def check(certificate: Certificate) -> None:
        signed = certificate.sign(KEY)

        seen = official_types.ask("load_unverified_certificate", kind.__name__, signed)

        assert seen[1]["author"] == picture(kind.load_unverified(signed))[1]["author"]

    check()


@pytest.mark.parametrize("kind", BY_AUTHORITY)
def test_the_official_types_read_our_certificates_of_an_authority(
    official_types: Official, kind: type[AuthorityCertificate], authority: tuple[str, bytes]
) -> None:
    signing_pem, verify_der = authority
    key = SequesterSigningKey.from_pem(signing_pem)

    @some
    @given(values(kind))
    def check(certificate: AuthorityCertificate) -> None:
        signed = certificate.sign(key)

        seen = official_types.ask("load_authority_certificate", kind.__name__, signed, verify_der)

        assert seen == picture(certificate)

    check()


@pytest.mark.parametrize("kind", BY_AUTHORITY)
def test_we_read_official_certificates_of_an_authority(
    official_types: Official, kind: type[AuthorityCertificate], authority: tuple[str, bytes]
) -> None:
    signing_pem, _ = authority
    key = SequesterSigningKey.from_pem(signing_pem).verify_key

    @some
    @given(values(kind))
    def check(certificate: AuthorityCertificate) -> None:
        signed = official_types.ask("sign_authority_certificate", picture(certificate), signing_pem)

        ours = kind.load_signed(signed, key)

        assert ours == certificate

    check()


@pytest.mark.parametrize("kind", KINDS)
def test_we_refuse_the_certificates_that_the_official_types_refuse(
    official_types: Official, kind: type[Certificate]
) -> None:
    @few
    @given(values(kind))
    def check(certificate: Certificate) -> None:
        changed = list(twists(dump(certificate)))
        signed = [KEY.sign(dump_frame(twisted.body)) for twisted in changed]

        answers = official_types.answers(_verification(certificate, each) for each in signed)

        ours = [read(kind.load_signed, each, KEY.verify_key) for each in signed]
        official = [answer.outcome if answer.accepted else None for answer in answers]
        cases = zip(changed, ours, official, strict=True)
        assert not list(disagreements(cases, official_alone=OFFICIAL_ALONE))

    check()


def _size_announced(content: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_content_size=True).compress(content)


def _frame(content: bytes, **options: Any) -> bytes:
    return zstandard.ZstdCompressor(write_content_size=False, **options).compress(content)


SKIPPED = b"\x50\x2a\x4d\x18" + (4).to_bytes(4, "little") + b"skip"
FRAMES: dict[str, Callable[[bytes], bytes]] = {
    "best level": lambda content: b"\0" + _frame(content, level=19),
    "checksum": lambda content: b"\0" + _frame(content, write_checksum=True),
    "size announced": lambda content: b"\0" + _size_announced(content),
    "two frames": lambda content: b"\0" + _frame(content[:20]) + _frame(content[20:]),
    "an empty frame after": lambda content: b"\0" + _frame(content) + _frame(b""),
    "a skipped frame after": lambda content: b"\0" + _frame(content) + SKIPPED,
    "a skipped frame before": lambda content: b"\0" + SKIPPED + _frame(content),
    "more content": lambda content: b"\0" + _frame(content + b"\xc0\xc1"),
    "bytes after": lambda content: b"\0" + _frame(content) + b"\0",
    "cut": lambda content: (b"\0" + _frame(content))[:-1],
    "less content": lambda content: b"\0" + _frame(content[:-1]),
    "no content": lambda _: b"\0" + _frame(b""),
    "no frame": lambda _: b"\0",
    "nothing": lambda _: b"",
    "not compressed": lambda content: b"\0" + content,
    "without format": lambda content: _frame(content),
    "another format": lambda content: b"\x01" + _frame(content),
    "the last format": lambda content: b"\xff" + _frame(content),
}


@pytest.mark.parametrize("frame", FRAMES)
def test_frames_are_accepted_and_refused_as_by_the_official_types(
    official_types: Official, frame: str
) -> None:
    certificate = RevokedUserCertificate(
        author=SOMEBODY,
        timestamp=Instant(0),
        user_id=UserID(bytes(16)),
    )
    signed = KEY.sign(FRAMES[frame](dump(certificate)))

    answer = official_types.answer(*_verification(certificate, signed))

    assert answer.accepted == (
        read(RevokedUserCertificate.load_signed, signed, KEY.verify_key) is not None
    ), answer


@given(values(UserCertificate), values(DeviceCertificate))
@some
def test_redacted_certificates_are_the_official_ones(
    official_types: Official, user: UserCertificate, device: DeviceCertificate
) -> None:
    redacted = [
        (user, msgspec.structs.replace(user, human_handle=None)),
        (device, msgspec.structs.replace(device, device_label=None)),
    ]

    answers = official_types.answers(
        ("is_redaction", picture(full), picture(short)) for full, short in redacted
    )

    assert [answer.value for answer in answers] == [True, True]


@pytest.mark.parametrize("kind", UNVERIFIED)
def test_another_author_than_expected_is_refused_by_both(
    official_types: Official, kind: type[Certificate]
) -> None:
    @few
    @given(values(kind))
    def check(certificate: Certificate) -> None:
        hypothesis.assume(_author(certificate) not in (None, SOMEBODY))
        signed = certificate.sign(KEY)
        expectations = {"expected_author": picture(SOMEBODY)}

        answer = official_types.answer(
            "load_certificate", kind.__name__, signed, bytes(KEY.verify_key), expectations
        )

        assert "Invalid author" in answer.error
        with pytest.raises(MalformedError):
            kind.load_signed(signed, KEY.verify_key).expect(author=SOMEBODY)

    check()


@pytest.mark.parametrize("kind", KINDS)
def test_a_certificate_that_was_touched_is_refused_by_both(
    official_types: Official, kind: type[Certificate]
) -> None:
    @few
    @given(values(kind))
    def check(certificate: Certificate) -> None:
        signed = bytearray(certificate.sign(KEY))
        signed[63] ^= 1

        answer = official_types.answer(*_verification(certificate, bytes(signed)))

        assert answer.error
        with pytest.raises(CryptoError):
            kind.load_signed(bytes(signed), KEY.verify_key)

    check()


def _verification(certificate: Certificate, signed: bytes) -> tuple[Any, ...]:
    """The job of verifying what its author signed."""
    name = type(certificate).__name__
    author = _author(certificate)
    expectations = {} if author is None else {"expected_author": picture(author)}
    return "load_certificate", name, signed, bytes(KEY.verify_key), expectations


def _author(certificate: Certificate) -> DeviceID | None:
    """Who signed it, None for the root key."""
    author: DeviceID | None = getattr(certificate, "author", None)
    return author
