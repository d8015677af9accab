"""Certificates, between our types and the official ones."""

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
import pytest
import zstandard

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
from parsec.data.record import MismatchError
from parsec.wire.frame import dump_frame
from parsec.wire.msgpack import dump
from tests.interop.examples import Examples, reachable
from tests.interop.peer import Job, Official
from tests.interop.pictures import picture
from tests.interop.twists import twists
from tests.interop.verdicts import ODD, disagreements, read

# Enough for every limit of every field.
EXAMPLES = 40
KEY = SigningKey(bytes(range(32)))
SOMEBODY = DeviceID(bytes(16))


def _kinds(base: type[Any]) -> list[Any]:
    everything = vars(certificates).values()
    return [
        kind
        for kind in everything
        if isinstance(kind, type) and issubclass(kind, base) and kind is not base
    ]


KINDS = _kinds(Certificate)
WITH_AUTHOR = [kind for kind in KINDS if "author" in kind.__struct_fields__]
BY_AUTHORITY = _kinds(AuthorityCertificate)


class Authority(NamedTuple):
    """A sequester authority, its keys as both sides take them."""

    key: SequesterSigningKey
    signing_pem: str
    verify_der: bytes


@pytest.fixture(scope="module")
def authority(official_types: Official) -> Authority:
    pem, _, _, verify_der = official_types.ask("new_sequester_signing_keys", 1024)
    return Authority(SequesterSigningKey.from_pem(pem), pem, verify_der)


@pytest.mark.parametrize("kind", KINDS)
def test_the_official_types_read_our_certificates(
    official_types: Official, kind: type[Certificate]
) -> None:
    source = Examples(1)
    drawn = source.many(kind, EXAMPLES)

    answers = official_types.answers(_verification(each, each.sign(KEY)) for each in drawn)

    assert [answer.value for answer in answers] == list(map(picture, drawn))
    assert reachable(kind) <= source.drawn


@pytest.mark.parametrize("kind", KINDS)
def test_we_read_official_certificates(official_types: Official, kind: type[Certificate]) -> None:
    drawn = Examples(2).many(kind, EXAMPLES)

    built = official_types.answers(
        ("sign_certificate", picture(each), bytes(KEY)) for each in drawn
    )

    ours = [kind.load_signed(answer.value, KEY.verify_key) for answer in built]
    # Pictures, because the official types always write the purpose that an old device lacks.
    assert list(map(picture, ours)) == list(map(picture, drawn))
    again = official_types.answers(_verification(each, each.sign(KEY)) for each in ours)
    assert [answer.value for answer in again] == list(map(picture, drawn))


@pytest.mark.parametrize("kind", WITH_AUTHOR)
def test_both_find_the_author_before_verification(
    official_types: Official, kind: type[Certificate]
) -> None:
    signed = [each.sign(KEY) for each in Examples(3).many(kind, 4)]

    answers = official_types.answers(
        ("load_unverified_certificate", kind.__name__, each) for each in signed
    )

    theirs = [answer.value[1]["author"] for answer in answers]
    assert theirs == [picture(_author(kind.load_unverified(each))) for each in signed]


@pytest.mark.parametrize("kind", BY_AUTHORITY)
def test_the_official_types_read_our_certificates_of_an_authority(
    official_types: Official, authority: Authority, kind: type[AuthorityCertificate]
) -> None:
    drawn = Examples(4).many(kind, EXAMPLES)

    answers = official_types.answers(
        (
            "load_authority_certificate",
            kind.__name__,
            each.sign(authority.key),
            authority.verify_der,
        )
        for each in drawn
    )

    assert [answer.value for answer in answers] == list(map(picture, drawn))


@pytest.mark.parametrize("kind", BY_AUTHORITY)
def test_we_read_official_certificates_of_an_authority(
    official_types: Official, authority: Authority, kind: type[AuthorityCertificate]
) -> None:
    drawn = Examples(5).many(kind, EXAMPLES)

    built = official_types.answers(
        ("sign_authority_certificate", picture(each), authority.signing_pem) for each in drawn
    )

    verify_key = authority.key.verify_key
    assert [kind.load_signed(answer.value, verify_key) for answer in built] == drawn


OFFICIAL_ALONE = ODD | {
    # Two readers could keep different ones: we refuse that.
    "an unknown field twice",
    # As if nil stood there, which everybody writes for the root key.
    "left out /author",
    "in capitals /author",
}


@pytest.mark.parametrize("kind", KINDS)
def test_we_refuse_the_certificates_that_the_official_types_refuse(
    official_types: Official, kind: type[Certificate]
) -> None:
    drawn = Examples(6).many(kind, 4)
    changed = [(each, twisted) for each in drawn for twisted in twists(dump(each))]
    signed = [KEY.sign(dump_frame(twisted.body)) for _, twisted in changed]

    answers = official_types.answers(
        _verification(each, content) for (each, _), content in zip(changed, signed, strict=True)
    )

    ours = [
        read(_verified, each, content) for (each, _), content in zip(changed, signed, strict=True)
    ]
    official = [answer.outcome if answer.accepted else None for answer in answers]
    cases = zip((twisted for _, twisted in changed), ours, official, strict=True)
    assert not list(disagreements(cases, official_alone=OFFICIAL_ALONE))


def _frame(content: bytes, **options: Any) -> bytes:
    return zstandard.ZstdCompressor(
        **{"write_content_size": False, **options}  # as official writers do
    ).compress(content)


SKIPPED = b"\x50\x2a\x4d\x18" + (4).to_bytes(4, "little") + b"skip"
FRAMES: dict[str, Callable[[bytes], bytes]] = {
    "best level": lambda content: b"\0" + _frame(content, level=19),
    "checksum": lambda content: b"\0" + _frame(content, write_checksum=True),
    "size announced": lambda content: b"\0" + _frame(content, write_content_size=True),
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
    "without format": _frame,
    "another format": lambda content: b"\x01" + _frame(content),
    "the last format": lambda content: b"\xff" + _frame(content),
}


@pytest.mark.parametrize("frame", FRAMES)
def test_frames_are_accepted_and_refused_as_by_the_official_types(
    official_types: Official, frame: str
) -> None:
    certificate = RevokedUserCertificate(
        author=SOMEBODY, timestamp=Instant(0), user_id=UserID(bytes(16))
    )
    signed = KEY.sign(FRAMES[frame](dump(certificate)))

    answer = official_types.answer(*_verification(certificate, signed))

    ours = read(RevokedUserCertificate.load_signed, signed, KEY.verify_key)
    assert ours == (answer.outcome if answer.accepted else None)


def test_redacted_certificates_are_the_official_ones(official_types: Official) -> None:
    users = Examples(7).many(UserCertificate, EXAMPLES)
    devices = Examples(8).many(DeviceCertificate, EXAMPLES)
    pairs: list[tuple[Certificate, Certificate]] = [
        *((user, msgspec.structs.replace(user, human_handle=None)) for user in users),
        *((device, msgspec.structs.replace(device, device_label=None)) for device in devices),
    ]

    answers = official_types.answers(
        ("is_redaction", picture(full), picture(redacted)) for full, redacted in pairs
    )

    assert all(answer.value for answer in answers)


@pytest.mark.parametrize("kind", WITH_AUTHOR)
def test_both_refuse_another_author_than_expected(
    official_types: Official, kind: type[Certificate]
) -> None:
    (certificate,) = Examples(9).many(kind, 1)
    signed = certificate.sign(KEY)
    expectations = {"expected_author": picture(SOMEBODY)}

    answer = official_types.answer(
        "load_certificate", kind.__name__, signed, bytes(KEY.verify_key), expectations
    )

    assert "Invalid author" in answer.error
    with pytest.raises(MismatchError):
        kind.load_signed(signed, KEY.verify_key).expect(author=SOMEBODY)


@pytest.mark.parametrize("kind", KINDS)
def test_both_refuse_a_certificate_whose_signature_was_touched(
    official_types: Official, kind: type[Certificate]
) -> None:
    (certificate,) = Examples(10).many(kind, 1)
    touched = bytearray(certificate.sign(KEY))
    touched[63] ^= 1

    answer = official_types.answer(*_verification(certificate, bytes(touched)))

    assert "signature" in answer.error
    with pytest.raises(CryptoError):
        kind.load_signed(bytes(touched), KEY.verify_key)


def _verification(certificate: Certificate, signed: bytes) -> Job:
    """The job of verifying what the author of a certificate signed."""
    author = _author(certificate)
    expectations = {} if author is None else {"expected_author": picture(author)}
    name = type(certificate).__name__
    return "load_certificate", name, signed, bytes(KEY.verify_key), expectations


def _verified(certificate: Certificate, signed: bytes) -> Certificate:
    """What we read in something that the author of a certificate is said to have signed."""
    seen = type(certificate).load_signed(signed, KEY.verify_key)
    author = _author(certificate)
    return seen if author is None else seen.expect(author=author)


def _author(certificate: Certificate) -> DeviceID | None:
    """Who signed it, None for the root key."""
    author: DeviceID | None = getattr(certificate, "author", None)
    return author
