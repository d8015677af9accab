"""A server of our own, on SQLite, in a real process."""

from collections.abc import Iterator

import pytest

from scripts.stage import Stage, stage


@pytest.fixture
def own() -> Iterator[Stage]:
    with stage() as built:
        built.start_server("--db", f"sqlite:///{built.folder / 'parsec.sqlite'}")
        yield built
