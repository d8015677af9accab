"""Conversations without a terminal, by options and JSON alone, on a real server."""

import json
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from scripts.stage import Stage
from tests.support.shell import Outcome, Running, Shell

PASSWORD = "s3cr3t"
GREET = ("invite", "greet", "--sas-stdin", "--password-stdin", "--format", "json")
CLAIM = ("invite", "claim", "--sas-stdin", "--password-stdin", "--format", "json")


@dataclass
class Member:
    """Somebody with a machine, and a device on it."""

    name: str
    shell: Shell

    @property
    def email(self) -> str:
        return f"{self.name.lower()}@example.com"

    def run(self, *arguments: str, stdin: str = "") -> Outcome:
        return self.shell.run(*arguments, "--password-stdin", stdin=f"{PASSWORD}\n{stdin}")

    def json(self, *arguments: str) -> Any:
        ended = self.run(*arguments, "--format", "json")
        assert ended.code == 0, ended.err
        return json.loads(ended.out)

    def greet(self, token: str, *options: str) -> Running:
        greeter = self.shell.start(*GREET, token, *options)
        greeter.type(PASSWORD)
        return greeter


@dataclass
class Organization:
    """An organization with its founder."""

    alice: Member
    folder: Path

    def newcomer(self, name: str) -> Member:
        home = self.folder / name
        home.mkdir()
        return Member(name, Shell(home))

    def welcome(self, name: str, profile: str) -> Member:
        guest = self.newcomer(name)
        invitation = self.alice.json("invite", "user", guest.email)
        greeter = self.alice.greet(invitation["token"], "--profile", profile)
        claimer = guest.shell.start(
            *CLAIM, invitation["url"], "--label", "laptop", "--email", guest.email,
            "--name", name, "--greeter", self.alice.email,
        )  # fmt: skip
        compare(greeter, claimer)
        claimer.type(PASSWORD)
        assert claimer.finish().code == 0
        assert greeter.finish().code == 0
        return guest


@pytest.fixture
def organization(server: Stage, tmp_path: Path, request: pytest.FixtureRequest) -> Organization:
    """A new organization on the shared server."""
    name = f"Org{abs(hash(request.node.name)):x}"[:32]
    alice = Member("Alice", Shell(tmp_path / "Alice"))
    alice.shell.home.mkdir()
    created = alice.shell.run(
        "organization", "create", name, "-a", server.addr, "-t", server.administration_token,
        "--format", "json",
    )  # fmt: skip
    bootstrapped = alice.run(
        "organization", "bootstrap", "--addr", json.loads(created.out)["bootstrap_url"],
        "--device-label", "laptop", "--label", "Alice", "--email", alice.email,
    )  # fmt: skip
    assert bootstrapped.code == 0, bootstrapped.err
    return Organization(alice, tmp_path)


def compare(greeter: Running, claimer: Running) -> None:
    """Both sides hear the other's code."""
    claimer.type(greeter.event("code")["code"])
    greeter.type(claimer.event("code")["code"])


def other_code(code: str) -> str:
    return ("B" if code[0] == "A" else "A") + code[1:]


# --- The story ---


def test_an_account_comes_back_by_options_and_json_alone(organization: Organization) -> None:
    alice = organization.alice
    arnold = organization.welcome("Arnold", "ADMIN")
    bob = organization.welcome("Bob", "STANDARD")
    setup = bob.json("shared-recovery", "create", "--threshold", "2")
    assert (setup["threshold"], sorted(setup["per_recipient_shares"].values())) == (2, [1, 1])

    invitation = alice.json("invite", "shared-recovery", bob.email, "--no-email")
    lost = organization.newcomer("Lost")
    arguments = (*CLAIM, invitation["url"], "--recipient")
    claimer = lost.shell.start(*arguments, alice.email)
    assert claimer.event("shares") == {"event": "shares", "threshold": 2, "retrieved": 0}
    greeter = alice.greet(invitation["token"])
    compare(greeter, claimer)
    assert claimer.event("shares")["retrieved"] == 1
    assert greeter.finish().code == 0
    # There is nobody to say whom to contact next.
    first = claimer.finish()
    assert first.code == 2
    assert "give --recipient EMAIL" in first.err

    claimer = lost.shell.start(*arguments, arnold.email, "--label", "new laptop")
    assert claimer.event("shares")["retrieved"] == 1
    greeter = arnold.greet(invitation["token"])
    compare(greeter, claimer)
    claimer.type(PASSWORD)
    device = claimer.event("new_device")
    assert claimer.finish().code == greeter.finish().code == 0

    assert device["human_handle"] == "Bob <bob@example.com>"
    [listed] = json.loads(lost.shell.run("device", "list", "--format", "json").out)
    assert listed["device_id"] == device["device_id"]
    assert [user["human_handle"] for user in lost.json("user", "list")] == [
        "Alice <alice@example.com>",
        "Arnold <arnold@example.com>",
        "Bob <bob@example.com>",
    ]


def test_a_device_greets_another_one_in_plain_words(organization: Organization) -> None:
    alice, phone = organization.alice, organization.newcomer("Phone")
    invited = alice.run("invite", "device").out.splitlines()
    token = invited[0].removeprefix("Invitation token: ")
    link = invited[1].removeprefix("Invitation URL: ")

    greeter = alice.shell.start("invite", "greet", token, "--sas-stdin", "--password-stdin")
    greeter.type(PASSWORD)
    claimer = phone.shell.start("invite", "claim", link, "--sas-stdin", "--password-stdin")
    claimer.type(greeter.line("Code to provide to claimer: "))
    greeter.type(claimer.line("Code to provide to greeter: "))
    claimer.type("phone", PASSWORD)
    claimed, greeted = claimer.finish(), greeter.finish()

    assert link.startswith("parsec3://")
    assert greeted.err.splitlines()[-3:] == [
        "✔ Waiting for claimer information",
        "New device label: [phone]",
        "✔ Creating the device in the server",
    ]
    lines = claimed.err.splitlines()
    assert lines[:3] == [
        "✔ Retrieving invitation info",
        "Invitation greeter: Alice <alice@example.com>",
        "✔ Waiting the greeter to start the invitation procedure",
    ]
    assert lines[4:] == [
        "✔ Waiting for greeter",
        "Enter device label: phone",
        "✔ Waiting for greeter",
        "New device created:",
    ]
    assert claimed.out.splitlines()[-1].endswith(": Alice <alice@example.com> @ phone")


# --- What goes wrong between two people ---


def _user_invitation(organization: Organization) -> tuple[Running, Running]:
    invitation = organization.alice.json("invite", "user", "eve@example.com")
    greeter = organization.alice.greet(invitation["token"])
    claimer = organization.newcomer("Eve").shell.start(*CLAIM, invitation["url"])
    return greeter, claimer


def test_a_wrong_code_at_the_claimer_ends_both_sides(organization: Organization) -> None:
    greeter, claimer = _user_invitation(organization)

    claimer.type(other_code(greeter.event("code")["code"]))
    wrong, told = claimer.finish(), greeter.finish()

    assert (wrong.code, told.code) == (8, 8)
    assert "Error: Invalid SAS code" in wrong.err
    assert "Error: The claimer did not recognize your code" in told.err
    assert "claimer" not in told.out.replace('"peer": "claimer"', "")


def test_a_wrong_code_at_the_greeter_ends_both_sides(organization: Organization) -> None:
    greeter, claimer = _user_invitation(organization)

    claimer.type(greeter.event("code")["code"])
    greeter.type(other_code(claimer.event("code")["code"]))
    wrong, told = greeter.finish(), claimer.finish()

    assert (wrong.code, told.code) == (8, 8)
    assert "Error: Invalid SAS code" in wrong.err
    assert "Error: The greeter did not recognize your code" in told.err


def test_an_interrupted_side_tells_the_other_one(organization: Organization) -> None:
    greeter, claimer = _user_invitation(organization)

    greeter.event("code")
    claimer.interrupt()
    left, told = claimer.finish(), greeter.finish()

    assert (left.code, told.code) == (130, 8)
    assert "Error" not in left.err
    assert "Error: The claimer cancelled" in told.err


def test_a_side_that_is_ended_tells_the_other_one(organization: Organization) -> None:
    greeter, claimer = _user_invitation(organization)

    greeter.event("code")
    claimer.end()
    ended, told = claimer.finish(), greeter.finish()

    assert (ended.code, told.code) == (128 + signal.SIGTERM, 8)
    assert "Error: The claimer cancelled" in told.err


def test_a_side_that_gets_no_code_tells_the_other_one(organization: Organization) -> None:
    greeter, claimer = _user_invitation(organization)

    greeter.event("code")
    left, told = claimer.finish(), greeter.finish()  # closes the standard input of the claimer

    assert left.code == 2
    assert "hint: give the code that the peer reads aloud as a line of standard input" in left.err
    assert told.code == 8


def test_nobody_is_waited_for_longer_than_asked(organization: Organization) -> None:
    token = organization.alice.json("invite", "user", "eve@example.com")["token"]

    ended = organization.alice.run("invite", "greet", token, "--timeout", "300ms")

    assert ended.code == 8
    assert "Error: The peer did not answer in time" in ended.err


# --- Invitations that are no good ---


def test_a_used_and_a_cancelled_invitation_are_refused(organization: Organization) -> None:
    alice, guest = organization.alice, organization.newcomer("Bob")
    invitation = alice.json("invite", "user", "bob@example.com")
    cancelled = alice.run("invite", "cancel", invitation["token"])

    claimed = guest.shell.run("invite", "claim", invitation["url"])
    greeted = alice.run("invite", "greet", invitation["token"])
    again = alice.run("invite", "cancel", invitation["url"])

    assert cancelled.err.splitlines()[-1] == "Invitation canceled"
    assert (claimed.code, greeted.code, again.code) == (7, 7, 7)
    assert "Error: Invitation already used or deleted (cancelled)\n" in claimed.err
    assert "Error: Invitation cancelled" in greeted.err
    assert "Error: Invitation already cancelled" in again.err


def test_an_unknown_invitation_is_not_found(organization: Organization) -> None:
    alice = organization.alice
    url = alice.json("invite", "device")["url"]
    unknown = url[:-4] + ("AAAA" if url[-4:] != "AAAA" else "BBBB")

    claimed = alice.shell.run("invite", "claim", unknown)
    greeted = alice.run("invite", "greet", "0" * 32)

    assert (claimed.code, greeted.code) == (3, 3)
    assert "Error: Invitation not found" in claimed.err
    assert "Error: Invitation not found" in greeted.err


def test_invitations_are_listed_in_columns(organization: Organization) -> None:
    alice = organization.alice
    assert alice.run("invite", "list").err.splitlines()[-1] == "No invitation."
    user = alice.json("invite", "user", "user@example.com")["token"]
    device = alice.json("invite", "device")["token"]
    alice.run("invite", "cancel", user)

    listed = alice.run("invite", "list")
    as_json = alice.json("invite", "list")

    assert listed.err.splitlines() == ["✔ Poll server for new certificates", "2 invitations found."]
    assert listed.out.splitlines() == [
        f"{user}\tcancelled\tuser (email=user@example.com)",
        f"{device}\tpending\tdevice",
    ]
    assert [(item["invitation_type"], item["invitation_status"]) for item in as_json] == [
        ("user", "cancelled"),
        ("device", "pending"),
    ]


# --- Shared recoveries ---


def test_a_setup_is_shown_to_its_author_and_its_recipients(organization: Organization) -> None:
    alice, bob = organization.alice, organization.welcome("Bob", "STANDARD")
    assert bob.run("shared-recovery", "info").out == "Shared recovery never setup\n"
    assert bob.json("shared-recovery", "info") == {"status": "never-setup"}
    assert alice.run("shared-recovery", "list").err.endswith("No shared recovery found\n")

    created = bob.run("shared-recovery", "create", "-r", f"{alice.email}:3", "-t", "2", stdin="y\n")

    assert created.code == 0
    assert created.err.splitlines() == [
        "✔ Poll server for new certificates",
        "... Creating shared recovery setup",
        "Warning: Alice <alice@example.com> alone has enough shares to take over your account",
        "The following shared recovery setup will be created:",
        "• Threshold: 2",
        "• User Alice <alice@example.com> will have 3 shares",
        "Do you want to proceed? [y/n] y",
        "✔ Shared recovery setup has been created",
    ]
    assert bob.run("shared-recovery", "info").out.splitlines() == [
        "Shared recovery set up with threshold 2",
        "• User Alice <alice@example.com> has 3 shares",
    ]
    listed = alice.run("shared-recovery", "list")
    assert listed.err.endswith("Found 1 user(s):\n")
    assert listed.out.splitlines() == [
        "• Shared recovery for Bob <bob@example.com> with threshold 2",
        "\t• User Alice <alice@example.com> has 3 shares",
    ]
    info = bob.json("shared-recovery", "info")
    assert (info["status"], info["threshold"]) == ("ok", 2)


def test_a_second_setup_is_a_conflict_until_the_first_is_deleted(
    organization: Organization,
) -> None:
    alice, bob = organization.alice, organization.welcome("Bob", "STANDARD")
    create = ("shared-recovery", "create", "--threshold", "1")
    assert bob.run(*create).code == 0

    again = bob.run(*create)
    deleted = bob.run("shared-recovery", "delete")
    nothing = bob.run("shared-recovery", "delete")

    assert again.code == 7
    assert "hint: " in again.err
    assert deleted.err.endswith("✔ Shared recovery setup has been deleted\n")
    assert (nothing.code, nothing.err.splitlines()[-1]) == (
        0,
        "There is no shared recovery setup to delete",
    )
    assert bob.json("shared-recovery", "info")["status"] == "deleted"
    assert "• Deleted shared recovery for " in alice.run("shared-recovery", "list").out


def test_what_cannot_be_set_up_is_refused_precisely(organization: Organization) -> None:
    alice, bob = organization.alice, organization.welcome("Bob", "STANDARD")
    create = ("shared-recovery", "create", "--no-confirmation")

    too_high = bob.run(*create, "--threshold", "2")
    oneself = bob.run(*create, "-r", bob.email, "-t", "1")
    unknown = bob.run(*create, "-r", "zoe@example.com", "-t", "1")
    too_many = bob.run(*create, "-r", f"{alice.email}:255", f"{bob.email}:1", "-t", "1")
    twice = bob.run(*create, "-r", alice.email, alice.email, "-t", "1")
    uneven = bob.run(*create, "-r", alice.email, "-w", "1", "2")
    none_left = alice.run(*create, "--threshold", "1")

    assert "The threshold 2 is bigger than the number of shares, 1" in too_high.err
    assert "You cannot be a recipient of your own shared recovery" in oneself.err
    assert unknown.code == 3
    assert "zoe@example.com" in unknown.err
    assert too_many.code != 0
    assert (twice.code, uneven.code) == (2, 2)
    assert "is given twice" in twice.err
    assert "There are 1 recipients, but 2 weights" in uneven.err
    assert none_left.code == 3
    assert "No default recipient available" in none_left.err


def test_a_declined_setup_is_no_error(organization: Organization) -> None:
    bob = organization.welcome("Bob", "STANDARD")

    declined = bob.run("shared-recovery", "create", "-t", "1", "--confirm", stdin="n\n")

    assert declined.code == 0
    assert declined.err.splitlines()[-1] == "Shared recovery creation aborted."
    assert bob.json("shared-recovery", "info") == {"status": "never-setup"}


# --- Members ---


def test_a_revoked_member_is_shown_as_such(organization: Organization) -> None:
    alice, bob = organization.alice, organization.welcome("Bob", "STANDARD")

    revoked = alice.run("user", "revoke", bob.email)
    listed = alice.run("user", "list")
    again = alice.run("user", "revoke", bob.email)
    oneself = alice.run("user", "revoke", alice.email)
    late = bob.run("user", "list")

    assert revoked.err.splitlines()[-1] == f"User {bob.email} has been revoked"
    assert ": STANDARD | revoked on " in listed.out
    assert " by " in listed.out
    assert alice.run("user", "list", "--skip-revoked").out.count("\n") == 1
    assert (again.code, oneself.code, late.code) == (3, 6, 6)
    assert "Error: User not found" in again.err
    assert "Error: This user has been revoked" in late.err


def test_a_poll_tells_how_much_was_new(organization: Organization) -> None:
    first, second = (organization.alice.run("certificate", "poll") for _ in range(2))

    assert first.out == "Added 2 new certificates ✔\n"
    assert second.out == "Added 0 new certificates ✔\n"


def test_forgotten_certificates_are_fetched_again(organization: Organization) -> None:
    alice = organization.alice
    alice.run("certificate", "poll")

    forgotten = alice.run("certificate", "forget-all-certificates", stdin="y\n")

    assert forgotten.code == 0
    assert alice.json("certificate", "poll") == {"added": 2}
