"""Requests to the server in process: the order of its checks, and what its answers look like."""

import asyncio
import base64
import re
from typing import Any, get_type_hints
from urllib.parse import urljoin, urlsplit

import msgspec

from parsec.crypto.entropy import system_entropy
from parsec.crypto.keys import SigningKey
from parsec.data.ids import DeviceID
from parsec.data.instant import Instant
from parsec.data.people import OrganizationID
from parsec.protocol.ballpark import in_ballpark
from parsec.protocol.command import MergedReply, merged_value, reply_kinds
from parsec.protocol.events import EventsListen, OrganizationConfigEvent
from parsec.server.events import (
    KEEPALIVE_FRAME,
    MISSED_EVENTS_FRAME,
    configuration_frame,
    event_frame,
)
from parsec.server.records import EventID, Notification
from tests.conformance.registry import Vector, handles
from tests.support.asgi import Answer, request
from tests.support.server_app import Device, ServerApp, server_app

_ORGANIZATION = "Org"


@handles("wire-http")
def check_exchange(vector: Vector, document: dict[str, Any]) -> None:
    asyncio.run(_check_exchange(vector))


async def _check_exchange(vector: Vector) -> None:
    async with server_app() as server:
        device = await server.bootstrap(_ORGANIZATION)
        await server.create(f"{_ORGANIZATION}U")
        token = server.headers(device)["Authorization"].removeprefix("Bearer ")
        await _bring_about(server, device, vector["state"])
        filled = {
            "org": _ORGANIZATION,
            "token": token,
            "device_id_hex": device.device_id.hex(),
        }
        answer = await request(
            server.app,
            vector["method"],
            _filled(vector["path"], filled),
            {name: _filled(value, filled) for name, value in vector["headers"].items()},
            _body(vector),
        )
    expected = vector["expect"] | vector.get("recommended", {})
    _check_answer(answer, expected, filled)


async def _bring_about(server: ServerApp, device: Device, state: str) -> None:
    match state:
        case "normal":
            return
        case "frozen":
            freeze = {"user_id": device.user_id.hex(), "frozen": True}
            path = f"organizations/{_ORGANIZATION}/users/freeze"
            answer = await server.admin("POST", path, freeze)
        case "tos_pending":
            tos = {"tos": {"en_US": "https://example.com/tos"}}
            answer = await server.admin("PATCH", f"organizations/{_ORGANIZATION}", tos)
        case "expired":
            expired = {"is_expired": True}
            answer = await server.admin("PATCH", f"organizations/{_ORGANIZATION}", expired)
        case _:
            raise AssertionError(f"unknown state {state}")
    assert answer.status == 200, answer


def _filled(text: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def _body(vector: Vector) -> bytes:
    if "body_hex" in vector:
        return bytes.fromhex(vector["body_hex"])
    times = re.fullmatch(r"(\d+) times the byte ([0-9a-f]{2})", vector["body"])
    assert times is not None, f"a body of unknown kind: {vector['body']}"
    return int(times[1]) * bytes.fromhex(times[2])


def _check_answer(answer: Answer, expected: dict[str, Any], filled: dict[str, str]) -> None:
    assert answer.status == expected["status"], answer
    for name in ("api-version", "supported-api-versions", "content-type", "allow"):
        # What the vector does not name must not be there, but for the type of a page or redirect.
        if name in expected or name in ("api-version", "supported-api-versions"):
            assert answer.headers.get(name) == expected.get(name), name
    if "location" in expected:
        found = urljoin("http://127.0.0.1", answer.headers["location"])
        assert urlsplit(found).path == urlsplit(_filled(expected["location"], filled)).path
    if "body_hex" in expected:
        assert answer.body.hex() == expected["body_hex"]
    if "json" in expected:
        assert answer.json == expected["json"]


@handles("wire-auth-verdict")
def check_verdict(vector: Vector, document: dict[str, Any]) -> None:
    assert asyncio.run(_verdict(vector)) == vector["status"]


async def _verdict(vector: Vector) -> int:
    async with server_app() as server:
        device = await server.bootstrap(_ORGANIZATION)
        headers = server.headers(device, seconds=vector.get("timestamp_offset", 0))
        token = headers.pop("Authorization").removeprefix("Bearer ")
        template = vector.get("template", "Bearer {token}")
        if template is not None:
            changed = _changed(vector["change"], token, device) if "change" in vector else token
            headers["Authorization"] = template.replace("{token}", changed)
        body = msgspec.msgpack.encode({"cmd": "ping", "ping": "x"})
        target = f"/authenticated/{_ORGANIZATION}"
        return (await request(server.app, "POST", target, headers, body)).status


def _changed(change: str, token: str, device: Device) -> str:
    """The token that a vector describes in words."""
    prefix, device_id, seconds, signature = token.split(".")
    key = device.key

    def signed(*parts: str, by: SigningKey = key) -> str:
        text = ".".join(parts)
        proof = base64.urlsafe_b64encode(by.sign_only_signature(text.encode())).decode()
        return f"{text}.{proof}"

    def with_signature(raw: bytes) -> str:
        return f"{prefix}.{device_id}.{seconds}.{base64.urlsafe_b64encode(raw).decode()}"

    match change:
        case "prefix in lower case, signature over the normal prefix":
            return f"{prefix.lower()}.{device_id}.{seconds}.{signature}"
        case "other prefix":
            return signed("PARSEC-MAC-BLAKE2B", device_id, seconds)
        case "device id in capitals":
            return signed(prefix, device_id.upper(), seconds)
        case "device id zz":
            return signed(prefix, "zz", seconds)
        case "random device id, timestamp 1000":
            return signed(prefix, DeviceID.generate(system_entropy).hex(), "1000")
        case "signed with another key":
            other = SigningKey.generate(system_entropy)
            return signed(prefix, device_id, seconds, by=other)
        case "signature of 64 zeros":
            return with_signature(bytes(64))
        case "signature of 60 zeros":
            return with_signature(bytes(60))
        case "standard alphabet":
            standard = signature.replace("-", "+").replace("_", "/")
            return f"{prefix}.{device_id}.{seconds}.{standard}"
        case "signature removed":
            return f"{prefix}.{device_id}.{seconds}"
        case "timestamp 1.5 (makes five parts)":
            return signed(prefix, device_id, "1.5")
        case "timestamp +<now>":
            return signed(prefix, device_id, f"+{seconds}")
        case _:
            raise AssertionError(f"unknown change: {change}")


@handles("wire-sse")
def check_frame(vector: Vector, document: dict[str, Any]) -> None:
    assert _frame(vector).decode() == vector["frame"]


def _frame(vector: Vector) -> bytes:
    event = vector["event"]
    if event is None:
        return {"keepalive": KEEPALIVE_FRAME, "missed events": MISSED_EVENTS_FRAME}[
            vector["description"]
        ]
    content = _content(event)
    if isinstance(content, OrganizationConfigEvent):
        return configuration_frame(content)
    return event_frame(
        Notification(
            organization_id=OrganizationID(_ORGANIZATION),
            event_id=EventID(bytes.fromhex(vector["event_id_hex"])),
            content=content,
            recipients=None,
        )
    )


def _content(event: dict[str, Any]) -> MergedReply:
    kinds = [kind for kind in reply_kinds(EventsListen) if issubclass(kind, MergedReply)]
    (kind,) = (kind for kind in kinds if merged_value(kind) == event["event"])
    hints = get_type_hints(kind)
    fields: dict[str, Any] = {}
    for name, value in event.items():
        if name.endswith("_us"):
            fields[name.removesuffix("_us")] = Instant(value)
        elif name.endswith("_hex"):
            field = name.removesuffix("_hex")
            raw = bytes.fromhex(value) if value is not None else None
            fields[field] = hints[field](raw) if isinstance(hints[field], type) else raw
        else:
            fields[name] = hints[name](value) if name == "invitation_status" else value
    return kind(**fields)


@handles("serverdata-ballpark")
def check_ballpark(vector: Vector, document: dict[str, Any]) -> None:
    inputs = vector["inputs"]
    now = Instant(inputs["server_timestamp_us"])
    found = in_ballpark(Instant(inputs["client_timestamp_us"]), now=now)
    assert found is vector["expected"]["in_the_ballpark"]
