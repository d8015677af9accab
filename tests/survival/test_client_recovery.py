"""A recovery killed at each write and request: what a recipient gave is never asked for again."""

from collections.abc import Iterator

import pytest

from tests.support.mortal_client import Child, Ended, mother
from tests.support.survivors import (
    Place,
    Survivor,
    deaths,
    place,
    recovering,
    was_killed,
    welcome,
)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("town")
    with mother(folder) as children, place(folder, children) as built:
        yield built


@pytest.fixture(scope="module")
def alice(town: Place) -> Survivor:
    return town.founder()


def member(town: Place, alice: Survivor, name: str) -> Survivor:
    guest = town.survivor(name)
    welcome(alice, guest)
    return guest


@pytest.fixture(scope="module")
def arnold(town: Place, alice: Survivor) -> Survivor:
    return member(town, alice, "arnold")


@pytest.fixture(scope="module")
def bob(town: Place, alice: Survivor, arnold: Survivor) -> Survivor:
    """Needs both of them to get his account back."""
    guest = member(town, alice, "bob")
    set_up(guest, alice, arnold, threshold=2)
    return guest


@pytest.fixture(scope="module")
def carl(town: Place, alice: Survivor) -> Survivor:
    """Needs Alice alone."""
    guest = member(town, alice, "carl")
    set_up(guest, alice, threshold=1)
    return guest


def set_up(author: Survivor, *recipients: Survivor, threshold: int) -> None:
    author.must(
        "shared-recovery", "create", "--recipients", *(each.email for each in recipients),
        "--threshold", str(threshold), "--yes",
    )  # fmt: skip


def invite(helper: Survivor, lost: Survivor) -> dict[str, str]:
    found: dict[str, str] = helper.must("invite", "shared-recovery", lost.email, "--no-email")
    return found


def ask_in_turn(claimer: Child, token: str, *helpers: Survivor) -> list[Survivor]:
    """Greet the claimer, one after the other; who was told that all went well."""
    done = []
    for helper in helpers:
        greeter = helper.start(*helper.greeting(token))
        told = greeter.event("code", beside=claimer)
        if told is not None:
            claimer.write(told["code"])
            answered = claimer.event("code")
            if answered is not None:
                greeter.write(answered["code"])
        greeter.event("none: its last", beside=claimer)
        if greeter.finish().code == 0:
            done.append(helper)
    return done


def finish(lost: Survivor, invitation: dict[str, str], *missing: Survivor) -> None:
    claimer = lost.start(*recovering(lost, invitation["url"], *missing))
    ask_in_turn(claimer, invitation["token"], *missing)
    ended = claimer.finish()
    assert ended.code == 0, ended


def test_nobody_who_gave_shares_is_asked_again(
    town: Place, alice: Survivor, arnold: Survivor, bob: Survivor
) -> None:
    """Killed when the server has carried out a request, and its answer has not arrived."""
    invitation = invite(alice, bob)
    for number in deaths():
        lost = town.survivor("bob")
        command = recovering(lost, invitation["url"], alice, arnold)
        claimer = lost.dying(number, *command, after=True)
        gave = ask_in_turn(claimer, invitation["token"], alice, arnold)
        if not was_killed(claimer.finish()):
            assert number > 20
            return

        if not lost.devices:
            missing = [helper for helper in (alice, arnold) if helper not in gave]
            # Whoever gave without being told so has given, too.
            again = lost.start(*recovering(lost, invitation["url"], *missing))
            _finish_with(again, invitation["token"], missing)

        assert lost.works
        assert len(lost.devices) == 1
        assert lost.leftovers == []
        if arnold.must("invite", "list")[-1]["invitation_status"] != "pending":
            invitation = invite(alice, bob)


def _finish_with(claimer: Child, token: str, missing: list[Survivor]) -> None:
    """Carry on with those whom the claimer asks for."""
    while (needed := claimer.event("greeter")) is not None:
        (helper,) = [each for each in missing if each.email in needed["human_handle"]]
        ask_in_turn(claimer, token, helper)
    ended = claimer.finish()
    assert ended.code == 0, ended


@pytest.mark.parametrize("keyring", [False, True], ids=["files", "keyring"])
def test_shares_are_there_whole_or_not_at_all(
    town: Place, alice: Survivor, carl: Survivor, keyring: bool
) -> None:
    invitation = invite(alice, carl)
    gave: list[Survivor] = []
    for number in deaths():
        if gave and number % 3:
            continue  # what is written from here on is the same again and again
        lost = town.survivor("carl")
        lost.keyring = keyring
        claimer = lost.start(*recovering(lost, invitation["url"], alice), dies_at=number)
        gave = ask_in_turn(claimer, invitation["token"], alice)
        if not was_killed(claimer.finish()):
            assert number > 20
            return

        again = lost.start(*recovering(lost, invitation["url"], alice))
        ended = _asked_if_needed(again, invitation["token"], None if gave else alice)
        if ended.code != 0:
            # Saved before already, which the device itself proves.
            assert ended.code == 7, ended
            assert "got this account back: its device" in ended.err or "already used" in ended.err
        assert lost.works
        assert len(lost.devices) == 1
        assert lost.leftovers == []
        if alice.must("invite", "list")[-1]["invitation_status"] != "pending":
            invitation = invite(alice, carl)


def _asked_if_needed(claimer: Child, token: str, helper: Survivor | None) -> Ended:
    if helper is not None and claimer.event("greeter") is not None:
        ask_in_turn(claimer, token, helper)
    return claimer.finish()


# --- Two at once ---


def test_two_recoveries_on_two_machines_do_not_harm_each_other(
    town: Place, alice: Survivor, arnold: Survivor, bob: Survivor
) -> None:
    invitation = invite(alice, bob)
    one, other = town.survivor("bob"), town.survivor("bob")
    claimers = []
    for lost in (one, other):
        claimers.append(lost.start(*recovering(lost, invitation["url"], alice, arnold)))
        assert ask_in_turn(claimers[-1], invitation["token"], alice) == [alice]

    quicker = ask_in_turn(claimers[1], invitation["token"], arnold)
    won, lost_race = claimers[1].finish(), claimers[0].finish()
    finish(one, invite(alice, bob), arnold)

    assert quicker == [arnold]
    assert won.code == 0
    assert lost_race.code == 8, lost_race
    assert "The claimer started again elsewhere" in lost_race.err
    assert one.works
    assert other.works


def test_two_recoveries_in_one_folder_keep_the_shares_of_both(
    town: Place, alice: Survivor, arnold: Survivor, bob: Survivor
) -> None:
    invitation = invite(alice, bob)
    lost = town.survivor("bob")
    claimers = {}
    for helper in (alice, arnold):
        claimers[helper.name] = lost.start(*recovering(lost, invitation["url"], helper))
        assert claimers[helper.name].event("shares")

    for helper in (alice, arnold):
        ask_in_turn(claimers[helper.name], invitation["token"], helper)
    stopped = [claimer.finish().code for claimer in claimers.values()]
    ended = lost.run(*recovering(lost, invitation["url"]))

    assert stopped == [2, 2]  # nobody was there to say whom else to ask
    assert ended.code == 0, ended
    assert lost.works
    assert lost.leftovers == []
