"""Several commands of one person at once: each succeeds, or says precisely who was quicker."""

from collections.abc import Iterator

import pytest

from tests.support.mortal_client import Child, Ended, mother
from tests.support.survivors import Place, Survivor, place, welcome


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("town")
    with mother(folder) as children, place(folder, children) as built:
        yield built


@pytest.fixture
def alice(town: Place) -> Survivor:
    return town.founder()


def at_once(*commands: tuple[Survivor, tuple[str, ...]]) -> list[Ended]:
    children: list[Child] = [person.start(*words) for person, words in commands]
    return [child.finish() for child in children]


def test_two_first_polls(alice: Survivor) -> None:
    ends = at_once(*[(alice, ("certificate", "poll"))] * 2)

    assert [ended.code for ended in ends] == [0, 0], ends
    assert alice.must("certificate", "poll") == {"added": 0}
    assert len(alice.must("user", "list")) == 1


def test_a_poll_while_everything_is_forgotten(alice: Survivor) -> None:
    ends = at_once(
        (alice, ("certificate", "poll")),
        (alice, ("certificate", "forget-all-certificates", "--force")),
        (alice, ("user", "list")),
    )

    assert [ended.code for ended in ends] == [0, 0, 0], ends
    assert len(alice.must("user", "list")) == 1


def test_of_two_new_passwords_the_one_that_was_acknowledged_counts(alice: Survivor) -> None:
    """The slower one was given a password that is none any more when its turn comes."""
    for name in ("second", "third"):
        (alice.home / name).write_text(name)

    ends = at_once(
        *(
            (
                alice,
                ("device", "change-authentication", "--password", "--new-password-file",
                 str(alice.home / name)),
            )
            for name in ("second", "third")
        )
    )  # fmt: skip

    assert sorted(ended.code for ended in ends) == [0, 4], ends
    alice.password = ("second", "third")[[ended.code for ended in ends].index(0)]
    assert alice.works
    assert alice.leftovers == []


def test_a_device_forgotten_meanwhile_is_gone(alice: Survivor) -> None:
    ends = at_once(*[(alice, ("device", "forget-local", "--force"))] * 2)

    assert sorted(ended.code for ended in ends) == [0, 3], ends
    assert alice.devices == []


@pytest.fixture
def bob(town: Place, alice: Survivor) -> Survivor:
    guest = town.survivor("bob")
    welcome(alice, guest)
    return guest


def set_up(recipient: Survivor) -> tuple[str, ...]:
    return (
        "shared-recovery", "create", "--recipients", recipient.email, "--threshold", "1", "--yes",
    )  # fmt: skip


def test_two_shared_recoveries_by_one_device(alice: Survivor, bob: Survivor) -> None:
    ends = at_once(*[(bob, set_up(alice))] * 2)

    assert sorted(ended.code for ended in ends) == [0, 7], ends
    assert any("You have had a shared recovery since" in ended.err for ended in ends)
    assert bob.must("shared-recovery", "info")["status"] == "ok"


def test_two_shared_recoveries_by_two_devices_of_one_person(
    town: Place, alice: Survivor, bob: Survivor
) -> None:
    phone = second_device(town, bob)

    ends = at_once((bob, set_up(alice)), (phone, set_up(alice)))

    assert sorted(ended.code for ended in ends) == [0, 7], ends
    assert any("You have had a shared recovery since" in ended.err for ended in ends)
    infos = [person.must("shared-recovery", "info") for person in (bob, phone)]
    assert infos[0] == infos[1]
    assert infos[0]["status"] == "ok"


def test_two_deletions_by_two_devices_of_one_person(
    town: Place, alice: Survivor, bob: Survivor
) -> None:
    phone = second_device(town, bob)
    bob.must(*set_up(alice))

    ends = at_once(*((person, ("shared-recovery", "delete")) for person in (bob, phone)))

    assert [ended.code for ended in ends] == [0, 0], ends
    assert bob.must("shared-recovery", "info")["status"] == "deleted"


def test_two_founders_with_one_link_in_one_folder(town: Place) -> None:
    """The keys of one of them are the organization's, and these are kept."""
    founder = town.survivor("frank")
    bootstrap = tuple(founder.bootstrapping(town.bootstrap_url()))

    ends = at_once(*[(founder, bootstrap)] * 2)

    assert {ended.code for ended in ends} <= {0, 7}, ends
    assert 0 in [ended.code for ended in ends]
    assert len(founder.devices) == 1
    assert founder.works
    assert founder.leftovers == []


def second_device(town: Place, person: Survivor) -> Survivor:
    phone = town.survivor(person.name)
    file, note = phone.home / "recovery.psrk", phone.home / "passphrase"
    note.write_text(person.must("device", "export-recovery-device", str(file))["passphrase"])
    phone.must(
        "device", "import-recovery-device", "-i", str(file), "--label", "phone",
        "--passphrase-file", str(note),
    )  # fmt: skip
    return phone
