"""Each protection of a device through pseudo-terminals, with real counterparts where there are any.

Bob becomes a member with it, logs in, fails with wrong credentials, converts to another protection,
loses everything, and recovers onto a new device that is protected in the same way.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts import stories
from scripts.stage import Person, Stage, stage
from tests.scenarios import scripted
from tests.scenarios.protections import PRIMARIES, Member, ways

NEW = "Enter password for the new device:"


@pytest.fixture
def quiet() -> Iterator[Stage]:
    """A stage whose server is not started yet."""
    with stage() as built:
        yield built


@pytest.mark.parametrize("totp", ["", "+totp"])
@pytest.mark.parametrize("primary", PRIMARIES)
def test_a_device_lives_with_its_protection(
    primary: str, totp: str, quiet: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = "password" if primary != "password" else "openbao"
    with ways(quiet, tmp_path, monkeypatch, primary) as known:
        alice = quiet.person("Alice")
        bob = known.member("Bob", primary + totp)
        scripted.found_organization(quiet, alice)

        _becomes_member(bob, alice)
        _logs_in(bob)
        _is_denied(bob)
        bob.convert(other + totp)
        _logs_in(bob)
        bob.convert(primary + totp)
        set_up = bob.run("shared-recovery", "create", "--threshold", "1")
        set_up.see("Shared recovery setup has been created")
        set_up.finish()
        bob.person.lose_everything()
        _recovers(bob, alice)
        _logs_in(bob)

        listed = bob.person.script("device", "list").result()
        assert [(each["device_type"], each["totp"]) for each in listed] == [(primary, bool(totp))]


def _becomes_member(bob: Member, host: Person) -> None:
    person = bob.person
    invitation = host.script("invite", "user", person.email).result()
    claimer = person.run(
        "invite", "claim", invitation["url"], "--label", "laptop", "--email", person.email,
        "--name", person.name, "--auth", bob.protection, *bob.way.options,
    )  # fmt: skip
    greeter = host.run("invite", "greet", invitation["token"], "--profile", "STANDARD")
    stories.unlock(greeter, host)
    stories.compare_codes(greeter, claimer)
    bob.settle(claimer, NEW)
    claimer.expect(r"\w{3} - Org: Bob <bob@example.com> @ laptop")
    claimer.finish()
    greeter.finish()


def _logs_in(bob: Member) -> None:
    users = bob.run("user", "list")
    users.see("Bob <bob@example.com>: STANDARD")
    users.finish()


def _is_denied(bob: Member) -> None:
    code: tuple[str, ...] = ()
    if bob.needs_code:
        wrong = bob.person.run(
            "user", "list", "--totp-code", bob.phone.wrong_code, *bob.way.options
        )
        wrong.see("Error: The one-time code is wrong")
        wrong.finish(4)
        code = ("--totp-code", bob.phone.code)
    denied = bob.way.fail(bob.person, "user", "list", *code)
    denied.see("Error:")
    denied.finish(4)


def _recovers(bob: Member, helper: Person) -> None:
    invitation = scripted.invite_recovery(helper, bob.person)
    claimer = bob.person.run(
        "invite", "claim", invitation["url"], "--recipient", helper.email, "--label", "new",
        "--auth", bob.protection, *bob.way.options,
    )  # fmt: skip
    greeter = helper.run("invite", "greet", invitation["token"])
    stories.unlock(greeter, helper)
    stories.compare_codes(greeter, claimer)
    greeter.finish()
    bob.settle(claimer, NEW)
    claimer.expect(r"\w{3} - Org: Bob <bob@example.com> @ new")
    claimer.finish()
