"""The mails with invitations of the last hour: counting them, adding one, forgetting old ones."""

from parsec.crypto.keys import HashDigest
from parsec.data.ids import UserID
from parsec.data.instant import Instant
from parsec.data.people import OrganizationID
from parsec.server.records import RecentEmails, RecentInvitationEmails
from parsec.server.store.engine import Row, Transaction

LOCK = "invitation_email"
"""What `Transaction.lock` is given before mails are counted and one is added.

One lock for all: an address is counted over all organizations, and who waits for it waits for two
short statements.
"""

TO_RECIPIENT = """
SELECT COUNT(*), MIN(sent_on), MAX(sent_on) FROM invitation_email
WHERE recipient_digest = :recipient_digest AND sent_on > :since"""

BY_AUTHOR = """
SELECT COUNT(*), MIN(sent_on), MAX(sent_on) FROM invitation_email
WHERE organization_id = :organization_id AND author = :author AND sent_on > :since"""

OF_ORGANIZATION = """
SELECT COUNT(*), MIN(sent_on), MAX(sent_on) FROM invitation_email
WHERE organization_id = :organization_id AND sent_on > :since"""

ADD = """
INSERT INTO invitation_email (email_id, organization_id, author, recipient_digest, sent_on)
VALUES (:email_id, :organization_id, :author, :recipient_digest, :sent_on)"""

FORGET = "DELETE FROM invitation_email WHERE sent_on <= :since"


async def recent_emails(
    transaction: Transaction,
    organization_id: OrganizationID,
    author: UserID,
    recipient: HashDigest,
    *,
    since: Instant,
) -> RecentInvitationEmails:
    """What counts against the limits of another mail."""
    (to_recipient,) = await transaction.rows(
        TO_RECIPIENT, recipient_digest=bytes(recipient), since=since
    )
    (by_author,) = await transaction.rows(
        BY_AUTHOR, organization_id=organization_id, author=author, since=since
    )
    (of_organization,) = await transaction.rows(
        OF_ORGANIZATION, organization_id=organization_id, since=since
    )
    return RecentInvitationEmails(
        to_recipient=_emails(to_recipient),
        by_author=_emails(by_author),
        of_organization=_emails(of_organization),
    )


async def add_email(
    transaction: Transaction,
    organization_id: OrganizationID,
    author: UserID,
    recipient: HashDigest,
    *,
    email_id: bytes,
    sent_on: Instant,
    forget: Instant,
) -> None:
    """Write that a mail is sent, and forget those of `forget` and before."""
    await transaction.rows(FORGET, since=forget)
    await transaction.rows(
        ADD,
        email_id=email_id,
        organization_id=organization_id,
        author=author,
        recipient_digest=bytes(recipient),
        sent_on=sent_on,
    )


def _emails(row: Row) -> RecentEmails:
    count, oldest, latest = row
    if not count:
        return RecentEmails()
    return RecentEmails(count=count, oldest=Instant(oldest), latest=Instant(latest))
