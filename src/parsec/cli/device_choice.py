"""Which of the devices of this machine is meant (cli.md 1.10)."""

from collections.abc import Sequence
from pathlib import Path

from parsec.cli.devices import long_lines
from parsec.cli.errors import DeviceNotChosen, DeviceNotFound
from parsec.client.failure import NotFound
from parsec.client.files import FoundDevice
from parsec.client.rules.device_choice import NoSuchDevice, SeveralDevices, choose_device


def chosen_device(found: Sequence[FoundDevice], prefix: str | None, config: Path) -> FoundDevice:
    """The device that is meant; without a prefix the only one. Raises NotFound, DeviceNotChosen."""
    if not found:
        raise NotFound(
            f"No devices found in {config}",
            hint="a device comes from `organization bootstrap` or `invite claim`; "
            "--config-dir says where else to look",
        )
    if prefix is None:
        if len(found) == 1:
            return found[0]
        raise DeviceNotChosen(
            "Missing option '--device'", ["", "Available devices:", *long_lines(found)]
        )
    devices = {device.file.device_id: device for device in found}
    try:
        return devices[choose_device(list(devices), prefix)]
    except NoSuchDevice:
        raise DeviceNotFound(
            f"Device `{prefix}` not found, available devices:", long_lines(found)
        ) from None
    except SeveralDevices as several:
        # All lines together are cut to the same length, those not shown included.
        matching = [device.file.device_id in several.matches for device in found]
        lines = [line for line, shown in zip(long_lines(found), matching, strict=True) if shown]
        raise DeviceNotChosen(f"Multiple devices found for `{prefix}`:", lines) from None
