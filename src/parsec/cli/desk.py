"""A command at work: its console, the world outside, and the device that it acts as."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from parsec.cli.codes import Codes
from parsec.cli.console import Console
from parsec.cli.device_choice import chosen_device
from parsec.cli.devices import device_line, needs_code
from parsec.cli.keyholders import Keyholders
from parsec.cli.person import Answers, TerminalPerson
from parsec.cli.protections import Protections, protection_of
from parsec.client.failure import AuthenticationFailed, FlowError, Offline
from parsec.client.files import FoundDevice
from parsec.client.flows.certificate import Session
from parsec.client.guards import Guard
from parsec.client.rules.device_file import totp_opaque_key_id
from parsec.client.step import Flow
from parsec.client.world import World
from parsec.crypto.keys import SecretKey
from parsec.data.device_file import PasswordDeviceFile
from parsec.data.ids import TOTPOpaqueKeyID
from parsec.data.local_device import LocalDevice

if TYPE_CHECKING:
    from parsec.cli.options import Local

T = TypeVar("T")

_PASSWORD_PROMPT = "Enter password for the device:"  # noqa: S105  # a question
_PASSWORD_ATTEMPTS = 3


@dataclass(frozen=True)
class Unlocked:
    """An open device, and what opened it."""

    found: FoundDevice
    device: LocalDevice
    guard: Guard
    totp: tuple[TOTPOpaqueKeyID, SecretKey] | None = field(default=None, repr=False)


@dataclass
class Desk:
    """A command at work."""

    console: Console
    keyholders: Keyholders
    protections: Protections
    person: TerminalPerson
    world: World

    def run(self, flow: Flow[T]) -> T:
        """The result of a flow. Raises FlowError."""
        return self.world.run(flow)

    def find(self, prefix: str | None) -> FoundDevice:
        """The device that is meant. Raises NotFound or DeviceNotChosen."""
        return chosen_device(self.world.devices(), prefix, self.world.places.config)

    @contextmanager
    def locked(self, found: FoundDevice) -> Iterator[FoundDevice]:
        """Keep other processes from a device meanwhile; its file is read again under the lock.

        Raises NotFound when the device was deleted meanwhile.
        """
        with self.world.using(
            found.file.device_id,
            waiting=lambda: self.console.begin(
                "Device already used by another process, waiting...", long=True
            ),
            accessed=lambda: self.console.done("Device accessed"),
        ):
            yield self.world.again(found)

    def unlock(self, found: FoundDevice, prompt: str = _PASSWORD_PROMPT) -> Unlocked:
        """Open a device: by a one-time code where it needs one, then by its primary protection.

        The code comes first, so that a wrong password does not cost another one. Raises FlowError.
        """
        totp = self._released_key(found)
        # Who had to type a code, too, need not do so again for a wrong password.
        attempts = _PASSWORD_ATTEMPTS if totp and self._asks_password(found) else 1
        for left in reversed(range(attempts)):
            guard = self.protections.opening(found.file, prompt)
            try:
                device = self.world.unlock(found, guard, totp_key=totp[1] if totp else None)
            except AuthenticationFailed:
                if not left:
                    raise
                self.console.message("Wrong password")
            else:
                return Unlocked(found, device, guard, totp)
        raise AssertionError("the last attempt returns or raises")

    @contextmanager
    def acting(self, prefix: str | None) -> Iterator[Session]:
        """The device that is meant, at work. Raises FlowError."""
        with self.locked(self.find(prefix)) as found:
            device = self.unlock(found).device
            self._check_advice(found)
            yield self.world.session(device)

    @contextmanager
    def making_device(self) -> Iterator[None]:
        """Say so where a new device was saved although the command did not come to its end."""
        before = {found.file.device_id for found in self.world.devices()}
        try:
            yield
        except (FlowError, KeyboardInterrupt):
            for found in self.world.devices():
                if found.file.device_id not in before:
                    self._tell_saved(found)
            raise

    def _released_key(self, found: FoundDevice) -> tuple[TOTPOpaqueKeyID, SecretKey] | None:
        from parsec.client.flows.totp import fetch_opaque_key

        key_id = totp_opaque_key_id(found.file)
        if key_id is None:
            return None
        flow = fetch_opaque_key(found.file, found.file.user_id, key_id, self.world.means)
        try:
            return key_id, self.run(flow)
        except Offline as error:
            raise Offline(
                f"This device needs the server for its one-time code. {error}", hint=error.hint
            ) from error

    def _asks_password(self, found: FoundDevice) -> bool:
        return isinstance(found.file, PasswordDeviceFile) and self.keyholders.may_correct

    def _check_advice(self, found: FoundDevice) -> None:
        from parsec.client.flows.protection import check_advice

        protection = protection_of(found.file)
        if protection is not None:
            several = len(self.world.devices()) > 1
            self.person.acting_as = found.file.device_id if several else None
            self.run(check_advice(found.file.server_url, protection))

    def _tell_saved(self, found: FoundDevice) -> None:
        self.console.abandon()
        self.console.message("The new device is saved nevertheless:")
        self.console.message(*device_line(found.file))
        if self.protections.wants_code and not needs_code(found.file):
            self.console.message("It opens without a one-time code until `totp setup` is run")


@contextmanager
def open_desk(local: "Local", answers: Answers, peer_timeout_seconds: float) -> Iterator[Desk]:
    """A desk whose connections and files are closed at the end."""
    console, keys = local.console, local.keys
    keyholders = Keyholders(console, local.passwords, keys)
    protections = Protections(console, keyholders, local.wish)
    codes = Codes(console, keys.totp_code, keys.totp_stdin, keys.totp_command, keys.password_stdin)
    person = TerminalPerson(console, answers, protections, codes)
    try:
        with World(person, places=local.places, peer_timeout_seconds=peer_timeout_seconds) as world:
            keyholders.means = world.means
            yield Desk(console, keyholders, protections, person, world)
    finally:
        keyholders.close()
