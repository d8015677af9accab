"""What servers recommend for the devices of this machine, and how far each device follows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from parsec.cli.console import Console
from parsec.cli.devices import device_json, device_lines, needs_code, protection_name
from parsec.cli.options import Local
from parsec.cli.parts import Painted, green, red, yellow
from parsec.cli.protections import protection_of, recommended
from parsec.client.failure import FlowError
from parsec.client.files import FoundDevice
from parsec.client.step import call
from parsec.data.address import ServerAddr
from parsec.data.advisory import Advisory, Decision
from parsec.protocol.server_config import ServerConfig


@dataclass(frozen=True)
class Checked:
    """A device, and what its server says about its protection."""

    found: FoundDevice
    advice: Advisory | FlowError

    @property
    def decision(self) -> Decision | None:
        """What is to be done; None where the server could not be asked."""
        if isinstance(self.advice, FlowError):
            return None
        protection = protection_of(self.found.file)
        return Decision.OK if protection is None else self.advice.decide(protection)


def check_devices(local: Local) -> list[Checked]:
    """All devices of the machine; each server is asked once."""
    with local.desk() as desk:
        advice: dict[ServerAddr, Advisory | FlowError] = {}
        checked = []
        for found in desk.world.devices():
            server = found.file.server_url
            if server not in advice:
                try:
                    config = desk.run(call(server, ServerConfig()))
                except FlowError as error:
                    advice[server] = error
                else:
                    advice[server] = Advisory.parse(config.advisory_device_file_protection)
            checked.append(Checked(found, advice[server]))
        return checked


def show_advice(console: Console, checked: Sequence[Checked]) -> None:
    """Each device on a line, or as an object."""
    if console.is_json:
        console.document([_json(each) for each in checked])
        return
    if not checked:
        console.message("There is no device on this machine")
    for each, line in zip(checked, device_lines([each.found for each in checked]), strict=True):
        console.data(*line, f" ({protection_name(each.found.file)}): ", _verdict(each))
        if each.decision in (Decision.CHANGE_PROTECTION, Decision.SET_UP_TOTP):
            console.message(f"hint: {_command(each)}")


def _verdict(each: Checked) -> Painted:
    if isinstance(each.advice, FlowError):
        return yellow(f"not known ({each.advice})")
    match each.decision:
        case Decision.CHANGE_PROTECTION:
            return red(f"the server recommends {recommended(each.advice) or 'another protection'}")
        case Decision.SET_UP_TOTP:
            return red("the server recommends a one-time code in addition")
        case _:
            return green("as recommended" if each.advice.protections else "nothing is recommended")


def _command(each: Checked) -> str:
    device = f"--device {each.found.file.device_id.hex()}"
    if each.decision is Decision.SET_UP_TOTP:
        return f"parsec-cli totp setup {device}"
    return f"parsec-cli device change-authentication {device}"


def _json(each: Checked) -> dict[str, Any]:
    known = not isinstance(each.advice, FlowError)
    return {
        **device_json(each.found.file),
        "device_type": each.found.file.PROTECTION,
        "totp": needs_code(each.found.file),
        "recommended": [str(one) for one in each.advice.protections]
        if isinstance(each.advice, Advisory)
        else None,
        "decision": each.decision.value if each.decision else None,
        "error": None if known else str(each.advice),
    }
