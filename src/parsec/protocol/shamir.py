"""Shared recovery: set-up, deletion, and the reveal of its data."""

from typing import ClassVar, TypeAlias

from parsec.data.ids import AccessToken
from parsec.protocol.command import Family, Reply, Request
from parsec.protocol.statuses import (
    BadInvitationType,
    BadRevealToken,
    InvalidCertificateAuthorIncludedAsRecipient,
    InvalidCertificateBriefCorrupted,
    InvalidCertificateCorrupted,
    InvalidCertificateDuplicateShareForRecipient,
    InvalidCertificateMissingShareForRecipient,
    InvalidCertificateShareCorrupted,
    InvalidCertificateShareInconsistentTimestamp,
    InvalidCertificateShareRecipientNotInBrief,
    InvalidCertificateUserIdMustBeSelf,
    Ok,
    RecipientNotFound,
    RecipientsMismatch,
    RequireGreaterTimestamp,
    RevokedRecipient,
    ShamirRecoveryAlreadyDeleted,
    ShamirRecoveryAlreadyExists,
    ShamirRecoveryNotFound,
    TimestampOutOfBallpark,
)


class InviteShamirRecoveryRevealOk(Reply, frozen=True, kw_only=True, tag="ok"):
    ciphered_data: bytes


InviteShamirRecoveryRevealReply: TypeAlias = (
    InviteShamirRecoveryRevealOk | BadInvitationType | BadRevealToken
)


class InviteShamirRecoveryReveal(
    Request[InviteShamirRecoveryRevealReply],
    frozen=True,
    kw_only=True,
    tag="invite_shamir_recovery_reveal",
):
    """Get the encrypted recovery device."""

    FAMILY: ClassVar[Family] = Family.INVITED

    reveal_token: AccessToken


ShamirRecoveryDeleteReply: TypeAlias = (
    Ok
    | InvalidCertificateCorrupted
    | InvalidCertificateUserIdMustBeSelf
    | ShamirRecoveryNotFound
    | RecipientsMismatch
    | ShamirRecoveryAlreadyDeleted
    | TimestampOutOfBallpark
    | RequireGreaterTimestamp
)


class ShamirRecoveryDelete(
    Request[ShamirRecoveryDeleteReply], frozen=True, kw_only=True, tag="shamir_recovery_delete"
):
    """Author deletes its shamir set-up."""

    FAMILY: ClassVar[Family] = Family.AUTHENTICATED

    shamir_recovery_deletion_certificate: bytes


ShamirRecoverySetupReply: TypeAlias = (
    Ok
    | InvalidCertificateBriefCorrupted
    | InvalidCertificateShareCorrupted
    | InvalidCertificateShareRecipientNotInBrief
    | InvalidCertificateDuplicateShareForRecipient
    | InvalidCertificateAuthorIncludedAsRecipient
    | InvalidCertificateMissingShareForRecipient
    | InvalidCertificateShareInconsistentTimestamp
    | InvalidCertificateUserIdMustBeSelf
    | RecipientNotFound
    | RevokedRecipient
    | ShamirRecoveryAlreadyExists
    | TimestampOutOfBallpark
    | RequireGreaterTimestamp
)


class ShamirRecoverySetup(
    Request[ShamirRecoverySetupReply], frozen=True, kw_only=True, tag="shamir_recovery_setup"
):
    """Author sets up a shared recovery of its user."""

    FAMILY: ClassVar[Family] = Family.AUTHENTICATED

    ciphered_data: bytes
    reveal_token: AccessToken
    shamir_recovery_brief_certificate: bytes
    shamir_recovery_share_certificates: list[bytes]
