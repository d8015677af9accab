"""How the devices of this machine are shown (cli.md 1.10)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

from parsec.cli.parts import Painted, yellow
from parsec.client.files import FoundDevice
from parsec.client.rules.device_choice import short_ids
from parsec.data.device_file import AnyDeviceFile, RecoveryDeviceFile

if TYPE_CHECKING:
    from parsec.data.local_device import LocalDevice

Device: TypeAlias = "AnyDeviceFile | LocalDevice"

_SHORT = 3


def device_lines(found: Sequence[FoundDevice]) -> list[tuple[Painted, str]]:
    """Each device on a line: a short ID that tells it apart, and what it is."""
    ids = short_ids([device.file.device_id for device in found])
    return [
        (yellow(short), f" - {_described(device.file)}")
        for short, device in zip(ids, found, strict=True)
    ]


def long_lines(found: Sequence[FoundDevice]) -> list[str]:
    """The same with their servers."""
    return [
        f"{short.text}{described} ({device.file.server_url.url})"
        for device, (short, described) in zip(found, device_lines(found), strict=True)
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
