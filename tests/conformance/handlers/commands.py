"""Vectors of requests and replies: their bytes, and what they mean."""

from typing import Any

from parsec.protocol.command import (
    Family,
    Reply,
    Request,
    UnknownStatus,
    dump_reply,
    dump_request,
    load_reply,
)
from parsec.protocol.families import commands, load_request
from parsec.wire.msgpack import MalformedError
from tests.conformance.notation import agrees, packed
from tests.conformance.refusals import refusal
from tests.conformance.registry import Vector, handles


@handles("cmds-core", "cmds-other")
def check_command(vector: Vector, document: dict[str, Any]) -> None:
    body = bytes.fromhex(vector["bytes_hex"])
    message = _load(vector, body)
    assert agrees(message, vector["value"])
    # Our form of the same value, whatever the order and the absences in the given bytes.
    assert _load(vector, packed(vector["value"])) == message
    if vector["exact"] and _is_written_whole(message, vector["value"]):
        assert _dump(message) == body
    else:
        assert _load(vector, _dump(message)) == message


@handles("cmds-decoding")
def check_decoding(vector: Vector, document: dict[str, Any]) -> None:
    body = bytes.fromhex(vector["bytes_hex"])
    if vector["outcome"] == "refuse":
        with refusal(MalformedError):
            _load(vector, body)
        return
    assert vector["outcome"] == "accept"
    message = _load(vector, body)
    if "meaning" in vector:
        assert _means(message, vector["meaning"])


def _load(vector: Vector, body: bytes) -> Any:
    family = Family(vector["family"])
    if vector["kind"] == "request":
        return load_request(family, body)
    assert vector["kind"] == "reply"
    return load_reply(commands(family)[vector["command"]], body)


def _dump(message: Any) -> bytes:
    if isinstance(message, Request):
        return dump_request(message)
    assert isinstance(message, Reply)
    return dump_reply(message)


def _means(message: Any, meaning: Any) -> bool:
    if not isinstance(message, UnknownStatus):
        return agrees(message, meaning)
    reason = "no reason" if message.reason is None else f'reason "{message.reason}"'
    return bool(meaning == f"unknown status {message.status}, {reason}")


def _is_written_whole(message: Any, value: dict[str, Any]) -> bool:
    """Whether nothing is absent that we would write."""
    return len(value) == len(type(message).__struct_fields__) + 1
