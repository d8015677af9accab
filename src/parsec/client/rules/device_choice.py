"""Short forms of device IDs, for the eye and for the command line (client.md 1.6)."""

from collections.abc import Sequence
from itertools import pairwise

from parsec.data.ids import DeviceID

_SHORTEST = 3


class NoSuchDevice(LookupError):
    """No device ID begins with that text."""


class SeveralDevices(LookupError):
    """More than one device ID begins with that text; `matches` are those."""

    def __init__(self, matches: Sequence[DeviceID]) -> None:
        super().__init__(f"{len(matches)} devices begin like this")
        self.matches = matches


def short_id_length(device_ids: Sequence[DeviceID]) -> int:
    """How many digits tell these devices apart, at least 3."""
    # Sorted, the two that share most are neighbours.
    ordered = sorted({device_id.hex() for device_id in device_ids})
    needed = (_common_digits(one, other) + 1 for one, other in pairwise(ordered))
    return max([_SHORTEST, *needed])


def short_ids(device_ids: Sequence[DeviceID]) -> list[str]:
    """The first digits of each, in the same order, as many as tell them apart."""
    length = short_id_length(device_ids)
    return [device_id.hex()[:length] for device_id in device_ids]


def choose_device(device_ids: Sequence[DeviceID], prefix: str) -> DeviceID:
    """The device whose ID begins with these digits. Raises NoSuchDevice or SeveralDevices."""
    matches = [device_id for device_id in device_ids if device_id.hex().startswith(prefix)]
    if not matches:
        raise NoSuchDevice("no device begins like this")
    if len(matches) > 1:
        raise SeveralDevices(matches)
    return matches[0]


def _common_digits(one: str, other: str) -> int:
    return next(
        place for place, pair in enumerate(zip(one, other, strict=True)) if len({*pair}) > 1
    )
