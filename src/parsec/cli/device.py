"""`parsec-cli device …`."""

from typing import TYPE_CHECKING

import click

from parsec.cli.command import Group
from parsec.cli.keys import option
from parsec.cli.options import (
    Acting,
    Local,
    acting_options,
    confirmation_option,
    local_options,
    new_device_options,
    protecting_options,
    with_console,
)
from parsec.cli.values import DEVICE_LABEL, PATH, SERVER_URL

if TYPE_CHECKING:
    from pathlib import Path

    from parsec.cli.console import Console
    from parsec.data.address import ServerAddr
    from parsec.data.people import DeviceLabel

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
    from parsec.cli.devices import device_json, device_lines, needs_code, protection_name
    from parsec.client.files import list_devices

    places = Local(console=console, config_dir=config_dir, data_dir=data_dir).places
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
    with acting.desk() as desk, desk.locked(desk.find(acting.device)) as found:
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
    with acting.desk() as desk, desk.locked(desk.find(acting.device)) as found:
        # One-time codes and single sign-on go by way of the server, which is elsewhere now.
        there = msgspec.structs.replace(found.file, server_url=server_url)
        unlocked = desk.unlock(msgspec.structs.replace(found, file=there))
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


@group.command(
    epilog="""\b
    Examples:
      parsec-cli device change-authentication
      parsec-cli device change-authentication --auth password+totp
      parsec-cli device change-authentication --keyring
      parsec-cli device change-authentication --auth pki --certificate GqPx
    """
)
@option("password", "-p", "--password", is_flag=True, help="Protect it by a password.")
@option("keyring", "-k", "--keyring", "--use-keyring", is_flag=True, help="… by the keyring.")
@option(
    "--new-password-file",
    type=PATH,
    metavar="FILE",
    help="Read the new password from the first line of a file.",
)
@protecting_options
def change_authentication(acting: Acting, password: bool, keyring: bool) -> None:
    """Protect a device in another way, or by another password.

    Where nothing is said, the ways that the server recommends are offered. --password and
    --keyring keep the one-time code of a device that has one; --auth says with +totp whether there
    is one from now on. The old file stays until the new one is proved to open.
    """
    from parsec.cli.person import Answers
    from parsec.client.dialogue import ChooseProtection
    from parsec.client.flows.protection import fetch_advisory, protect_anew

    if password and keyring:
        raise click.UsageError("Only one of --password and --keyring can be specified")
    if (password or keyring) and acting.wish.primary is not None:
        raise click.UsageError("--auth excludes --password and --keyring")
    wish = acting.wish.but(asks_always=True)
    if password or keyring:
        wish = wish.but(primary="password" if password else "keyring")
    acting = acting.but(wish=wish)
    answers = Answers(protection_prompt="Enter new password for the device:")
    with acting.desk(answers) as desk, desk.locked(desk.find(acting.device)) as found:
        unlocked = desk.unlock(found, "Enter current password for the device:")
        device = unlocked.device
        answers.server = device.server_url
        advisory = desk.run(fetch_advisory(device.server_url))
        chosen = desk.person.answer(ChooseProtection(advisory))
        if chosen.with_totp and not unlocked.totp:
            desk.run(protect_anew(device, chosen, desk.world.means))
        else:
            totp = unlocked.totp if chosen.with_totp else None
            desk.world.protect_again(found, device, chosen.guard, totp=totp)
    acting.console.message("Device authentication changed successfully")


@group.command()
@local_options
@with_console
def check_advice(console: "Console", config_dir: "Path | None", data_dir: "Path | None") -> None:
    """Compare how all devices on this machine are protected with what their servers recommend.

    No password is needed.
    """
    from parsec.cli.advice import check_devices, show_advice

    checked = check_devices(Local(console=console, config_dir=config_dir, data_dir=data_dir))
    show_advice(console, checked)


# --- Recovery files ---


@group.command(
    epilog="""\b
    Example:
      parsec-cli device export-recovery-device recovery.psrk
    """
)
@click.argument("output", type=PATH)
@option("--force", is_flag=True, help="Replace a file that exists.")
@acting_options
def export_recovery_device(acting: Acting, output: "Path", force: bool) -> None:
    """Write a recovery file, and show the passphrase that opens it.

    With both of them, whoever has them can make new devices of yours until you are revoked. Keep
    the passphrase on paper, apart from the file.
    """
    from parsec.cli.parts import yellow
    from parsec.cli.recovery_file import check_place, new_recovery_file
    from parsec.client.flows.recovery_device import register_recovery_device

    check_place(output, replace=force)
    console = acting.console
    with acting.session() as (desk, session):
        device = desk.run(register_recovery_device(session))
        with new_recovery_file(output, device, desk.world.means) as passphrase:
            if console.is_json:
                console.document({"path": str(output), "passphrase": passphrase})
            else:
                console.data("Save the recovery passphrase in a safe place: ", yellow(passphrase))
    if not console.is_json:
        console.message(f"Recovery device saved at {output}")


@group.command(
    epilog="""\b
    Example:
      parsec-cli device import-recovery-device --input recovery.psrk --label laptop
    """
)
@option(
    "-i",
    "--input",
    "source",
    type=PATH,
    metavar="FILE",
    required=True,
    help="The recovery file.",
)
@option(
    "-l", "--label", "--device-label", type=DEVICE_LABEL, metavar="LABEL",
    help="What the new device is called.",
)  # fmt: skip
@option(
    "--passphrase-file",
    type=PATH,
    metavar="FILE",
    help="Read the passphrase of the recovery file from the first line of a file.",
)
@new_device_options()
def import_recovery_device(
    local: Local, source: "Path", label: "DeviceLabel | None", passphrase_file: "Path | None"
) -> None:
    """Make a new device on this machine with a recovery file and its passphrase.

    The file can be used again.
    """
    from parsec.cli.devices import device_json, device_line
    from parsec.cli.person import Answers
    from parsec.cli.recovery_file import open_recovery_file, read_recovery_file
    from parsec.cli.values import read_device_label
    from parsec.client.flows.recovery_device import import_recovery_device

    console = local.console
    file = read_recovery_file(source)
    label = label or console.ask("Enter device label", read_device_label, option="--label LABEL")
    answers = Answers()
    with local.desk(answers) as desk:
        recovery_device = open_recovery_file(
            file,
            desk.keyholders.passphrase("Enter passphrase for the recovery file:", passphrase_file),
        )
        answers.server = recovery_device.server_url
        with desk.making_device():
            device = desk.run(import_recovery_device(recovery_device, label, desk.world.means))
    if console.is_json:
        console.document(device_json(device))
    else:
        console.message("New device created:")
        console.data(*device_line(device))
