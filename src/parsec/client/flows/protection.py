"""How a device is protected: what the server advises, and changing it.

`client.md` 2.5 and 2.6.
"""

from parsec.client.dialogue import ChooseProtection, ProtectionAdvised
from parsec.client.failure import FlowError
from parsec.client.flows.totp import opaque_key
from parsec.client.protection import ChosenProtection
from parsec.client.records import ProtectedAgain
from parsec.client.step import Flow, Means, ask, call, keep, tell
from parsec.data.address import ServerAddr
from parsec.data.advisory import Advisory, Decision, Protection
from parsec.data.local_device import LocalDevice
from parsec.protocol.server_config import ServerConfig


def fetch_advisory(server: ServerAddr) -> Flow[Advisory]:
    """What the server recommends; nothing where it cannot be asked."""
    try:
        config = yield from call(server, ServerConfig())
    except FlowError:
        # Advice is never worth failing for: servers before API 5.3 do not know the question.
        return Advisory()
    return Advisory.parse(config.advisory_device_file_protection)


def choose_protection(server: ServerAddr) -> Flow[ChosenProtection]:
    """Ask how a new device is protected, telling what the server recommends."""
    advisory = yield from fetch_advisory(server)
    return (yield from ask(ChooseProtection(advisory)))


def check_advice(server: ServerAddr, protection: Protection) -> Flow[Decision]:
    """Tell when the server recommends another protection than that of the device in use."""
    advisory = yield from fetch_advisory(server)
    decision = advisory.decide(protection)
    if decision is not Decision.OK:
        yield from tell(ProtectionAdvised(decision, advisory))
    return decision


def protect_anew(device: LocalDevice, chosen: ChosenProtection, means: Means) -> Flow[None]:
    """Replace the protection of a saved device by the chosen one."""
    totp = None
    if chosen.with_totp:
        totp = yield from opaque_key(device, means)
    yield from keep(ProtectedAgain(device, chosen.guard, totp))


def add_chosen_totp(device: LocalDevice, chosen: ChosenProtection, means: Means) -> Flow[None]:
    """Add the one-time-code layer to a device that was just saved, where that was chosen.

    It comes last: until it is proved to work, the device opens with its primary protection alone.
    """
    if chosen.with_totp:
        yield from protect_anew(device, chosen, means)
