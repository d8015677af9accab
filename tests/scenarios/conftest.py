"""A server of our own in a real process, on SQLite or, when the suite runs on that, PostgreSQL."""

import contextlib
from collections.abc import Iterator

import pytest

from scripts.stage import Stage, stage
from tests.support.postgresql import SERVER, new_place_for_a_process


@pytest.fixture
def own() -> Iterator[Stage]:
    with contextlib.ExitStack() as stack:
        database = None if SERVER is None else stack.enter_context(new_place_for_a_process())
        built = stack.enter_context(stage())
        built.start_server("--db", database or f"sqlite:///{built.folder / 'parsec.sqlite'}")
        yield built
