"""Locks on open files, which end with the process that holds them; loaded by who takes one."""

import os
import sys
from contextlib import suppress
from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    def try_lock(descriptor: int) -> bool:
        """Whether an open file is ours from now on, until it is closed."""
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def lock(descriptor: int) -> None:
        """Wait until it is."""
        # Each call waits ten seconds at most.
        while True:
            with suppress(OSError):
                return msvcrt.locking(descriptor, msvcrt.LK_LOCK, 1)

    def drop_unless_locked(path: Path) -> None:
        """Delete a file that nobody holds."""
        path.unlink()  # which fails while its writer has it open

else:
    import fcntl

    def try_lock(descriptor: int) -> bool:
        """Whether an open file is ours from now on, until it is closed."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def lock(descriptor: int) -> None:
        """Wait until it is."""
        fcntl.flock(descriptor, fcntl.LOCK_EX)

    def drop_unless_locked(path: Path) -> None:
        """Delete a file that nobody holds."""
        descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW)
        try:
            if try_lock(descriptor):
                path.unlink()
        finally:
            os.close(descriptor)
