"""Options of the whole suite."""

import os
import signal

import hypothesis
import pytest

from tests.support.own_database import use_own_database

use_own_database()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--vectors", help="folder of vector files for the conformance tests")


hypothesis.settings.register_profile("parsec", deadline=None)  # the machines are noisy
hypothesis.settings.load_profile("parsec")

# A shell that runs the suite in the background has it ignore Ctrl-C, and all that it starts too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Tests leave the keyring of whoever runs them alone; those about keyrings bring one.
os.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"
