"""Shared recoveries: which set-ups, deletions and reveals are accepted.

A user has at most one active set-up. The server keeps the certificates and the ciphered device, and
judges only what it can: who signed, for whom, and in which order. Whether enough recipients are
left is the clients' business.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from parsec.crypto.keys import HashDigest
from parsec.data.address import InvitationType
from parsec.data.certificates import (
    ShamirRecoveryBriefCertificate,
    ShamirRecoveryDeletionCertificate,
    ShamirRecoveryShareCertificate,
)
from parsec.data.ids import AccessToken, UserID
from parsec.data.instant import Instant
from parsec.protocol.shamir import ShamirRecoverySetup
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
    RecipientNotFound,
    RecipientsMismatch,
    RevokedRecipient,
    ShamirRecoveryAlreadyDeleted,
    ShamirRecoveryAlreadyExists,
    ShamirRecoveryNotFound,
)
from parsec.server.records import (
    Author,
    InvitationRecord,
    ShamirSetupRecord,
    UserRecord,
)
from parsec.server.rules.certificate import Signer, load_signed
from parsec.server.rules.refusal import Refused
from parsec.server.rules.timestamp import check_ballpark, check_greater

# --- Set-up ---


class VerifiedShare(msgspec.Struct, frozen=True):
    """The share of one recipient, and the bytes that it came in."""

    content: ShamirRecoveryShareCertificate
    certificate: bytes


class VerifiedSetup(msgspec.Struct, frozen=True, kw_only=True):
    """A set-up whose certificates agree with each other and with their author."""

    brief: ShamirRecoveryBriefCertificate
    brief_certificate: bytes
    shares: Sequence[VerifiedShare]


def check_no_active_setup(
    active: ShamirSetupRecord | None, *, last_shamir_timestamp: Instant | None
) -> None:
    """Raises Refused."""
    if active is not None:
        # The set-up itself has a certificate in the topic.
        last = last_shamir_timestamp or active.created_on
        raise Refused(ShamirRecoveryAlreadyExists(last_shamir_certificate_timestamp=last))


def verified_setup(request: ShamirRecoverySetup, author: Author, *, now: Instant) -> VerifiedSetup:
    """The certificates of a request, once believed. Raises Refused."""
    brief = load_signed(
        ShamirRecoveryBriefCertificate,
        request.shamir_recovery_brief_certificate,
        _signer(author),
        refusal=InvalidCertificateBriefCorrupted(),
    )
    check_ballpark(brief.timestamp, now=now)
    if brief.user_id != author.user.user_id:
        raise Refused(InvalidCertificateUserIdMustBeSelf())
    certificates = request.shamir_recovery_share_certificates
    if len(certificates) != len(brief.per_recipient_shares):
        raise Refused(InvalidCertificateMissingShareForRecipient())
    shares: dict[UserID, VerifiedShare] = {}
    for certificate in certificates:
        share = _verified_share(certificate, author)
        _check_share(share, brief, taken=shares.keys())
        shares[share.recipient] = VerifiedShare(share, certificate)
    return VerifiedSetup(
        brief=brief,
        brief_certificate=request.shamir_recovery_brief_certificate,
        shares=list(shares.values()),
    )


def check_recipients(
    setup: VerifiedSetup,
    users: Mapping[UserID, UserRecord],
    *,
    last_common_timestamp: Instant,
) -> None:
    """`users` are those of the recipients who exist. Raises Refused."""
    for share in setup.shares:
        user = users.get(share.content.recipient)
        if user is None:
            raise Refused(RecipientNotFound())
        if user.revoked_on is not None:
            reply = RevokedRecipient(last_common_certificate_timestamp=last_common_timestamp)
            raise Refused(reply)


def check_setup_timestamp(
    setup: VerifiedSetup,
    *,
    last_common_timestamp: Instant,
    last_shamir_timestamp: Instant | None,
) -> None:
    """Raises Refused."""
    check_greater(setup.brief.timestamp, last_common_timestamp, last_shamir_timestamp)


def _verified_share(certificate: bytes, author: Author) -> ShamirRecoveryShareCertificate:
    corrupted = InvalidCertificateShareCorrupted()
    share = load_signed(
        ShamirRecoveryShareCertificate, certificate, _signer(author), refusal=corrupted
    )
    if share.user_id != author.user.user_id:
        # The official server does not look at it (server-core.md 20, 22).
        raise Refused(corrupted, "the share of another user")
    return share


def _check_share(
    share: ShamirRecoveryShareCertificate,
    brief: ShamirRecoveryBriefCertificate,
    *,
    taken: Collection[UserID],
) -> None:
    if share.timestamp != brief.timestamp:
        raise Refused(InvalidCertificateShareInconsistentTimestamp())
    if share.recipient not in brief.per_recipient_shares:
        raise Refused(InvalidCertificateShareRecipientNotInBrief())
    if share.recipient in taken:
        raise Refused(InvalidCertificateDuplicateShareForRecipient())
    if share.recipient == brief.user_id:
        raise Refused(InvalidCertificateAuthorIncludedAsRecipient())


# --- Deletion ---


def verified_deletion(
    certificate: bytes, author: Author, *, now: Instant
) -> ShamirRecoveryDeletionCertificate:
    """The certificate of a request, once believed. Raises Refused."""
    deletion = load_signed(
        ShamirRecoveryDeletionCertificate,
        certificate,
        _signer(author),
        refusal=InvalidCertificateCorrupted(),
    )
    check_ballpark(deletion.timestamp, now=now)
    if deletion.setup_to_delete_user_id != author.user.user_id:
        raise Refused(InvalidCertificateUserIdMustBeSelf())
    return deletion


def check_deletion(
    deletion: ShamirRecoveryDeletionCertificate,
    setup: ShamirSetupRecord | None,
    *,
    last_common_timestamp: Instant,
    last_shamir_timestamp: Instant | None,
) -> ShamirSetupRecord:
    """The set-up to delete; `setup` is the one that the certificate names. Raises Refused."""
    if setup is None:
        raise Refused(ShamirRecoveryNotFound())
    if deletion.share_recipients != setup.shares.keys():
        raise Refused(RecipientsMismatch())
    if setup.deleted_on is not None:
        last = last_shamir_timestamp or setup.deleted_on
        raise Refused(ShamirRecoveryAlreadyDeleted(last_shamir_certificate_timestamp=last))
    check_greater(deletion.timestamp, last_common_timestamp, last_shamir_timestamp)
    return setup


# --- Reveal ---


def check_reveal(
    invitation: InvitationRecord,
    setup: ShamirSetupRecord | None,
    reveal_token: AccessToken,
) -> ShamirSetupRecord:
    """The set-up to reveal; `setup` is that of the usable invitation. Raises Refused."""
    if invitation.type is not InvitationType.SHAMIR_RECOVERY or setup is None:
        raise Refused(BadInvitationType())
    # Digests compare in constant time.
    if setup.reveal_token_digest != HashDigest.of(reveal_token):
        raise Refused(BadRevealToken())
    return setup


def _signer(author: Author) -> Signer:
    return Signer(device_id=author.device.device_id, key=author.device.verify_key)


# --- Events ---


def told_of_setup(owner: UserID, recipients: Iterable[UserID]) -> frozenset[UserID]:
    """Who gets certificates of a set-up, and hears of them (server-core.md 20, 24)."""
    return frozenset([owner, *recipients])
