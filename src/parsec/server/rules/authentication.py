"""Who may send a command at all: the verdicts that every family shares."""

from functools import lru_cache

from parsec.crypto.errors import SignatureError
from parsec.crypto.keys import VerifyKey
from parsec.data.instant import Instant
from parsec.protocol.authentication import DeviceToken
from parsec.protocol.ballpark import in_ballpark
from parsec.protocol.invite import InvitationStatus
from parsec.server.records import Author, Invited, OrganizationRecord
from parsec.server.rules.invite import InvitationState
from parsec.server.rules.refusal import Rejected, Verdict

# A key that is no device's (RFC 8032, 7.1): refusing who has none takes as long as any refusal.
_DUMMY_KEY = VerifyKey(
    bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
)


def check_token(
    found: Author | OrganizationRecord | None, token: DeviceToken, *, now: Instant
) -> Author:
    """Make sure that a device of a bootstrapped organization calls, and now.

    This comes before anything about the state of organization and user is told: who cannot sign
    learns nothing of it, not even whether the device exists. Raises Rejected.
    """
    if found is None or _organization(found).bootstrapped_on is None:
        raise Rejected(Verdict.ORGANIZATION_NOT_FOUND)
    key = found.device.verify_key if isinstance(found, Author) else _DUMMY_KEY
    try:
        _verify(key, token.signature, token.signed_text)
    except SignatureError:
        raise Rejected(Verdict.BAD_AUTHENTICATION) from None
    if not isinstance(found, Author):
        # The private half of the dummy key is public.
        raise Rejected(Verdict.BAD_AUTHENTICATION)
    if not in_ballpark(token.seconds * 1_000_000, now=now):
        raise Rejected(Verdict.TOKEN_EXPIRED)
    return found


@lru_cache(maxsize=4096)
def _verify(key: VerifyKey, signature: bytes, signed_text: bytes) -> None:
    # Clients send one token for all requests of a second, and verifying it is most of the work of
    # a small request. Failures are not remembered: they raise.
    key.verify_with_signature(signature, signed_text)


def check_author(found: Author | OrganizationRecord | None, *, despite_tos: bool = False) -> Author:
    """Make sure that a device's user may use the organization. Raises Rejected.

    `despite_tos` is for the commands by which a user reads and accepts the terms of service.
    """
    if found is None or _organization(found).bootstrapped_on is None:
        raise Rejected(Verdict.ORGANIZATION_NOT_FOUND)
    check_not_expired(_organization(found))
    if not isinstance(found, Author):
        raise Rejected(Verdict.BAD_AUTHENTICATION)
    if found.user.revoked_on is not None:
        raise Rejected(Verdict.USER_REVOKED)
    if found.user.is_frozen:
        raise Rejected(Verdict.USER_FROZEN)
    if not despite_tos and must_accept_tos(found):
        raise Rejected(Verdict.TOS_NOT_ACCEPTED)
    return found


def must_accept_tos(author: Author) -> bool:
    """Whether there are terms of service that are newer than what the user accepted."""
    tos = author.organization.tos
    accepted_on = author.user.tos_accepted_on
    return tos is not None and (accepted_on is None or accepted_on < tos.updated_on)


def check_invited(found: Invited | OrganizationRecord | None) -> Invited:
    """Make sure that a token opens an invitation, and nobody ended it. Raises Rejected.

    Whether it leads anywhere is checked by the commands (`rules.invite.check_usable`).
    """
    if found is None or _organization(found).bootstrapped_on is None:
        raise Rejected(Verdict.ORGANIZATION_NOT_FOUND)
    check_not_expired(_organization(found))
    if not isinstance(found, Invited):
        raise Rejected(Verdict.BAD_AUTHENTICATION)
    match found.invitation.status:
        case InvitationStatus.FINISHED:
            raise Rejected(Verdict.INVITATION_GONE, cause=InvitationState.COMPLETED.cause)
        case InvitationStatus.CANCELLED:
            raise Rejected(Verdict.INVITATION_GONE, cause=InvitationState.CANCELLED.cause)
        case InvitationStatus.PENDING:
            return found


def check_organization(found: OrganizationRecord | None) -> OrganizationRecord:
    """Make sure that an organization is there, bootstrapped or not, and in use. Raises Rejected."""
    if found is None:
        raise Rejected(Verdict.ORGANIZATION_NOT_FOUND)
    check_not_expired(found)
    return found


def check_not_expired(organization: OrganizationRecord) -> None:
    """Raises Rejected."""
    if organization.is_expired:
        raise Rejected(Verdict.ORGANIZATION_EXPIRED)


def _organization(found: Author | Invited | OrganizationRecord) -> OrganizationRecord:
    return found if isinstance(found, OrganizationRecord) else found.organization
