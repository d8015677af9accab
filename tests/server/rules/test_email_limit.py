"""How often mails may be sent (server-core.md 17.3, 20)."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsec.data.instant import Instant
from parsec.data.people import EmailAddress
from parsec.server.records import RecentEmails, RecentInvitationEmails
from parsec.server.rules.email_limit import (
    EmailLimit,
    counted_since,
    exceeded_limit,
    recipient_digest,
    refused_until,
)
from parsec.server.settings import InvitationEmailLimits
from tests.support.server_records import NOW

LIMITS = InvitationEmailLimits(per_recipient=1, per_author=2, per_organization=3)


def emails(count: int) -> RecentEmails:
    """So many, of which the first was half an hour ago."""
    if count == 0:
        return RecentEmails()
    return RecentEmails(count=count, oldest=NOW.plus(seconds=-1800), latest=NOW)


def test_the_first_mail_is_sent() -> None:
    limit = EmailLimit(cooldown_seconds=60, max_per_hour=1)

    assert refused_until(RecentEmails(), limit, now=NOW) is None


def test_the_oldest_mail_makes_room_after_an_hour() -> None:
    until = refused_until(emails(3), EmailLimit(max_per_hour=3), now=NOW)

    assert until == NOW.plus(seconds=1800)


def test_without_maximum_any_number_is_sent() -> None:
    assert refused_until(emails(10_000), EmailLimit(max_per_hour=0), now=NOW) is None


def test_a_clock_that_was_set_back_does_not_open_the_gates() -> None:
    ahead = RecentEmails(count=1, oldest=NOW.plus(seconds=30), latest=NOW.plus(seconds=30))

    until = refused_until(ahead, EmailLimit(cooldown_seconds=60, max_per_hour=0), now=NOW)

    assert until == NOW.plus(seconds=90)


def test_without_pause_mails_may_cross() -> None:
    ahead = RecentEmails(count=1, oldest=NOW.plus(seconds=1), latest=NOW.plus(seconds=1))

    assert refused_until(ahead, EmailLimit(max_per_hour=2), now=NOW) is None


@pytest.mark.parametrize(
    ("recipient", "author", "organization", "exceeded"),
    [
        (0, 1, 2, None),
        (1, 1, 1, "recipient"),
        (0, 2, 2, "author"),
        (0, 0, 3, "organization"),
    ],
)
def test_each_limit_counts_for_itself(
    recipient: int, author: int, organization: int, exceeded: str | None
) -> None:
    recent = RecentInvitationEmails(
        to_recipient=emails(recipient),
        by_author=emails(author),
        of_organization=emails(organization),
    )

    assert exceeded_limit(recent, LIMITS, now=NOW) == exceeded


def test_without_limits_nothing_is_exceeded() -> None:
    recent = RecentInvitationEmails(
        to_recipient=emails(99), by_author=emails(99), of_organization=emails(99)
    )
    limits = InvitationEmailLimits(per_recipient=0, per_author=0, per_organization=0)

    assert not limits.any
    assert exceeded_limit(recent, limits, now=NOW) is None


def test_capitals_make_no_other_mailbox() -> None:
    first, second = EmailAddress("Bob@Example.com"), EmailAddress("bob@example.com")

    assert recipient_digest(first) == recipient_digest(second)
    assert recipient_digest(first) != recipient_digest(EmailAddress("bab@example.com"))


@given(
    gaps=st.lists(st.integers(0, 2_000), max_size=40),
    cooldown=st.integers(0, 300),
    maximum=st.integers(1, 5),
)
def test_no_hour_ever_sees_more_than_the_maximum(
    gaps: list[int], cooldown: int, maximum: int
) -> None:
    limit = EmailLimit(cooldown_seconds=cooldown, max_per_hour=maximum)
    dates: list[Instant] = []
    now = NOW

    for gap in gaps:
        now = now.plus(seconds=gap)
        if refused_until(_recent(dates, now), limit, now=now) is None:
            dates.append(now)

    assert all(_within_an_hour(dates, last) <= maximum for last in dates)
    pairs = itertools.pairwise(dates)
    assert all(later.seconds_since(earlier) >= cooldown for earlier, later in pairs)


def _recent(dates: list[Instant], now: Instant) -> RecentEmails:
    counted = [date for date in dates if date > counted_since(now)]
    if not counted:
        return RecentEmails()
    return RecentEmails(count=len(counted), oldest=counted[0], latest=counted[-1])


def _within_an_hour(dates: list[Instant], last: Instant) -> int:
    return sum(counted_since(last) < date <= last for date in dates)
