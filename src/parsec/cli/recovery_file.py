"""Recovery files: a device of one's own, to be opened with a passphrase (`client.md` 8)."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from parsec.client.failure import AuthenticationFailed, Conflict, FlowError, NotFound
from parsec.client.files import delete_whole, read_device_file, replacing, write_whole
from parsec.client.guards.recovery import RecoveryGuard
from parsec.client.rules.device_file import open_device, protect
from parsec.client.step import Means
from parsec.crypto.errors import PassphraseError
from parsec.data.device_file import RecoveryDeviceFile
from parsec.data.local_device import LocalDevice


def check_place(path: Path, *, replace: bool) -> None:
    """Make sure that a file can be written there. Raises Conflict or StorageFailed."""
    if path.is_dir():
        raise FlowError(f"{path} is a folder", hint="name the file to write")
    if not path.parent.is_dir():
        raise NotFound(f"There is no folder {path.parent}")
    if path.exists() and not replace:
        raise Conflict(f"{path} exists already", hint="name another file, or give --force")
    probe = path.with_name(f".{path.name}.probe")
    write_whole(probe, bytes(4096))
    delete_whole(probe)


@contextmanager
def new_recovery_file(path: Path, device: LocalDevice, means: Means) -> Iterator[str]:
    """Write the file of a recovery device; within the block its passphrase is told.

    The file takes its place after that, so that no passphrase that somebody has written down loses
    its file to one whose passphrase nobody has seen. Raises StorageFailed.
    """
    guard = RecoveryGuard.generate(means.entropy)
    key, fields = guard.new(means.entropy)
    now = means.now()
    file = protect(
        device,
        fields=fields,
        key=key,
        created_on=now,
        protected_on=now,
        totp=None,
        entropy=means.entropy,
    )
    with replacing(path, file.dump()):
        yield guard.passphrase


def read_recovery_file(path: Path) -> RecoveryDeviceFile:
    """The file at a place. Raises FlowError where it is none."""
    if not path.exists():
        raise NotFound(f"There is no file {path}")
    file = read_device_file(path)
    if not isinstance(file, RecoveryDeviceFile):
        raise FlowError(f"{path} is no recovery file, but a device protected by {file.PROTECTION}")
    return file


def open_recovery_file(file: RecoveryDeviceFile, passphrase: str) -> LocalDevice:
    """The recovery device inside. Raises AuthenticationFailed."""
    try:
        guard = RecoveryGuard(passphrase)
    except PassphraseError as error:
        raise AuthenticationFailed(
            f"Invalid passphrase: {error}", hint="it has 13 groups of four letters and digits"
        ) from None
    return open_device(file, key=guard.key(file))
