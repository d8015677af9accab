"""The password guard: cost, limits, and passwords as typed."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from parsec.client.guards import Guard
from parsec.client.guards.password import PasswordGuard
from parsec.client.protection import PasswordFields
from parsec.client.rules.device_file import CostlyPassword, KeyUnavailable, protect
from parsec.crypto.entropy import system_entropy
from parsec.crypto.keys import SecretKey
from parsec.data.device_file import Argon2id, PasswordDeviceFile, load_device_file
from parsec.data.instant import Instant
from tests.support.guard_contract import GuardContract
from tests.support.lines import some_device

NOW = Instant.parse("2026-01-02T03:04:05Z")
VECTORS = Path(__file__).parents[2] / "vectors" / "client-device-files.json"
CHEAP = Argon2id(memlimit_kb=8, opslimit=1, parallelism=1, salt=bytes(16))


class TestPasswordGuard(GuardContract):
    SECRETS = ("P@ssw0rd",)

    @pytest.fixture
    def guard(self) -> Guard:
        return PasswordGuard("P@ssw0rd.")

    @pytest.fixture
    def stranger(self) -> Guard:
        return PasswordGuard("P@ssw0rd")


def file_of(algorithm: Argon2id) -> PasswordDeviceFile:
    file = protect(
        some_device(),
        fields=PasswordFields(algorithm),
        key=SecretKey(bytes(32)),
        created_on=NOW,
        protected_on=NOW,
        totp=None,
        entropy=system_entropy,
    )
    assert isinstance(file, PasswordDeviceFile)
    return file


def test_new_files_get_the_cost_of_the_official_client() -> None:
    _, fields = PasswordGuard("password").new(lambda size: bytes(range(size)))

    algorithm = fields.algorithm
    assert (algorithm.memlimit_kb, algorithm.opslimit, algorithm.parallelism) == (131072, 3, 1)
    assert algorithm.salt == bytes(range(16))


@pytest.mark.parametrize("other", ["pass", "pass  ", " pass ", "Pass ", "pa\u0301ss ", ""])
def test_a_password_counts_as_it_was_typed(other: str) -> None:
    file = file_of(CHEAP)

    assert PasswordGuard(other).key(file) != PasswordGuard("pass ").key(file)


@pytest.mark.parametrize(
    ("memlimit_kb", "opslimit"),
    [(1024 * 1024 + 1, 1), (2**32 - 1, 1), (8, 2**32 - 1), (1024 * 1024, 33)],
)
def test_a_file_cannot_exhaust_the_machine(memlimit_kb: int, opslimit: int) -> None:
    costly = msgspec.structs.replace(CHEAP, memlimit_kb=memlimit_kb, opslimit=opslimit)

    with pytest.raises(CostlyPassword, match="far more than usual"):
        PasswordGuard("password").key(file_of(costly))


def test_any_cost_is_paid_once_it_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parsec.client.guards.password.HIGHEST_WORK_KB", 7)
    guard = PasswordGuard("password", accept_any_cost=True)

    assert isinstance(guard.key(file_of(CHEAP)), SecretKey)


@pytest.mark.parametrize(
    "impossible",
    [
        msgspec.structs.replace(CHEAP, parallelism=2),
        msgspec.structs.replace(CHEAP, opslimit=0),
        msgspec.structs.replace(CHEAP, memlimit_kb=7),
    ],
    ids=["lanes", "passes", "memory"],
)
def test_parameters_out_of_range_give_no_key(impossible: Argon2id) -> None:
    with pytest.raises(KeyUnavailable):
        PasswordGuard("password").key(file_of(impossible))


def test_a_password_that_is_no_text_gives_no_key_and_does_not_show() -> None:
    with pytest.raises(KeyUnavailable) as raised:
        PasswordGuard("s3cr3t\ud800").key(file_of(CHEAP))

    assert "s3cr3t" not in f"{raised.value!r} {raised.value.__cause__!r}"


def _files_with_passwords() -> list[Any]:
    return [
        pytest.param(vector, id=vector["description"])
        for vector in json.loads(VECTORS.read_text(encoding="utf-8"))["vectors"]
        if "password" in vector["unlock"]
        and "ciphertext_key_hex" in vector
        # One file holds an address beyond ASCII, which is no address.
        and vector["expected"]["header"]["human_handle"][0].isascii()
    ]


@pytest.mark.parametrize("vector", _files_with_passwords())
def test_files_of_the_official_client_get_their_key(vector: dict[str, Any]) -> None:
    file = load_device_file(bytes.fromhex(vector["device_file_hex"]))

    key = PasswordGuard(vector["unlock"]["password"]).key(file)

    assert bytes(key).hex() == vector["ciphertext_key_hex"]
