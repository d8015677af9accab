"""What a server recommends for device files, and what that means for a device (client.md 2.6)."""

import pytest

from parsec.data.advisory import Advisory, Decision, Primary, Protection

PASSWORD = Protection.parse("PASSWORD")
PASSWORD_TOTP = Protection.parse("PASSWORD+TOTP")
KEYRING = Protection.parse("KEYRING")


@pytest.mark.parametrize("text", ["PASSWORD", "KEYRING+TOTP", "ACCOUNT_VAULT"])
def test_a_protection_reads_back(text: str) -> None:
    assert str(Protection.parse(text)) == text


@pytest.mark.parametrize("text", ["", "+TOTP", "password", "PASSWORD+TOTP+TOTP", "PASSWORD TOTP"])
def test_what_is_no_protection_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a valid"):
        Protection.parse(text)


@pytest.mark.parametrize("texts", [None, [], ["FINGERPRINT"]])
def test_without_a_known_recommendation_everything_is_as_good(texts: list[str] | None) -> None:
    advisory = Advisory.parse(texts)

    assert advisory.primaries == frozenset(Primary)
    assert advisory.allows(PASSWORD)
    assert not advisory.asks_totp(Primary.PASSWORD)


def test_what_this_version_does_not_know_is_left_out() -> None:
    advisory = Advisory.parse(["FINGERPRINT", "PASSWORD"])

    assert advisory.protections == (PASSWORD,)


@pytest.mark.parametrize(
    ("texts", "protection", "decision"),
    [
        (["PASSWORD"], PASSWORD, Decision.OK),
        (["PASSWORD"], PASSWORD_TOTP, Decision.OK),
        (["PASSWORD"], KEYRING, Decision.CHANGE_PROTECTION),
        (["PASSWORD+TOTP"], PASSWORD, Decision.SET_UP_TOTP),
        (["PASSWORD+TOTP"], PASSWORD_TOTP, Decision.OK),
        (["PASSWORD+TOTP", "KEYRING"], KEYRING, Decision.OK),
    ],
)
def test_a_device_is_told_what_to_do(
    texts: list[str], protection: Protection, decision: Decision
) -> None:
    assert Advisory.parse(texts).decide(protection) is decision
