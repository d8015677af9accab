"""Who listens to what, inside one process.

A transaction that commits hands its events to `Exchange.deliver`. Each open stream of a client is a
`Subscription`, which collects the frames that concern it until the stream sends them. What a client
missed before comes from the database: the subscription begins first, then that is read, and
`Subscription.begin` puts the two together.

That somebody waits to be greeted is told anew at each of his polls. So of an invitation only the
last such event waits for a stream, and none is remembered: a claimer who polls without end neither
drives a greeter's stream away nor the memory out of what others have missed.
"""

import asyncio
import base64
from collections.abc import Callable, Sequence
from typing import TypeAlias, assert_never

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

MAX_BEHIND = 100
"""How many events may wait for a client before it is too slow, or was away for too long."""

KEEPALIVE_FRAME = b"event:keepalive\ndata:\n\n"
MISSED_EVENTS_FRAME = b"event:missed_events\ndata:\n\n"

Watcher: TypeAlias = Callable[[OrganizationID, UserID], None]
"""Called when the first stream of a user was opened, or the last one ended."""


class Stopping(Exception):
    """The server stops: no stream is opened any more."""


class Exchange:
    """All subscriptions; of an organization nothing is kept while nobody listens."""

    def __init__(self) -> None:
        self._organizations: dict[OrganizationID, _Organization] = {}
        self._watchers: list[Watcher] = []
        self._is_stopping = False

    def deliver(self, event: AnyEvent) -> None:
        """Tell who is concerned by something that a transaction did."""
        organization = self._organizations.get(event.organization_id)
        if organization is None:
            return
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
        self, organization_id: OrganizationID, user_id: UserID, device_id: DeviceID
    ) -> "Subscription":
        """Collect the frames for a device from now on. Raises Stopping."""
        if self._is_stopping:
            raise Stopping
        organization = self._organizations.get(organization_id)
        if organization is None:
            organization = _Organization(organization_id, self._changed)
            self._organizations[organization_id] = organization
        return organization.subscribe(user_id, device_id)

    def is_listening(self, organization_id: OrganizationID, user_id: UserID) -> bool:
        """Whether a device of a user has an open stream here."""
        organization = self._organizations.get(organization_id)
        return organization is not None and organization.is_listening(user_id)

    def listening(self) -> set[tuple[OrganizationID, UserID]]:
        """The users who have, with their organizations."""
        return {
            (organization_id, user_id)
            for organization_id, organization in self._organizations.items()
            for user_id in organization.listening()
        }

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        """Have a function called when these are others; returns what ends it."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher)

    @property
    def is_stopping(self) -> bool:
        """Whether new streams are refused."""
        return self._is_stopping

    def stop(self) -> None:
        """End all streams, and refuse new ones."""
        self._is_stopping = True
        for organization in tuple(self._organizations.values()):
            organization.close(None)

    def _changed(self, organization_id: OrganizationID, user_id: UserID) -> None:
        if not self._organizations[organization_id].listening():
            del self._organizations[organization_id]
        for watcher in tuple(self._watchers):
            watcher(organization_id, user_id)


class Subscription:
    """The frames that wait for one stream."""

    __slots__ = (
        "_organization",
        "_replayed",
        "_waiting",
        "_wake",
        "device_id",
        "is_closed",
        "user_id",
    )

    def __init__(self, organization: "_Organization", user_id: UserID, device_id: DeviceID) -> None:
        self._organization = organization
        self.user_id = user_id
        self.device_id = device_id
        # What was missed comes first, and does not make who comes back too slow.
        self._replayed: list[bytes] = []
        # In their order; the keys tell which one another one replaces, and which are missed ones.
        self._waiting: dict[bytes, bytes] = {}
        self.is_closed = False
        """No frame will come any more; those that wait are still to be sent."""
        self._wake: asyncio.Future[None] | None = None

    def begin(self, missed: Sequence[Notification] | None, *, last: EventID | None) -> None:
        """Put before what has come since the subscription what the device missed.

        `missed` is None if it is not known, or too much. It may hold events that have come since,
        too. `last` is the last event that was remembered.
        """
        self._organization.heard_of(last)
        if missed is None:
            self._replayed = [MISSED_EVENTS_FRAME]
        else:
            for one in missed:
                self._waiting.pop(one.event_id, None)
            self._replayed = [event_frame(one) for one in missed]
        self._wake_up()

    async def wait(self, seconds: float | None) -> bool:
        """Whether there are frames or the end, within so much time (None: any)."""
        if not self._has_something():
            loop = asyncio.get_running_loop()
            self._wake = loop.create_future()
            timer = loop.call_later(seconds, self._wake_up) if seconds is not None else None
            try:
                await self._wake
            finally:
                self._wake = None
                if timer is not None:
                    timer.cancel()
        return self._has_something()

    def _has_something(self) -> bool:
        return bool(self._replayed or self._waiting) or self.is_closed

    def take(self) -> list[bytes]:
        """The frames that wait, once."""
        frames = [*self._replayed, *self._waiting.values()]
        self._replayed = []
        self._waiting.clear()
        return frames

    def concerns(self, notification: Notification) -> bool:
        """Whether the device is told that event."""
        if notification.except_device == self.device_id:
            return False
        return notification.recipients is None or self.user_id in notification.recipients

    def add(self, key: bytes, frame: bytes) -> None:
        """Have a frame sent; who is too slow is told nothing any more and will come back.

        It takes the place of a frame of the same key that still waits.
        """
        self._waiting.pop(key, None)
        self._waiting[key] = frame
        if len(self._waiting) > MAX_BEHIND:
            self._waiting.clear()
            self.close()
        self._wake_up()

    def close(self) -> None:
        """No more frames: the stream ends behind those that wait."""
        if not self.is_closed:
            self.is_closed = True
            self._organization.leave(self)
        self._wake_up()

    def _wake_up(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)


class _Organization:
    def __init__(self, organization_id: OrganizationID, changed: Watcher) -> None:
        self._organization_id = organization_id
        self._changed = changed
        self._subscriptions: dict[UserID, set[Subscription]] = {}
        self._last: EventID | None = None

    def subscribe(self, user_id: UserID, device_id: DeviceID) -> Subscription:
        subscription = Subscription(self, user_id, device_id)
        is_first = user_id not in self._subscriptions
        self._subscriptions.setdefault(user_id, set()).add(subscription)
        if is_first:
            self._changed(self._organization_id, user_id)
        return subscription

    def leave(self, subscription: Subscription) -> None:
        others = self._subscriptions[subscription.user_id]
        others.discard(subscription)
        if not others:
            del self._subscriptions[subscription.user_id]
            self._changed(self._organization_id, subscription.user_id)

    def is_listening(self, user_id: UserID) -> bool:
        return user_id in self._subscriptions

    def listening(self) -> tuple[UserID, ...]:
        return tuple(self._subscriptions)

    def heard_of(self, last: EventID | None) -> None:
        if self._last is None:
            self._last = last

    def tell(self, notification: Notification) -> None:
        content, key = notification.content, bytes(notification.event_id)
        if isinstance(content, GreetingAttemptReadyEvent):
            key = bytes(content.token)
        if notification.is_fleeting:
            # Who comes back from here comes back from what was remembered last.
            frame = _frame(notification, self._last)
        else:
            self._last = notification.event_id
            frame = event_frame(notification)
        for subscription in self._of(notification.recipients):
            if subscription.concerns(notification):
                subscription.add(key, frame)

    def close(self, user_id: UserID | None) -> None:
        for subscription in self._of(None if user_id is None else frozenset([user_id])):
            subscription.close()

    def _of(self, users: frozenset[UserID] | None) -> list[Subscription]:
        """The subscriptions of these users, or of all; a list, as some may end meanwhile."""
        found = self._subscriptions if users is None else users & self._subscriptions.keys()
        return [one for user_id in found for one in self._subscriptions[user_id]]


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
