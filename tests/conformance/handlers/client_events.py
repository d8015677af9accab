"""The stream of events, cut into chunks as a network cuts it."""

from typing import Any

import pytest

from parsec.client.failure import InvalidAnswer
from parsec.client.rules.event_stream import EventStream, Ignored, Keepalive, Message, Seen
from parsec.protocol.command import dump_reply, load_reply
from parsec.protocol.events import EventsListen
from tests.conformance.notation import packed
from tests.conformance.registry import Vector, handles


@handles("client-event-stream")
def check_event_stream(vector: Vector, _document: dict[str, Any]) -> None:
    stream, expected = EventStream(), vector["expected"]
    if "error" in expected:
        with pytest.raises(InvalidAnswer):
            _fed(stream, vector["chunks"])
        return

    seen = _fed(stream, vector["chunks"])

    assert [_described(one) for one in seen] == [_expected(one) for one in expected["messages"]]
    assert stream.last_event_id == expected.get("last_event_id")
    assert stream.retry_seconds == expected.get("retry_s")


def _fed(stream: EventStream, chunks: list[str]) -> list[Seen]:
    return [seen for chunk in chunks for seen in stream.feed(chunk.encode())]


def _described(seen: Seen) -> tuple[Any, ...]:
    match seen:
        case Message():
            return "message", seen.event_id, dump_reply(seen.event)
        case Ignored():
            return "ignored", seen.event_id
        case Keepalive():
            return ("keepalive",)
        case _:
            return ("missed_events",)


def _expected(message: dict[str, Any]) -> tuple[Any, ...]:
    match message["kind"]:
        case "message":
            event = load_reply(EventsListen, packed(message["value"]))
            return "message", message["id"], dump_reply(event)  # type: ignore[arg-type]
        case "ignored":
            return "ignored", message["id"]
        case kind:
            return (kind,)
