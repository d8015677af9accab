"""What PostgreSQL spells otherwise in statements that are written once for both databases.

The shared language is small: no escapes in texts but the doubled quote, no dollar quotes, and no
columns that number themselves (a number that must follow another one has a row of its own).
"""

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import TypeVar

import msgspec

_PARTS = re.compile(
    r"""
    (?P<kept> '(?:[^']|'')*' | "(?:[^"]|"")*" | --[^\n]* | /\*.*?\*/ | :: )
    | : (?P<name> [A-Za-z_][A-Za-z0-9_]* )
    | (?P<word> [A-Za-z_][A-Za-z0-9_]* )
    """,
    re.VERBOSE | re.DOTALL,
)

# A comment that only one database reads: the other has no locks on rows, and one writer.
_FOR_POSTGRESQL = re.compile(r"/\* PostgreSQL: (?P<text>[^*]*) \*/")

_TYPES = {
    "BLOB": "BYTEA",
    # The order of the bytes, as in SQLite, whatever language the database is set to.
    "TEXT": 'TEXT COLLATE "C"',
}


T = TypeVar("T")


class Statement(msgspec.Struct, frozen=True):
    """A statement with numbered parameters, and what they are called, in their order."""

    text: str
    names: tuple[str, ...]

    def arguments(self, values: Mapping[str, T]) -> list[T]:
        """The values of the parameters, in their order."""
        return [values[name] for name in self.names]


@cache  # All statements are constants.
def numbered(sql: str) -> Statement:
    """A statement with `:name` parameters as PostgreSQL takes it, with `$1`, `$2`…"""
    return _spelled(sql, lambda number: f"${number}")


@cache
def for_many(sql: str, types: tuple[str, ...]) -> Statement:
    """The same for many values of each parameter, in arrays; `types` are those of the values.

    Each row that is found begins with the place in them, from 1 on, of the values it was found for.
    """
    # Names that no table has: a column that is missing must not be found among the values.
    inner = _spelled(sql, lambda number: f"asked_.value_{number}_")
    arrays = ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(types, 1))
    names = ", ".join(f"value_{number}_" for number in range(1, len(types) + 1))
    text = f"""
SELECT asked_.place_, found_.*
FROM unnest({arrays}) WITH ORDINALITY AS asked_({names}, place_)
CROSS JOIN LATERAL ({inner.text}) AS found_"""  # noqa: S608  (of constants)
    return Statement(text, inner.names)


def _spelled(sql: str, parameter: Callable[[int], str]) -> Statement:
    numbers: dict[str, int] = {}

    def replaced(match: re.Match[str]) -> str:
        name = match["name"]
        return parameter(numbers.setdefault(name, len(numbers) + 1)) if name else match[0]

    text = _PARTS.sub(replaced, _FOR_POSTGRESQL.sub(r"\g<text>", sql))
    return Statement(text, tuple(numbers))


def postgresql_schema(sql: str) -> str:
    """The statements of a migration as PostgreSQL takes them."""
    return _PARTS.sub(lambda match: _TYPES.get(match["word"] or "", match[0]), sql)


# PostgreSQL has no NUL in texts. It is written as a mark and 0; the mark itself, which is no
# character that anybody is assigned (U+FDD0), as the mark and 1.
_MARK = "\ufdd0"


def text_without_nul(text: str) -> str:
    """What PostgreSQL is given to keep a text; most are kept as they are."""
    if "\0" not in text and _MARK not in text:
        # Its own methods aside, a text of a kind is a text.
        return text
    return text.replace(_MARK, f"{_MARK}1").replace("\0", f"{_MARK}0")


def text_with_nul(kept: str) -> str:
    """The text of which that was kept."""
    if _MARK not in kept:
        return kept
    return kept.replace(f"{_MARK}0", "\0").replace(f"{_MARK}1", _MARK)
