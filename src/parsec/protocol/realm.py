"""Realms: roles, keys, names, archiving."""

from typing import ClassVar, TypeAlias

from parsec.data.ids import SequesterServiceID, UserID, VlobID
from parsec.protocol.command import U64, Family, Reply, Request
from parsec.protocol.statuses import (
    AccessNotAvailableForAuthor,
    ActiveOwnerAlreadyExists,
    ArchivingPeriodTooShort,
    AuthorIsOutsider,
    AuthorNotAllowed,
    BadKeyIndex,
    BadKeyIndexUnstamped,
    InitialNameAlreadyExists,
    InvalidCertificate,
    Ok,
    OrganizationNotSequestered,
    ParticipantMismatch,
    RealmAlreadyExists,
    RealmDeleted,
    RealmNotFound,
    RecipientAlreadyUnshared,
    RecipientNotFound,
    RecipientRevoked,
    RejectedBySequesterService,
    RequireGreaterTimestamp,
    RoleAlreadyGranted,
    RoleIncompatibleWithOutsider,
    SequesterServiceMismatch,
    SequesterServiceUnavailable,
    TimestampOutOfBallpark,
)

RealmCreateReply: TypeAlias = (
    Ok
    | RealmAlreadyExists
    | AuthorNotAllowed
    | InvalidCertificate
    | TimestampOutOfBallpark
    | RequireGreaterTimestamp
)


class RealmCreate(Request[RealmCreateReply], frozen=True, kw_only=True, tag="realm_create"):
    """Create a realm: the author becomes its first OWNER."""

    FAMILY: ClassVar[Family] = Family.AUTHENTICATED

    realm_role_certificate: bytes


class RealmGetKeysBundleOk(Reply, frozen=True, kw_only=True, tag="ok"):
    keys_bundle: bytes
    keys_bundle_access: bytes


RealmGetKeysBundleReply: TypeAlias = (
    RealmGetKeysBundleOk
    | AccessNotAvailableForAuthor
    | AuthorNotAllowed
    | RealmDeleted
    | BadKeyIndexUnstamped
)


class RealmGetKeysBundle(
    Request[RealmGetKeysBundleReply], frozen=True, kw_only=True, tag="realm_get_keys_bundle"
):
    """Get the keys bundle of one key index and the author's access to it."""

    FAMILY: ClassVar[Family] = Family.AUTHENTICATED

    realm_id: VlobID
    key_index: U64


RealmRenameReply: TypeAlias = (
    Ok
    | InitialNameAlreadyExists
    | AuthorNotAllowed
    | BadKeyIndex
    | InvalidCertificate
    | RealmNotFound
    | RealmDeleted
    | TimestampOutOfBallpark
    | RequireGreaterTimestamp
)


class RealmRename(Request[RealmRenameReply], frozen=True, kw_only=True, tag="realm_rename"):
    """Give the realm a name."""

    FAMILY: ClassVar[Family] = Family.AUTHENTICATED

    realm_name_certificate: bytes
    initial_name_or_fail: bool


RealmRotateKeyReply: TypeAlias = (
    Ok
    | AuthorNotAllowed
    | RealmNotFound
    | RealmDeleted
    | BadKeyIndex
    | ParticipantMismatch
    | SequesterServiceMismatch
    | RejectedBySequesterService
    | SequesterServiceUnavailable
    | OrganizationNotSequestered
    | InvalidCertificate
    | TimestampOutOfBallpark
    | RequireGreaterTimestamp
)


class RealmRotateKey(
    Request[RealmRotateKeyReply], frozen=True, kw_only=True, tag="realm_rotate_key"
):
    """Add a key to the realm (also the very first one)."""

    FAMILY: ClassVar[Family] = Family.AUTHENTICATED

    realm_key_rotation_certificate: bytes
    per_participant_keys_bundle_access: dict[UserID, bytes]
    per_sequester_service_keys_bundle_access: dict[SequesterServiceID, bytes] | None
    keys_bundle: bytes


RealmSelfPromoteToOwnerReply: TypeAlias = (
    Ok
    | AuthorIsOutsider
    | AuthorNotAllowed
    | RealmNotFound
    | RealmDeleted
    | ActiveOwnerAlreadyExists
    | InvalidCertificate
    | TimestampOutOfBallpark
    | RequireGreaterTimestamp
)


class RealmSelfPromoteToOwner(
    Request[RealmSelfPromoteToOwnerReply],
    frozen=True,
    kw_only=True,
    tag="realm_self_promote_to_owner",
):
    """When a realm has no active OWNER any more."""

    FAMILY: ClassVar[Family] = Family.AUTHENTICATED

    realm_role_certificate: bytes


RealmShareReply: TypeAlias = (
    Ok
    | AuthorNotAllowed
    | RealmNotFound
    | RealmDeleted
    | RecipientNotFound
    | RecipientRevoked
    | RoleIncompatibleWithOutsider
    | RoleAlreadyGranted
    | BadKeyIndex
    | InvalidCertificate
    | TimestampOutOfBallpark
    | RequireGreaterTimestamp
)


class RealmShare(Request[RealmShareReply], frozen=True, kw_only=True, tag="realm_share"):
    """Give a user a role, or change it."""

    FAMILY: ClassVar[Family] = Family.AUTHENTICATED

    realm_role_certificate: bytes
    recipient_keys_bundle_access: bytes
    key_index: U64


RealmUnshareReply: TypeAlias = (
    Ok
    | AuthorNotAllowed
    | RealmNotFound
    | RealmDeleted
    | RecipientNotFound
    | RecipientAlreadyUnshared
    | InvalidCertificate
    | TimestampOutOfBallpark
    | RequireGreaterTimestamp
)


class RealmUnshare(Request[RealmUnshareReply], frozen=True, kw_only=True, tag="realm_unshare"):
    """Take a user's role away (also of a revoked user)."""

    FAMILY: ClassVar[Family] = Family.AUTHENTICATED

    realm_role_certificate: bytes


RealmUpdateArchivingReply: TypeAlias = (
    Ok
    | AuthorNotAllowed
    | InvalidCertificate
    | RealmNotFound
    | RealmDeleted
    | ArchivingPeriodTooShort
    | RequireGreaterTimestamp
    | TimestampOutOfBallpark
)


class RealmUpdateArchiving(
    Request[RealmUpdateArchivingReply], frozen=True, kw_only=True, tag="realm_update_archiving"
):
    """Change the archiving state of the realm."""

    FAMILY: ClassVar[Family] = Family.AUTHENTICATED

    archiving_certificate: bytes
