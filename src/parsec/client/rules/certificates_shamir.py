"""What must hold for certificates of shared recoveries (`client.md` 15.6)."""

import msgspec

from parsec.client.rules.certificates_common import Author, People, check_newest, check_not_older
from parsec.client.rules.certificates_faults import Fault, Unacceptable
from parsec.data.certificates import (
    ShamirCertificate,
    ShamirRecoveryBriefCertificate,
    ShamirRecoveryDeletionCertificate,
    ShamirRecoveryShareCertificate,
)
from parsec.data.ids import UserID
from parsec.data.instant import Instant


class Setup(msgspec.Struct, frozen=True):
    """The last set-up of a user."""

    brief: ShamirRecoveryBriefCertificate
    deletion: ShamirRecoveryDeletionCertificate | None = None


class Recoveries:
    """The shared recoveries that concern us: our own, and those in which we are a recipient."""

    def __init__(self, self_user_id: UserID) -> None:
        self.self_user_id = self_user_id
        self.setups: dict[UserID, Setup] = {}
        self.last_brief: ShamirRecoveryBriefCertificate | None = None
        """The last one of any user."""
        self.shares: dict[tuple[UserID, Instant], ShamirRecoveryShareCertificate] = {}
        """Our own shares, by the user who can be recovered and the date of the set-up."""
        self.last_timestamp: Instant | None = None

    def copy(self) -> "Recoveries":
        """Another one, to which certificates can be added without changing this one."""
        other = Recoveries(self.self_user_id)
        other.setups = self.setups.copy()
        other.last_brief = self.last_brief
        other.shares = self.shares.copy()
        other.last_timestamp = self.last_timestamp
        return other

    @property
    def awaits_share(self) -> bool:
        """Whether the next certificate must be our share of the last brief."""
        brief = self.last_brief
        return (
            brief is not None
            and self.self_user_id in brief.per_recipient_shares
            and (brief.user_id, brief.timestamp) not in self.shares
        )

    def add(self, certificate: ShamirCertificate) -> None:
        """Believe a certificate."""
        match certificate:
            case ShamirRecoveryBriefCertificate():
                self.setups[certificate.user_id] = Setup(certificate)
                self.last_brief = certificate
            case ShamirRecoveryShareCertificate():
                self.shares[certificate.user_id, certificate.timestamp] = certificate
            case ShamirRecoveryDeletionCertificate():
                user_id = certificate.setup_to_delete_user_id
                self.setups[user_id] = Setup(self.setups[user_id].brief, certificate)
        self.last_timestamp = certificate.timestamp


def check_shamir(
    recoveries: Recoveries, people: People, certificate: ShamirCertificate, author: Author
) -> None:
    """The rules of `client.md` 15.6, shamir. Raises Unacceptable."""
    is_share = isinstance(certificate, ShamirRecoveryShareCertificate)
    if recoveries.awaits_share and not is_share:
        raise Unacceptable(Fault.SHAMIR_MISSING_SHARE)
    match certificate:
        case ShamirRecoveryBriefCertificate():
            _check_brief(recoveries, people, certificate, author)
        case ShamirRecoveryShareCertificate():
            _check_share(recoveries, people, certificate, author)
        case ShamirRecoveryDeletionCertificate():
            _check_deletion(recoveries, people, certificate, author)


def _check_brief(
    recoveries: Recoveries,
    people: People,
    brief: ShamirRecoveryBriefCertificate,
    author: Author,
) -> None:
    """`client.md` 15.6, brief."""
    check_newest(brief.timestamp, recoveries.last_timestamp)
    if brief.user_id != author.user_id:
        raise Unacceptable(Fault.SHAMIR_NOT_ABOUT_SELF)
    if brief.user_id in brief.per_recipient_shares:
        raise Unacceptable(Fault.SHAMIR_SELF_AMONG_RECIPIENTS)
    if recoveries.self_user_id not in (brief.user_id, *brief.per_recipient_shares):
        raise Unacceptable(Fault.SHAMIR_UNRELATED_TO_US)
    present = recoveries.setups.get(brief.user_id)
    if present is not None and present.deletion is None:
        raise Unacceptable(Fault.SHAMIR_ALREADY_SETUP)
    people.check_author_active(author, brief.timestamp)
    for recipient in brief.per_recipient_shares:
        people.check_active(recipient, brief.timestamp)


def _check_share(
    recoveries: Recoveries,
    people: People,
    share: ShamirRecoveryShareCertificate,
    author: Author,
) -> None:
    """`client.md` 15.6, share."""
    check_not_older(share.timestamp, recoveries.last_timestamp)
    brief = recoveries.last_brief
    if (
        brief is None
        or (brief.timestamp, brief.author) != (share.timestamp, share.author)
        or share.recipient not in brief.per_recipient_shares
    ):
        raise Unacceptable(Fault.SHAMIR_MISSING_BRIEF)
    if share.recipient != recoveries.self_user_id:
        raise Unacceptable(Fault.SHAMIR_UNRELATED_TO_US)
    if (brief.user_id, brief.timestamp) in recoveries.shares:
        raise Unacceptable(Fault.CONTENT_ALREADY_EXISTS)
    if share.user_id != author.user_id:
        raise Unacceptable(Fault.SHAMIR_NOT_ABOUT_SELF)
    people.check_author_active(author, share.timestamp)


def _check_deletion(
    recoveries: Recoveries,
    people: People,
    deletion: ShamirRecoveryDeletionCertificate,
    author: Author,
) -> None:
    """`client.md` 15.6, deletion."""
    check_newest(deletion.timestamp, recoveries.last_timestamp)
    if deletion.setup_to_delete_user_id != author.user_id:
        raise Unacceptable(Fault.SHAMIR_NOT_ABOUT_SELF)
    last = recoveries.setups.get(deletion.setup_to_delete_user_id)
    if last is None or last.brief.timestamp != deletion.setup_to_delete_timestamp:
        raise Unacceptable(Fault.SHAMIR_DELETION_NOT_OF_LAST_SETUP)
    if last.deletion is not None:
        raise Unacceptable(Fault.SHAMIR_ALREADY_DELETED)
    if deletion.share_recipients != last.brief.per_recipient_shares.keys():
        raise Unacceptable(Fault.SHAMIR_DELETION_RECIPIENTS_MISMATCH)
    people.check_author_active(author, deletion.timestamp)
