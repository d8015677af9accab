"""Vectors of what the server limits before it sends mails."""

from typing import Any

from parsec.data.instant import Instant
from parsec.server.rules.email_limit import EmailLimit, SentEmail, recent_emails, refused_until
from tests.conformance.registry import Vector, handles

_ORIGIN = Instant.parse("2026-01-02T03:04:05Z")


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
        recent = recent_emails(
            sent, recipient=mail.recipient, client_address=mail.client_address, now=now
        )
        until = refused_until(recent, limit, now=now)
        found.append(None if until is None else until.seconds_since(_ORIGIN))
        if until is None:
            sent.append(mail)

    assert found == vector["expected"]["wait_until_seconds"]
