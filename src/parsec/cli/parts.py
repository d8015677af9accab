"""Parts of lines: text made safe for terminals, colours, JSON."""

from collections.abc import Sequence
from typing import Any

_YELLOW, _GREEN, _RED = "\x1b[33m", "\x1b[92m", "\x1b[91m"
_DEFAULT = "\x1b[39m"
_LONGEST = 8_000


class Painted:
    """A part in a colour."""

    def __init__(self, text: str, code: str) -> None:
        self.text = text
        self.code = code


class Verbatim(str):
    """A part of our own that holds control characters, such as a TAB between columns."""

    __slots__ = ()


TAB = Verbatim("\t")


def yellow(text: str) -> Painted:
    """For what is to be picked out: identifiers, codes, links."""
    return Painted(text, _YELLOW)


def green(text: str) -> Painted:
    """For what is well."""
    return Painted(text, _GREEN)


def red(text: str) -> Painted:
    """For what is not."""
    return Painted(text, _RED)


def line(parts: Sequence[str | Painted], *, paints: bool) -> str:
    """The parts in a row, with colours if they are wanted, and one line end."""
    return "".join(_shown(part, paints=paints) for part in parts) + "\n"


def safe(text: str) -> str:
    """The text with nothing in it that a terminal would obey; spaces around it stay."""
    if text.isascii() and text.isprintable():
        return text
    from parsec.data.peer_text import terminal_safe

    inner = text.strip(" ")
    if not inner:
        return text
    before, _, after = text.partition(inner)
    return f"{before}{terminal_safe(inner, limit=_LONGEST)}{after}"


def fitting(text: str, columns: int) -> str:
    """As much of a text as takes that many columns at most."""
    if text.isascii():
        return text[:columns]
    from unicodedata import east_asian_width

    taken = 0
    for place, char in enumerate(text):
        taken += 2 if east_asian_width(char) in ("W", "F") else 1
        if taken > columns:
            return text[:place]
    return text


def json_text(value: Any, *, indent: int | None = None, sort_keys: bool = False) -> str:
    """JSON with nothing in it that a terminal would obey."""
    import json

    text = json.dumps(value, indent=indent, sort_keys=sort_keys, ensure_ascii=False)
    if text.isprintable():
        return text
    # JSON has such characters only within strings, where they may be escaped.
    return "".join(char if char.isprintable() or char == "\n" else _escaped(char) for char in text)


def _shown(part: str | Painted, *, paints: bool) -> str:
    if isinstance(part, Verbatim):
        return str(part)
    if isinstance(part, Painted):
        return f"{part.code}{safe(part.text)}{_DEFAULT}" if paints else safe(part.text)
    return safe(part)


def _escaped(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
