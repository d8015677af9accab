"""What this program keeps in the keyring of the operating system.

A device file that is protected so names an entry of the keyring, and the entry holds its key as a
recovery passphrase (`client.md` 3). One key serves all device files of an account on this machine,
those of the official client included.

    FlowError
    ├── KeyUnavailable
    │   └── KeyringUnavailable         there is no keyring, or it does not work
    │       └── KeyringLocked          … because nobody unlocked it; also AuthenticationFailed
    └── AuthenticationFailed
        └── KeyringEntryUnusable       the entry of a device is missing, or holds no key

The library looks for a keyring when it is first used, and where there is none it says so only then.
A locked keyring may wait for its password in a dialog that nobody sees. Hence every call goes to a
thread of its own that is given up after a while, and whoever offers this protection asks
`keyring_fault` first.
"""

import os
import sys
import threading
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from parsec.client.failure import AuthenticationFailed
from parsec.client.files import delete_whole, read_if_there, write_whole
from parsec.client.protection import KeyringFields
from parsec.client.recoveries import KeyBeside
from parsec.client.rules.device_file import KeyUnavailable, WrongProtection
from parsec.crypto.entropy import Entropy
from parsec.crypto.errors import PassphraseError
from parsec.crypto.keys import SecretKey
from parsec.crypto.passphrase import parse_recovery_passphrase, recovery_passphrase
from parsec.data.device_file import AnyDeviceFile, KeyringDeviceFile
from parsec.data.ids import UserID
from parsec.data.peer_text import terminal_safe

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

T = TypeVar("T")

SERVICE = "parsec"
USER_FILE = "keyring_user.txt"
RECOVERY_SERVICE = "parsec-py"
"""Of keys that the official client knows nothing of."""

TIME_LIMIT_SECONDS = 60.0
"""Enough to type the keyring's own password into a dialog."""
TIME_LIMIT_WITH_OTHER_PLACE_SECONDS = 20.0

# The library calls a backend "recommended" from this priority on. Below are those that refuse
# everything, forget everything, or keep secrets in plain files.
_LOWEST_PRIORITY = 1
_LARGEST_USER_FILE = 4096


class KeyringUnavailable(KeyUnavailable):
    """There is no keyring on this machine, or it does not work."""


class KeyringLocked(KeyringUnavailable, AuthenticationFailed):
    """The keyring is there, and nobody unlocked it."""


class KeyringEntryUnusable(AuthenticationFailed):
    """The keyring has no entry for a device, or one that is no key."""


def keyring_fault(time_limit_seconds: float = TIME_LIMIT_SECONDS) -> KeyringUnavailable | None:
    """What keeps this machine from offering its keyring, if anything does."""
    try:
        _OsKeyring(time_limit_seconds).probe()
    except KeyringUnavailable as fault:
        return fault
    return None


class KeyringGuard:
    """The key is an entry of the keyring, one for all device files of the account."""

    def __init__(self, data_dir: Path, *, time_limit_seconds: float = TIME_LIMIT_SECONDS) -> None:
        """`data_dir` is the default data folder (`files.default_data`), not one that was chosen."""
        self._user_file = data_dir / USER_FILE
        self._keyring = _OsKeyring(time_limit_seconds)

    def new(self, entropy: Entropy) -> tuple[SecretKey, KeyringFields]:
        """The key of the account, made where there is none yet.

        Raises KeyringUnavailable or StorageFailed.
        """
        self._keyring.probe()
        user, key = self._existing() or self._made(entropy)
        return key, KeyringFields(service=SERVICE, user=user)

    def key(self, file: AnyDeviceFile) -> SecretKey:
        """The key in the entry that the file names.

        Raises WrongProtection, KeyringUnavailable or KeyringEntryUnusable.
        """
        if not isinstance(file, KeyringDeviceFile):
            raise WrongProtection(
                f"This device is not protected by the keyring but by {file.PROTECTION}"
            )
        key = self._keyring.key(file.keyring_service, file.keyring_user)
        if key is None:
            raise KeyringEntryUnusable(
                "The keyring has no entry for this device",
                hint="a device file opens only in the account, and on the machine, it was made in",
            )
        return key

    def __repr__(self) -> str:
        return "KeyringGuard(…)"

    def _existing(self) -> tuple[str, SecretKey] | None:
        content = read_if_there(self._user_file, _LARGEST_USER_FILE)
        user = (content or b"").decode(errors="replace").strip()
        if not user:
            return None
        # An entry that is no key is nothing that a device file could depend on.
        with suppress(KeyringEntryUnusable):
            key = self._keyring.key(SERVICE, user)
            return None if key is None else (user, key)
        return None

    def _made(self, entropy: Entropy) -> tuple[str, SecretKey]:
        user, key = _random_user(entropy), SecretKey.generate(entropy)
        self._keyring.keep(SERVICE, user, key)
        write_whole(self._user_file, user.encode())
        return user, key


class KeyringKeyPlace:
    """The key of gathered shares: in the keyring where there is one, else beside the shares.

    recoveries/<user id>.keyring    the name of the entry
    """

    def __init__(
        self,
        folder: Path,
        entropy: Entropy,
        *,
        time_limit_seconds: float = TIME_LIMIT_WITH_OTHER_PLACE_SECONDS,
    ) -> None:
        self._folder = folder
        self._entropy = entropy
        self._beside = KeyBeside(folder)
        self._keyring = _OsKeyring(time_limit_seconds)

    def load(self, user_id: UserID) -> SecretKey | None:
        """The key, if there is one.

        Raises KeyringUnavailable where the keyring that has it does not answer: the shares are not
        lost, and must not be gathered anew. Otherwise StorageFailed or CryptoError.
        """
        entry = self._entry(user_id)
        if entry is None:
            return self._beside.load(user_id)
        try:
            return self._keyring.key(RECOVERY_SERVICE, entry)
        except KeyringEntryUnusable:
            return None
        except KeyringUnavailable as fault:
            raise type(fault)(
                f"The key of the shares gathered so far is in the keyring. {fault}",
                hint="go on in the session where they were gathered, or delete "
                f"{terminal_safe(str(self._marker(user_id)))} and gather them all again",
            ) from fault

    def save(self, user_id: UserID, key: SecretKey) -> None:
        """Keep the key. Raises StorageFailed."""
        entry = self._entry(user_id) or _random_user(self._entropy)
        # The name first: an entry whose name nobody knows would stay in the keyring for good.
        write_whole(self._marker(user_id), entry.encode())
        try:
            self._keyring.keep(RECOVERY_SERVICE, entry, key)
        except KeyringUnavailable:
            self._beside.save(user_id, key)
            delete_whole(self._marker(user_id))
        else:
            self._beside.forget(user_id)

    def forget(self, user_id: UserID) -> None:
        """Delete the key, if there is one. Raises StorageFailed or KeyringUnavailable."""
        self._beside.forget(user_id)
        entry = self._entry(user_id)
        if entry is not None:
            self._keyring.forget(RECOVERY_SERVICE, entry)
            delete_whole(self._marker(user_id))

    def _entry(self, user_id: UserID) -> str | None:
        content = read_if_there(self._marker(user_id), _LARGEST_USER_FILE)
        return (content or b"").decode(errors="replace").strip() or None

    def _marker(self, user_id: UserID) -> Path:
        return self._folder / f"{user_id.hex()}.keyring"


class _OsKeyring:
    """The keyring, asked within a time limit. Every method raises KeyringUnavailable."""

    def __init__(self, time_limit_seconds: float) -> None:
        self._time_limit_seconds = time_limit_seconds

    def probe(self) -> None:
        """See whether it can be used."""
        # macOS would ask the person for leave to read; that it is there is all one can learn.
        if sys.platform == "darwin":
            self._asked("look for", _backend)
        else:
            self._asked("read", lambda: _backend().get_password(SERVICE, "tmp"))

    def key(self, service: str, user: str) -> SecretKey | None:
        """The key in an entry, if there is one. Also raises KeyringEntryUnusable."""
        text = self._asked("read", lambda: _backend().get_password(service, user))
        if text is None:
            return None
        try:
            return parse_recovery_passphrase(text)
        except PassphraseError:
            # Without its cause: whatever the entry holds, somebody took it for a secret.
            raise KeyringEntryUnusable(
                "The entry of this device in the keyring holds no key",
                hint="another program may have changed it",
            ) from None

    def keep(self, service: str, user: str, key: SecretKey) -> None:
        """Write a key, and make sure that it is there: some keyrings forget without a word."""
        text = recovery_passphrase(key)
        self._asked("write to", lambda: _backend().set_password(service, user, text))
        try:
            kept = self.key(service, user)
        except KeyringEntryUnusable:
            kept = None
        if kept != key:
            raise KeyringUnavailable(
                "The keyring does not keep what is written to it", hint=_OTHER_WAY
            )

    def forget(self, service: str, user: str) -> None:
        """Delete an entry, if it is there."""
        if self.key(service, user) is not None:
            self._asked("delete from", lambda: _backend().delete_password(service, user))

    def _asked(self, verb: str, call: Callable[[], T]) -> T:
        outcome: Future[T] = Future()
        thread = threading.Thread(target=_settle, args=(outcome, call), daemon=True)
        thread.start()
        try:
            return outcome.result(self._time_limit_seconds)
        except KeyringUnavailable:
            raise
        except TimeoutError:
            raise KeyringLocked(
                f"The keyring did not answer within {self._time_limit_seconds:g} seconds",
                hint="it may be locked, and waiting for its password somewhere: unlock it first",
            ) from None
        except Exception as error:
            # Backends are other people's programs, and raise what they like. What they say stays
            # unsaid: nobody knows whether they quote what they were given.
            raise _explained(verb, error) from None


def _settle(outcome: Future[T], call: Callable[[], T]) -> None:
    try:
        outcome.set_result(call())
    except Exception as error:
        outcome.set_exception(error)


def _explained(verb: str, error: Exception) -> KeyringUnavailable:
    from keyring.errors import KeyringLocked as Locked

    if isinstance(error, Locked):
        return KeyringLocked(
            "The keyring is locked",
            hint="unlock it, in a desktop session by logging in, and try again",
        )
    return KeyringUnavailable(
        f"Cannot {verb} the keyring ({type(error).__name__})", hint=_OTHER_WAY
    )


def _backend() -> "KeyringBackend":
    """The keyring that the library finds. Raises KeyringUnavailable."""
    try:
        import keyring
    except ImportError:
        raise KeyringUnavailable(
            "This installation has no support for keyrings",
            hint="pip install 'parsec-py[keyring]'",
        ) from None
    try:
        backend = keyring.get_keyring()
    except Exception as error:
        # One that was chosen by PYTHON_KEYRING_BACKEND or the library's own settings.
        reason = terminal_safe(f"{type(error).__name__}: {error}")
        raise KeyringUnavailable(
            f"The chosen keyring cannot be used ({reason})",
            hint="see `python -m keyring diagnose`",
        ) from None
    if backend.priority < _LOWEST_PRIORITY:
        raise _no_keyring(backend, os.environ, sys.platform)
    return backend


def _no_keyring(
    backend: "KeyringBackend", environ: Mapping[str, str], platform: str
) -> KeyringUnavailable:
    from keyring.backends import fail

    if not isinstance(backend, fail.Keyring):
        name = terminal_safe(backend.name)
        return KeyringUnavailable(
            f"There is no keyring that keeps secrets safe, only {name}", hint=_OTHER_WAY
        )
    if platform in ("win32", "darwin"):
        return KeyringUnavailable("There is no keyring on this machine", hint=_OTHER_WAY)
    if not environ.get("DBUS_SESSION_BUS_ADDRESS"):
        return KeyringUnavailable(
            "There is no keyring here: this session has no D-Bus session bus "
            "(DBUS_SESSION_BUS_ADDRESS is not set)",
            hint=f"log in to a desktop session, or {_OTHER_WAY}",
        )
    return KeyringUnavailable(
        "There is no keyring here: no Secret Service answers on the D-Bus session bus",
        hint=f"start one (GNOME Keyring, KWallet, KeePassXC …), or {_OTHER_WAY}",
    )


_OTHER_WAY = "protect the device in another way"


def _random_user(entropy: Entropy) -> str:
    return str(uuid.UUID(bytes=entropy(16), version=4))
