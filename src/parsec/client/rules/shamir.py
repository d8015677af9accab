"""What holds for shared recoveries: how one stands, which may be set up, what a share must be.

`client.md` 12.2 (checks before a set-up), 12.3 (status), 12.5 (giving shares) and 13 (advice).
"""

import enum
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import TypeAlias

import msgspec

from parsec.client.failure import Conflict, FlowError, InvalidAnswer, NotFound
from parsec.client.rules.ledger import Ledger, ShamirSetup, UserInfo
from parsec.crypto.errors import CryptoError
from parsec.crypto.keys import PrivateKey
from parsec.data.certificates import MAX_SHARES, ShamirRecoveryShareCertificate
from parsec.data.ids import UserID
from parsec.data.instant import Instant
from parsec.data.people import UserProfile
from parsec.data.recovery import ShamirRecoveryShareData
from parsec.wire.msgpack import MalformedError

# --- Failures ---
#
#   FlowError
#   ├── SetupRefused              what was chosen cannot be set up
#   │   ├── AuthorAmongRecipients
#   │   ├── ThresholdBiggerThanSumOfShares
#   │   ├── TooManyShares
#   │   └── InvalidWeight         a weight or a threshold below one
#   ├── Conflict
#   │   ├── ShamirRecoveryAlreadyExists
#   │   ├── RecipientRevoked
#   │   ├── SetupDeleted
#   │   └── SetupUnusable
#   ├── NotFound
#   │   ├── RecipientNotFound
#   │   ├── BriefCertificateNotFound
#   │   └── ShareCertificateNotFound
#   └── InvalidAnswer
#       └── CorruptedShareData


class SetupRefused(FlowError):
    """What was chosen cannot be set up."""


class AuthorAmongRecipients(SetupRefused):
    """Nobody can be a recipient of its own recovery."""


class ThresholdBiggerThanSumOfShares(SetupRefused):
    """There would be too few shares ever to recover."""


class TooManyShares(SetupRefused):
    """A secret cannot be split into so many shares."""


class InvalidWeight(SetupRefused):
    """A weight or a threshold is below one."""


class ShamirRecoveryAlreadyExists(Conflict):
    """The author has an active set-up."""


class RecipientNotFound(NotFound):
    """A recipient is not a user of the organization."""


class RecipientRevoked(Conflict):
    """A recipient does not belong to the organization any more."""


class SetupDeleted(Conflict):
    """The set-up was deleted meanwhile."""


class SetupUnusable(Conflict):
    """Too many recipients were revoked."""


class BriefCertificateNotFound(NotFound):
    """The user has no set-up of that time, or a newer one."""


class ShareCertificateNotFound(NotFound):
    """This user holds no share of that set-up."""


class CorruptedShareData(InvalidAnswer):
    """The shares do not open, or are not what their certificate says."""


# --- Status ---


class SetupState(enum.StrEnum):
    """How a set-up stands; the values are those of the command line's JSON."""

    NEVER_SETUP = "never-setup"
    OK = "ok"
    WITH_REVOKED_RECIPIENTS = "with-revoked-recipients"
    UNUSABLE = "unusable"
    DELETED = "deleted"


class SetupStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How a set-up stands, and the facts behind it."""

    state: SetupState
    setup: ShamirSetup | None = None
    revoked_recipients: tuple[UserID, ...] = ()
    remaining_shares: int = 0
    """What the recipients that are left hold together."""


def setup_status(setup: ShamirSetup | None, revoked_users: AbstractSet[UserID]) -> SetupStatus:
    """How the last set-up of a user stands, given who was revoked."""
    if setup is None:
        return SetupStatus(state=SetupState.NEVER_SETUP)
    weights = setup.per_recipient_shares
    revoked = tuple(sorted(user_id for user_id in weights if user_id in revoked_users))
    remaining = sum(weights.values()) - sum(weights[user_id] for user_id in revoked)
    return SetupStatus(
        state=_state(setup, bool(revoked), remaining),
        setup=setup,
        revoked_recipients=revoked,
        remaining_shares=remaining,
    )


def _state(setup: ShamirSetup, some_revoked: bool, remaining: int) -> SetupState:
    if setup.is_deleted:
        return SetupState.DELETED
    if remaining < setup.threshold:
        return SetupState.UNUSABLE
    return SetupState.WITH_REVOKED_RECIPIENTS if some_revoked else SetupState.OK


# --- Before a set-up ---


def check_setup_parameters(
    author: UserID, weights: Mapping[UserID, int], threshold: int, ledger: Ledger
) -> None:
    """What must hold before anything is created. Raises SetupRefused, Conflict or NotFound."""
    check_shares(author, weights, threshold)
    check_against_ledger(author, weights, ledger)


def check_shares(author: UserID, weights: Mapping[UserID, int], threshold: int) -> None:
    """The part that needs no certificates. Raises SetupRefused."""
    if author in weights:
        raise AuthorAmongRecipients(
            "You cannot be a recipient of your own shared recovery",
            hint="choose other recipients",
        )
    total = sum(weights.values())
    if total < threshold:
        raise ThresholdBiggerThanSumOfShares(
            f"The threshold {threshold} is bigger than the number of shares, {total}",
            hint="lower the threshold, add recipients or give some of them more shares",
        )
    if total > MAX_SHARES:
        raise TooManyShares(
            f"There would be {total} shares, at most {MAX_SHARES} are possible",
            hint="give the recipients fewer shares",
        )
    if threshold < 1 or min(weights.values()) < 1:
        raise InvalidWeight("The threshold and each recipient's number of shares are at least 1")


def check_against_ledger(author: UserID, weights: Mapping[UserID, int], ledger: Ledger) -> None:
    """The part to be repeated after each poll of certificates. Raises Conflict or NotFound."""
    present = ledger.shamir_setup(author)
    if present is not None and not present.is_deleted:
        raise ShamirRecoveryAlreadyExists(
            f"You have had a shared recovery since {present.created_on}",
            hint="delete it first: `shared-recovery delete`",
        )
    for user_id in weights:
        recipient = ledger.user(user_id)
        if recipient is None:
            raise RecipientNotFound(f"There is no user {user_id.hyphenated} to be a recipient")
        if recipient.is_revoked:
            raise RecipientRevoked(
                f"The user {recipient.human_handle.email} was revoked on {recipient.revoked_on}",
                hint="choose another recipient",
            )


# --- Advice ---


class AnyoneAlone(msgspec.Struct, frozen=True):
    """With threshold 1, each recipient alone can take over the account."""


class OneAlone(msgspec.Struct, frozen=True):
    """This recipient has enough shares to take over the account alone."""

    recipient: UserID


class NoSlack(msgspec.Struct, frozen=True):
    """All shares are needed: losing one recipient makes the set-up unusable."""


class ExternalRecipient(msgspec.Struct, frozen=True):
    """This recipient is an external user."""

    recipient: UserID


SetupWarning: TypeAlias = AnyoneAlone | OneAlone | NoSlack | ExternalRecipient


def setup_warnings(
    weights: Mapping[UserID, int], threshold: int, recipients: Mapping[UserID, UserInfo]
) -> list[SetupWarning]:
    """What somebody should think about before setting this up (`client.md` 13)."""
    warnings: list[SetupWarning] = []
    if threshold == 1:
        warnings.append(AnyoneAlone())
    else:
        warnings += [OneAlone(user_id) for user_id in weights if weights[user_id] >= threshold]
    if threshold == sum(weights.values()):
        warnings.append(NoSlack())
    warnings += [
        ExternalRecipient(user_id)
        for user_id in weights
        if user_id in recipients and recipients[user_id].profile is UserProfile.OUTSIDER
    ]
    return warnings


# --- Giving one's shares ---


def share_to_give(
    ledger: Ledger, claimer: UserID, created_on: Instant
) -> ShamirRecoveryShareCertificate:
    """Our shares of the set-up that an invitation is about.

    Raises SetupDeleted, BriefCertificateNotFound, ShareCertificateNotFound or SetupUnusable.
    """
    setup = ledger.shamir_setup(claimer)
    if setup is not None and setup.is_deleted:
        raise SetupDeleted(
            f"This shared recovery was deleted on {setup.deleted_on}",
            hint="its user has to set up a new one; until then it cannot be recovered",
        )
    if setup is None or setup.created_on != created_on:
        raise BriefCertificateNotFound(
            f"This user has no shared recovery of {created_on}",
            hint="the invitation is about another one; invite again",
        )
    share = ledger.share_certificate(claimer, created_on)
    if share is None:
        raise ShareCertificateNotFound(
            "You hold no share of this shared recovery", hint="ask one of its recipients"
        )
    _check_usable(setup, ledger)
    return share


def _check_usable(setup: ShamirSetup, ledger: Ledger) -> None:
    status = setup_status(setup, ledger.revoked_users())
    if status.state is SetupState.UNUSABLE:
        raise SetupUnusable(
            f"Only {status.remaining_shares} shares are left of this shared recovery,"
            f" {setup.threshold} are needed",
            hint="too many recipients were revoked; it cannot be recovered",
        )


def open_share(
    ledger: Ledger, share: ShamirRecoveryShareCertificate, recipient_key: PrivateKey
) -> ShamirRecoveryShareData:
    """Open our shares and check who dealt them. Raises CorruptedShareData."""
    author = ledger.device(share.author)
    assert author is not None, "the ledger holds the author of each certificate it accepted"
    try:
        return ShamirRecoveryShareData.open(
            share.ciphered_share,
            recipient_key=recipient_key,
            author_verify_key=author.verify_key,
            author=share.author,
            timestamp=share.timestamp,
        )
    except (CryptoError, MalformedError) as error:
        raise CorruptedShareData(
            "Your shares of this shared recovery are corrupted",
            hint="another recipient may help; afterwards it should be set up anew",
        ) from error
