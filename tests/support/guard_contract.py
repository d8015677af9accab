"""What holds for every guard; each one has a class of a few lines that runs this."""

from typing import ClassVar

import pytest

from parsec.client.failure import AuthenticationFailed
from parsec.client.guards import Guard, ProtectionFields
from parsec.client.protection import RecoveryFields
from parsec.client.rules.device_file import WrongProtection, open_device, protect
from parsec.crypto.entropy import system_entropy
from parsec.crypto.keys import SecretKey
from parsec.data.device_file import AnyDeviceFile
from parsec.data.instant import Instant
from tests.support.lines import some_device

NOW = Instant.parse("2026-01-02T03:04:05Z")
DEVICE = some_device()


def protected(key: SecretKey, fields: ProtectionFields) -> AnyDeviceFile:
    """The file of some device."""
    return protect(
        DEVICE,
        fields=fields,
        key=key,
        created_on=NOW,
        protected_on=NOW,
        totp=None,
        entropy=system_entropy,
    )


class GuardContract:
    """Runs for each guard: `guard` as the right person has it, `stranger` as somebody else has."""

    SECRETS: ClassVar[tuple[str, ...]] = ()
    """What a person would type."""
    ONE_KEY_FOR_ALL: ClassVar[bool] = False
    """Whether all files of an account share a key, by a rule of the protocol."""

    def test_the_key_of_a_new_file_is_found_again(self, guard: Guard) -> None:
        file = protected(*guard.new(system_entropy))

        assert open_device(file, key=guard.key(file)) == DEVICE

    def test_somebody_else_cannot_open_it(self, guard: Guard, stranger: Guard) -> None:
        file = protected(*guard.new(system_entropy))

        with pytest.raises(AuthenticationFailed):
            open_device(file, key=stranger.key(file))

    def test_files_share_a_key_only_where_they_must(self, guard: Guard) -> None:
        (one_key, one), (other_key, other) = guard.new(system_entropy), guard.new(system_entropy)

        assert (one_key == other_key) is self.ONE_KEY_FOR_ALL
        assert (one == other) is self.ONE_KEY_FOR_ALL

    def test_a_file_of_another_protection_is_refused(self, guard: Guard) -> None:
        file = protected(SecretKey(bytes(32)), RecoveryFields())

        with pytest.raises(WrongProtection, match="recovery"):
            guard.key(file)

    def test_nothing_secret_shows(self, guard: Guard, stranger: Guard) -> None:
        key, fields = guard.new(system_entropy)

        shown = f"{guard!r} {stranger!r} {fields!r} {key!r}"

        assert not [secret for secret in (*self.SECRETS, bytes(key).hex()) if secret in shown]
