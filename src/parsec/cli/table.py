"""Lists whose columns stand under each other."""

from collections.abc import Collection, Sequence
from typing import TypeAlias

from parsec.cli.console import Console
from parsec.cli.parts import Painted, safe

Cell: TypeAlias = str | Painted

_GAP = "  "


def show_table(
    console: Console,
    heading: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    *,
    numbers: Collection[str] = (),
) -> None:
    """Each row as a line of results, below a heading that is none.

    The columns of `numbers` are aligned at the right. The last column takes what room it needs:
    what may be long belongs there, where a line that wraps leaves the others readable.
    """
    widths = [max(map(_width, column)) for column in zip(heading, *rows, strict=True)][:-1]
    right = [title in numbers for title in heading][:-1]
    console.message(*_padded(heading, widths, right))
    for row in rows:
        console.data(*_padded(row, widths, right))


def _padded(row: Sequence[Cell], widths: Sequence[int], right: Sequence[bool]) -> list[Cell]:
    parts: list[Cell] = []
    for cell, width, at_right in zip(row[:-1], widths, right, strict=True):
        space = " " * (width - _width(cell))
        parts += [space, cell, _GAP] if at_right else [cell, space + _GAP]
    return [*parts, row[-1]]


def _width(cell: Cell) -> int:
    """How many columns of a terminal a cell takes."""
    text = safe(cell.text if isinstance(cell, Painted) else cell)
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(
        2 if east_asian_width(char) in ("W", "F") else 1 for char in text if not combining(char)
    )
