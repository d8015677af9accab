"""`parsec-cli totp …`."""

from typing import TYPE_CHECKING

import click

from parsec.cli.command import Group
from parsec.cli.console import Console
from parsec.cli.keys import Keys, ignore_advisory_option, option, stacked, taken_keys, totp_options
from parsec.cli.options import Acting, Local, acting_options, with_console
from parsec.cli.values import TOTP_RESET_URL

if TYPE_CHECKING:
    from parsec.cli.desk import Desk, Unlocked
    from parsec.client.files import FoundDevice
    from parsec.data.address import TOTPResetAddr
    from parsec.data.local_device import LocalDevice

group = Group(
    "totp",
    help="""One-time codes from an authenticator app, in addition to what protects a device.

    A device that is protected so opens only with a code that the authenticator shows at that time,
    and with the server at hand: it keeps one of the two keys, and gives it to nobody who has no
    code. A file that is stolen is then of no use, not even for guessing passwords.

    Codes are set up once for a user, then added to each device.
    """,
)

_NO_QR = option("--no-qr", is_flag=True, help="Draw no QR code.")


@group.command(
    epilog="""\b
    Examples:
      parsec-cli totp setup
      parsec-cli totp setup --no-device
    """
)
@_NO_QR
@option("--no-device", is_flag=True, help="Set codes up, but do not ask for them on this device.")
@acting_options
def setup(acting: Acting, no_qr: bool, no_device: bool) -> None:
    """Set up one-time codes, and ask for them on this device from now on.

    The secret is shown as text, as an address and as a QR code for an authenticator app; the first
    code that the app shows confirms it. On a further device, the codes that are set up are used.
    """
    from parsec.cli.person import Answers

    console = acting.console
    with (
        acting.desk(Answers(qr=not no_qr)) as desk,
        desk.locked(desk.find(acting.device)) as found,
    ):
        unlocked = desk.unlock(found)
        if no_device:
            told = _set_up(desk, unlocked.device)
        elif unlocked.totp:
            told = "This device asks for a one-time code already"
        else:
            _protect(desk, unlocked)
            told = "This device opens with a one-time code from now on"
    _tell(console, told, set_up=True, device=None if no_device else True)


@group.command()
@acting_options
def status(acting: Acting) -> None:
    """Show whether one-time codes are set up, and which devices on this machine ask for them."""
    from parsec.cli.devices import device_json, device_lines, needs_code
    from parsec.client.flows.totp import totp_is_set_up

    console = acting.console
    with acting.desk() as desk:
        with desk.locked(desk.find(acting.device)) as found:
            device = desk.unlock(found).device
            set_up = desk.run(totp_is_set_up(device))
        everything = desk.world.devices()
    if console.is_json:
        devices = [
            {**device_json(each.file), "totp": needs_code(each.file)}
            for each in everything
            if _of_same_user(each, device)
        ]
        console.document({"set_up": set_up, "devices": devices})
        return
    console.data(f"One-time codes are {'' if set_up else 'not '}set up")
    for each, line in zip(everything, device_lines(everything), strict=True):
        if _of_same_user(each, device):
            asks = "asks for a code" if needs_code(each.file) else "asks for no code"
            console.data(*line, f": {asks}")


@group.command()
@ignore_advisory_option
@acting_options
def disable(acting: Acting, ignore_advisory: bool) -> None:
    """Ask for no one-time code any more on this device.

    What protects it otherwise stays, and so do the codes of the user's other devices.
    """
    console = acting.console
    with acting.desk() as desk, desk.locked(desk.find(acting.device)) as found:
        unlocked = desk.unlock(found)
        if unlocked.totp:
            if not ignore_advisory:
                _check_recommended_without(desk, unlocked)
            desk.world.protect_again(found, unlocked.device, unlocked.guard, totp=None)
            told = "This device opens without a one-time code from now on"
        else:
            told = "This device asks for no one-time code"
    _tell(console, told, device=False)


@group.command(
    epilog="""\b
    Example:
      parsec-cli totp reset 'parsec3://example.com/Org?a=totp_reset&p=…'
    """
)
@click.argument("url", type=TOTP_RESET_URL)
@_NO_QR
@stacked(totp_options)
@with_console
def reset(console: Console, /, url: "TOTPResetAddr", no_qr: bool, **values: object) -> None:
    """Set up one-time codes again with the link that the administrator of the server made.

    For when the authenticator is lost. No device is needed; all devices that ask for codes open
    with the new ones.
    """
    from parsec.cli.person import Answers
    from parsec.client.flows.totp import set_up_totp_again

    keys: Keys = taken_keys(values)
    local = Local(console=console, config_dir=None, data_dir=None, keys=keys)
    with local.desk(Answers(qr=not no_qr)) as desk:
        desk.run(set_up_totp_again(url))
    _tell(console, "One-time codes are set up again", set_up=True)


def _set_up(desk: "Desk", device: "LocalDevice") -> str:
    from parsec.client.flows.totp import set_up_totp

    confirmed = desk.run(set_up_totp(device))
    return f"One-time codes are set up{'' if confirmed else ' already'}"


def _protect(desk: "Desk", unlocked: "Unlocked") -> None:
    from parsec.client.flows.protection import protect_anew
    from parsec.client.protection import ChosenProtection

    chosen = ChosenProtection(unlocked.guard, with_totp=True)
    desk.run(protect_anew(unlocked.device, chosen, desk.world.means))


def _check_recommended_without(desk: "Desk", unlocked: "Unlocked") -> None:
    from parsec.cli.protections import protection_of
    from parsec.client.failure import Refused
    from parsec.client.flows.protection import fetch_advisory

    protection = protection_of(unlocked.found.file)
    advisory = desk.run(fetch_advisory(unlocked.device.server_url))
    if protection is not None and advisory.asks_totp(protection.primary):
        raise Refused(
            "The server recommends a one-time code for this device",
            hint="to do without it nevertheless, give --ignore-advisory",
        )


def _of_same_user(each: "FoundDevice", device: "LocalDevice") -> bool:
    file = each.file
    return (file.organization_id, file.user_id) == (device.organization_id, device.user_id)


def _tell(
    console: Console, text: str, *, set_up: bool | None = None, device: bool | None = None
) -> None:
    console.message(text)
    if console.is_json:
        told = {"event": "totp", "set_up": set_up, "device": device}
        console.event({name: value for name, value in told.items() if value is not None})
