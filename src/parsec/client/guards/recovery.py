"""The protection by a passphrase that is the key itself, for recovery files (`client.md` 8)."""

from typing import Self

from parsec.client.protection import RecoveryFields
from parsec.client.rules.device_file import WrongProtection
from parsec.crypto.entropy import Entropy
from parsec.crypto.keys import SecretKey
from parsec.crypto.passphrase import parse_recovery_passphrase, recovery_passphrase
from parsec.data.device_file import AnyDeviceFile, RecoveryDeviceFile


class RecoveryGuard:
    """The key is what somebody wrote down."""

    def __init__(self, passphrase: str) -> None:
        """Raises PassphraseError."""
        self._key = parse_recovery_passphrase(passphrase)

    @classmethod
    def generate(cls, entropy: Entropy) -> Self:
        """With a passphrase that nobody had before."""
        return cls(recovery_passphrase(SecretKey.generate(entropy)))

    @property
    def passphrase(self) -> str:
        """What to write down."""
        return recovery_passphrase(self._key)

    def new(self, entropy: Entropy) -> tuple[SecretKey, RecoveryFields]:  # noqa: ARG002  # no salt
        """The key of the passphrase, of which the file says nothing."""
        return self._key, RecoveryFields()

    def key(self, file: AnyDeviceFile) -> SecretKey:
        """The same. Raises WrongProtection."""
        if not isinstance(file, RecoveryDeviceFile):
            raise WrongProtection(f"This is no recovery file, but protected by {file.PROTECTION}")
        return self._key

    def __repr__(self) -> str:
        return "RecoveryGuard(…)"
