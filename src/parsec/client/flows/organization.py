"""The birth of an organization.

`client.md` 9. The root key signs the first user and device, then it is forgotten: nobody can ever
sign with it again, and every member checks everything else against it.

    device drawn ──> kept as begun ──> sent ──yes──> saved
                                        └─bootstrapped before──> is it the device that an earlier
                                                                 run began? then that one is saved

Whatever interrupts this after the request has left, the device is there to prove whose the
organization is.
"""

from parsec.client.dialogue import Activity, Began, Ended, Notice, RetryOffline
from parsec.client.failure import Conflict, HttpRefusal, Offline, Refused
from parsec.client.flows.certificate import clock_differs
from parsec.client.flows.device import device_certificates
from parsec.client.flows.protection import add_chosen_totp, choose_protection
from parsec.client.flows.user import user_certificates
from parsec.client.protection import ChosenProtection
from parsec.client.records import BegunDevice, BegunFirstDevices, DroppedDevice, NewDevice
from parsec.client.step import Flow, Means, ask, call, keep, recall, tell
from parsec.crypto.keys import PrivateKey, SigningKey
from parsec.data.address import OrganizationBootstrapAddr
from parsec.data.certificates import DevicePurpose, SequesterAuthorityCertificate
from parsec.data.ids import DeviceID, UserID
from parsec.data.instant import Instant
from parsec.data.local_device import LocalDevice, first_device
from parsec.data.people import DeviceLabel, HumanHandle, UserProfile
from parsec.protocol import statuses
from parsec.protocol.organization import (
    OrganizationBootstrap,
    OrganizationBootstrapReply,
    OrganizationInfo,
)

_UNKNOWN_CALLER = (403, 404)
_KNOWN_CALLER = (461, 462, 463)
"""Refusals of those whom the server knows (`wire.md` 1.4)."""


def bootstrap_organization(
    addr: OrganizationBootstrapAddr,
    means: Means,
    *,
    human_handle: HumanHandle,
    device_label: DeviceLabel,
    sequester_verify_key_der: bytes | None = None,
) -> Flow[LocalDevice]:
    """Make the first administrator and device, and keep the device.

    Where an earlier run was interrupted and the organization is its work, the answer is the device
    of that run.
    """
    # Asked first: the organization would be lost if its only device could not be saved.
    chosen = yield from choose_protection(addr.server)
    root_key = SigningKey.generate(means.entropy)
    device = first_device(
        server_url=addr.server,
        organization_id=addr.organization_id,
        root_verify_key=root_key.verify_key,
        user_id=UserID.generate(means.entropy),
        device_id=DeviceID.generate(means.entropy),
        human_handle=human_handle,
        device_label=device_label,
        profile=UserProfile.ADMIN,
        signing_key=SigningKey.generate(means.entropy),
        private_key=PrivateKey.generate(means.entropy),
        entropy=means.entropy,
    )
    yield from tell(Began(Activity.BOOTSTRAP))
    request = _request(addr, device, root_key, means.now(), sequester_verify_key_der)
    yield from keep(BegunDevice(device, chosen.guard))
    reply = yield from _send(addr, device, request)
    if not isinstance(reply, statuses.Ok):
        # Refused, so it will never be anybody's device.
        yield from keep(DroppedDevice(device.device_id))
    match reply:
        case statuses.Ok():
            pass
        case statuses.OrganizationAlreadyBootstrapped():
            device = yield from _begun_before(addr, device, chosen)
        case statuses.InvalidBootstrapToken():
            raise Refused("The token of the bootstrap link is not the organization's")
        case statuses.TimestampOutOfBallpark():
            raise clock_differs(reply)
        case _:
            raise Refused("Server refused to bootstrap the organization")
    yield from keep(NewDevice(device, chosen.guard))
    yield from tell(Ended(Activity.BOOTSTRAP))
    yield from add_chosen_totp(device, chosen, means)
    return device


def _begun_before(
    addr: OrganizationBootstrapAddr, device: LocalDevice, chosen: ChosenProtection
) -> Flow[LocalDevice]:
    """The device that an earlier run began, if the organization is its work. Raises Conflict."""
    wanted = BegunFirstDevices(addr.server, addr.organization_id, chosen.guard, device.device_id)
    for begun in (yield from recall(wanted)) or ():
        if (yield from _is_ours(begun)):
            yield from tell(
                Notice("an earlier run bootstrapped the organization; its device is saved now")
            )
            return begun
        yield from keep(DroppedDevice(begun.device_id))
    raise Conflict("The organization is bootstrapped already: this link was used")


def _send(
    addr: OrganizationBootstrapAddr, device: LocalDevice, request: OrganizationBootstrap
) -> Flow[OrganizationBootstrapReply]:
    """Send until there is an answer: one that got lost may have been the birth of ours."""
    unclear = False
    while True:
        try:
            reply = yield from call(addr, request)
        except Offline:
            unclear = True
            if not (yield from ask(RetryOffline())):
                raise
            continue
        already = isinstance(reply, statuses.OrganizationAlreadyBootstrapped)
        if already and unclear and (yield from _is_ours(device)):
            return statuses.Ok()
        return reply


def _is_ours(device: LocalDevice) -> Flow[bool]:
    try:
        yield from call(device, OrganizationInfo())
    except HttpRefusal as refusal:
        if refusal.status in _UNKNOWN_CALLER:
            return False
        if refusal.status not in _KNOWN_CALLER:
            raise
    return True


def _request(
    addr: OrganizationBootstrapAddr,
    device: LocalDevice,
    root_key: SigningKey,
    timestamp: Instant,
    sequester_verify_key_der: bytes | None,
) -> OrganizationBootstrap:
    user_pair = user_certificates(
        author=None,
        key=root_key,
        timestamp=timestamp,
        user_id=device.user_id,
        human_handle=device.human_handle,
        public_key=device.private_key.public_key,
        profile=UserProfile.ADMIN,
    )
    device_pair = device_certificates(
        author=None,
        key=root_key,
        timestamp=timestamp,
        user_id=device.user_id,
        device_id=device.device_id,
        label=device.device_label,
        verify_key=device.signing_key.verify_key,
        purpose=DevicePurpose.STANDARD,
    )
    authority = None
    if sequester_verify_key_der is not None:
        authority = SequesterAuthorityCertificate(
            timestamp=timestamp, verify_key_der=sequester_verify_key_der
        ).sign(root_key)
    return OrganizationBootstrap(
        bootstrap_token=addr.token,
        root_verify_key=root_key.verify_key,
        user_certificate=user_pair.full,
        device_certificate=device_pair.full,
        redacted_user_certificate=user_pair.redacted,
        redacted_device_certificate=device_pair.redacted,
        sequester_authority_certificate=authority,
    )
