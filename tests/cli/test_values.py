"""What the values of options mean, and how wrong ones are refused."""

import click
import pytest

from parsec.cli import values
from parsec.cli.values import Value, read_duration
from parsec.data.ids import UserID
from parsec.data.people import EmailAddress


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30", 30), ("30s", 30), ("250ms", 0.25), ("10m", 600), ("1h", 3600), ("1.5m", 90)],
)
def test_a_duration_is_seconds_or_has_a_unit(text: str, seconds: float) -> None:
    assert read_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("90", 90), ("90s", 90), ("2m", 120), ("12h", 43_200), ("30d", 2_592_000)],
)
def test_a_period_is_whole_seconds_or_has_a_unit(text: str, seconds: int) -> None:
    assert values.PERIOD.convert(text, None, None) == seconds


def test_a_limit_is_a_number_or_none() -> None:
    found = [values.LIMIT.convert(text, None, None) for text in ("0", "2147483647", "None")]

    assert found == [0, 2**31 - 1, values.NO_LIMIT]


def test_a_user_is_meant_by_address_or_id() -> None:
    by_email = values.USER.convert("bob@example.com", None, None)
    by_id = values.USER.convert("01010101-0101-0101-0101-010101010101", None, None)

    assert (by_email, by_id) == (EmailAddress("bob@example.com"), UserID(b"\1" * 16))
    assert isinstance(by_id, UserID)


@pytest.mark.parametrize("text", ["", "0", "0s", "-1", "1d", "m", "1e3", "٣"])
def test_other_durations_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="Not a duration"):
        read_duration(text)


@pytest.mark.parametrize(
    ("text", "email", "weight"),
    [
        ("bob@example.com", "bob@example.com", None),
        ("bob@example.com:1", "bob@example.com", 1),
        ("bob@example.com:255", "bob@example.com", 255),
    ],
)
def test_a_recipient_may_have_a_weight(text: str, email: str, weight: int | None) -> None:
    found = values.RECIPIENT.convert(text, None, None)

    assert (found.email, found.weight) == (EmailAddress(email), weight)


@pytest.mark.parametrize(
    ("kind", "text", "reason"),
    [
        (values.RECIPIENT, "bob@example.com:0", "Invalid weight"),
        (values.RECIPIENT, "bob@example.com:256", "Invalid weight"),
        (values.RECIPIENT, "bob@example.com:two", "Invalid weight"),
        (values.RECIPIENT, "bob", "Invalid email address"),
        (values.EMAIL, "bob@", "Invalid email address"),
        (values.THRESHOLD, "0", "Not a number from 1 to 255"),
        (values.THRESHOLD, "256", "Not a number from 1 to 255"),
        (values.ORGANIZATION, "a b", "letters, digits"),
        (values.DEVICE_LABEL, "", "Invalid device label"),
        (values.HUMAN_LABEL, "<b>", "Invalid name"),
        (values.INVITATION_TOKEN, "abc", "32 hex digits"),
        (values.INVITATION_URL, "parsec3://example.com/Org?a=claim_user", "not whole"),
        (values.INVITATION_URL, "https://example.com", "not a parsec3 address"),
        (values.INVITATION_URL, "parsec3://example.com/Org?a=bootstrap_organization&p=wA", "kind"),
        (values.BOOTSTRAP_URL, "parsec3://example.com/Org?a=claim_user&p=wA", "another kind"),
        (values.SERVER_ADDR, "parsec3://example.com/Org", "no path"),
        (values.DATE, "2026-01-01", "looks like"),
        (values.PERIOD, "1.5h", "Not a period"),
        (values.PERIOD, "24856d", "longer than any server takes"),
        (values.LIMIT, "-1", "Neither a number"),
        (values.LIMIT, "2147483648", "Neither a number"),
        (values.LIMIT, "9" * 5000, "Neither a number"),
        (values.USER, "bob", "Neither an email address nor the ID"),
        (values.USER, "bob@", "Invalid email address"),
    ],
)
def test_a_wrong_value_is_refused_with_a_reason(kind: Value, text: str, reason: str) -> None:
    with pytest.raises(click.BadParameter, match=reason):
        kind.convert(text, None, None)


@pytest.mark.parametrize(
    "text",
    [
        "844441ca22d27494fcf312e93ef2ad0d",
        "parsec3://h/Org?no_ssl=true&a=claim_shamir_recovery&p=xBCEREHKItJ0lPzzEuk-8q0N",
        "https://h/redirect/Org?a=claim_shamir_recovery&p=xBCEREHKItJ0lPzzEuk-8q0N",
    ],
)
def test_an_invitation_is_named_by_its_token_or_either_form_of_its_link(text: str) -> None:
    token, kind = values.INVITATION_TOKEN.convert(text, None, None)

    assert token.hex() == "844441ca22d27494fcf312e93ef2ad0d"
    assert kind == ("SHAMIR_RECOVERY" if "://" in text else None)


@pytest.mark.parametrize(
    "url",
    [
        "parsec3://h/Org?a=totp_reset&p=ktgC90rMZ1HtRWi12Ywwe69Ob8QQbXkDSVNrvh1gzwfHXDI5yQ",
        "https://h/redirect/Org?a=totp_reset&p=ktgC90rMZ1HtRWi12Ywwe69Ob8QQbXkDSVNrvh1gzwfHXDI5yQ",
    ],
)
def test_a_reset_link_is_understood_in_either_form(url: str) -> None:
    addr = values.TOTP_RESET_URL.convert(url, None, None)

    assert addr.user_id.hex() == "f74acc6751ed4568b5d98c307baf4e6f"


@pytest.mark.parametrize("text", ["parsec3://127.0.0.1:6770?no_ssl=true", "http://127.0.0.1:6770"])
def test_a_server_is_named_in_either_form(text: str) -> None:
    addr = values.SERVER_ADDR.convert(text, None, None)

    assert addr.url == "parsec3://127.0.0.1:6770?no_ssl=true"
