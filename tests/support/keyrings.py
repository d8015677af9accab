"""Keyrings of the operating system: a real one on a session bus of its own, and stand-ins."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
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
    with (
        session_bus(folder) as environment,
        _name_taken(environment["DBUS_SESSION_BUS_ADDRESS"], "org.freedesktop.secrets") as taken,
        subprocess.Popen(
            ["gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets"],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as daemon,
    ):
        try:
            assert daemon.stdin is not None
            daemon.stdin.write(f"{password}\n".encode())
            daemon.stdin.close()
            taken()
            yield environment
        finally:
            daemon.terminate()


@contextlib.contextmanager
def _name_taken(address: str, name: str) -> Iterator[Callable[[], None]]:
    """What waits until somebody on the bus has taken a name, from now on."""
    from jeepney import MatchRule, message_bus  # type: ignore[import-untyped]
    from jeepney.io.blocking import (  # type: ignore[import-untyped]
        Proxy,
        open_dbus_connection,
    )

    rule = MatchRule(
        type="signal",
        sender=message_bus.bus_name,
        interface=message_bus.interface,
        member="NameOwnerChanged",
        path=message_bus.object_path,
    )
    rule.add_arg_condition(0, name)
    with open_dbus_connection(bus=address) as bus, bus.filter(rule) as news:
        Proxy(message_bus, bus).AddMatch(rule)
        yield lambda: bus.recv_until_filtered(news, timeout=30)


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
