"""Vectors of what the server limits before it sends mails."""

from collections.abc import Iterable
from typing import Any

import msgspec

from parsec.data.instant import Instant
from parsec.server.records import RecentEmails
from parsec.server.rules.email_limit import EmailLimit, counted_since, refused_until
from tests.conformance.registry import Vector, handles

_ORIGIN = Instant.parse("2026-01-02T03:04:05Z")


class SentEmail(msgspec.Struct, frozen=True, kw_only=True):
    """A mail that somebody without account caused."""

    sent_on: Instant
    recipient: str
    client_address: str
    """Empty if it is not known."""


@handles("server-email-rate-limit")
def check_email_rate_limit(vector: Vector, document: dict[str, Any]) -> None:
    inputs = vector["inputs"]
    limit = EmailLimit(
        cooldown_seconds=inputs["cooldown_seconds"], max_per_hour=inputs["max_per_hour"]
    )
    sent: list[SentEmail] = []
    found: list[float | None] = []

    for send in inputs["sends"]:
        now = _ORIGIN.plus(seconds=send["at_seconds"])
        mail = SentEmail(sent_on=now, recipient=send["recipient"], client_address=send["client_ip"])
        until = refused_until(_recent_emails(sent, mail), limit, now=now)
        found.append(None if until is None else until.seconds_since(_ORIGIN))
        if until is None:
            sent.append(mail)

    assert found == vector["expected"]["wait_until_seconds"]


def _recent_emails(sent: Iterable[SentEmail], mail: SentEmail) -> RecentEmails:
    """Those of the hour before that went to the same address or were caused from the same place."""
    dates = [
        one.sent_on
        for one in sent
        if one.sent_on > counted_since(mail.sent_on)
        and (
            one.recipient == mail.recipient
            or (mail.client_address != "" and one.client_address == mail.client_address)
        )
    ]
    if not dates:
        return RecentEmails()
    return RecentEmails(count=len(dates), oldest=min(dates), latest=max(dates))
