"""Inputs to begin with, out of the vectors."""

import json
from base64 import b64decode
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

VECTORS = Path(__file__).parents[2] / "vectors"


@cache
def document(topic: str) -> dict[str, Any]:
    """A file of vectors."""
    loaded: dict[str, Any] = json.loads((VECTORS / f"{topic}.json").read_text(encoding="utf-8"))
    return loaded


def field(topic: str, name: str, *, group: str = "vectors") -> list[Any]:
    """That field of all vectors of a file which have it."""
    return [vector[name] for vector in document(topic)[group] if name in vector]


def from_hex(topic: str, name: str, *, group: str = "vectors") -> list[bytes]:
    return [bytes.fromhex(text) for text in field(topic, name, group=group)]


def from_base64(topic: str, name: str) -> list[bytes]:
    return [b64decode(text) for text in field(topic, name)]


def from_text(topic: str, name: str, *, group: str = "vectors") -> list[bytes]:
    return [
        text.encode("utf-8", "surrogateescape")
        for text in field(topic, name, group=group)
        if isinstance(text, str)
    ]


def contents(topic: str, *types: str) -> Sequence[bytes]:
    """The maps inside of the records of a file, of all types unless some are named."""
    return [
        bytes.fromhex(vector["content_hex"])
        for vector in document(topic)["vectors"]
        if "content_hex" in vector and (not types or vector["type"] in types)
    ]
