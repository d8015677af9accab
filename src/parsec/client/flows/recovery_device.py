"""Recovery files: a device of one's own in a file, opened with a passphrase.

`client.md` 8. Whoever has both can make new devices of the user until the user is revoked.
"""

from parsec.client.dialogue import Activity, Began, Ended
from parsec.client.flows.certificate import Session, poll_quietly
from parsec.client.flows.device import create_device
from parsec.client.flows.protection import add_chosen_totp, choose_protection
from parsec.client.records import NewDevice
from parsec.client.step import Flow, Means, keep, tell
from parsec.data.certificates import DevicePurpose
from parsec.data.local_device import LocalDevice, further_device
from parsec.data.people import DeviceLabel


def register_recovery_device(session: Session) -> Flow[LocalDevice]:
    """Make a recovery device; it is for the caller to put it into a file."""
    means = session.means
    label = DeviceLabel(f"recovery-{means.now().rfc3339}")
    device = further_device(session.device, label, means.entropy)
    yield from tell(Began(Activity.CREATE_DEVICE))
    yield from create_device(
        session.device,
        means,
        device_id=device.device_id,
        label=label,
        verify_key=device.signing_key.verify_key,
        purpose=DevicePurpose.PASSPHRASE_RECOVERY,
    )
    yield from poll_quietly(session)
    yield from tell(Ended(Activity.CREATE_DEVICE))
    return device


def import_recovery_device(
    recovery_device: LocalDevice, label: DeviceLabel, means: Means
) -> Flow[LocalDevice]:
    """Make a new device with a recovery device, and keep it."""
    chosen = yield from choose_protection(recovery_device.server_url)
    device = further_device(recovery_device, label, means.entropy)
    yield from tell(Began(Activity.CREATE_DEVICE))
    yield from create_device(
        recovery_device,
        means,
        device_id=device.device_id,
        label=label,
        verify_key=device.signing_key.verify_key,
        purpose=DevicePurpose.STANDARD,
    )
    yield from keep(NewDevice(device, chosen.guard))
    yield from tell(Ended(Activity.CREATE_DEVICE))
    yield from add_chosen_totp(device, chosen, means)
    return device
