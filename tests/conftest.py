"""Options of the whole suite."""

import hypothesis
import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--vectors", help="folder of vector files for the conformance tests")


hypothesis.settings.register_profile("parsec", deadline=None)  # the machines are noisy
hypothesis.settings.load_profile("parsec")
