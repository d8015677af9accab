"""The official peer: `make interop` installs it and says where it is."""

import os

import pytest


@pytest.fixture(scope="session")
def official_python() -> str:
    """The interpreter that has the official release installed."""
    found = os.environ.get("PARSEC_OFFICIAL_PYTHON")
    if found is None:
        raise pytest.UsageError("PARSEC_OFFICIAL_PYTHON is not set: run make interop")
    return found
