"""The command line killed before and after each of its requests: a later run finishes or says how.

Before: the answer to the last one was received, and nothing more is sent. After: the server has
carried it out, and the answer never arrives.
"""

from collections.abc import Iterator

import pytest

from tests.support.mortal_client import Child, mother
from tests.support.survivors import (
    Place,
    Survivor,
    converse,
    deaths,
    meet,
    one_time_code,
    place,
    was_killed,
    welcome,
)

whenever = pytest.mark.parametrize("after", [False, True], ids=["before", "after"])


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("town")
    with mother(folder) as children, place(folder, children) as built:
        yield built


@pytest.fixture(scope="module")
def alice(town: Place) -> Survivor:
    return town.founder()


@pytest.fixture(scope="module")
def bob(town: Place, alice: Survivor) -> Survivor:
    guest = town.survivor("bob")
    welcome(alice, guest)
    return guest


def emails(person: Survivor) -> list[str]:
    return [user["human_handle"].split("<")[1][:-1] for user in person.must("user", "list")]


# --- Becoming a member ---


@whenever
def test_a_founder_finishes_with_the_same_command(town: Place, after: bool) -> None:
    for number in deaths():
        url = town.bootstrap_url()
        founder = town.survivor("frank")
        if not was_killed(founder.dying(number, *founder.bootstrapping(url), after=after).finish()):
            assert number > 2
            return

        founder.must(*founder.bootstrapping(url))

        assert len(founder.devices) == 1
        assert emails(founder) == [founder.email]
        assert founder.leftovers == []


def test_an_organization_whose_link_nobody_saw_gets_another_one(town: Place) -> None:
    first = town.bootstrap_url("Lost")
    founder = town.survivor("frank")

    second = town.bootstrap_url("Lost")
    refused = founder.run(*founder.bootstrapping(first))
    founder.must(*founder.bootstrapping(second))

    assert refused.code == 6, refused
    assert founder.works
    assert founder.leftovers == []


def test_a_founder_gives_the_password_of_the_interrupted_run(town: Place) -> None:
    url = town.bootstrap_url()
    founder = town.survivor("frank")
    founder.dying(2, *founder.bootstrapping(url), after=True).finish()
    founder.password = "another"

    refused = founder.run(*founder.bootstrapping(url))
    founder.password = "first"
    founder.must(*founder.bootstrapping(url))

    assert refused.code == 4
    assert "An earlier run began this organization" in refused.err
    assert founder.works


def finish_joining(alice: Survivor, guest: Survivor, invitation: dict[str, str]) -> None:
    """What the documentation says that people do after a greeting was interrupted."""
    if guest.devices:
        assert guest.works
        return
    if guest.email in emails(alice):
        # Created, and its keys are gone with the process: only a new member can take its place.
        claimed, greeted = meet(
            alice, invitation["token"], guest, invitation["url"], "--greeter", alice.email
        )
        assert (claimed.code, greeted.code) == (8, 7), (claimed, greeted)
        assert "parsec-cli user revoke" in greeted.err
        alice.must("user", "revoke", guest.email)
        welcome(alice, guest)
    else:
        claimed, greeted = meet(
            alice, invitation["token"], guest, invitation["url"], "--greeter", alice.email
        )
        assert (claimed.code, greeted.code) == (0, 0), (claimed, greeted)
    assert guest.works


@whenever
def test_a_claimer_is_a_member_in_the_end(town: Place, alice: Survivor, after: bool) -> None:
    for number in deaths():
        guest = town.survivor(f"guest{number}{after}".lower())
        invitation = alice.must("invite", "user", guest.email)
        command = guest.claiming(invitation["url"], "--greeter", alice.email)
        claimer = guest.dying(number, *command, after=after)
        claimed, _ = converse(alice.start(*alice.greeting(invitation["token"])), claimer)
        if not was_killed(claimed):
            assert number > 10
            return

        finish_joining(alice, guest, invitation)

        assert len(guest.devices) == 1
        assert guest.leftovers == []


@whenever
def test_a_greeter_makes_the_claimer_a_member_in_the_end(
    town: Place, alice: Survivor, after: bool
) -> None:
    for number in deaths():
        guest = town.survivor(f"welcome{number}{after}".lower())
        invitation = alice.must("invite", "user", guest.email)
        claimer = guest.start(*guest.claiming(invitation["url"], "--greeter", alice.email))
        greeter = alice.dying(number, *alice.greeting(invitation["token"]), after=after)
        _, greeted = converse(greeter, claimer)
        if not was_killed(greeted):
            assert number > 10
            return

        finish_joining(alice, guest, invitation)

        assert len(guest.devices) == 1


def test_a_further_device_is_there_in_the_end(town: Place, alice: Survivor) -> None:
    for number in deaths():
        laptop = town.survivor("alice")
        invitation = alice.must("invite", "device")
        claimer = laptop.dying(number, *laptop.claiming(invitation["url"]), after=True)
        claimed, _ = converse(alice.start(*alice.greeting(invitation["token"])), claimer)
        if not was_killed(claimed):
            assert number > 10
            return

        if not laptop.devices:
            claimed, greeted = meet(alice, invitation["token"], laptop, invitation["url"])
            assert (claimed.code, greeted.code) == (0, 0), (claimed, greeted)
        assert laptop.works


# --- Recovery files ---


@whenever
def test_an_export_is_done_again(town: Place, alice: Survivor, after: bool) -> None:
    output = town.folder / f"export-{after}.psrk"
    export = ("device", "export-recovery-device", str(output))

    for number in deaths():
        if not was_killed(alice.dying(number, *export, after=after).finish()):
            assert number > 3
            return

        assert not output.exists()


@whenever
def test_an_import_is_done_again(town: Place, alice: Survivor, after: bool) -> None:
    output = town.folder / f"import-{after}.psrk"
    phrase = alice.must("device", "export-recovery-device", str(output))["passphrase"]

    for number in deaths():
        machine = town.survivor("machine")
        note = machine.home / "passphrase"
        note.write_text(phrase)
        restore = (
            "device", "import-recovery-device", "-i", str(output), "--label", "new",
            "--passphrase-file", str(note),
        )  # fmt: skip
        # The file knows the server by Alice's line.
        dying = machine.dying(number, *restore, after=after, line=alice.line)
        if not was_killed(dying.finish()):
            assert number > 2
            return

        if not machine.devices:
            machine.must(*restore)

        assert machine.works
        assert len(machine.devices) == 1


# --- One-time codes ---


@whenever
@pytest.mark.parametrize(
    "command",
    [
        ("totp", "setup"),
        ("device", "change-authentication", "--auth", "password+totp", "--ignore-advisory"),
    ],
    ids=["setup", "change"],
)
def test_a_device_opens_while_codes_are_set_up(
    town: Place, command: tuple[str, ...], after: bool
) -> None:
    """With its password alone until the last step, and the same command goes on."""
    for number in deaths():
        dana = town.founder("dana")
        (dana.home / "new").write_text("first")
        words = [*command, "--totp-stdin"]
        if command[0] == "device":
            words += ["--new-password-file", str(dana.home / "new")]
        setup = dana.dying(number, *words, after=after)
        secret = _enter_code(setup)
        if not was_killed(setup.finish()):
            assert number > 4
            break

        assert dana.works
        again = dana.start(*words)
        if secret is None:
            secret = _enter_code(again)
        else:
            again.write(one_time_code(secret))
        assert again.finish().code == 0
        assert secret is not None
        assert dana.devices[0]["totp"]
        dana.must("certificate", "poll", "--totp-code", one_time_code(secret))


def _enter_code(setup: Child) -> str | None:
    """Scan the secret, if it is told, and type the first code."""
    told = setup.event("totp_secret")
    if told is None:
        return None
    secret: str = told["secret"]
    setup.write(one_time_code(secret))
    return secret


# --- Setting up a shared recovery ---


@whenever
def test_a_shared_recovery_is_set_up_in_the_end(
    alice: Survivor, bob: Survivor, after: bool
) -> None:
    create = ("shared-recovery", "create", "--recipients", alice.email, "--threshold", "1", "--yes")

    for number in deaths():
        ended = bob.dying(number, *create, after=after).finish()
        if was_killed(ended):
            again = bob.run(*create)
            assert again.code in (0, 7), again
            assert again.code == 0 or "You have had a shared recovery since" in again.err, again
        assert bob.must("shared-recovery", "info")["status"] == "ok"
        bob.must("shared-recovery", "delete")
        if not was_killed(ended):
            assert number > 3
            return


@whenever
def test_a_shared_recovery_is_deleted_in_the_end(
    alice: Survivor, bob: Survivor, after: bool
) -> None:
    create = ("shared-recovery", "create", "--recipients", alice.email, "--threshold", "1", "--yes")

    for number in deaths():
        bob.must(*create)
        ended = bob.dying(number, "shared-recovery", "delete", after=after).finish()
        bob.must("shared-recovery", "delete")
        assert bob.must("shared-recovery", "info")["status"] == "deleted"
        if not was_killed(ended):
            assert number > 2
            return
