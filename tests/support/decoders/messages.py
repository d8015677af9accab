"""Targets: requests and replies of the protocol, events, and MessagePack itself."""

import base64
from contextlib import suppress
from typing import Any

from parsec.client.failure import InvalidAnswer
from parsec.client.rules.event_stream import EventStream, Message, Seen
from parsec.protocol.command import (
    Family,
    UnknownStatus,
    dump_reply,
    dump_request,
    load_reply,
)
from parsec.protocol.families import commands, load_request
from parsec.wire.frame import DEFAULT_LIMIT, dump_frame, load_frame
from parsec.wire.msgpack import MalformedError, Reader, check_keys, dump, end_of_first
from tests.support.decoders import seeds
from tests.support.decoders.target import Form, Target, check_words, read_again

REQUESTS = [kind for family in Family for kind in commands(family).values()]


def check_requests(body: bytes) -> None:
    """A request of any family."""
    for family in Family:
        read_again(lambda data, family=family: load_request(family, data), dump_request, body)  # type: ignore[misc]


def check_replies(body: bytes) -> None:
    """A reply to any request, one of an unknown status too."""
    for kind in REQUESTS:
        try:
            reply: Any = load_reply(kind, body)
        except MalformedError:
            continue
        if isinstance(reply, UnknownStatus):
            continue
        written = dump_reply(reply)
        again: Any = load_reply(kind, written)
        assert dump_reply(again) == written or sorted(dump_reply(again)) == sorted(written)
        # A float that is no number is not even equal to itself.
        assert again == reply or b"\xcb\x7f" in written or b"\xcb\xff" in written


_ANY: Reader[object] = Reader(object)


def check_msgpack(data: bytes) -> None:
    """The slow walk ends where the library does, and refuses by one error."""
    with suppress(MalformedError):
        assert 0 < end_of_first(data) <= len(data)
    try:
        check_keys(data)
    except MalformedError:
        pass
    else:
        # What the strict walk takes, the other one takes.
        end_of_first(data)
    try:
        _ANY.load(data)
    except MalformedError:
        return
    try:
        end = end_of_first(data, max_values=len(data) + 1)
    except MalformedError as error:
        refused = str(error)
        assert "too deep" in refused, "nothing but our own limit may be the reason"
    else:
        assert end == len(data), "two readers see different ends"


def check_frames(data: bytes) -> None:
    """A frame never expands past its limit, and is written so that it is read again."""
    for limit in (DEFAULT_LIMIT, 100):
        try:
            payload = load_frame(data, limit=limit)
        except MalformedError:
            continue
        assert len(payload) <= limit
        assert load_frame(dump_frame(payload), limit=limit) == payload


def check_event_stream(data: bytes) -> None:
    """Wherever the network cuts, the same is seen; the first byte says where it does."""
    cut, stream = data[:1], data[1:]
    at = cut[0] % (len(stream) + 1) if cut else 0
    whole, parts = EventStream(), EventStream()
    assert _seen(whole, stream) == _seen(parts, stream[:at], stream[at:])
    assert (whole.last_event_id, whole.retry_seconds) == (parts.last_event_id, parts.retry_seconds)
    assert whole.retry_seconds is None or 0 <= whole.retry_seconds <= 1_000_000


def _seen(stream: EventStream, *chunks: bytes) -> list[Seen]:
    seen: list[Seen] = []
    try:
        for chunk in chunks:
            seen.extend(stream.feed(chunk))
    except InvalidAnswer as error:
        check_words(error)
    for one in seen:
        if isinstance(one, Message):
            _check_event(one)
    return seen


def _check_event(message: Message) -> None:
    """Sent on, the event is seen again."""
    frame = b"data:%b\n\n" % base64.b64encode(dump_reply(message.event))
    [again] = EventStream().feed(frame)
    assert isinstance(again, Message)
    assert again.event == message.event


def check_events(content: bytes) -> None:
    """The event inside of a frame."""
    check_event_stream(b"\0data:%b\n\n" % base64.b64encode(content))


def _bodies(kind: str) -> list[bytes]:
    bodies = [
        bytes.fromhex(vector["bytes_hex"])
        for topic in ("cmds-core", "cmds-other", "cmds-decoding")
        for vector in seeds.document(topic)["vectors"]
        if vector["kind"] == kind
    ]
    return bodies + [
        bytes.fromhex(vector["message_hex"])
        for vector in seeds.document("wire-decode")["vectors"]
        if vector["kind"] == kind and "message_hex" in vector
    ]


def _events() -> list[bytes]:
    return [
        bytes.fromhex(vector["bytes_hex"])
        for vector in seeds.document("cmds-core")["vectors"]
        if vector["command"] == "events_listen" and vector["kind"] == "reply"
    ]


def _streams() -> list[bytes]:
    chunks = seeds.field("client-event-stream", "chunks")
    frames = seeds.from_text("wire-sse", "frame")
    return [b"\7" + frame for frame in frames] + [
        b"\7" + "".join(parts).encode("utf-8", "surrogateescape") for parts in chunks
    ]


def _values() -> list[bytes]:
    return [*_bodies("reply")[:20], dump([1, -1, 2.5, None, "é", b"\0", {"a": [True]}])]


def _frames() -> list[bytes]:
    return seeds.from_hex("crypto-v0-container", "container_hex")


TARGETS = (
    Target("requests", Form.MSGPACK, check_requests, lambda: _bodies("request")),
    Target("replies", Form.MSGPACK, check_replies, lambda: _bodies("reply")),
    Target("msgpack", Form.MSGPACK, check_msgpack, _values),
    Target("frames", Form.BYTES, check_frames, _frames),
    Target("event-streams", Form.TEXT, check_event_stream, _streams),
    Target("events", Form.MSGPACK, check_events, _events),
)
