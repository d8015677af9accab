"""What the tests of the command line share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.stage import Stage, stage
from tests.support.shell import Printed, Shell


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A machine on which nothing is yet."""
    return Shell(tmp_path)


@pytest.fixture(scope="session")
def server() -> Iterator[Stage]:
    """A real server, shared by all tests; each makes organizations of its own."""
    with stage() as built:
        built.start_server("--db", f"sqlite:///{built.folder / 'parsec.sqlite'}")
        yield built


@pytest.fixture
def captured(capsys: pytest.CaptureFixture[str]) -> Printed:
    """What the test prints."""
    return Printed(capsys)
