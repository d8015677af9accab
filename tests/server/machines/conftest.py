"""The stage of the machines of a module."""

from collections.abc import Iterator

import pytest

from tests.server.machines.stage import Stage, open_stage


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with open_stage() as opened:
        yield opened
