"""A guard that has its next key ready, so that writing a file can no longer fail for want of it."""

from parsec.client.protection import Guard, ProtectionFields
from parsec.crypto.entropy import Entropy
from parsec.crypto.keys import SecretKey
from parsec.data.device_file import AnyDeviceFile


class PreparedGuard:
    """Another guard whose `new` was called at once; the first call here gives its result.

    A device is registered on the server before its file is written: where the key cannot be made
    (no memory, a locked keyring), that must show while nothing is registered yet.
    """

    def __init__(self, guard: Guard, entropy: Entropy) -> None:
        """Raises FlowError, as the guard's `new` does."""
        self._guard = guard
        self._ready: tuple[SecretKey, ProtectionFields] | None = guard.new(entropy)

    def new(self, entropy: Entropy) -> tuple[SecretKey, ProtectionFields]:
        """The key made ahead, once; then fresh ones, since files do not share keys."""
        ready, self._ready = self._ready, None
        return ready or self._guard.new(entropy)

    def key(self, file: AnyDeviceFile) -> SecretKey:
        """The key of an existing file, as the guard has it."""
        return self._guard.key(file)
