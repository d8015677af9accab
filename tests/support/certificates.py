"""Signed certificates of an organization whose keys are all known, honest or not.

Users are called by a name, devices by `user@device`; ids and keys follow from the names, times are
seconds after the organization began. Whoever is said to be the author also signs, unless `signer`
names another device.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from parsec.client.rules.certificates import Ledger
from parsec.crypto.keys import PrivateKey, SigningKey
from parsec.crypto.rsa import SequesterSigningKey
from parsec.data.certificates import (
    Certificate,
    DeviceCertificate,
    DevicePurpose,
    RealmArchived,
    RealmArchivingCertificate,
    RealmKeyRotationCertificate,
    RealmNameCertificate,
    RealmRole,
    RealmRoleCertificate,
    RevokedUserCertificate,
    SequesterAuthorityCertificate,
    SequesterRevokedServiceCertificate,
    SequesterServiceCertificate,
    ShamirRecoveryBriefCertificate,
    ShamirRecoveryDeletionCertificate,
    ShamirRecoveryShareCertificate,
    UserCertificate,
    UserUpdateCertificate,
)
from parsec.data.ids import DeviceID, SequesterServiceID, UserID, VlobID
from parsec.data.instant import Instant
from parsec.data.people import DeviceLabel, EmailAddress, HumanHandle, UserProfile
from parsec.protocol.certificate import CertificateGetOk

ADMIN, STANDARD, OUTSIDER = UserProfile.ADMIN, UserProfile.STANDARD, UserProfile.OUTSIDER


def at(seconds: float) -> Instant:
    return Instant(1_700_000_000_000_000).plus(seconds=seconds)


def user_id(name: str) -> UserID:
    return UserID(_derived("user", name)[:16])


def device_id(name: str) -> DeviceID:
    return DeviceID(_derived("device", name)[:16])


def realm_id(name: str) -> VlobID:
    return VlobID(_derived("realm", name)[:16])


def service_id(name: str) -> SequesterServiceID:
    return SequesterServiceID(_derived("service", name)[:16])


@cache
def signing_key(device: str | None) -> SigningKey:
    """The key of a device; None is the root key."""
    return SigningKey(_derived("signing key", device or ""))


@cache
def private_key(user: str) -> PrivateKey:
    return PrivateKey(_derived("private key", user))


@cache
def authority_key(name: str = "authority") -> SequesterSigningKey:
    return SequesterSigningKey(_rsa_der(name))


@cache
def _rsa_der(name: str) -> bytes:
    # New in each run: RSA keys do not follow from names, and no test looks at their bytes.
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def _derived(kind: str, name: str) -> bytes:
    return hashlib.sha256(f"{kind} {name}".encode()).digest()


# --- Common topic ---


def user(
    name: str,
    t: float,
    *,
    by: str | None,
    profile: UserProfile = STANDARD,
    email: str | None = None,
    redacted: bool = False,
    signer: str | None = None,
) -> bytes:
    handle = HumanHandle(EmailAddress(email or f"{name}@example.com"), name.capitalize())
    certificate = UserCertificate(
        author=_author(by),
        timestamp=at(t),
        user_id=user_id(name),
        human_handle=None if redacted else handle,
        public_key=private_key(name).public_key,
        profile=profile,
    )
    return certificate.sign(signing_key(signer or by))


def device(
    name: str,
    t: float,
    *,
    by: str | None,
    of: str | None = None,
    redacted: bool = False,
    purpose: DevicePurpose | None = DevicePurpose.STANDARD,
    signer: str | None = None,
) -> bytes:
    certificate = DeviceCertificate(
        purpose=purpose,
        author=_author(by),
        timestamp=at(t),
        user_id=user_id(of or _owner(name)),
        device_id=device_id(name),
        device_label=None if redacted else DeviceLabel(name.partition("@")[2]),
        verify_key=signing_key(name).verify_key,
    )
    return certificate.sign(signing_key(signer or by))


def newcomer(
    name: str,
    t: float,
    *,
    by: str | None,
    profile: UserProfile = STANDARD,
    email: str | None = None,
    redacted: bool = False,
) -> list[bytes]:
    """A user and the first device, `name@pc1`."""
    return [
        user(name, t, by=by, profile=profile, email=email, redacted=redacted),
        device(f"{name}@pc1", t, by=by, redacted=redacted),
    ]


def revocation(name: str, t: float, *, by: str, signer: str | None = None) -> bytes:
    certificate = RevokedUserCertificate(
        author=device_id(by), timestamp=at(t), user_id=user_id(name)
    )
    return _signed(certificate, by, signer)


def update(
    name: str, profile: UserProfile, t: float, *, by: str, signer: str | None = None
) -> bytes:
    certificate = UserUpdateCertificate(
        author=device_id(by), timestamp=at(t), user_id=user_id(name), new_profile=profile
    )
    return _signed(certificate, by, signer)


# --- Realm topics ---


def role(
    realm: str,
    name: str,
    new_role: RealmRole | None,
    t: float,
    *,
    by: str,
    signer: str | None = None,
) -> bytes:
    certificate = RealmRoleCertificate(
        author=device_id(by),
        timestamp=at(t),
        realm_id=realm_id(realm),
        user_id=user_id(name),
        role=new_role,
    )
    return _signed(certificate, by, signer)


def key_rotation(realm: str, t: float, *, by: str, index: int = 1) -> bytes:
    certificate = RealmKeyRotationCertificate(
        author=device_id(by),
        timestamp=at(t),
        realm_id=realm_id(realm),
        key_index=index,
        key_canary=bytes(40),
    )
    return _signed(certificate, by)


def realm_name(realm: str, t: float, *, by: str) -> bytes:
    certificate = RealmNameCertificate(
        author=device_id(by),
        timestamp=at(t),
        realm_id=realm_id(realm),
        key_index=1,
        encrypted_name=bytes(48),
    )
    return _signed(certificate, by)


def archiving(realm: str, t: float, *, by: str) -> bytes:
    certificate = RealmArchivingCertificate(
        author=device_id(by),
        timestamp=at(t),
        realm_id=realm_id(realm),
        configuration=RealmArchived(),
    )
    return _signed(certificate, by)


# --- Shared recovery topic ---


def brief(
    t: float,
    *,
    by: str,
    weights: Mapping[str, int],
    threshold: int = 1,
    of: str | None = None,
    signer: str | None = None,
) -> bytes:
    certificate = ShamirRecoveryBriefCertificate(
        author=device_id(by),
        timestamp=at(t),
        user_id=user_id(of or _owner(by)),
        threshold=threshold,
        per_recipient_shares={user_id(name): weight for name, weight in weights.items()},
    )
    return _signed(certificate, by, signer)


def share(
    t: float,
    *,
    by: str,
    recipient: str,
    of: str | None = None,
    ciphered_share: bytes = b"",
    signer: str | None = None,
) -> bytes:
    certificate = ShamirRecoveryShareCertificate(
        author=device_id(by),
        timestamp=at(t),
        user_id=user_id(of or _owner(by)),
        recipient=user_id(recipient),
        ciphered_share=ciphered_share,
    )
    return _signed(certificate, by, signer)


def deletion(
    t: float,
    *,
    by: str,
    setup: float,
    recipients: Iterable[str],
    of: str | None = None,
    signer: str | None = None,
) -> bytes:
    certificate = ShamirRecoveryDeletionCertificate(
        author=device_id(by),
        timestamp=at(t),
        setup_to_delete_timestamp=at(setup),
        setup_to_delete_user_id=user_id(of or _owner(by)),
        share_recipients=frozenset(map(user_id, recipients)),
    )
    return _signed(certificate, by, signer)


# --- Sequester topic ---


def authority(t: float, *, signer: str | None = None, key_der: bytes | None = None) -> bytes:
    certificate = SequesterAuthorityCertificate(
        timestamp=at(t),
        verify_key_der=key_der if key_der is not None else bytes(authority_key().verify_key),
    )
    return certificate.sign(signing_key(signer))


def service(
    name: str, t: float, *, signer: str = "authority", key_der: bytes | None = None
) -> bytes:
    certificate = SequesterServiceCertificate(
        timestamp=at(t),
        service_id=service_id(name),
        service_label=name,
        encryption_key_der=key_der if key_der is not None else bytes(authority_key().verify_key),
    )
    return authority_key(signer).sign(certificate.dump())


def revoked_service(name: str, t: float) -> bytes:
    certificate = SequesterRevokedServiceCertificate(timestamp=at(t), service_id=service_id(name))
    return authority_key().sign(certificate.dump())


# --- Ledgers and answers ---


def answer(
    *,
    common: Sequence[bytes] = (),
    sequester: Sequence[bytes] = (),
    realms: Mapping[str, Sequence[bytes]] | None = None,
    shamir_recovery: Sequence[bytes] = (),
) -> CertificateGetOk:
    return CertificateGetOk(
        common_certificates=list(common),
        sequester_certificates=list(sequester),
        shamir_recovery_certificates=list(shamir_recovery),
        realm_certificates={realm_id(name): list(some) for name, some in (realms or {}).items()},
    )


def empty_ledger(viewer: str = "alice", initial_profile: UserProfile = ADMIN) -> Ledger:
    return Ledger.empty(user_id(viewer), signing_key(None).verify_key, initial_profile)


def five_people(*, redacted: bool = False) -> list[bytes]:
    """Alice and Carol are administrators, Bob and Dan standard users, Mallory is external."""
    return [
        *newcomer("alice", 1, by=None, profile=ADMIN, redacted=redacted),
        *newcomer("bob", 2, by="alice@pc1", redacted=redacted),
        *newcomer("carol", 3, by="alice@pc1", profile=ADMIN, redacted=redacted),
        *newcomer("mallory", 4, by="alice@pc1", profile=OUTSIDER, redacted=redacted),
        *newcomer("dan", 5, by="carol@pc1", redacted=redacted),
    ]


def _author(by: str | None) -> DeviceID | None:
    return device_id(by) if by is not None else None


def _owner(device: str) -> str:
    return device.partition("@")[0]


def _signed(certificate: Certificate, by: str, signer: str | None = None) -> bytes:
    return certificate.sign(signing_key(signer or by))
