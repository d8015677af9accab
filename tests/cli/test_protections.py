"""Which protection a new device gets, by options, by what the server recommends, by asking."""

from typing import Any

import pytest

from parsec.cli.console import Console, Look
from parsec.cli.errors import NoAnswer
from parsec.cli.keyholders import Keyholders
from parsec.cli.keys import Keys, Wish
from parsec.cli.passwords import Passwords
from parsec.cli.protections import Protections
from parsec.client.failure import FlowError, Refused
from parsec.client.guards.keyring import KeyringGuard
from parsec.client.guards.password import PasswordGuard
from parsec.client.protection import ChosenProtection
from parsec.client.step import Means
from parsec.data.address import ServerAddr
from parsec.data.advisory import Advisory
from parsec.data.instant import Instant
from tests.support.keyrings import MemoryKeyring, use_keyring
from tests.support.shell import streams

SERVER = ServerAddr.parse("parsec3://parsec.invalid")
NOW = Instant.parse("2026-01-02T03:04:05Z")
PASSWORD_GIVEN = "s3cr3t\n"


@pytest.fixture(autouse=True)
def working_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    use_keyring(monkeypatch, MemoryKeyring(priority=5.0))


def _choose(
    *advised: str, stdin: str = "", passwords: dict[str, Any] | None = None, **wish: Any
) -> tuple[ChosenProtection, str]:
    """What is chosen, and what was shown."""
    console = Console(Look())
    sources = Passwords(console, environ={}, **(passwords or {"from_stdin": True}))
    keyholders = Keyholders(console, sources, Keys())
    keyholders.means = Means(now=lambda: NOW, entropy=bytes)
    protections = Protections(console, keyholders, Wish(**wish))
    with streams(stdin.encode()) as captured:
        chosen = protections.choose(Advisory.parse(advised), SERVER, "New device password:")
    return chosen, captured.err


# --- Nothing is recommended ---


def test_without_advice_it_is_a_password() -> None:
    chosen, shown = _choose(stdin=PASSWORD_GIVEN)

    assert isinstance(chosen.guard, PasswordGuard)
    assert (chosen.with_totp, shown) == (False, "")


def test_what_this_version_does_not_know_is_no_advice() -> None:
    chosen, _ = _choose("BIOMETRY", stdin=PASSWORD_GIVEN)

    assert isinstance(chosen.guard, PasswordGuard)


def test_whoever_converts_a_device_is_asked_in_any_case() -> None:
    chosen, shown = _choose(stdin="2\n", passwords={"from_stdin": False}, asks_always=True)

    assert isinstance(chosen.guard, KeyringGuard)
    assert "  1  a password\n  2  the keyring of this computer\n" in shown


# --- Something is ---


def test_the_only_way_is_taken_and_said() -> None:
    chosen, shown = _choose("KEYRING")

    assert isinstance(chosen.guard, KeyringGuard)
    assert shown == "This device will be protected by the keyring of this computer\n"


def test_of_several_ways_the_person_chooses_with_words_for_people() -> None:
    chosen, shown = _choose(
        "KEYRING", "PASSWORD+TOTP", stdin="1\n", passwords={"from_stdin": False}
    )

    assert isinstance(chosen.guard, KeyringGuard)
    assert shown.startswith(
        "How should this device be protected?:\n"
        "  1  the keyring of this computer\n"
        "  2  a password and a one-time code\n"
    )


def test_a_given_password_answers_where_passwords_are_recommended() -> None:
    chosen, _ = _choose("KEYRING", "PASSWORD+TOTP", stdin=PASSWORD_GIVEN)

    assert isinstance(chosen.guard, PasswordGuard)
    assert chosen.with_totp


def test_nobody_there_to_choose_is_told_the_option() -> None:
    with pytest.raises(NoAnswer) as caught:
        _choose("KEYRING", "PASSWORD", passwords={"from_stdin": False})

    assert caught.value.hint == "give --auth PROTECTION"


def test_ways_that_this_machine_lacks_are_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    use_keyring(monkeypatch, MemoryKeyring(priority=0))

    with pytest.raises(NoAnswer, match="New device password"):
        _choose("KEYRING", "PASSWORD", passwords={"from_stdin": False})


def test_a_machine_that_lacks_all_of_them_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    use_keyring(monkeypatch, MemoryKeyring(priority=0))

    with pytest.raises(FlowError, match=r"none of the ways .*: There is no keyring") as caught:
        _choose("KEYRING")

    assert caught.value.hint == "give another one with --auth and --ignore-advisory"


# --- An option says otherwise ---


def test_what_is_not_recommended_is_refused() -> None:
    with pytest.raises(Refused) as caught:
        _choose("KEYRING", "PKI+TOTP", primary="password", with_totp=False)

    assert str(caught.value) == (
        "The server does not recommend a password, but the keyring of this computer, "
        "a smartcard and a one-time code"
    )
    assert caught.value.hint == "choose one of these with --auth, or give --ignore-advisory"


def test_a_recommended_code_is_added_to_what_was_asked_for() -> None:
    chosen, shown = _choose("KEYRING+TOTP", primary="keyring", with_totp=False)

    assert chosen.with_totp
    assert shown == "The server recommends a one-time code in addition\n"


def test_a_code_that_nobody_recommends_is_fine() -> None:
    chosen, shown = _choose("KEYRING", primary="keyring", with_totp=True)

    assert (chosen.with_totp, shown) == (True, "")


@pytest.mark.parametrize("with_totp", [False, True])
def test_advice_can_be_ignored(with_totp: bool) -> None:
    chosen, shown = _choose(
        "PKI+TOTP",
        stdin=PASSWORD_GIVEN,
        primary="password",
        with_totp=with_totp,
        ignore_advisory=True,
    )

    assert isinstance(chosen.guard, PasswordGuard)
    assert (chosen.with_totp, shown) == (with_totp, "")
