"""Device files on disk: found, read, written whole or not at all, forgotten, and locked in use.

The folders are those of the official client (`client.md` 1), so that both programs see the same
devices. A file is written beside its place and moved there once it is safe on the disk: whoever
reads sees the old content or the new one, wherever the writer was killed.
"""

import os
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import msgspec

from parsec.client.failure import FlowError
from parsec.data.device_file import AnyDeviceFile, load_device_file
from parsec.data.ids import DeviceID
from parsec.wire.msgpack import MalformedError

LARGEST_DEVICE_FILE = 1024 * 1024
"""Real ones take one or two KiB."""

_EXTENSION = ".keys"
_BEGUN = ".keys.begun"
_TEMPORARY = ".parsec-py.tmp"
"""Like nobody else's files: whatever is called so and locked by nobody is deleted."""


class StorageFailed(FlowError):
    """The disk would not do what was asked of it."""


class InvalidDeviceFile(FlowError):
    """What is in the file is no device."""


class Directories(msgspec.Struct, frozen=True):
    """Where a client keeps its things."""

    config: Path
    data: Path

    @property
    def devices(self) -> Path:
        """The folder of the device files."""
        return self.config / "devices"

    def data_of(self, device_id: DeviceID) -> Path:
        """The folder of what a device stores."""
        return self.data / device_id.hex()


def directories(
    environ: Mapping[str, str], *, config_dir: Path | None = None, data_dir: Path | None = None
) -> Directories:
    """The folders by option, then by the variables of `client.md` 1.1, then the platform's."""
    return Directories(
        config=config_dir
        or _final(environ, "PARSEC_CONFIG_DIR")
        or _base(environ, "PARSEC_BASE_CONFIG_DIR", _platform_config) / "parsec3" / "libparsec",
        data=data_dir or _final(environ, "PARSEC_DATA_DIR") or default_data(environ),
    )


def default_data(environ: Mapping[str, str]) -> Path:
    """The data folder where none was chosen; the name of the keyring entry is always there."""
    return _base(environ, "PARSEC_BASE_DATA_DIR", _platform_data) / "parsec3"


class FoundDevice(msgspec.Struct, frozen=True):
    """A device file and where it is."""

    path: Path
    file: AnyDeviceFile


def list_devices(places: Directories) -> list[FoundDevice]:
    """All device files by path, the first of each device; what cannot be read is passed over."""
    found: dict[DeviceID, FoundDevice] = {}
    for path in sorted(_key_files(places.devices), key=lambda path: path.parts):
        with suppress(StorageFailed, InvalidDeviceFile):
            file = read_device_file(path)
            found.setdefault(file.device_id, FoundDevice(path, file))
    return list(found.values())


def unreadable_devices(places: Directories) -> list[Path]:
    """What `list_devices` passes over, by path."""
    return sorted(path for path in _key_files(places.devices) if not _is_readable(path))


def read_device_file(path: Path) -> AnyDeviceFile:
    """Read one file. Raises StorageFailed or InvalidDeviceFile."""
    content = read_if_there(path, LARGEST_DEVICE_FILE)
    if content is None:
        raise StorageFailed(f"There is no file {_shown(path)}")
    try:
        return load_device_file(content)
    except MalformedError as error:
        raise InvalidDeviceFile(f"{_shown(path)} is no device file: {error}") from error


def save_device_file(places: Directories, file: AnyDeviceFile, *, path: Path | None = None) -> Path:
    """Write a file, at its default place or in place of the one at `path`. Raises StorageFailed."""
    path = path or places.devices / f"{file.device_id.hex()}{_EXTENSION}"
    write_whole(path, file.dump())
    return path


def save_begun_device(places: Directories, file: AnyDeviceFile) -> None:
    """Write the file of a device that may or may not come to be; nobody lists it yet.

    Raises StorageFailed.
    """
    write_whole(_begun_path(places, file.device_id), file.dump())


def begun_devices(places: Directories) -> list[FoundDevice]:
    """The files of devices that began and did not come to be; others are passed over."""
    found = []
    for path in sorted(places.devices.glob(f"*{_BEGUN}")):
        with suppress(StorageFailed, InvalidDeviceFile):
            found.append(FoundDevice(path, read_device_file(path)))
    return found


def settle_begun_device(places: Directories, device_id: DeviceID) -> bool:
    """Let a device that began come to be; False where there is none. Raises StorageFailed."""
    path = _begun_path(places, device_id)
    with _explained(path, "rename"):
        if not path.exists():
            return False
        path.replace(places.devices / f"{device_id.hex()}{_EXTENSION}")
        _sync_directory(path.parent)
        return True


def drop_begun_device(places: Directories, device_id: DeviceID) -> None:
    """Delete the file of a device that did not come to be. Raises StorageFailed."""
    delete_whole(_begun_path(places, device_id))


def forget_device(places: Directories, found: FoundDevice) -> None:
    """Delete the file of a device, then what it stored. Raises StorageFailed."""
    delete_whole(found.path)
    data = places.data_of(found.file.device_id)
    with _explained(data, "delete"):
        if data.is_symlink():
            data.unlink()
        elif data.exists():
            import shutil

            shutil.rmtree(data)


@contextmanager
def in_use(
    places: Directories,
    device_id: DeviceID,
    *,
    waiting: Callable[[], None],
    accessed: Callable[[], None],
) -> Iterator[None]:
    """Keep other processes from the device meanwhile.

    If one has it, `waiting` is called, and `accessed` when it has let go. Raises StorageFailed.
    """
    path = places.config / "in_use_devices" / device_id.hex()
    with locked(path, waiting=waiting, accessed=accessed):
        yield


@contextmanager
def locked(
    path: Path,
    *,
    waiting: Callable[[], None] = lambda: None,
    accessed: Callable[[], None] = lambda: None,
) -> Iterator[None]:
    """Hold a file that stands for something, while nobody else does; the end of a process lets go.

    If another one has it, `waiting` is called, and `accessed` afterwards. Raises StorageFailed.
    """
    with _explained(path, "lock"):
        make_private_directory(path.parent)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    from parsec.client import file_lock

    # The lock goes with the descriptor; the file stays, for others may be waiting on it.
    try:
        if not file_lock.try_lock(descriptor):
            waiting()
            with _explained(path, "lock"):
                file_lock.lock(descriptor)
            accessed()
        yield
    finally:
        os.close(descriptor)


def ensure_writable(places: Directories) -> None:
    """Make sure that a device file can be saved, before anything depends on it.

    Raises StorageFailed.
    """
    probe = places.devices / f"writable{_EXTENSION}.probe"
    write_whole(probe, bytes(4096))
    delete_whole(probe)


def write_whole(path: Path, content: bytes) -> None:
    """Make `content` what the file holds, readable by its owner alone. Raises StorageFailed."""
    with replacing(path, content):
        pass


@contextmanager
def replacing(path: Path, content: bytes) -> Iterator[None]:
    """Write `content`, and put it in the file's place once the block has ended well.

    Within the block it is on the disk already: all that is left to do is to rename it. What
    interrupted writers left in the folder is deleted first. Raises StorageFailed.
    """
    with _explained(path, "write"):
        make_private_directory(path.parent)
        _drop_leftovers(path.parent)
        temporary = _Temporary(path)
    try:
        with _explained(path, "write"):
            temporary.write(content)
        yield
        with _explained(path, "write"):
            temporary.move_to(path)
    except BaseException:
        temporary.drop()
        raise
    with _explained(path, "write"):
        _sync_directory(path.parent)


def delete_whole(path: Path) -> None:
    """Delete a file if it is there, and what interrupted writers left in its folder.

    Raises StorageFailed.
    """
    with _explained(path, "delete"):
        if not path.parent.is_dir():
            return
        path.unlink(missing_ok=True)
        _drop_leftovers(path.parent)
        _sync_directory(path.parent)


def read_if_there(path: Path, limit: int) -> bytes | None:
    """The content of a regular file of at most `limit` bytes; None when nothing is there.

    Raises StorageFailed.
    """
    with _explained(path, "read"):
        try:
            file = _opened(path)
        except FileNotFoundError:
            return None
        with file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise OSError("it is no regular file")
            content = file.read(limit + 1)
        if len(content) > limit:
            raise OSError(f"it is larger than {limit} bytes")
        return content


def make_private_directory(path: Path) -> None:
    """Make a folder and its parents where they are missing, open to their owner alone.

    Raises OSError.
    """
    if path.is_dir():
        return
    make_private_directory(path.parent)
    path.mkdir(mode=0o700, exist_ok=True)
    _sync_directory(path.parent)


def _key_files(folder: Path) -> Iterator[Path]:
    # Names carry no meaning; folders that cannot be read are passed over like files.
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            if path.suffix == _EXTENSION:
                yield path


def _is_readable(path: Path) -> bool:
    try:
        read_device_file(path)
    except (StorageFailed, InvalidDeviceFile):
        return False
    return True


def _opened(path: Path) -> BinaryIO:
    # Opening a named pipe would otherwise wait for its writer.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    return os.fdopen(os.open(path, flags), "rb")


class _Temporary:
    """A file beside the one that it will replace; it stays locked, so that nobody clears it away.

    Its name is its own: two writers of one file must not move each other's half.
    """

    def __init__(self, beside: Path) -> None:
        while True:
            import tempfile

            from parsec.client.file_lock import lock

            self._descriptor, name = tempfile.mkstemp(
                prefix=f"{beside.name}.", suffix=_TEMPORARY, dir=str(beside.parent)
            )
            self._path = Path(name)
            self._open = True
            if sys.platform != "win32":
                # Some network file systems know no locks; there, nothing is cleared away either.
                with suppress(OSError):
                    lock(self._descriptor)
            if self._path.exists():
                return
            self._close()  # cleared away before it was locked

    def write(self, content: bytes) -> None:
        with os.fdopen(self._descriptor, "wb", closefd=False) as file:
            file.write(content)
            file.flush()
            os.fsync(self._descriptor)

    def move_to(self, path: Path) -> None:
        if sys.platform == "win32":
            self._close()  # open files cannot be renamed there
        self._path.replace(path)
        self._close()

    def drop(self) -> None:
        if sys.platform == "win32":
            self._close()
        self._path.unlink(missing_ok=True)
        self._close()

    def _close(self) -> None:
        if self._open:
            self._open = False
            os.close(self._descriptor)


def _drop_leftovers(folder: Path) -> None:
    from parsec.client.file_lock import drop_unless_locked

    for path in folder.glob(f"*{_TEMPORARY}"):
        # One that cannot be deleted does no harm.
        with suppress(OSError):
            drop_unless_locked(path)


def _begun_path(places: Directories, device_id: DeviceID) -> Path:
    return places.devices / f"{device_id.hex()}{_BEGUN}"


def _sync_directory(path: Path) -> None:
    # Without this the move itself may be lost with the power. Windows cannot open folders.
    if sys.platform == "win32":
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        # Some network file systems cannot; the file is then as safe as they make it.
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _explained(path: Path, verb: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise StorageFailed(f"Cannot {verb} {_shown(path)}: {reason}", hint=_hint(error)) from error


def _shown(path: Path) -> str:
    from parsec.data.peer_text import terminal_safe

    return terminal_safe(str(path), limit=1000)


def _hint(error: OSError) -> str | None:
    if isinstance(error, PermissionError):
        return "check who owns the folder, or choose another one with --config-dir"
    return None


def _final(environ: Mapping[str, str], name: str) -> Path | None:
    text = environ.get(name)
    return Path(text) if text else None


def _base(environ: Mapping[str, str], name: str, platform: Callable[[], Path]) -> Path:
    return _final(environ, name) or platform()


# There two variables tell it; what knows all other systems takes as long to load as all the rest.
_XDG = sys.platform.startswith("linux")


def _platform_config() -> Path:
    if _XDG:
        return _xdg("XDG_CONFIG_HOME", "~/.config")
    import platformdirs

    return platformdirs.user_config_path(roaming=True)


def _platform_data() -> Path:
    if _XDG:
        return _xdg("XDG_DATA_HOME", "~/.local/share")
    import platformdirs

    return platformdirs.user_data_path(roaming=True)


def _xdg(variable: str, default: str) -> Path:
    set_to = os.environ.get(variable, "").strip()
    return Path(set_to) if set_to else Path(default).expanduser()
