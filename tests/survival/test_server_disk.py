"""A disk that is full or read-only: what is not kept is not acknowledged, nothing is lost."""

import resource
import subprocess
import sys
import urllib.error
from collections.abc import Iterator
from pathlib import Path

import pytest

from parsec.protocol.invite import InviteList
from tests.support.http_club import Club
from tests.support.server_process import run_to_its_end, started

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits and mounts are Linux's")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount")
    if done.returncode != 0:
        pytest.skip("only root may mount a disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(club: Club, most: int = 2_000) -> int:
    """Have users enrolled until the server takes no more; how many it took."""
    for count in range(most):
        if not is_taken(club, f"user{count}"):
            return count
    raise AssertionError("the disk is never full")


def is_taken(club: Club, name: str) -> bool:
    """Whether the server enrolls a user, which it can refuse in one way only."""
    try:
        club.enroll(name)
    except urllib.error.HTTPError as error:
        if error.code == 503:
            return False
        raise
    return True


def limited(pid: int, size: int) -> None:
    """As if the disk were full for files that are larger."""
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def test_on_a_full_disk_what_was_acknowledged_stays_and_service_goes_on_by_itself(
    tmp_path: Path,
) -> None:
    database = tmp_path / "parsec.sqlite"
    with started(tmp_path, f"--db=sqlite:///{database}", "--email-host=MOCKED") as server:
        club = Club.founded(server.place)
        limited(server.process.pid, 300_000)
        taken = fill(club)
        # Who reads is served all the time.
        assert len(club.certificates()) == 2 * (1 + taken)

        limited(server.process.pid, resource.RLIM_INFINITY)
        club.enroll("late")

        assert set(club.told) == set(club.certificates())


def test_a_full_disk_of_its_own_loses_nothing_either(tmp_path: Path, disk: Path) -> None:
    database = disk / "parsec.sqlite"
    options = (f"--db=sqlite:///{database}", "--email-host=MOCKED")
    with started(tmp_path, *options) as server:
        club = Club.founded(server.place)
        fill(club)
        server.process.kill()
        server.process.wait()

    subprocess.run(["mount", "-o", "remount,size=8m", str(disk)], check=True)
    with started(tmp_path, *options) as server:
        again = club.at(server.place)

        assert set(again.told) == set(again.certificates())
        again.enroll("late")


def test_a_server_killed_on_a_full_disk_starts_there_again_and_reads(
    tmp_path: Path, disk: Path
) -> None:
    database = disk / "parsec.sqlite"
    options = (f"--db=sqlite:///{database}", "--email-host=MOCKED")
    with started(tmp_path, *options) as server:
        club = Club.founded(server.place)
        fill(club)
        server.process.kill()
        server.process.wait()

    with started(tmp_path, *options) as server:
        again = club.at(server.place)

        assert set(again.told) == set(again.certificates())
        assert again.ask(InviteList()).invitations == []


def test_a_read_only_disk_is_told_plainly(tmp_path: Path, disk: Path) -> None:
    options = (f"--db=sqlite:///{disk / 'parsec.sqlite'}", "--email-host=MOCKED")
    with started(tmp_path, *options):
        pass
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)

    result = run_to_its_end(tmp_path, *options)

    assert result.returncode == 1
    assert "Read-only file system" in result.stderr
    assert "Traceback" not in result.stderr
