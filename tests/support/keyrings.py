"""Keyrings of the operating system: a real one on a session bus of its own, and stand-ins."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import keyring.backend
import keyring.errors
import pytest

_PROGRAMS = ("dbus-daemon", "gnome-keyring-daemon")
_MISSING = [name for name in _PROGRAMS if shutil.which(name) is None]

needs_gnome_keyring = pytest.mark.skipif(
    bool(_MISSING),
    reason=f"no {' and no '.join(_MISSING)}: run scripts/install-counterparts.sh",
)


@contextlib.contextmanager
def gnome_keyring(folder: Path, *, password: str = "keyring password") -> Iterator[dict[str, str]]:
    """An unlocked GNOME Keyring in `folder`; the answer is the environment that leads to it."""
    with session_bus(folder) as environment:
        subprocess.run(
            ["gnome-keyring-daemon", "--unlock", "--components=secrets"],
            env=environment,
            input=f"{password}\n".encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
        )
        # It went to the background, and ends with the bus.
        yield environment


@contextlib.contextmanager
def session_bus(folder: Path, *options: str) -> Iterator[dict[str, str]]:
    """A D-Bus session bus without a display."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "XDG_DATA_HOME": str(folder / "share"),
        "XDG_RUNTIME_DIR": str(folder / "run"),
    }
    for name in ("share", "run"):
        (folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    command = ["dbus-daemon", "--nofork", "--print-address=1", *(options or ("--session",))]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as bus:
        try:
            assert bus.stdout is not None
            address = bus.stdout.readline().strip()
            assert address, "the bus ended at once"
            yield {**environment, "DBUS_SESSION_BUS_ADDRESS": address}
        finally:
            bus.terminate()


class MemoryKeyring(keyring.backend.KeyringBackend):
    """A keyring that works, in memory.

    Its argument keeps the library from finding it where nobody asks for it.
    """

    priority: float = 0

    def __init__(self, priority: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.priority = priority
        self.entries: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if self.entries.pop((service, username), None) is None:
            raise keyring.errors.PasswordDeleteError


def use_keyring(monkeypatch: pytest.MonkeyPatch, backend: keyring.backend.KeyringBackend) -> None:
    """Make it the keyring of this process."""
    monkeypatch.setattr("keyring.core._keyring_backend", backend)


def use_gnome_keyring(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    """Make a real one the keyring of this process."""
    from keyring.backends.SecretService import Keyring

    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", environment["DBUS_SESSION_BUS_ADDRESS"])
    use_keyring(monkeypatch, Keyring())  # type: ignore[no-untyped-call]
