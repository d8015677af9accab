"""A command at work: its console, the world outside, and the device that it acts as."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from parsec.cli.console import Console
from parsec.cli.devices import chosen_device
from parsec.cli.passwords import Passwords
from parsec.cli.person import Answers, TerminalPerson
from parsec.client.files import Directories, FoundDevice
from parsec.client.flows.certificate import Session
from parsec.client.guards.password import PasswordGuard
from parsec.client.rules.device_file import totp_opaque_key_id
from parsec.client.step import Flow, FlowError
from parsec.client.world import World
from parsec.data.device_file import AnyDeviceFile, PasswordDeviceFile

T = TypeVar("T")


@dataclass
class Desk:
    """A command at work."""

    console: Console
    passwords: Passwords
    person: TerminalPerson
    world: World

    def run(self, flow: Flow[T]) -> T:
        """The result of a flow. Raises FlowError."""
        return self.world.run(flow)

    def find(self, prefix: str | None) -> FoundDevice:
        """The device that is meant. Raises NotFound or DeviceNotChosen."""
        return chosen_device(self.world.devices(), prefix, self.world.places.config)

    @contextmanager
    def locked(self, found: FoundDevice) -> Iterator[None]:
        """Keep other processes from a device meanwhile."""
        with self.world.using(
            found.file.device_id,
            waiting=lambda: self.console.begin(
                "Device already used by another process, waiting...", long=True
            ),
            accessed=lambda: self.console.done("Device accessed"),
        ):
            yield

    def guard(self, found: FoundDevice) -> PasswordGuard:
        """What opens a device file, its password asked for. Raises FlowError."""
        _check_supported(found.file)
        return PasswordGuard(self.passwords.existing())

    @contextmanager
    def acting(self, prefix: str | None) -> Iterator[Session]:
        """The device that is meant, at work. Raises FlowError."""
        found = self.find(prefix)
        _check_supported(found.file)
        with self.locked(found):
            device = self.world.unlock(found, self.guard(found))
            yield self.world.session(device)


@contextmanager
def open_desk(
    console: Console,
    passwords: Passwords,
    answers: Answers,
    places: Directories,
    peer_timeout_seconds: float,
) -> Iterator[Desk]:
    """A desk whose connections and files are closed at the end."""
    person = TerminalPerson(console, passwords, answers)
    with World(person, places=places, peer_timeout_seconds=peer_timeout_seconds) as world:
        yield Desk(console, passwords, person, world)


def _check_supported(file: AnyDeviceFile) -> None:
    if isinstance(file, PasswordDeviceFile) and totp_opaque_key_id(file) is None:
        return
    name = file.PROTECTION if totp_opaque_key_id(file) is None else "TOTP"
    raise FlowError(
        f"Unsupported device file authentication `{name}`",
        hint="this version opens devices that are protected by a password alone",
    )
