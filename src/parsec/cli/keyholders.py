"""Who holds the keys of device files: the person's memory, the keyring, a smartcard, OpenBao.

Each is looked for when it is needed, by what the options say.
"""

import os
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from parsec.cli.console import Console
from parsec.cli.keys import Keys
from parsec.cli.passwords import Passwords
from parsec.cli.sources import first_line_of_file
from parsec.client.failure import FlowError
from parsec.client.guards import Guard
from parsec.client.guards.password import PasswordGuard
from parsec.client.step import Means
from parsec.data.address import ServerAddr
from parsec.data.advisory import Primary

if TYPE_CHECKING:
    from pathlib import Path

    from parsec.client.guards.cards import CardCertificate
    from parsec.client.guards.openbao_login import Login
    from parsec.client.rules.openbao import OpenBaoServer
    from parsec.client.transport import Http


class Keyholders:
    """The guards of one command. To be closed."""

    means: Means
    """The clock and randomness of the world, which knows them once it is there."""

    def __init__(self, console: Console, passwords: Passwords, keys: Keys) -> None:
        self._console = console
        self._passwords = passwords
        self._keys = keys
        self._certificate: str | None = None
        """The hash of the certificate that was chosen."""

    def fault(self, primary: Primary, server: ServerAddr | None) -> FlowError | None:
        """What keeps this machine from protecting a device so, if anything does."""
        match primary:
            case Primary.PASSWORD:
                return None
            case Primary.KEYRING:
                from parsec.client.guards.keyring import keyring_fault

                return keyring_fault()
            case Primary.PKI:
                return _failure(self._pkcs11_module)
            case Primary.OPENBAO if server is not None:
                return _failure(lambda: self._openbao_server(server))
            case _:
                return FlowError("this version does not offer it")

    # --- Passwords ---

    @property
    def has_new_password(self) -> bool:
        """Whether a password for a new file was given, so that none needs to be typed."""
        return self._passwords.gives_new

    @property
    def may_correct(self) -> bool:
        """Whether somebody can type another password after a wrong one."""
        return self._passwords.typed

    def known_password(self, prompt: str) -> Guard:
        """The password that protects something."""
        return PasswordGuard(self._passwords.existing(prompt))

    def new_password(self, prompt: str) -> Guard:
        """A password that will protect something."""
        return PasswordGuard(self._passwords.new(prompt))

    def passphrase(self, prompt: str, file: "Path | None") -> str:
        """What opens a recovery file. Raises FlowError."""
        if file is not None:
            return first_line_of_file(file, "passphrase")
        if self._keys.password_stdin:
            return self._passwords.line_of_stdin("passphrase")
        # The other sources of passwords are for the device that comes of it.
        return self._console.password(prompt, option="--passphrase-file or --password-stdin")

    # --- The keyring ---

    def keyring(self) -> Guard:
        """The keyring of the operating system."""
        from parsec.client.files import default_data
        from parsec.client.guards.keyring import KeyringGuard

        return KeyringGuard(default_data(os.environ))

    # --- Smartcards ---

    def smartcard(self) -> Guard:
        """A smartcard; the person chooses a certificate where a new file could have several."""
        from parsec.client.guards.smartcard import SmartcardGuard

        return SmartcardGuard(
            self._pkcs11_module(),
            choose=self._choose_certificate,
            pin=self._pin,
            notify=self._console.message,
            now=self.means.now,
        )

    def _pkcs11_module(self) -> str:
        from parsec.client.guards.cards import find_module

        chosen = self._keys.pkcs11_module
        return find_module(None if chosen is None else str(chosen), os.environ)

    def _choose_certificate(self, certificates: "Sequence[CardCertificate]") -> "CardCertificate":
        from parsec.client.guards.smartcard import certificate_by_hash

        if self._certificate is None and self._keys.certificate is not None:
            self._certificate = certificate_by_hash(certificates, self._keys.certificate).hash
        for certificate in certificates:
            # The same one when a file is written once more.
            if certificate.hash == self._certificate:
                return certificate
        place = 0
        if len(certificates) > 1:
            place = self._console.choose(
                "Choose a certificate",
                [_described(certificate) for certificate in certificates],
                option="--certificate HASH_PREFIX",
            )
        self._certificate = certificates[place].hash
        return certificates[place]

    def _pin(self, certificate: "CardCertificate") -> str:
        if self._keys.pin_file is not None:
            return first_line_of_file(self._keys.pin_file, "PIN")
        return self._console.password(
            f"Enter PIN for {certificate.card_label}:", option="--pin-file FILE"
        )

    # --- OpenBao ---

    def openbao(self, server: ServerAddr) -> Guard:
        """The OpenBao server that a Parsec server names."""
        from parsec.client.guards.openbao import OpenBaoGuard

        named = self._openbao_server(server)
        login = self._openbao_login(named)
        return OpenBaoGuard(self._http, named, login, auth_id=self._keys.openbao_auth)

    def _openbao_server(self, server: ServerAddr) -> "OpenBaoServer":
        from parsec.client.drive import drive
        from parsec.client.rules.openbao import OpenBaoServer
        from parsec.client.step import Call, Step, call
        from parsec.client.transport import Transport
        from parsec.protocol.server_config import ServerConfig

        transport = Transport(self._http, now=self.means.now)

        def carry_out(step: Step) -> object:
            assert isinstance(step, Call)
            return transport.send(step.caller, step.request)

        config = drive(call(server, ServerConfig()), carry_out)
        return OpenBaoServer.named_by(server, config.openbao)

    def _openbao_login(self, server: "OpenBaoServer") -> "Login":
        from parsec.client.guards.openbao_login import (
            loopback_login,
            pasted_login,
            read_token_file,
            token_login,
        )

        keys = self._keys
        if keys.openbao_token_file is not None:
            return token_login(self._http, server, read_token_file(keys.openbao_token_file))
        if keys.openbao_redirect == "official":
            return pasted_login(
                self._http,
                server,
                entropy=self.means.entropy,
                tell_address=self._tell_address,
                ask_address=self._ask_address,
            )
        return loopback_login(
            self._http, server, entropy=self.means.entropy, tell_address=self._tell_address
        )

    def _tell_address(self, address: str) -> None:
        self._console.message("Log in to OpenBao in a browser, at this address:")
        self._console.message(address)

    def _ask_address(self) -> str:
        return self._console.ask(
            "Enter the address at which the browser ended",
            str.strip,
            option="--openbao-token-file FILE",
            shown=False,
        )

    @cached_property
    def _http(self) -> "Http":
        from parsec.client.transport import Http

        return Http(os.environ)

    def close(self) -> None:
        """Close connections."""
        if "_http" in self.__dict__:
            self._http.close()


def _failure(attempt: Callable[[], object]) -> FlowError | None:
    try:
        attempt()
    except FlowError as error:
        return error
    return None


def _described(certificate: "CardCertificate") -> str:
    return (
        f"{certificate.name}, until {certificate.expires_on.rfc3339[:10]}, on "
        f"{certificate.card_label} ({certificate.hash[:16]}…)"
    )
