"""Disks that are full or closed, and clocks that are wrong: refused in time, nothing is half."""

import os
from collections.abc import Iterator

import pytest

from tests.support.mortal_client import mother
from tests.support.survivors import Place, Survivor, converse, meet, place

_NEARLY_FULL = 600
"""Bytes; less than any file that holds a device."""
_HOUR, _DAY = 3600, 86_400

needs_permissions = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="whoever runs this may do anything"
)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("town")
    with mother(folder) as children, place(folder, children) as built:
        yield built


@pytest.fixture
def alice(town: Place) -> Survivor:
    return town.founder()


# --- Full disks ---


def test_a_full_disk_is_told_before_the_organization_is_born(town: Place) -> None:
    founder = town.survivor("frank")
    bootstrap = founder.bootstrapping(town.bootstrap_url())

    refused = founder.run(*bootstrap, largest_file=_NEARLY_FULL)
    files = founder.files
    founder.must(*bootstrap)

    assert refused.code == 1, refused
    assert "Cannot write" in refused.err
    assert files == []
    assert founder.works


def test_a_full_disk_is_told_before_a_member_is_made(town: Place, alice: Survivor) -> None:
    guest = town.survivor("bob")
    invitation = alice.must("invite", "user", guest.email)
    claimer = guest.start(
        *guest.claiming(invitation["url"], "--greeter", alice.email), largest_file=_NEARLY_FULL
    )
    greeter = alice.start(*alice.greeting(invitation["token"]))
    claimed, greeted = converse(greeter, claimer)
    again = meet(alice, invitation["token"], guest, invitation["url"], "--greeter", alice.email)

    assert (claimed.code, greeted.code) == (1, 8), (claimed, greeted)
    assert "Cannot write" in claimed.err
    assert [ended.code for ended in again] == [0, 0], again
    assert guest.works


def test_a_full_disk_leaves_the_protection_as_it_was(alice: Survivor) -> None:
    (alice.home / "second").write_text("second")

    refused = alice.run(
        "device", "change-authentication", "--password", "--new-password-file",
        str(alice.home / "second"), largest_file=_NEARLY_FULL,
    )  # fmt: skip

    assert refused.code == 1, refused
    assert "Cannot write" in refused.err
    assert alice.leftovers == []
    assert alice.works


@pytest.mark.parametrize("limit", [_NEARLY_FULL, 4096, 10_000])
def test_certificates_that_do_not_fit_are_fetched_again(alice: Survivor, limit: int) -> None:
    full = alice.run("certificate", "poll", largest_file=limit)

    assert "this is a bug" not in full.err
    assert "Cannot" in full.err or full.code == 0, full
    assert len(alice.must("user", "list")) == 1
    assert alice.must("certificate", "poll") == {"added": 0}


def test_a_recovery_file_that_does_not_fit_leaves_the_older_one(
    town: Place, alice: Survivor
) -> None:
    output = town.folder / "recovery.psrk"
    output.write_bytes(b"older")

    refused = alice.run(
        "device", "export-recovery-device", str(output), "--force", largest_file=_NEARLY_FULL
    )

    assert refused.code == 1, refused
    assert refused.out == ""
    assert output.read_bytes() == b"older"


# --- Closed folders ---


@needs_permissions
def test_a_closed_folder_is_told_before_the_organization_is_born(town: Place) -> None:
    founder = town.survivor("frank")
    bootstrap = founder.bootstrapping(town.bootstrap_url())
    config = founder.home / "config"
    config.mkdir(mode=0o500)

    refused = founder.run(*bootstrap)
    config.chmod(0o700)
    founder.must(*bootstrap)

    assert refused.code == 1, refused
    assert "--config-dir" in refused.err
    assert founder.works


def test_a_file_in_place_of_the_folder_is_told(town: Place) -> None:
    founder = town.survivor("frank")
    bootstrap = founder.bootstrapping(town.bootstrap_url())
    (founder.home / "config").write_bytes(b"")

    refused = founder.run(*bootstrap)
    (founder.home / "config").unlink()
    founder.must(*bootstrap)

    assert refused.code == 1, refused
    assert "Cannot" in refused.err
    assert founder.works


def test_certificates_that_cannot_be_opened_are_told(alice: Survivor) -> None:
    (alice.home / "data").write_bytes(b"")

    refused = alice.run("certificate", "poll")
    (alice.home / "data").unlink()

    assert refused.code == 1, refused
    assert "Cannot use" in refused.err
    assert alice.works


# --- Clocks ---


@pytest.mark.parametrize("seconds", [_HOUR, -_HOUR, 365 * _DAY, -365 * _DAY])
def test_a_wrong_clock_is_told_and_costs_nothing(town: Place, seconds: int) -> None:
    founder = town.survivor("frank")
    bootstrap = founder.bootstrapping(town.bootstrap_url())

    refused = founder.run(*bootstrap, clock_seconds=seconds)
    left = founder.leftovers
    founder.must(*bootstrap)

    assert refused.code == 6, refused
    assert "clock" in refused.err
    assert left == []
    assert len(founder.devices) == 1
    assert founder.works


@pytest.mark.parametrize("seconds", [_HOUR, -_HOUR, 365 * _DAY, -365 * _DAY])
def test_a_device_changed_by_a_wrong_clock_opens_by_the_right_one(
    alice: Survivor, seconds: int
) -> None:
    (alice.home / "second").write_text("second")

    changed = alice.run(
        "device", "change-authentication", "--password", "--new-password-file",
        str(alice.home / "second"), clock_seconds=seconds,
    )  # fmt: skip
    alice.password = "second"

    assert changed.code == 0, changed
    assert alice.works
