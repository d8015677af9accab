"""Files get their names when they are finished."""

import errno
import os
from pathlib import Path

import pytest

from parsec.server.store.whole_file import publish


@pytest.fixture(params=["with links", "without links"], autouse=True)
def file_system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that has hard links, or like FAT."""

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    if request.param == "without links":
        monkeypatch.setattr(os, "link", refuse)


def test_a_file_gets_its_name(tmp_path: Path) -> None:
    (tmp_path / "made").write_text("new")

    publish(tmp_path / "made", tmp_path / "target")

    assert (tmp_path / "target").read_text() == "new"


def test_a_name_that_is_taken_stays(tmp_path: Path) -> None:
    (tmp_path / "made").write_text("new")
    (tmp_path / "target").write_text("precious")

    with pytest.raises(FileExistsError):
        publish(tmp_path / "made", tmp_path / "target")

    assert (tmp_path / "target").read_text() == "precious"


def test_other_failures_are_told(tmp_path: Path) -> None:
    (tmp_path / "made").touch()

    with pytest.raises(OSError):
        publish(tmp_path / "made", tmp_path / "none" / "target")
