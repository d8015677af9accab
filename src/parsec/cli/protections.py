"""How devices are protected: opening their files, and choosing what protects new ones.

A device file is opened by what options give, else by asking. A new one is protected as an option
says, else as the server recommends, else by a password.
"""

from collections.abc import Mapping, Sequence

from parsec.cli.console import Console
from parsec.cli.devices import needs_code
from parsec.cli.keyholders import Keyholders
from parsec.cli.keys import Wish
from parsec.client.failure import FlowError, Refused
from parsec.client.guards import Guard
from parsec.client.protection import ChosenProtection
from parsec.data.address import ServerAddr
from parsec.data.advisory import Advisory, Decision, Primary, Protection
from parsec.data.device_file import (
    AnyDeviceFile,
    KeyringDeviceFile,
    OpenBaoDeviceFile,
    PasswordDeviceFile,
    PkiDeviceFile,
)

_PROMPT = "How should this device be protected?"

_WORDS: Mapping[Primary, str] = {
    Primary.PASSWORD: "a password",
    Primary.KEYRING: "the keyring of this computer",
    Primary.PKI: "a smartcard",
    Primary.OPENBAO: "single sign-on (OpenBao)",
}
_AND_CODE = " and a one-time code"

_PRIMARIES: Mapping[type[AnyDeviceFile], Primary] = {
    PasswordDeviceFile: Primary.PASSWORD,
    KeyringDeviceFile: Primary.KEYRING,
    PkiDeviceFile: Primary.PKI,
    OpenBaoDeviceFile: Primary.OPENBAO,
}


def protection_of(file: AnyDeviceFile) -> Protection | None:
    """How a device is protected; None where that is nothing a server could recommend."""
    primary = _PRIMARIES.get(type(file))
    return None if primary is None else Protection(primary, needs_code(file))


def recommended(advisory: Advisory) -> str:
    """What a server recommends, in words for people."""
    return ", ".join(
        f"{_WORDS[each.primary]}{_AND_CODE if each.with_totp else ''}"
        for each in advisory.protections
        if each.primary in _WORDS
    )


class Protections:
    """Opens the device files of one command, and protects the devices that it makes."""

    def __init__(self, console: Console, keyholders: Keyholders, wish: Wish) -> None:
        self._console = console
        self._keyholders = keyholders
        self._wish = wish
        self._code_before = False
        self.wants_code = False
        """Whether a one-time code was chosen for the new device."""

    def opening(self, file: AnyDeviceFile, prompt: str) -> Guard:
        """What opens a device file. Raises FlowError."""
        self._code_before = needs_code(file)
        match file:
            case PasswordDeviceFile():
                return self._keyholders.known_password(prompt)
            case KeyringDeviceFile():
                return self._keyholders.keyring()
            case PkiDeviceFile():
                return self._keyholders.smartcard()
            case OpenBaoDeviceFile():
                return self._keyholders.openbao(file.server_url)
            case _:
                raise FlowError(
                    f"Unsupported device file authentication `{file.PROTECTION}`",
                    hint="this version opens devices that are protected by a password, the "
                    "keyring, a smartcard or OpenBao",
                )

    def choose(
        self, advisory: Advisory, server: ServerAddr | None, prompt: str
    ) -> ChosenProtection:
        """What protects a device from now on. Raises FlowError."""
        chosen = self._chosen(advisory, server)
        self.wants_code = chosen.with_totp
        return ChosenProtection(self._new_guard(chosen.primary, server, prompt), chosen.with_totp)

    def _chosen(self, advisory: Advisory, server: ServerAddr | None) -> Protection:
        wish = self._wish
        with_totp = self._code_before if wish.with_totp is None else wish.with_totp
        if wish.primary is not None:
            return self._advised(Protection(Primary(wish.primary.upper()), with_totp), advisory)
        if advisory.protections and not wish.ignore_advisory:
            primary = self._offered(_known_primaries(advisory), advisory, server)
            return Protection(primary, with_totp or advisory.asks_totp(primary))
        if wish.asks_always:
            return Protection(self._offered(list(_WORDS), Advisory(), server), with_totp)
        return Protection(Primary.PASSWORD, with_totp)

    def _advised(self, wanted: Protection, advisory: Advisory) -> Protection:
        """What was wanted, with a one-time code where the server recommends that."""
        decision = advisory.decide(wanted)
        if decision is Decision.OK or self._wish.ignore_advisory:
            return wanted
        if decision is Decision.CHANGE_PROTECTION:
            raise Refused(
                f"The server does not recommend {_WORDS[wanted.primary]}, "
                f"but {recommended(advisory) or 'what this version does not know'}",
                hint="choose one of these with --auth, or give --ignore-advisory",
            )
        self._console.message("The server recommends a one-time code in addition")
        return Protection(wanted.primary, with_totp=True)

    def _offered(
        self, primaries: Sequence[Primary], advisory: Advisory, server: ServerAddr | None
    ) -> Primary:
        if Primary.PASSWORD in primaries and self._keyholders.has_new_password:
            return Primary.PASSWORD
        faults = {primary: self._keyholders.fault(primary, server) for primary in primaries}
        usable = [primary for primary in primaries if faults[primary] is None]
        if not usable:
            raise _nothing_usable([fault for fault in faults.values() if fault is not None])
        words = [_with_code(primary, advisory) for primary in usable]
        if len(usable) == 1:
            self._console.message(f"This device will be protected by {words[0]}")
            return usable[0]
        return usable[self._console.choose(_PROMPT, words, option="--auth PROTECTION")]

    def _new_guard(self, primary: Primary, server: ServerAddr | None, prompt: str) -> Guard:
        match primary:
            case Primary.PASSWORD:
                return self._keyholders.new_password(prompt)
            case Primary.KEYRING:
                return self._keyholders.keyring()
            case Primary.PKI:
                return self._keyholders.smartcard()
            case _:
                assert server is not None
                return self._keyholders.openbao(server)


def _known_primaries(advisory: Advisory) -> list[Primary]:
    """Those that this version offers, in the order in which the server recommends them."""
    named = dict.fromkeys(protection.primary for protection in advisory.protections)
    return [primary for primary in named if primary in _WORDS]


def _with_code(primary: Primary, advisory: Advisory) -> str:
    return f"{_WORDS[primary]}{_AND_CODE if advisory.asks_totp(primary) else ''}"


def _nothing_usable(faults: Sequence[FlowError]) -> FlowError:
    reasons = "; ".join(dict.fromkeys(str(fault) for fault in faults))
    return FlowError(
        "This machine offers none of the ways in which the server recommends to protect devices"
        + (f": {reasons}" if reasons else ""),
        hint="give another one with --auth and --ignore-advisory",
    )
