"""Signed statements. Known ones are in tests/vectors/data-certificates*."""

import base64
import json
from pathlib import Path

import msgspec
import pytest

from parsec.crypto.errors import CryptoError, SignatureError
from parsec.crypto.keys import PublicKey, SigningKey, VerifyKey
from parsec.crypto.rsa import SequesterSigningKey
from parsec.data.certificates import (
    DeviceCertificate,
    DevicePurpose,
    RealmRole,
    RealmRoleCertificate,
    RevokedUserCertificate,
    SequesterAuthorityCertificate,
    SequesterRevokedServiceCertificate,
    SequesterServiceCertificate,
    ShamirRecoveryBriefCertificate,
    ShamirRecoveryDeletionCertificate,
    UserCertificate,
    load_by_authority,
    unverified_common_certificate,
    unverified_realm_certificate,
    unverified_shamir_certificate,
)
from parsec.data.ids import DeviceID, SequesterServiceID, UserID, VlobID
from parsec.data.instant import Instant
from parsec.data.people import DeviceLabel, HumanHandle, UserProfile
from parsec.wire.msgpack import MalformedError

_DOCUMENT = json.loads(
    (Path(__file__).parent.parent / "vectors" / "data-certificates.json").read_text()
)
AUTHORITY_KEY = SequesterSigningKey(
    base64.b64decode(_DOCUMENT["keys"]["sequester"]["authority_signing_pkcs8_der_b64"])
)
KEY = SigningKey(bytes(32))
AUTHOR = DeviceID(bytes(16))
USER = UserID(bytes(15) + b"\x01")
OTHER_USER = UserID(bytes(15) + b"\x02")
NOW = Instant(0)

REVOCATION = RevokedUserCertificate(author=AUTHOR, timestamp=NOW, user_id=USER)
ROLE = RealmRoleCertificate(
    author=AUTHOR, timestamp=NOW, realm_id=VlobID(bytes(16)), user_id=USER, role=RealmRole.OWNER
)
DELETION = ShamirRecoveryDeletionCertificate(
    author=AUTHOR,
    timestamp=NOW,
    setup_to_delete_timestamp=NOW,
    setup_to_delete_user_id=USER,
    share_recipients=frozenset(),
)
BRIEF = ShamirRecoveryBriefCertificate(
    author=AUTHOR, timestamp=NOW, user_id=USER, threshold=3, per_recipient_shares={OTHER_USER: 3}
)
DEVICE = DeviceCertificate(
    author=None,
    timestamp=NOW,
    user_id=USER,
    device_id=AUTHOR,
    device_label=None,
    verify_key=KEY.verify_key,
)
SERVICE = SequesterServiceCertificate(
    timestamp=NOW,
    service_id=SequesterServiceID(bytes(16)),
    service_label="archive",
    encryption_key_der=bytes(AUTHORITY_KEY.verify_key),
)
SERVICE_REVOCATION = SequesterRevokedServiceCertificate(
    timestamp=NOW, service_id=SequesterServiceID(bytes(16))
)


def test_a_signed_certificate_loads_with_the_key_of_its_author() -> None:
    assert RevokedUserCertificate.load_signed(REVOCATION.sign(KEY), KEY.verify_key) == REVOCATION


def test_a_certificate_signed_by_somebody_else_is_not_believed() -> None:
    signed = REVOCATION.sign(SigningKey(bytes(31) + b"x"))

    with pytest.raises(SignatureError):
        RevokedUserCertificate.load_signed(signed, KEY.verify_key)
    assert RevokedUserCertificate.load_unverified(signed) == REVOCATION


def test_a_certificate_of_another_kind_is_malformed() -> None:
    with pytest.raises(MalformedError):
        RealmRoleCertificate.load_signed(REVOCATION.sign(KEY), KEY.verify_key)


def test_the_kind_of_a_certificate_is_found_within_its_topic() -> None:
    assert unverified_common_certificate(REVOCATION.sign(KEY)) == REVOCATION
    assert unverified_realm_certificate(ROLE.sign(KEY)) == ROLE
    assert unverified_shamir_certificate(DELETION.sign(KEY)) == DELETION


def test_a_certificate_of_another_topic_is_malformed() -> None:
    with pytest.raises(MalformedError):
        unverified_shamir_certificate(REVOCATION.sign(KEY))


def test_what_is_too_short_for_a_signature_is_no_certificate() -> None:
    with pytest.raises(SignatureError):
        unverified_common_certificate(bytes(63))


@pytest.mark.parametrize(
    ("threshold", "shares", "accepted"),
    [
        (3, {OTHER_USER: 3}, True),
        (4, {OTHER_USER: 3}, False),
        (1, {}, False),
        (255, {OTHER_USER: 255}, True),
        (1, {OTHER_USER: 255, USER: 1}, False),
    ],
)
def test_a_recovery_needs_no_more_shares_than_there_are(
    threshold: int, shares: dict[UserID, int], accepted: bool
) -> None:
    brief = msgspec.structs.replace(BRIEF, threshold=threshold, per_recipient_shares=shares)
    signed = brief.sign(KEY)

    if accepted:
        assert unverified_shamir_certificate(signed) == brief
        return
    with pytest.raises(MalformedError):
        unverified_shamir_certificate(signed)


def test_a_redacted_user_is_shown_by_its_identifier() -> None:
    user = UserCertificate(
        author=None,
        timestamp=NOW,
        user_id=USER,
        human_handle=None,
        public_key=PublicKey(bytes(32)),
        profile=UserProfile.ADMIN,
    )

    assert user.shown_handle.label == USER.hex()
    assert user.shown_handle.email == f"{USER.hex()}@redacted.invalid"


def test_a_redacted_device_is_shown_by_its_identifier() -> None:
    assert DEVICE.shown_label == AUTHOR.hex()


def test_a_device_of_an_old_release_has_the_standard_purpose() -> None:
    assert DEVICE.known_purpose is DevicePurpose.STANDARD


def test_the_key_of_a_sequester_authority_must_be_one() -> None:
    whole = SequesterAuthorityCertificate(
        timestamp=NOW, verify_key_der=bytes(AUTHORITY_KEY.verify_key)
    )
    broken = msgspec.structs.replace(whole, verify_key_der=b"abc")

    assert SequesterAuthorityCertificate.load(whole.dump()).verify_key == AUTHORITY_KEY.verify_key
    with pytest.raises(MalformedError):
        SequesterAuthorityCertificate.load(broken.dump())


def test_the_key_of_a_sequester_service_must_be_one() -> None:
    broken = msgspec.structs.replace(SERVICE, encryption_key_der=b"abc")

    assert bytes(SERVICE.encryption_key) == SERVICE.encryption_key_der
    with pytest.raises(MalformedError):
        SequesterServiceCertificate.load(broken.dump())


@pytest.mark.parametrize("certificate", [SERVICE, SERVICE_REVOCATION])
def test_what_is_about_a_service_is_signed_by_the_authority(
    certificate: SequesterServiceCertificate | SequesterRevokedServiceCertificate,
) -> None:
    signed = certificate.sign(AUTHORITY_KEY)

    assert load_by_authority(signed, AUTHORITY_KEY.verify_key) == certificate
    assert type(certificate).load_signed(signed, AUTHORITY_KEY.verify_key) == certificate


def test_what_the_authority_did_not_sign_is_not_believed() -> None:
    signed = bytearray(SERVICE_REVOCATION.sign(AUTHORITY_KEY))
    signed[40] ^= 1

    with pytest.raises(CryptoError):
        load_by_authority(bytes(signed), AUTHORITY_KEY.verify_key)


def test_labels_and_handles_that_are_there_are_shown() -> None:
    handle = HumanHandle.from_wire(["alice@example.com", "Alice"])
    label = DeviceLabel("laptop")
    user = UserCertificate(
        author=None,
        timestamp=NOW,
        user_id=USER,
        human_handle=handle,
        public_key=PublicKey(bytes(VerifyKey(bytes(32)))),
        profile=UserProfile.ADMIN,
    )

    assert user.shown_handle is handle
    assert msgspec.structs.replace(DEVICE, device_label=label).shown_label is label
