"""Lies for hypothesis to choose from: what a server may do to any exchange."""

import enum
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

import msgpack  # type: ignore[import-untyped]
from hypothesis import strategies as st

from tests.support.liar import Forward, Heard, Lie, Said

STATUSES = (
    *(204, 301, 400, 401, 403, 404, 405, 406, 410, 413, 415, 422, 429),
    *(460, 461, 462, 463, 464, 498, 500, 503),
)
_MSGPACK = (("Api-Version", "5.5"), ("Content-Type", "application/msgpack"))
_OTHER_STATUSES = ("ok", "not_ready", "not_found", "greeting_attempt_cancelled", "throttled", "¿?")


class Kind(enum.Enum):
    """What is done."""

    DROP_REQUEST = enum.auto()
    DROP_ANSWER = enum.auto()
    REPEAT_REQUEST = enum.auto()
    FORMER_ANSWER = enum.auto()
    FORMER_ANSWER_TO_THE_SAME = enum.auto()
    STATUS = enum.auto()
    GARBAGE = enum.auto()
    CUT = enum.auto()
    FLIP = enum.auto()
    OTHER_STATUS = enum.auto()
    CHANGE_FIELD = enum.auto()
    SWAP_FIELDS = enum.auto()
    NEST = enum.auto()
    BOMB = enum.auto()


@dataclass(frozen=True)
class Plan:
    """A lie, where it is told, and whether from there on at every exchange."""

    kind: Kind
    at: int
    lasting: bool
    seed: int

    def lie(self) -> Lie:
        """The lie itself, which remembers what was answered before."""
        former: list[tuple[str | None, Said]] = []

        def tell(heard: Heard, forward: Forward) -> Said | None:
            is_due = heard.number >= self.at if self.lasting else heard.number == self.at
            if not is_due:
                said = forward()
                former.append((heard.command, said))
                return said
            return _told(self.kind, heard, forward, former, Random(self.seed + heard.number))

        return tell


def plans(longest: int) -> st.SearchStrategy[Plan]:
    """Lies somewhere among that many exchanges."""
    return st.builds(
        Plan,
        kind=st.sampled_from(Kind),
        at=st.integers(0, longest),
        lasting=st.booleans(),
        seed=st.integers(0, 1 << 16),
    )


def _told(
    kind: Kind, heard: Heard, forward: Forward, former: list[tuple[str | None, Said]], dice: Random
) -> Said | None:
    match kind:
        case Kind.DROP_REQUEST:
            return None
        case Kind.DROP_ANSWER:
            forward()
            return None
        case Kind.REPEAT_REQUEST:
            forward()
            return forward()
        case Kind.FORMER_ANSWER:
            return former[-1][1] if former else None
        case Kind.FORMER_ANSWER_TO_THE_SAME:
            same = [said for command, said in former if command == heard.command]
            return dice.choice(same) if same else forward()
        case Kind.STATUS:
            return Said(dice.choice(STATUSES), (("Api-Version", "5.5"),), b"")
        case Kind.GARBAGE:
            return Said(200, _MSGPACK, dice.randbytes(dice.randrange(200)))
        case Kind.NEST:
            return Said(200, _MSGPACK, b"\x91" * 200_000)
        case Kind.BOMB:
            return Said(200, _MSGPACK, b"\xdf\xff\xff\xff\xff")
        case _:
            said = forward()
            return said.but(body=_CHANGES[kind](said.body, dice))


# --- What is done to a body ---


def _cut(body: bytes, dice: Random) -> bytes:
    return body[: dice.randrange(len(body))] if body else b"\xc0"


def _flip(body: bytes, dice: Random) -> bytes:
    if not body:
        return b"\xc0"
    changed = bytearray(body)
    changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
    return bytes(changed)


def _other_status(body: bytes, dice: Random) -> bytes:
    value = _loaded(body)
    if not isinstance(value, dict):
        return b"\xc0"
    return _dumped({**value, "status": dice.choice(_OTHER_STATUSES)})


def _change_field(body: bytes, dice: Random) -> bytes:
    value = _loaded(body)
    places = list(_places(value))
    if not places:
        return b"\xc0"
    container, key = dice.choice(places)
    container[key] = _changed(container[key], dice)
    return _dumped(value)


def _swap_fields(body: bytes, dice: Random) -> bytes:
    value = _loaded(body)
    places = list(_places(value))
    pairs = [
        (one, other)
        for number, one in enumerate(places)
        for other in places[number + 1 :]
        if type(one[0][one[1]]) is type(other[0][other[1]]) and one[0] is not other[0]
    ] or [(one, other) for one in places for other in places if one is not other]
    if not pairs:
        return b"\xc0"
    (one, first), (other, second) = dice.choice(pairs)
    one[first], other[second] = other[second], one[first]
    try:
        return _dumped(value)
    except (ValueError, RecursionError):
        return b"\xc0"  # one of them was inside of the other


_CHANGES: dict[Kind, Callable[[bytes, Random], bytes]] = {
    Kind.CUT: _cut,
    Kind.FLIP: _flip,
    Kind.OTHER_STATUS: _other_status,
    Kind.CHANGE_FIELD: _change_field,
    Kind.SWAP_FIELDS: _swap_fields,
}


def _loaded(body: bytes) -> Any:
    try:
        return msgpack.unpackb(body, strict_map_key=False)
    except ValueError:
        return None


def _dumped(value: Any) -> bytes:
    return bytes(msgpack.packb(value))


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    keys = (
        value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    )
    for key in list(keys):
        yield value, key
        yield from _places(value[key])


def _changed(value: Any, dice: Random) -> Any:
    match value:
        case bool():
            return not value
        case int():
            return dice.choice([value + 1, value - 1, 0, -1, 255, (1 << 63) - 1])
        case bytes():
            return dice.choice([b"", _flip(value, dice), dice.randbytes(len(value)), value * 2])
        case str():
            return dice.choice(["", value[::-1], value + "\0", "x" * 300])
        case list():
            shuffled = dice.sample(value, len(value))
            return dice.choice([[], shuffled, value[1:], value[:-1], value * 2])
        case dict():
            kept = [item for item in value.items() if dice.random() < 0.5]
            return dice.choice([{}, dict(kept), None])
        case msgpack.ExtType():
            return msgpack.ExtType(value.code, _flip(value.data, dice))
        case _:
            return dice.choice([0, b"", "", [], {}, True])
