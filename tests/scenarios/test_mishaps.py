"""What can go wrong in the first story, and what people are told then."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.stage import Person, Script, Stage, stage
from tests.scenarios import scripted


class Members:
    """Alice and Arnold are administrators, Bob has shared his recovery between them."""

    def __init__(self, built: Stage) -> None:
        self.stage = built
        self.alice, self.arnold, self.bob = (
            built.person(name) for name in ("Alice", "Arnold", "Bob")
        )
        scripted.found_organization(built, self.alice)
        scripted.welcome(self.alice, self.arnold, profile="ADMIN")
        scripted.welcome(self.alice, self.bob)
        scripted.set_up_recovery(self.bob, threshold=2)

    def newcomer(self, name: str) -> Person:
        return self.stage.person(name)


@pytest.fixture(scope="module")
def members() -> Iterator[Members]:
    with stage() as built:
        built.start_server("--db", f"sqlite:///{built.folder / 'parsec.sqlite'}")
        yield Members(built)


def claim(person: Person, url: str) -> Script:
    return person.script(
        "invite", "claim", url, "--sas-stdin", "--greeter", "alice@example.com",
        "--label", "laptop", "--email", person.email, "--name", person.name,
    )  # fmt: skip


def refused(script: Script, code: int) -> str:
    script.finish(code)
    return script.errors


# --- Links ---


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hello",
        "https://example.com/",
        "http://127.0.0.1:1/redirect/Org",
        "parsec3://127.0.0.1:1/Org?a=claim_user",
        "parsec3://127.0.0.1:1/Org?a=claim_user&p=xBBUVFRU",
        "parsec3://127.0.0.1:1/Org?a=claim_nothing&p=xBAAAAAAAAAAAAAAAAAAAAAA",
        "parsec3://127.0.0.1:1/Org?a=bootstrap_organization&p=wA",
        "parsec3://127.0.0.1:1/?a=claim_user&p=xBAAAQIDBAUGBwgJCgsMDQ4P",
        "parsec3://127.0.0.1:1/Org?a=claim_user&p=" + "A" * 100_000,
    ],
)
def test_a_link_that_is_none_is_refused_before_anything_happens(url: str, tmp_path: Path) -> None:
    person = Stage(tmp_path).person("Nobody")

    errors = refused(person.script("invite", "claim", url), 2)

    assert "rror:" in errors
    assert len(errors) < 2_000


def test_a_cancelled_invitation_is_refused_with_its_cause(members: Members) -> None:
    invitation = members.alice.script("invite", "user", "zoe@example.com").result()
    members.alice.script("invite", "cancel", invitation["token"]).finish()

    errors = refused(claim(members.newcomer("Zoe"), invitation["url"]), 7)

    assert "cancelled" in errors


def test_a_used_invitation_is_refused(members: Members) -> None:
    carol = members.newcomer("Carol")
    invitation = members.alice.script("invite", "user", carol.email).result()
    claimer = claim(carol, invitation["url"])
    greeter = members.alice.script(
        "invite", "greet", invitation["token"], "--sas-stdin", "--profile", "STANDARD"
    )
    scripted.compare_codes(greeter, claimer)
    claimer.finish()
    greeter.finish()

    errors = refused(claim(members.newcomer("Mallory"), invitation["url"]), 7)

    assert "already used" in errors


def test_an_unknown_invitation_is_not_found(members: Members) -> None:
    url = (
        f"parsec3://127.0.0.1:{members.stage.port}/Org?no_ssl=true"
        "&a=claim_user&p=xBAAAQIDBAUGBwgJCgsMDQ4P"
    )

    errors = refused(claim(members.newcomer("Eve"), url), 3)

    assert "Invitation not found" in errors


# --- Codes ---


@pytest.mark.parametrize("who", ["claimer", "greeter"])
def test_a_wrong_code_ends_the_greeting_on_both_sides_and_creates_nothing(
    members: Members, who: str
) -> None:
    dave = members.newcomer(f"Dave-{who}")
    invitation = members.alice.script("invite", "user", dave.email).result()
    claimer = claim(dave, invitation["url"])
    greeter = members.alice.script(
        "invite", "greet", invitation["token"], "--sas-stdin", "--profile", "STANDARD"
    )
    code = greeter.event("code")["code"]
    if who == "claimer":
        claimer.write("AAAA")
    else:
        claimer.write(code)
        claimer.event("code")
        greeter.write("AAAA")

    claimer.finish(8)
    greeter.finish(8)

    wrong, told = (claimer, greeter) if who == "claimer" else (greeter, claimer)
    assert "Invalid SAS code" in wrong.errors
    assert "did not recognize your code" in told.errors
    assert dave.script("device", "list").result() == []
    emails = [user["human_handle"] for user in members.alice.script("user", "list").result()]
    assert dave.handle not in emails


def test_the_second_claimer_takes_over_and_the_first_is_told(members: Members) -> None:
    erin, mallory = members.newcomer("Erin"), members.newcomer("Mallory2")
    invitation = members.alice.script("invite", "user", erin.email).result()
    first = claim(erin, invitation["url"])
    first.event("greeter")
    greeter = members.alice.script(
        "invite", "greet", invitation["token"], "--sas-stdin", "--profile", "STANDARD"
    )
    greeter.event("code")  # so that the first claimer has certainly joined

    second = claim(mallory, invitation["url"])
    second.event("greeter")
    first.write("AAAA")
    first.finish(8)
    greeter.finish(8)

    second.kill()


# --- Devices ---


def test_a_wrong_password_is_an_authentication_failure(members: Members) -> None:
    guest = members.newcomer("Guest")
    shutil.copytree(members.bob.home / "config", guest.home / "config")
    guest.password = "wrong"

    errors = refused(guest.script("user", "list"), 4)

    assert "password" in errors
    assert "wrong" not in errors.replace("wrong password", "")


def test_a_truncated_device_file_is_not_listed_and_a_corrupt_one_does_not_open(
    members: Members,
) -> None:
    guest = members.newcomer("Guest2")
    guest.password = members.bob.password
    shutil.copytree(members.bob.home / "config", guest.home / "config")
    (file,) = (guest.home / "config").rglob("*.keys")
    content = file.read_bytes()

    file.write_bytes(content[:-1])
    assert guest.script("device", "list").result() == []

    file.write_bytes(content[:-60] + bytes(3) + content[-57:])
    assert len(guest.script("device", "list").result()) == 1
    refused(guest.script("user", "list"), 4)


# --- Servers ---


def test_a_server_that_is_down_is_said_to_be_out_of_reach(members: Members) -> None:
    url = "parsec3://127.0.0.1:9/Org?no_ssl=true&a=claim_user&p=xBAAAQIDBAUGBwgJCgsMDQ4P"

    errors = refused(members.newcomer("Frank").script("invite", "claim", url), 5)

    assert "hint:" in errors


# --- Shared recovery ---


def test_a_set_up_deleted_meanwhile_is_named_as_the_cause(members: Members) -> None:
    gina = members.newcomer("Gina")
    scripted.welcome(members.alice, gina)
    scripted.set_up_recovery(gina, threshold=1)
    invitation = scripted.invite_recovery(members.alice, gina)
    gina.script("shared-recovery", "delete").finish()

    errors = refused(
        members.newcomer("Gina2").script("invite", "claim", invitation["url"], "--sas-stdin"), 7
    )

    assert "deleted" in errors


def test_a_recovery_killed_in_the_middle_goes_on_with_the_shares_it_had(
    members: Members,
) -> None:
    lost = members.newcomer("Bob-again")
    lost.email, lost.name = members.bob.email, members.bob.name
    invitation = scripted.invite_recovery(members.alice, lost)
    claimer = scripted.claim_recovery(lost, invitation["url"], members.alice)
    scripted.greet(members.alice, invitation["token"], claimer)
    assert claimer.event("shares") == {"event": "shares", "threshold": 2, "retrieved": 1}
    claimer.kill()

    claimer = scripted.claim_recovery(lost, invitation["url"], members.arnold)
    assert claimer.event("shares") == {"event": "shares", "threshold": 2, "retrieved": 1}
    scripted.greet(members.arnold, invitation["token"], claimer)
    claimer.finish()

    assert len(lost.script("device", "list").result()) == 1
    assert not list((lost.home / "config").rglob("*.shares"))


def test_a_server_killed_in_the_middle_of_a_greeting_is_waited_for(members: Members) -> None:
    hugo = members.newcomer("Hugo")
    invitation = members.alice.script("invite", "user", hugo.email).result()
    claimer = claim(hugo, invitation["url"])
    claimer.event("greeter")

    members.stage.stop_server(kill=True)
    members.stage.start_server("--db", f"sqlite:///{members.stage.folder / 'parsec.sqlite'}")
    greeter = members.alice.script(
        "invite", "greet", invitation["token"], "--sas-stdin", "--profile", "STANDARD"
    )
    scripted.compare_codes(greeter, claimer)

    claimer.finish()
    greeter.finish()
