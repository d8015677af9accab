"""Who listens to what, inside one process.

A transaction that commits hands its events to `Exchange.deliver`. Each open stream of a client is a
`Subscription`, which collects the frames that concern it until the stream sends them.

That somebody waits to be greeted is told anew at each of his polls. So of an invitation only the
last such event waits for a stream, and none is remembered: a claimer who polls without end neither
drives a greeter's stream away nor the memory out of what others have missed.
"""

import asyncio
import base64
from collections import deque
from collections.abc import Sequence
from typing import assert_never

from parsec.data.ids import DeviceID, UserID
from parsec.data.people import OrganizationID
from parsec.protocol.command import dump_reply
from parsec.protocol.events import GreetingAttemptReadyEvent, OrganizationConfigEvent
from parsec.server.records import (
    AnyEvent,
    EventID,
    Notification,
    OrganizationExpired,
    OrganizationTosUpdated,
    UserRevokedOrFrozen,
    UserUnfrozen,
    UserUpdated,
)

MEMORY = 1024
"""How many events of an organization a client that comes back can be told (wire.md 1.8)."""

MAX_BEHIND = 100
"""How many events may wait for a client before it is too slow, or was away for too long."""

KEEPALIVE_FRAME = b"event:keepalive\ndata:\n\n"
MISSED_EVENTS_FRAME = b"event:missed_events\ndata:\n\n"


class Stopping(Exception):
    """The server stops: no stream is opened any more."""


class Exchange:
    """All subscriptions, and for each organization the last events."""

    def __init__(self) -> None:
        self._organizations: dict[OrganizationID, _Organization] = {}
        self._is_stopping = False

    def deliver(self, event: AnyEvent) -> None:
        """Tell who is concerned by something that a transaction did."""
        organization = self._organization(event.organization_id)
        match event:
            case Notification():
                organization.tell(event)
            case OrganizationExpired() | OrganizationTosUpdated():
                organization.close(None)
            case UserRevokedOrFrozen():
                organization.close(event.user_id)
            case UserUnfrozen() | UserUpdated():
                pass
            case _:
                assert_never(event)

    def subscribe(
        self,
        organization_id: OrganizationID,
        user_id: UserID,
        device_id: DeviceID,
        *,
        last_event_id: EventID | None,
    ) -> "Subscription":
        """Collect the frames for a device from now on, behind those it missed.

        Raises Stopping.
        """
        if self._is_stopping:
            raise Stopping
        organization = self._organization(organization_id)
        subscription = Subscription(organization, user_id, device_id)
        if last_event_id is not None:
            for frame in organization.missed(subscription, last_event_id):
                subscription.add(frame)
        organization.subscriptions.add(subscription)
        return subscription

    def stop(self) -> None:
        """End all streams, and refuse new ones."""
        self._is_stopping = True
        for organization in self._organizations.values():
            organization.close(None)

    def _organization(self, organization_id: OrganizationID) -> "_Organization":
        found = self._organizations.get(organization_id)
        if found is None:
            found = self._organizations[organization_id] = _Organization()
        return found


class Subscription:
    """The frames that wait for one stream."""

    __slots__ = ("_organization", "_waiting", "_wake", "device_id", "is_closed", "user_id")

    def __init__(self, organization: "_Organization", user_id: UserID, device_id: DeviceID) -> None:
        self._organization = organization
        self.user_id = user_id
        self.device_id = device_id
        # In their order; the keys only tell which one another one replaces.
        self._waiting: dict[object, bytes] = {}
        self.is_closed = False
        """No frame will come any more; those that wait are still to be sent."""
        self._wake: asyncio.Future[None] | None = None

    async def wait(self, seconds: float | None) -> bool:
        """Whether there are frames or the end, within so much time (None: any)."""
        if not self._waiting and not self.is_closed:
            loop = asyncio.get_running_loop()
            self._wake = loop.create_future()
            timer = loop.call_later(seconds, self._wake_up) if seconds is not None else None
            try:
                await self._wake
            finally:
                self._wake = None
                if timer is not None:
                    timer.cancel()
        return bool(self._waiting) or self.is_closed

    def take(self) -> list[bytes]:
        """The frames that wait, once."""
        frames = list(self._waiting.values())
        self._waiting.clear()
        return frames

    def concerns(self, notification: Notification) -> bool:
        """Whether the device is told that event."""
        if notification.except_device == self.device_id:
            return False
        return notification.recipients is None or self.user_id in notification.recipients

    def add(self, frame: bytes, *, instead_of: object = None) -> None:
        """Have a frame sent; who is too slow is told nothing any more and will come back.

        It takes the place of a frame that still waits and was given the same `instead_of`.
        """
        key = object() if instead_of is None else instead_of
        self._waiting.pop(key, None)
        self._waiting[key] = frame
        if len(self._waiting) > MAX_BEHIND:
            self._waiting.clear()
            self.close()
        self._wake_up()

    def close(self) -> None:
        """No more frames: the stream ends behind those that wait."""
        self.is_closed = True
        self._organization.subscriptions.discard(self)
        self._wake_up()

    def _wake_up(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)


class _Organization:
    def __init__(self) -> None:
        self.subscriptions: set[Subscription] = set()
        self._memory: deque[Notification] = deque(maxlen=MEMORY)

    def tell(self, notification: Notification) -> None:
        content, instead_of = notification.content, None
        if isinstance(content, GreetingAttemptReadyEvent):
            instead_of = content.token
            # Who comes back from here comes back from what was remembered last.
            frame = _frame(notification, self._memory[-1].event_id if self._memory else None)
        else:
            self._memory.append(notification)
            frame = event_frame(notification)
        for subscription in tuple(self.subscriptions):
            if subscription.concerns(notification):
                subscription.add(frame, instead_of=instead_of)

    def close(self, user_id: UserID | None) -> None:
        for subscription in tuple(self.subscriptions):
            if user_id is None or subscription.user_id == user_id:
                subscription.close()

    def missed(self, subscription: Subscription, last_event_id: EventID) -> Sequence[bytes]:
        missed: deque[Notification] = deque()
        for notification in reversed(self._memory):
            if notification.event_id == last_event_id:
                return [event_frame(one) for one in missed]
            if subscription.concerns(notification):
                missed.appendleft(notification)
                if len(missed) > MAX_BEHIND:
                    break
        return [MISSED_EVENTS_FRAME]


def event_frame(notification: Notification) -> bytes:
    """The bytes of an event in a stream."""
    return _frame(notification, notification.event_id)


def _frame(notification: Notification, event_id: EventID | None) -> bytes:
    data = base64.b64encode(dump_reply(notification.content))
    name = b"id:%b\n" % event_id.hex().encode() if event_id is not None else b""
    return b"data:%b\n%b\n" % (data, name)


def configuration_frame(configuration: OrganizationConfigEvent) -> bytes:
    """The bytes of the first event of every stream, which has no identifier."""
    return b"data:%b\n\n" % base64.b64encode(dump_reply(configuration))
