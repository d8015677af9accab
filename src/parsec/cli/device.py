"""`parsec-cli device …`."""

from typing import TYPE_CHECKING

from parsec.cli.command import Group
from parsec.cli.keys import option
from parsec.cli.options import (
    Acting,
    Local,
    acting_options,
    confirmation_option,
    local_options,
    with_console,
)
from parsec.cli.values import SERVER_URL

if TYPE_CHECKING:
    from pathlib import Path

    from parsec.cli.console import Console
    from parsec.data.address import ServerAddr

group = Group("device", help="The devices on this machine.")


@group.command("list")
@option("--long", is_flag=True, help="Show the server and the protection of each device, too.")
@local_options
@with_console
def list_devices(
    console: "Console", long: bool, config_dir: "Path | None", data_dir: "Path | None"
) -> None:
    """List the devices on this machine.

    No password is needed, and no server is asked. The digits at the beginning are what --device
    takes.
    """
    from parsec.cli.devices import device_json, device_lines
    from parsec.cli.protections import needs_code, protection_name
    from parsec.client.files import list_devices

    places = Local(console, config_dir, data_dir).places
    found = list_devices(places)
    if console.is_json:
        console.document(
            [
                {
                    **device_json(device.file),
                    "device_type": device.file.PROTECTION,
                    "totp": needs_code(device.file),
                    "server_url": device.file.server_url.url,
                    "path": str(device.path),
                }
                for device in found
            ]
        )
        return
    if not found:
        console.message(f"No devices found in {places.config}")
        return
    console.message(f"Found {len(found)} device(s) in {places.config}:")
    for device, line in zip(found, device_lines(found), strict=True):
        more = f" ({device.file.server_url.url}, {protection_name(device.file)})" if long else ""
        console.data(*line, more)


@group.command()
@confirmation_option("--force", "--yes")
@acting_options
def forget_local(acting: Acting, yes: bool) -> None:
    """Delete a device from this machine.

    The server is not told, and goes on knowing the device.
    """
    from parsec.cli.devices import device_line

    console = acting.console
    with acting.desk() as desk:
        found = desk.find(acting.device)
        with desk.locked(found):
            console.message("You are about to forget the following local device:")
            console.message(*device_line(found.file))
            if not yes and not console.confirm("Are you sure?", option="--force"):
                console.message("Operation cancelled")
                return
            desk.world.forget(found)
    console.message("The local device has been forgotten")


@group.command()
@option(
    "-s",
    "--server-url",
    type=SERVER_URL,
    metavar="URL",
    required=True,
    help="Where the server is now, such as https://parsec.example.org.",
)
@confirmation_option("--force", "--yes")
@acting_options
def overwrite_server_url(acting: Acting, server_url: "ServerAddr", yes: bool) -> None:
    """Tell a device that its server has moved."""
    import msgspec

    from parsec.cli.devices import device_line

    console = acting.console
    with acting.desk() as desk:
        found = desk.find(acting.device)
        with desk.locked(found):
            unlocked = desk.unlock(found)
            device = unlocked.device
            console.message("You are about to update the following device:")
            console.message(*device_line(device))
            console.message(f"Current server URL: {device.server_url.url}")
            console.message(f"New server URL: {server_url.url}")
            if not yes and not console.confirm("Are you sure? ", option="--force"):
                console.message("Operation cancelled")
                return
            moved = msgspec.structs.replace(device, server_url=server_url)
            desk.world.protect_again(found, moved, unlocked.guard, totp=unlocked.totp)
    console.message("Device updated successfully")
