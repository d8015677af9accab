"""Terms of service: reading and accepting them.

`client.md` 16.4. While they wait to be accepted, the server refuses everything else (HTTP 463).
"""

from parsec.client.failure import Conflict, NotFound
from parsec.client.step import Flow, call
from parsec.data.instant import Instant
from parsec.data.local_device import LocalDevice
from parsec.protocol import statuses
from parsec.protocol.tos import TosAccept, TosGet, TosGetOk


def get_tos(device: LocalDevice) -> Flow[TosGetOk | None]:
    """The terms of the organization, if it has any."""
    reply = yield from call(device, TosGet())
    return None if isinstance(reply, statuses.NoTos) else reply


def accept_tos(device: LocalDevice, updated_on: Instant) -> Flow[None]:
    """Accept the terms of that date. Raises Conflict when they have changed meanwhile."""
    reply = yield from call(device, TosAccept(tos_updated_on=updated_on))
    match reply:
        case statuses.TosMismatch():
            raise Conflict(
                "The terms of service have changed meanwhile", hint="read them again, then accept"
            )
        case statuses.NoTos():
            raise NotFound("There are no terms of service to accept any more")
