"""Where the keys of a server are kept, which are not in its database."""

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from parsec.crypto.errors import KeySizeError
from parsec.crypto.keys import SecretKey
from parsec.server.store.sealing import KeyRing, ServerKeyError
from parsec.server.store.whole_file import publish, sync_folder


class Keys(Protocol):
    """A place for the keys of a server."""

    def read(self) -> KeyRing | None:
        """The keys; None where none were made yet. Raises ServerKeyError."""

    def create(self, ring: KeyRing) -> None:
        """Keep the first keys; those that somebody else kept meanwhile stay.

        Raises ServerKeyError.
        """

    def replace(self, ring: KeyRing) -> None:
        """Keep other keys in the place of those that are there. Raises ServerKeyError."""


class KeyFile:
    """A file with a key a line, in hexadecimal digits, newest first."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __str__(self) -> str:
        return str(self._path)

    def read(self) -> KeyRing | None:
        """The keys; None where there is no file. Raises ServerKeyError."""
        try:
            with self._path.open(encoding="ascii") as file:
                self._check_mode(os.fstat(file.fileno()).st_mode)
                text = file.read()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ServerKeyError(f"cannot read {self._path}: {error.strerror}") from error
        except UnicodeDecodeError:
            # Without its text, which quotes the file.
            raise self._malformed() from None
        keys = [self._key(line) for line in text.split()]
        if not keys:
            raise self._malformed()
        return KeyRing(keys)

    def create(self, ring: KeyRing) -> None:
        """Write a file that is not there yet; one that is stays. Raises ServerKeyError."""
        with self._written(ring) as made, contextlib.suppress(FileExistsError):
            publish(made, self._path)

    def replace(self, ring: KeyRing) -> None:
        """Write other keys in the place of those that are there. Raises ServerKeyError."""
        with self._written(ring) as made:
            _take_over_access(self._path, made)
            made.replace(self._path)
            sync_folder(self._path.parent)

    def remove(self) -> None:
        """Undo the creation of the file."""
        with contextlib.suppress(OSError):
            self._path.unlink()

    @contextlib.contextmanager
    def _written(self, ring: KeyRing) -> Iterator[Path]:
        """A file beside, which is gone at the end unless it was renamed."""
        # What a symbolic link names is replaced, not the link.
        self._path = self._path.resolve()
        made: Path | None = None
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Readable by its owner alone.
            number, name = tempfile.mkstemp(prefix=f".{self._path.name}.", dir=self._path.parent)
            made = Path(name)
            with os.fdopen(number, "w", encoding="ascii") as file:
                file.writelines(f"{bytes(key).hex()}\n" for key in ring.keys)
                file.flush()
                os.fsync(file.fileno())
            yield made
        except OSError as error:
            message = f"cannot write the server key to {self._path}: {error.strerror}"
            raise ServerKeyError(message) from error
        finally:
            if made is not None:
                made.unlink(missing_ok=True)

    def _check_mode(self, mode: int) -> None:
        if os.name == "posix" and stat.S_IMODE(mode) & 0o007:
            raise ServerKeyError(
                f"{self._path} holds a secret, but everybody can read or change it",
                hint=f"chmod 600 {self._path}",
            )

    def _key(self, line: str) -> SecretKey:
        try:
            return SecretKey(bytes.fromhex(line))
        except (KeySizeError, ValueError):
            raise self._malformed() from None

    def _malformed(self) -> ServerKeyError:
        return ServerKeyError(f"{self._path} does not hold keys of 64 hexadecimal digits a line")


def _take_over_access(former: Path, made: Path) -> None:
    """Let those read it who could before: the server may not be who rotates its key."""
    if os.name != "posix" or not former.exists():
        return
    found = former.stat()
    # Only root gives files away. The mode comes last: it is that of the owner and group of before.
    with contextlib.suppress(PermissionError):
        os.chown(made, found.st_uid, found.st_gid)
        made.chmod(stat.S_IMODE(found.st_mode) & 0o770)


class KeysInMemory:
    """For a database that ends with the process."""

    def __init__(self) -> None:
        self._ring: KeyRing | None = None

    def __str__(self) -> str:
        return "this process"

    def read(self) -> KeyRing | None:
        """The keys; None where none were made yet."""
        return self._ring

    def create(self, ring: KeyRing) -> None:
        """Keep the first keys."""
        self._ring = self._ring or ring

    def replace(self, ring: KeyRing) -> None:
        """Keep other keys in the place of those that are there."""
        self._ring = ring
