"""Where two readers of the same texts disagree, but for what is known and harmless."""

from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from fnmatch import fnmatchcase
from typing import NamedTuple

from parsec.crypto.errors import CryptoError
from parsec.wire.msgpack import MalformedError
from tests.interop.pictures import Picture, picture
from tests.interop.twists import Twisted

ODD = frozenset(
    {
        "the values alone",  # a record as an array
        "an array of a number",  # a whole message as one, or its bytes one by one
        "an array of 16 numbers",
        "an empty array",
        "a text",  # for bytes, keys and tokens
        "a text of 16 bytes",
        "a text of 32 bytes",
        "a text that is not UTF-8",
        "an empty text",
        "no bytes",  # for a text
        "16 bytes",
        "31 bytes",
        "32 bytes",
        "zero",  # a variant by its number
    }
)
"""Changes that the official types put up with, although nobody writes so (wire.md 3.6)."""

MAY_BE_ABSENT = {
    "advisory_device_file_protection",
    "cryptpad",
    "email_sent",
    "realm_minimum_archiving_period_before_deletion",
    "send_email",
    "transit_mount_path",
}
"""Fields that older peers do not send; we put the default in their place."""


class Disagreement(NamedTuple):
    """What changed in a text, and who then reads what; None is a refusal."""

    change: str
    path: str
    ours: Picture
    official: Picture
    text: str


def read(load: Callable[..., object], *arguments: object) -> Picture:
    """The picture of what we read, or None where we refuse it."""
    try:
        return picture(load(*arguments))
    except (MalformedError, CryptoError):
        return None


def disagreements(
    cases: Iterable[tuple[Twisted, Picture, Picture]],
    *,
    official_alone: AbstractSet[str],
    ours_alone: AbstractSet[str] = frozenset(),
) -> Iterator[Disagreement]:
    """The changes after which we read something else than the official types.

    Each case says what changed, what we read and what they read. The changes that only one side
    may accept are given, some for certain fields alone (`left out /author`, `… /children/*`).
    """
    for (change, path, body), ours, official in cases:
        if ours is None:
            excused = official is None or _is_among(official_alone, change, path)
        elif official is None:
            excused = _is_among(ours_alone, change, path)
        else:
            excused = bool(_without_absent(ours, official) == official)
        if not excused:
            yield Disagreement(change, path, ours, official, body.hex())


def _is_among(changes: AbstractSet[str], change: str, path: str) -> bool:
    return change in changes or any(fnmatchcase(f"{change} {path}", each) for each in changes)


def _without_absent(ours: Picture, official: Picture) -> Picture:
    """Our picture without the defaults of fields that the message lacks."""
    match ours, official:
        case (name, dict() as fields), (_, dict() as seen):
            absent = (set(fields) - set(seen)) & MAY_BE_ABSENT
            return name, {
                field: _without_absent(value, seen.get(field))
                for field, value in fields.items()
                if field not in absent
            }
        case list(), list() if len(ours) == len(official):
            return [_without_absent(*pair) for pair in zip(ours, official, strict=True)]
    return ours
