"""Vectors of what a client decides alone: short device IDs and waits."""

from itertools import islice
from typing import Any

from parsec.client.rules.device_choice import (
    NoSuchDevice,
    SeveralDevices,
    choose_device,
    short_id_length,
    short_ids,
)
from parsec.client.rules.timing import keepalive_timeout, poll_gaps_ms, reconnection_wait
from parsec.data.ids import DeviceID
from tests.conformance.registry import Vector, handles


@handles("client-short-ids")
def check_short_ids(vector: Vector, document: dict[str, Any]) -> None:
    device_ids = [DeviceID.parse(text) for text in vector["device_ids"]]
    found: dict[str, Any]
    if "prefix" in vector:
        found = _selection(device_ids, vector["prefix"])
    else:
        found = {"length": short_id_length(device_ids), "short_ids": short_ids(device_ids)}

    assert found == vector["expected"]


@handles("client-timing")
def check_timing(vector: Vector, document: dict[str, Any]) -> None:
    found: dict[str, Any]
    if "base_ms" in vector:
        found = {"gaps_ms": list(islice(poll_gaps_ms(vector["base_ms"]), vector["count"]))}
    elif "attempts" in vector:
        retry = vector.get("retry_s")
        waits = [reconnection_wait(number, retry=retry) for number in range(vector["attempts"])]
        found = {"waits_s": waits}
    else:
        found = {"timeout_s": keepalive_timeout(vector["sse_keepalive_seconds"])}

    assert found == vector["expected"]


def _selection(device_ids: list[DeviceID], prefix: str) -> dict[str, Any]:
    try:
        return {"device_id": choose_device(device_ids, prefix).hex()}
    except NoSuchDevice:
        return {"error": "no device"}
    except SeveralDevices as error:
        matches = [device_id.hex() for device_id in error.matches]
        return {"error": "several devices", "matches": matches}
