"""Shares gathered for shared recoveries, kept encrypted between runs.

Each file has a key of its own. Here it is in a file beside it, so what protects the shares is the
owner's account on this machine. The place of the key is an interface (`KeyPlace`), for a keyring to
take it over where there is one (`guards.keyring`).

    recoveries/<user id>.shares    secretbox
    recoveries/<user id>.key       32 bytes

The key is there before the shares are, and goes after them: shares without their key are damage,
a key alone is what an interrupted run left.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from parsec.client.failure import FlowError
from parsec.client.files import (
    Directories,
    StorageFailed,
    delete_whole,
    locked,
    read_if_there,
    write_whole,
)
from parsec.crypto.entropy import Entropy
from parsec.crypto.errors import CryptoError
from parsec.crypto.keys import SecretKey
from parsec.data.ids import UserID

LARGEST_RECOVERY = 1024 * 1024
"""255 shares of a secret of some 150 bytes take 40 KiB."""

_LARGEST_KEY_FILE = 4096


class RecoveryDamaged(FlowError):
    """Gathered shares are there but cannot be read any more."""


class KeyPlace(Protocol):
    """Where the key of a user's gathered shares is kept."""

    def load(self, user_id: UserID) -> SecretKey | None:
        """The key, if there is one.

        Raises StorageFailed or CryptoError where it is lost, another FlowError where it is only out
        of reach for now.
        """

    def save(self, user_id: UserID, key: SecretKey) -> None:
        """Keep the key. Raises StorageFailed."""

    def forget(self, user_id: UserID) -> None:
        """Delete the key, if there is one. Raises StorageFailed."""


class KeyBeside:
    """The key in a file beside the shares, readable by its owner alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, user_id: UserID) -> SecretKey | None:
        raw = read_if_there(self._path(user_id), _LARGEST_KEY_FILE)
        return None if raw is None else SecretKey(raw)

    def save(self, user_id: UserID, key: SecretKey) -> None:
        write_whole(self._path(user_id), bytes(key))

    def forget(self, user_id: UserID) -> None:
        delete_whole(self._path(user_id))

    def _path(self, user_id: UserID) -> Path:
        return self._folder / f"{user_id.hex()}.key"


class Recoveries:
    """The gathered shares of this machine, as opaque bytes by the user who recovers.

    Whose shares they are is for the reader to check in what `load` returns: the name of a file
    proves nothing.
    """

    def __init__(
        self,
        places: Directories,
        entropy: Entropy,
        key_place: Callable[[Path], KeyPlace] = KeyBeside,
    ) -> None:
        self._folder = places.config / "recoveries"
        self._locks = places.config / "in_use_recoveries"
        self._entropy = entropy
        self._keys = key_place(self._folder)

    @contextmanager
    def alone(self, user_id: UserID) -> Iterator[None]:
        """Keep other processes from a user's shares meanwhile. Raises StorageFailed."""
        with locked(self._locks / user_id.hex()):
            yield

    def has_recovery(self, user_id: UserID) -> bool:
        """Whether anything is kept, readable or not."""
        return self._path(user_id).exists()

    def save_recovery(self, user_id: UserID, payload: bytes) -> None:
        """Keep `payload` in place of what was kept before. Raises StorageFailed."""
        key = self._key(user_id)
        write_whole(self._path(user_id), key.encrypt(payload, self._entropy))

    def load_recovery(self, user_id: UserID) -> bytes | None:
        """What was kept, if anything was. Raises RecoveryDamaged or StorageFailed."""
        ciphertext = read_if_there(self._path(user_id), LARGEST_RECOVERY)
        if ciphertext is None:
            return None
        try:
            return self._existing_key(user_id).decrypt(ciphertext)
        except CryptoError:
            raise RecoveryDamaged(
                "The shares gathered so far cannot be read: their file or its key was changed",
                hint="ask for all shares again",
            ) from None

    def forget_recovery(self, user_id: UserID) -> None:
        """Delete what was kept, if anything was. Raises StorageFailed."""
        delete_whole(self._path(user_id))
        self._keys.forget(user_id)

    def _existing_key(self, user_id: UserID) -> SecretKey:
        key = self._keys.load(user_id)
        if key is None:
            raise CryptoError("the key is gone")
        return key

    def _key(self, user_id: UserID) -> SecretKey:
        try:
            key = self._keys.load(user_id)
        except (CryptoError, StorageFailed):
            # Damaged: what it opened is lost, and about to be replaced.
            key = None
        if key is None:
            key = SecretKey.generate(self._entropy)
            self._keys.save(user_id, key)
        return key

    def _path(self, user_id: UserID) -> Path:
        return self._folder / f"{user_id.hex()}.shares"
