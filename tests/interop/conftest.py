"""The official peer: `make interop` installs it and says where it is."""

import os
from collections.abc import Iterator

import pytest

from tests.interop.peer import Official


@pytest.fixture(scope="session")
def official_python() -> str:
    """The interpreter that has the official release installed."""
    found = os.environ.get("PARSEC_OFFICIAL_PYTHON")
    if found is None:
        raise pytest.UsageError("PARSEC_OFFICIAL_PYTHON is not set: run make interop")
    return found


@pytest.fixture(scope="session")
def official_types(official_python: str) -> Iterator[Official]:
    """The official compiled types, in a process of their own for the whole run."""
    official = Official(official_python)
    yield official
    official.close()
