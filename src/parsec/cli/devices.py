"""The devices of this machine: which one is meant, and how each is shown (cli.md 1.10)."""

from collections.abc import Sequence
from pathlib import Path

from parsec.cli.errors import DeviceNotChosen, DeviceNotFound
from parsec.cli.parts import Painted, yellow
from parsec.client.files import FoundDevice
from parsec.client.rules.device_choice import (
    NoSuchDevice,
    SeveralDevices,
    choose_device,
    short_ids,
)
from parsec.client.step import NotFound
from parsec.data.device_file import AnyDeviceFile, RecoveryDeviceFile
from parsec.data.local_device import LocalDevice

Device = AnyDeviceFile | LocalDevice

_SHORT = 3


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
            "Missing option '--device'", ["", "Available devices:", *_long_lines(found)]
        )
    devices = {device.file.device_id: device for device in found}
    try:
        return devices[choose_device(list(devices), prefix)]
    except NoSuchDevice:
        raise DeviceNotFound(
            f"Device `{prefix}` not found, available devices:", _long_lines(found)
        ) from None
    except SeveralDevices as several:
        # All lines together are cut to the same length, those not shown included.
        matching = [device.file.device_id in several.matches for device in found]
        lines = [line for line, shown in zip(_long_lines(found), matching, strict=True) if shown]
        raise DeviceNotChosen(f"Multiple devices found for `{prefix}`:", lines) from None


def device_lines(found: Sequence[FoundDevice]) -> list[tuple[Painted, str]]:
    """Each device on a line: a short ID that tells it apart, and what it is."""
    ids = short_ids([device.file.device_id for device in found])
    return [
        (yellow(short), f" - {_described(device.file)}")
        for short, device in zip(ids, found, strict=True)
    ]


def device_line(device: Device) -> tuple[Painted, str]:
    """One device on a line, as after its creation."""
    return yellow(device.device_id.hex()[:_SHORT]), f" - {_described(device)}"


def device_json(device: Device) -> dict[str, str]:
    """The same in the JSON format."""
    return {
        "device_id": device.device_id.hex(),
        "organization_id": str(device.organization_id),
        "human_handle": str(device.human_handle),
        "device_label": str(device.device_label),
    }


def needs_code(file: AnyDeviceFile) -> bool:
    """Whether a device opens only with a one-time code."""
    return not isinstance(file, RecoveryDeviceFile) and file.totp_opaque_key_id is not None


def protection_name(file: AnyDeviceFile) -> str:
    """How a device is protected, in a word such as `password+totp`."""
    return f"{file.PROTECTION}{'+totp' if needs_code(file) else ''}"


def _described(device: Device) -> str:
    return f"{device.organization_id}: {device.human_handle} @ {device.device_label}"


def _long_lines(found: Sequence[FoundDevice]) -> list[str]:
    return [
        f"{short.text}{described} ({device.file.server_url.url})"
        for device, (short, described) in zip(found, device_lines(found), strict=True)
    ]
