"""Reading the stream of events: from bytes as they come to what the client must see.

`wire.md` 1.8 and `client.md` 17.2, on the event stream format of the HTML standard. A frame is
lines up to an empty one; what is not known in it is passed over.
"""

import binascii
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from parsec.client.failure import InvalidAnswer
from parsec.protocol.command import UnknownStatus, load_reply
from parsec.protocol.events import EventsListen, EventsListenReply
from parsec.wire.msgpack import MalformedError

LARGEST_FRAME = 1 << 20
"""More than this is no event: the largest carries 4 KiB of a manifest."""


@dataclass(frozen=True)
class Message:
    """An event."""

    event_id: str | None
    event: EventsListenReply


@dataclass(frozen=True)
class Ignored:
    """An event of a newer server."""

    event_id: str | None


@dataclass(frozen=True)
class Keepalive:
    """The connection is alive."""


@dataclass(frozen=True)
class MissedEvents:
    """The server does not remember what happened since: anything may have."""


Seen: TypeAlias = Message | Ignored | Keepalive | MissedEvents


class EventStream:
    """A connection's worth of frames.

    `last_event_id` goes into the header `Last-Event-ID` of the next connection, and
    `retry_seconds`, where the server gave it, is the wait before it.
    """

    def __init__(self, last_event_id: str | None = None) -> None:
        self.last_event_id = last_event_id
        self.retry_seconds: float | None = None
        self._buffer = bytearray()
        self._lines: list[str] = []
        self._size = 0

    def feed(self, chunk: bytes) -> Iterator[Seen]:
        """What is complete with these bytes. Raises InvalidAnswer; then the stream is over."""
        self._buffer += chunk
        *lines, rest = bytes(self._buffer).split(b"\n")
        self._buffer = bytearray(rest)
        for line in lines:
            text = line.removesuffix(b"\r").decode("utf-8", "replace")
            if text:
                self._size += len(text)
                self._lines.append(text)
            elif self._lines:
                yield from self._frame()
            self._check_size()
        self._check_size()

    def _check_size(self) -> None:
        if self._size + len(self._buffer) > LARGEST_FRAME:
            raise InvalidAnswer("The server sends an event without end")

    def _frame(self) -> Iterator[Seen]:
        lines, self._lines, self._size = self._lines, [], 0
        kind, data, event_id = "message", [], None
        for line in lines:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            match name:
                case "event":
                    kind = value
                case "data":
                    data.append(value)
                case "id" if "\0" not in value:
                    event_id = self.last_event_id = value
                case "retry" if value.isdecimal() and value.isascii():
                    self.retry_seconds = int(value[:9]) / 1000
        if data:
            yield from _seen(kind, event_id, "\n".join(data))


def _seen(kind: str, event_id: str | None, data: str) -> Iterator[Seen]:
    match kind:
        case "keepalive":
            yield Keepalive()
        case "missed_events":
            yield MissedEvents()
        case "message" if data:
            yield _message(event_id, data)


def _message(event_id: str | None, data: str) -> Message | Ignored:
    try:
        body = b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidAnswer("The server sends events that are none") from None
    try:
        event = load_reply(EventsListen, body)
    except MalformedError:
        return Ignored(event_id)
    if isinstance(event, UnknownStatus):
        return Ignored(event_id)
    return Message(event_id, event)
