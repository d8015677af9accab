"""The ways to protect a device, as a person at a terminal goes them."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from scripts.authenticator import Authenticator
from scripts.stage import Person, Stage, Terminal
from tests.support.keyrings import gnome_keyring, needs_gnome_keyring
from tests.support.openbao import StandInOpenBao
from tests.support.smartcards import PIN, certificate, needs_softhsm, plugged_in, rsa_key


class Password:
    """A password, typed."""

    options: tuple[str, ...] = ()

    def settle(self, terminal: Terminal, person: Person, prompt: str) -> None:
        """Protect a new device."""
        for question in (prompt, "Confirm password:"):
            terminal.see(question)
            terminal.type(person.password)

    def open(
        self, terminal: Terminal, person: Person, prompt: str = "Enter password for the device:"
    ) -> None:
        """Open it."""
        terminal.see(prompt)
        terminal.type(person.password)

    def fail(self, person: Person, *command: str) -> Terminal:
        """Run a command with wrong credentials."""
        terminal = person.run(*command)
        # Who typed a one-time code before may try again.
        for _ in range(3 if "--totp-code" in command else 1):
            terminal.see("Enter password for the device:")
            terminal.type("not the password")
        return terminal


@dataclass
class Keyring:
    """The keyring of the person's session."""

    other_session: dict[str, str]
    """Of somebody who has no such entry."""
    options: tuple[str, ...] = ()

    def settle(self, terminal: Terminal, person: Person, prompt: str) -> None:
        pass

    def open(self, terminal: Terminal, person: Person, prompt: str = "") -> None:
        pass

    def fail(self, person: Person, *command: str) -> Terminal:
        own = dict(person.variables)
        person.variables.update(self.other_session)
        try:
            return person.run(*command)
        finally:
            person.variables = own


class Smartcard:
    """A card and its PIN."""

    options: tuple[str, ...] = ()

    def settle(self, terminal: Terminal, person: Person, prompt: str) -> None:
        self.open(terminal, person)

    def open(self, terminal: Terminal, person: Person, prompt: str = "") -> None:
        terminal.see("Enter PIN for card:")
        terminal.type(PIN)

    def fail(self, person: Person, *command: str) -> Terminal:
        terminal = person.run(*command)
        terminal.see("Enter PIN for card:")
        terminal.type("000000")
        return terminal


@dataclass
class OpenBao:
    """The token of a login."""

    bao: StandInOpenBao
    token_file: Path

    @property
    def options(self) -> tuple[str, ...]:
        self.token_file.write_text(self.bao.token("bob@example.com"))
        return ("--openbao-token-file", str(self.token_file))

    def settle(self, terminal: Terminal, person: Person, prompt: str) -> None:
        pass

    def open(self, terminal: Terminal, person: Person, prompt: str = "") -> None:
        pass

    def fail(self, person: Person, *command: str) -> Terminal:
        other = self.token_file.with_name("other-token")
        other.write_text(self.bao.token("mallory@example.com"))
        return person.run(*command, "--openbao-token-file", str(other))


Way = Password | Keyring | Smartcard | OpenBao


@dataclass
class Ways:
    """All of them, with what stands behind them."""

    stage: Stage
    by_name: dict[str, Way]
    variables: dict[str, str] = field(default_factory=dict)

    def member(self, name: str, protection: str) -> "Member":
        """Somebody who protects devices so, with everything that the ways need."""
        person = self.stage.person(name)
        person.variables.update(self.variables)
        return Member(self, person, protection)


@dataclass
class Member:
    """A person with an authenticator, who protects devices in one way."""

    ways: Ways
    person: Person
    protection: str
    phone: Authenticator = field(default_factory=Authenticator)

    @property
    def way(self) -> Way:
        """What the device rests on, the one-time code apart."""
        return self.ways.by_name[self.protection.removesuffix("+totp")]

    @property
    def needs_code(self) -> bool:
        """Whether the device opens with a one-time code."""
        return self.protection.endswith("+totp")

    def run(self, *command: str) -> Terminal:
        """A command that acts as the device, which is opened."""
        terminal = self.person.run(*command, *self.way.options)
        if self.needs_code:
            self.phone.enter_code(terminal)
        self.way.open(terminal, self.person)
        return terminal

    def settle(self, terminal: Terminal, prompt: str) -> None:
        """Protect a new device; one-time codes are set up on the way where they are not yet."""
        self.way.settle(terminal, self.person, prompt)
        if self.needs_code:
            if not self.phone.secret:
                self.phone.scan(terminal)
            self.phone.enter_code(terminal)

    def convert(self, protection: str) -> None:
        """Protect the device in another way."""
        other = self.ways.by_name[protection.removesuffix("+totp")]
        options = dict.fromkeys((*self.way.options, *other.options))
        terminal = self.person.run(
            "device", "change-authentication", "--auth", protection, *options
        )
        had_code = self.needs_code
        if had_code:
            self.phone.enter_code(terminal)
        self.way.open(terminal, self.person, "Enter current password for the device:")
        self.protection = protection
        other.settle(terminal, self.person, "Enter new password for the device:")
        if self.needs_code and not had_code:
            if not self.phone.secret:
                self.phone.scan(terminal)
            self.phone.enter_code(terminal)
        terminal.see("Device authentication changed successfully")
        terminal.finish()


PRIMARIES = [
    pytest.param("password"),
    pytest.param("keyring", marks=needs_gnome_keyring),
    pytest.param("pki", marks=needs_softhsm),
    pytest.param("openbao"),
]


@contextmanager
def ways(
    stage: Stage, folder: Path, monkeypatch: pytest.MonkeyPatch, *needed: str
) -> Iterator[Ways]:
    """A server that names an OpenBao, and what the needed ways rest on."""
    found: dict[str, Way] = {"password": Password()}
    variables: dict[str, str] = {}
    with ExitStack() as stack:
        bao = stack.enter_context(StandInOpenBao())
        found["openbao"] = OpenBao(bao, folder / "token")
        if "keyring" in needed:
            session, other = (
                stack.enter_context(gnome_keyring(folder / name)) for name in ("own", "other")
            )
            bus = "DBUS_SESSION_BUS_ADDRESS"
            variables[bus] = session[bus]
            found["keyring"] = Keyring({bus: other[bus]})
        if "pki" in needed:
            reader = stack.enter_context(plugged_in(monkeypatch))
            reader.insert().add(certificate("Bob", rsa_key("bob")), rsa_key("bob"))
            variables |= {**reader.environment, "PARSEC_PKCS11_MODULE": reader.module}
            found["pki"] = Smartcard()
        stage.start_server(
            *("--db", "MOCKED", "--openbao-server-url", bao.url),
            *("--openbao-secret-mount-path", bao.secret_mount),
            *("--openbao-auth-pro-connect", bao.auth_mounts["PRO_CONNECT"]),
        )
        yield Ways(stage, found, variables)
