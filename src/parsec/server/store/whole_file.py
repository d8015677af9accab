"""Files that are there as a whole or not at all."""

import errno
import os
from pathlib import Path

_NO_LINKS = (errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP)


def publish(made: Path, target: Path) -> None:
    """Give a finished file of the same file system its name.

    Raises FileExistsError for a name that is taken, and OSError.
    """
    try:
        os.link(made, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # As with FAT: then somebody may take the name in between, and is replaced.
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from error
        made.rename(target)
    sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Make what was created or renamed in a folder survive a crash."""
    if os.name != "posix":
        return
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
