"""Signed statements: what each kind says, and how it is signed and verified.

`data-types.md` 2. A certificate is a frame behind its signature. It is believed only when
`load_signed` has verified it with the key of the expected author, and `expect` has compared it
with what was announced. Those about sequester services are signed by the authority's RSA key.
"""

import enum
from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias

import msgspec

from parsec.crypto.errors import KeyFormatError
from parsec.crypto.keys import PublicKey, SigningKey, VerifyKey, unverified_message
from parsec.crypto.rsa import SequesterPublicKey, SequesterSigningKey, SequesterVerifyKey
from parsec.data.ids import DeviceID, SequesterServiceID, UserID, VlobID
from parsec.data.instant import Instant
from parsec.data.people import DeviceLabel, HumanHandle, UserProfile
from parsec.data.record import Record, load_content
from parsec.wire.frame import load_frame
from parsec.wire.msgpack import MalformedError, Reader

U8: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=255)]
U64: TypeAlias = Annotated[int, msgspec.Meta(ge=0)]

MAX_SHARES = 255


class DevicePurpose(enum.StrEnum):
    """Why a device was made."""

    STANDARD = "STANDARD"
    SHAMIR_RECOVERY = "SHAMIR_RECOVERY"
    PASSPHRASE_RECOVERY = "PASSPHRASE_RECOVERY"  # noqa: S105  (a purpose, no secret)
    REGISTRATION = "REGISTRATION"


class RealmRole(enum.StrEnum):
    """What a member may do in a realm, from most to least."""

    OWNER = "OWNER"
    MANAGER = "MANAGER"
    CONTRIBUTOR = "CONTRIBUTOR"
    READER = "READER"


class Certificate(Record, frozen=True, kw_only=True):
    """Any signed statement.

    The limit of values leaves room for fields to come. It is tight because signing is cheap and
    reading is not: a member may send hundreds of certificates at once.
    """

    MAX_VALUES: ClassVar[int] = 128

    def sign(self, key: SigningKey) -> bytes:
        """The certificate as it travels: signature, then frame."""
        return key.sign(self.dump())

    @classmethod
    def load_signed(cls, signed: bytes, key: VerifyKey) -> Self:
        """Verify and read. Raises SignatureError or MalformedError."""
        return cls.load(key.verify(signed))

    @classmethod
    def load_unverified(cls, signed: bytes) -> Self:
        """Read without looking at the signature. Raises SignatureError or MalformedError."""
        return cls.load(unverified_message(signed))


# --- Common topic ---


class UserCertificate(Certificate, frozen=True, kw_only=True, tag="user_certificate"):
    """A user exists. Without human handle it is the redacted version, for external users."""

    author: DeviceID | None
    timestamp: Instant
    user_id: UserID
    human_handle: HumanHandle | None
    public_key: PublicKey
    algorithm: Literal["X25519_XSALSA20_POLY1305"] = "X25519_XSALSA20_POLY1305"
    profile: UserProfile

    @property
    def shown_handle(self) -> HumanHandle:
        """The human handle, or the stand-in of a redacted one."""
        return self.human_handle or HumanHandle.redacted(self.user_id)


class DeviceCertificate(Certificate, frozen=True, kw_only=True, tag="device_certificate"):
    """A device of a user exists. Without label it is the redacted version."""

    purpose: DevicePurpose | None = None
    author: DeviceID | None
    timestamp: Instant
    user_id: UserID
    device_id: DeviceID
    device_label: DeviceLabel | None
    verify_key: VerifyKey
    algorithm: Literal["ED25519"] = "ED25519"

    @property
    def known_purpose(self) -> DevicePurpose:
        """The purpose; devices made before there were several say none."""
        return self.purpose or DevicePurpose.STANDARD

    @property
    def shown_label(self) -> DeviceLabel:
        """The label, or the stand-in of a redacted one."""
        return self.device_label or DeviceLabel.redacted(self.device_id)


class RevokedUserCertificate(
    Certificate, frozen=True, kw_only=True, tag="revoked_user_certificate"
):
    """A user is no longer part of the organization."""

    author: DeviceID
    timestamp: Instant
    user_id: UserID


class UserUpdateCertificate(Certificate, frozen=True, kw_only=True, tag="user_update_certificate"):
    """A user has another profile from now on."""

    author: DeviceID
    timestamp: Instant
    user_id: UserID
    new_profile: UserProfile


# --- Realm topics ---


class RealmRoleCertificate(Certificate, frozen=True, kw_only=True, tag="realm_role_certificate"):
    """A user has another role in a realm; without role: none any more."""

    author: DeviceID
    timestamp: Instant
    realm_id: VlobID
    user_id: UserID
    role: RealmRole | None


class RealmNameCertificate(Certificate, frozen=True, kw_only=True, tag="realm_name_certificate"):
    """A realm has another name."""

    author: DeviceID
    timestamp: Instant
    realm_id: VlobID
    key_index: U64
    encrypted_name: bytes


class RealmKeyRotationCertificate(
    Certificate, frozen=True, kw_only=True, tag="realm_key_rotation_certificate"
):
    """A realm has one more key; the canary proves which one."""

    author: DeviceID
    timestamp: Instant
    realm_id: VlobID
    key_index: U64
    # The wire says BLAKE2 here, without the B that other algorithm names have.
    encryption_algorithm: Literal["BLAKE2_XSALSA20_POLY1305"] = "BLAKE2_XSALSA20_POLY1305"
    hash_algorithm: Literal["SHA256"] = "SHA256"
    key_canary: bytes


class RealmAvailable(msgspec.Struct, frozen=True, tag_field="type", tag="AVAILABLE"):
    """The realm can be written."""


class RealmArchived(msgspec.Struct, frozen=True, tag_field="type", tag="ARCHIVED"):
    """The realm is read-only for everybody."""


class RealmDeletionPlanned(msgspec.Struct, frozen=True, tag_field="type", tag="DELETION_PLANNED"):
    """The realm is read-only, and may be deleted from that date on."""

    deletion_date: Instant


RealmArchivingConfiguration: TypeAlias = RealmAvailable | RealmArchived | RealmDeletionPlanned


class RealmArchivingCertificate(
    Certificate, frozen=True, kw_only=True, tag="realm_archiving_certificate"
):
    """A realm is archived, planned for deletion, or available again."""

    author: DeviceID
    timestamp: Instant
    realm_id: VlobID
    configuration: RealmArchivingConfiguration


# --- Shared recovery topic ---


class ShamirRecoveryBriefCertificate(
    Certificate, frozen=True, kw_only=True, tag="shamir_recovery_brief_certificate"
):
    """A user can be recovered with that many shares of those recipients."""

    MAX_VALUES: ClassVar[int] = 1 << 10

    author: DeviceID
    timestamp: Instant
    user_id: UserID
    threshold: U8
    per_recipient_shares: dict[UserID, U8]

    def check(self) -> None:
        """Check the bounds. Raises MalformedError."""
        total = sum(self.per_recipient_shares.values())
        if total > MAX_SHARES:
            raise MalformedError("more than 255 shares")
        if self.threshold > total:
            raise MalformedError("threshold above the number of shares")


class ShamirRecoveryShareCertificate(
    Certificate, frozen=True, kw_only=True, tag="shamir_recovery_share_certificate"
):
    """The shares of one recipient, readable by that recipient alone."""

    author: DeviceID
    timestamp: Instant
    user_id: UserID
    recipient: UserID
    ciphered_share: bytes


class ShamirRecoveryDeletionCertificate(
    Certificate, frozen=True, kw_only=True, tag="shamir_recovery_deletion_certificate"
):
    """A set-up no longer counts."""

    MAX_VALUES: ClassVar[int] = 1 << 10

    author: DeviceID
    timestamp: Instant
    setup_to_delete_timestamp: Instant
    setup_to_delete_user_id: UserID
    share_recipients: frozenset[UserID]


# --- Sequester topic ---


class SequesterAuthorityCertificate(
    Certificate, frozen=True, kw_only=True, tag="sequester_authority_certificate"
):
    """The organization is sequestered, under that key."""

    timestamp: Instant
    verify_key_der: bytes

    @property
    def verify_key(self) -> SequesterVerifyKey:
        """The key of the authority. Raises KeyFormatError, but not after `check`."""
        return SequesterVerifyKey(self.verify_key_der)

    def check(self) -> None:
        """Check that the key is one. Raises MalformedError."""
        try:
            _ = self.verify_key
        except KeyFormatError as error:
            raise MalformedError(str(error)) from None


class AuthorityCertificate(Record, frozen=True, kw_only=True):
    """What the sequester authority states about one of its services."""

    timestamp: Instant
    service_id: SequesterServiceID

    def sign(self, key: SequesterSigningKey) -> bytes:
        """The certificate as it travels: algorithm, signature, frame."""
        return key.sign(self.dump())

    @classmethod
    def load_signed(cls, signed: bytes, key: SequesterVerifyKey) -> Self:
        """Verify and read. Raises CryptoError or MalformedError."""
        return cls.load(key.verify(signed))


class SequesterServiceCertificate(
    AuthorityCertificate, frozen=True, kw_only=True, tag="sequester_service_certificate"
):
    """A service may read what members write from now on."""

    service_label: str
    encryption_key_der: bytes

    @property
    def encryption_key(self) -> SequesterPublicKey:
        """The key of the service. Raises KeyFormatError, but not after `check`."""
        return SequesterPublicKey(self.encryption_key_der)

    def check(self) -> None:
        """Check that the key is one. Raises MalformedError."""
        try:
            _ = self.encryption_key
        except KeyFormatError as error:
            raise MalformedError(str(error)) from None


class SequesterRevokedServiceCertificate(
    AuthorityCertificate, frozen=True, kw_only=True, tag="sequester_revoked_service_certificate"
):
    """A service may no longer read what is written."""


CommonCertificate: TypeAlias = (
    UserCertificate | DeviceCertificate | RevokedUserCertificate | UserUpdateCertificate
)
RealmCertificate: TypeAlias = (
    RealmRoleCertificate
    | RealmNameCertificate
    | RealmKeyRotationCertificate
    | RealmArchivingCertificate
)
ShamirCertificate: TypeAlias = (
    ShamirRecoveryBriefCertificate
    | ShamirRecoveryShareCertificate
    | ShamirRecoveryDeletionCertificate
)
SequesterCertificate: TypeAlias = (
    SequesterAuthorityCertificate | SequesterServiceCertificate | SequesterRevokedServiceCertificate
)

_ANY_MAX_VALUES = ShamirRecoveryBriefCertificate.MAX_VALUES

_COMMON: Reader[Any] = Reader(CommonCertificate)
_REALM: Reader[Any] = Reader(RealmCertificate)
_SHAMIR: Reader[Any] = Reader(ShamirCertificate)
_BY_AUTHORITY: Reader[Any] = Reader(
    SequesterServiceCertificate | SequesterRevokedServiceCertificate
)


def unverified_common_certificate(signed: bytes) -> CommonCertificate:
    """Read a certificate of the common topic, to learn who should have signed it."""
    certificate: CommonCertificate = _load_any(_COMMON, signed)
    return certificate


def unverified_realm_certificate(signed: bytes) -> RealmCertificate:
    """Read a certificate of a realm, to learn who should have signed it."""
    certificate: RealmCertificate = _load_any(_REALM, signed)
    return certificate


def unverified_shamir_certificate(signed: bytes) -> ShamirCertificate:
    """Read a certificate of the shared recovery topic, to learn who should have signed it."""
    certificate: ShamirCertificate = _load_any(_SHAMIR, signed)
    return certificate


def load_by_authority(
    signed: bytes, key: SequesterVerifyKey
) -> SequesterServiceCertificate | SequesterRevokedServiceCertificate:
    """Verify and read what the authority signed. Raises CryptoError or MalformedError."""
    certificate: SequesterServiceCertificate | SequesterRevokedServiceCertificate = load_content(
        _BY_AUTHORITY, load_frame(key.verify(signed))
    )
    return certificate


def _load_any(kinds: Reader[Any], signed: bytes) -> Any:
    content = load_frame(unverified_message(signed))
    return load_content(kinds, content, max_values=_ANY_MAX_VALUES)
