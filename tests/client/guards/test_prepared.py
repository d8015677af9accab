"""The promises of all guards, for a guard that has its next key ready."""

import pytest

from parsec.client.guards import Guard, PreparedGuard
from parsec.client.guards.password import PasswordGuard
from parsec.crypto.entropy import system_entropy
from tests.support.guard_contract import GuardContract


class TestPreparedGuard(GuardContract):
    SECRETS = ("P@ssw0rd",)

    @pytest.fixture
    def guard(self) -> Guard:
        return PreparedGuard(PasswordGuard("P@ssw0rd."), system_entropy)

    @pytest.fixture
    def stranger(self) -> Guard:
        return PasswordGuard("P@ssw0rd")
