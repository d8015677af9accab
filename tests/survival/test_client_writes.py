"""The command line killed before each of its writes: the old state whole, or the new one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.mortal_client import mother
from tests.support.survivors import (
    Place,
    Survivor,
    deaths,
    one_time_code,
    place,
    was_killed,
)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("town")
    with mother(folder) as children, place(folder, children) as built:
        yield built


@pytest.fixture(scope="module")
def alice(town: Place) -> Survivor:
    """Somebody with a device that has polled nothing yet."""
    return town.founder()


def killed_at_each_write(
    person: Survivor, *arguments: str, at_least: int = 3
) -> Iterator[Survivor]:
    """The person after each of these deaths, always on a copy of the same machine."""
    for number in deaths():
        with person.copy() as victim:
            ended = victim.run(*arguments, dies_at=number)
            if not was_killed(ended):
                assert ended.code == 0, ended
                assert victim.leftovers == []
                assert number > at_least, "there is nothing to die of"
                return
            yield victim


def opens(person: Survivor, password: str) -> bool:
    person.password = password
    return person.run("certificate", "poll").code == 0


# --- The protection of a device ---


def test_a_change_of_password_leaves_one_password_that_opens(alice: Survivor) -> None:
    second = alice.home / "second"
    second.write_text("second")
    change = ("device", "change-authentication", "--password", "--new-password-file", str(second))

    for victim in killed_at_each_write(alice, *change):
        assert len(victim.devices) == 1
        assert [opens(victim, "first"), opens(victim, "second")].count(True) == 1
        if opens(victim, "first"):
            victim.must(*change)
        assert opens(victim, "second")
        assert victim.leftovers == [] or opens(victim, "second")


def test_a_change_to_the_keyring_leaves_a_device_that_opens(alice: Survivor) -> None:
    change = ("device", "change-authentication", "--keyring")
    alice.keyring = True

    for victim in killed_at_each_write(alice, *change):
        (device,) = victim.devices
        victim.must("certificate", "poll")
        if device["device_type"] == "password":
            victim.must(*change)
        assert [each["device_type"] for each in victim.devices] == ["keyring"]
        victim.must("certificate", "poll")

    alice.keyring = False


def test_a_change_of_the_server_leaves_a_device_that_opens(alice: Survivor) -> None:
    there = f"http://localhost:{alice.line.addr.port}"
    move = ("device", "overwrite-server-url", "--server-url", there, "--force")

    for victim in killed_at_each_write(alice, *move):
        victim.must("certificate", "poll")
        victim.must(*move)
        assert "localhost" in victim.devices[0]["server_url"]
        assert victim.leftovers == []


def test_a_device_that_is_forgotten_is_there_whole_or_not_at_all(alice: Survivor) -> None:
    forget = ("device", "forget-local", "--force")

    for victim in killed_at_each_write(alice, *forget, at_least=1):
        if victim.devices:
            victim.must("certificate", "poll")
            victim.must(*forget)
        assert victim.devices == []
        assert [name for name in victim.files if name.endswith(".keys")] == []


def test_a_code_that_is_given_up_leaves_a_device_that_opens(town: Place) -> None:
    dana = town.founder("dana")
    setup = dana.start("totp", "setup", "--totp-stdin")
    told = setup.event("totp_secret")
    assert told is not None
    setup.write(one_time_code(told["secret"]))
    assert setup.finish().code == 0
    code = ("--totp-code", one_time_code(told["secret"]))

    for victim in killed_at_each_write(dana, "totp", "disable", *code):
        victim.must("certificate", "poll", *code)
        victim.must("totp", "disable", *code)
        assert not victim.devices[0]["totp"]
        victim.must("certificate", "poll")


# --- Certificates ---


def test_a_first_poll_leaves_a_store_that_works(alice: Survivor) -> None:
    for victim in killed_at_each_write(alice, "certificate", "poll"):
        assert len(victim.must("user", "list")) == 1
        assert victim.must("certificate", "poll") == {"added": 0}


def test_forgotten_certificates_are_fetched_again(alice: Survivor) -> None:
    with alice.copy() as polled:
        polled.must("certificate", "poll")
        forget = ("certificate", "forget-all-certificates", "--force")

        for victim in killed_at_each_write(polled, *forget, at_least=1):
            assert len(victim.must("user", "list")) == 1


# --- New devices ---


def test_a_founder_killed_at_a_write_finishes_with_the_same_command(town: Place) -> None:
    for number in deaths():
        url = town.bootstrap_url()
        founder = town.survivor("frank")
        bootstrap = founder.bootstrapping(url)
        ended = founder.run(*bootstrap, dies_at=number)
        if not was_killed(ended):
            assert number > 3
            return

        if not founder.devices:
            founder.must(*bootstrap)

        assert len(founder.devices) == 1
        assert len(founder.must("user", "list")) == 1
        assert founder.run(*bootstrap).code == 7
        assert founder.leftovers == []


def test_an_exported_recovery_file_always_has_a_passphrase_that_was_shown(
    alice: Survivor, town: Place
) -> None:
    """Also while it replaces an older one: its passphrase is on somebody's paper."""
    output = town.folder / "recovery.psrk"
    export = ("device", "export-recovery-device", str(output))
    phrases = [alice.must(*export)["passphrase"]]

    for number in deaths():
        with alice.copy() as victim:
            ended = victim.run(*export, "--force", dies_at=number)
            if not was_killed(ended):
                assert number > 3
                return
            if ended.out:
                phrases.append(victim_phrase(ended.out))
            assert opens_recovery(town, output, phrases[-2:])
            assert len(list(output.parent.glob("recovery.psrk*"))) <= 2


def victim_phrase(out: str) -> str:
    import json

    phrase: str = json.loads(out)["passphrase"]
    return phrase


def opens_recovery(town: Place, source: Path, phrases: list[str]) -> bool:
    machine = town.survivor("machine")
    note = machine.home / "passphrase"
    for phrase in phrases:
        note.write_text(phrase)
        ended = machine.run(
            "device", "import-recovery-device", "-i", str(source), "--label", "new",
            "--passphrase-file", str(note),
        )  # fmt: skip
        if ended.code == 0:
            return True
    return False


def test_a_device_of_a_recovery_file_is_saved_whole_or_made_again(
    alice: Survivor, town: Place
) -> None:
    output = town.folder / "whole.psrk"
    machine = town.survivor("machine")
    note = machine.home / "passphrase"
    note.write_text(alice.must("device", "export-recovery-device", str(output))["passphrase"])
    restore = (
        "device", "import-recovery-device", "-i", str(output), "--label", "new",
        "--passphrase-file", str(note),
    )  # fmt: skip

    for victim in killed_at_each_write(machine, *restore):
        if not victim.devices:
            victim.must(*restore)
        assert len(victim.devices) == 1
        victim.must("certificate", "poll")
        assert victim.leftovers == []
