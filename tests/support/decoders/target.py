"""What a target is, and the property that most of them share."""

import enum
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from parsec.client.failure import FlowError
from parsec.wire.msgpack import MalformedError

T = TypeVar("T")


class Form(enum.Enum):
    """How the bytes of a target are built, for mutations that keep to it."""

    MSGPACK = enum.auto()
    JSON = enum.auto()
    TEXT = enum.auto()
    BYTES = enum.auto()


@dataclass(frozen=True)
class Target:
    """Something that reads; `check` raises when a property does not hold."""

    name: str
    form: Form
    check: Callable[[bytes], None]
    seeds: Callable[[], Sequence[bytes]]
    """Inputs to begin with, most of which are read."""


def read_again(
    load: Callable[[bytes], T],
    dump: Callable[[T], bytes],
    data: bytes,
    *,
    refusals: tuple[type[Exception], ...] = (MalformedError,),
) -> T | None:
    """What the data says, once it is certain that writing and reading it changes nothing."""
    try:
        value = load(data)
    except refusals:
        return None
    canonical = dump(value)
    again = load(canonical)
    assert again == value, "read again, it says something else"
    # Equal sets may be written in different orders.
    twice = dump(again)
    assert twice == canonical or sorted(twice) == sorted(canonical), "written twice, it differs"
    return value


def check_words(error: FlowError, *secrets: str) -> None:
    """What a person is told is one line, and holds neither a secret nor a trick."""
    for words in (str(error), error.hint or ""):
        assert not any(unicodedata.category(letter) in _TRICKS for letter in words), ascii(words)
        assert not any(secret in words for secret in secrets), "a secret is told"


_TRICKS = ("Cc", "Cf", "Cs", "Zl", "Zp")


def text_of(data: bytes) -> str:
    """Any text at all, as arguments of a program may hold it, halves of surrogate pairs too."""
    return data.decode("utf-8", "surrogateescape")
