"""How often mails may be sent: to one address, for one author, for one organization.

A limit has a pause between two mails and a maximum in any hour. Mails that are refused do not
count, so that who goes on asking does not wait longer.
"""

import msgspec

from parsec.crypto.keys import HashDigest
from parsec.data.instant import Instant
from parsec.data.people import EmailAddress
from parsec.server.records import RecentEmails, RecentInvitationEmails
from parsec.server.settings import InvitationEmailLimits

WINDOW_SECONDS = 3600
"""How long a mail counts."""


class EmailLimit(msgspec.Struct, frozen=True, kw_only=True):
    """At most so many mails an hour, and so many seconds between two of them; 0: no limit."""

    cooldown_seconds: int = 0
    max_per_hour: int


def refused_until(recent: RecentEmails, limit: EmailLimit, *, now: Instant) -> Instant | None:
    """When the next mail may be sent; None: now."""
    if recent.latest is not None and limit.cooldown_seconds > 0:
        rested = recent.latest.plus(seconds=limit.cooldown_seconds)
        if now < rested:
            return rested
    if recent.oldest is not None and 0 < limit.max_per_hour <= recent.count:
        return recent.oldest.plus(seconds=WINDOW_SECONDS)
    return None


def counted_since(now: Instant) -> Instant:
    """Mails of then or before count no more."""
    return now.plus(seconds=-WINDOW_SECONDS)


def exceeded_limit(
    recent: RecentInvitationEmails, limits: InvitationEmailLimits, *, now: Instant
) -> str | None:
    """Whose limit keeps a mail with an invitation from being sent, for the log; None: nobody's."""
    against = {
        "recipient": (recent.to_recipient, limits.per_recipient),
        "author": (recent.by_author, limits.per_author),
        "organization": (recent.of_organization, limits.per_organization),
    }
    for whose, (emails, maximum) in against.items():
        if refused_until(emails, EmailLimit(max_per_hour=maximum), now=now) is not None:
            return whose
    return None


def recipient_digest(recipient: EmailAddress) -> HashDigest:
    """What is remembered of an address; capitals make no other mailbox of it."""
    return HashDigest.of(recipient.casefold().encode())
