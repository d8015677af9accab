"""What holds for every guard, and a line for each of them."""

from collections.abc import Callable

import pytest

from parsec.client.guards import Guard, PreparedGuard, ProtectionFields
from parsec.client.guards.password import PasswordGuard
from parsec.client.protection import RecoveryFields
from parsec.client.rules.device_file import WrongProtection, open_device, protect
from parsec.client.step import AuthenticationFailed
from parsec.crypto.entropy import system_entropy
from parsec.crypto.keys import SecretKey
from parsec.data.device_file import AnyDeviceFile
from parsec.data.instant import Instant
from tests.support.lines import some_device

NOW = Instant.parse("2026-01-02T03:04:05Z")
DEVICE = some_device()

# Each guard as the right person has it, and as somebody else has it.
GUARDS: dict[str, tuple[Callable[[], Guard], Callable[[], Guard]]] = {
    "password": (lambda: PasswordGuard("P@ssw0rd."), lambda: PasswordGuard("P@ssw0rd")),
    "prepared": (
        lambda: PreparedGuard(PasswordGuard("P@ssw0rd."), system_entropy),
        lambda: PasswordGuard("P@ssw0rd"),
    ),
}


@pytest.fixture(params=GUARDS)
def pair(request: pytest.FixtureRequest) -> tuple[Guard, Guard]:
    right, wrong = GUARDS[request.param]
    return right(), wrong()


def protected(key: SecretKey, fields: ProtectionFields) -> AnyDeviceFile:
    return protect(
        DEVICE,
        fields=fields,
        key=key,
        created_on=NOW,
        protected_on=NOW,
        totp=None,
        entropy=system_entropy,
    )


def test_the_key_of_a_new_file_is_found_again(pair: tuple[Guard, Guard]) -> None:
    guard, _ = pair
    file = protected(*guard.new(system_entropy))

    assert open_device(file, key=guard.key(file)) == DEVICE


def test_somebody_else_cannot_open_it(pair: tuple[Guard, Guard]) -> None:
    guard, stranger = pair
    file = protected(*guard.new(system_entropy))

    with pytest.raises(AuthenticationFailed):
        open_device(file, key=stranger.key(file))


def test_two_files_do_not_share_what_is_random(pair: tuple[Guard, Guard]) -> None:
    guard, _ = pair

    (one_key, one), (other_key, other) = guard.new(system_entropy), guard.new(system_entropy)

    assert one_key != other_key
    assert one != other


def test_a_file_of_another_protection_is_refused(pair: tuple[Guard, Guard]) -> None:
    guard, _ = pair
    file = protected(SecretKey(bytes(32)), RecoveryFields())

    with pytest.raises(WrongProtection, match="recovery"):
        guard.key(file)


def test_nothing_secret_shows(pair: tuple[Guard, Guard]) -> None:
    assert "P@ssw0rd" not in repr(pair)
