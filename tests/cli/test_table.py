"""Lists in columns."""

from parsec.cli.console import Console, Look
from parsec.cli.parts import red
from parsec.cli.table import show_table
from tests.support.shell import Printed


def show(captured: Printed, *rows: list[str]) -> list[str]:
    """What a table of a name, a number and a text looks like, with its heading."""
    show_table(Console(Look()), ("NAME", "COUNT", "TEXT"), rows, numbers=("COUNT",))
    return [*captured.err.splitlines(), *captured.out.splitlines()]


def test_columns_stand_under_their_heading_and_numbers_at_the_right(captured: Printed) -> None:
    lines = show(captured, ["a", "5", "long text"], ["abcdef", "123456", "x"])

    assert lines == [
        "NAME     COUNT  TEXT",
        "a            5  long text",
        "abcdef  123456  x",
    ]


def test_wide_and_combining_characters_take_the_room_they_take(captured: Printed) -> None:
    lines = show(captured, ["漢字", "1", "x"], ["e\u0301", "1", "y"])

    assert lines[1:] == ["漢字      1  x", "e\u0301         1  y"]


def test_colours_take_no_room(captured: Printed) -> None:
    console = Console(Look(color="always"))

    show_table(console, ("NAME", "TEXT"), [[red("a"), "x"], ["abcd", "y"]])

    assert captured.out == "\x1b[91ma\x1b[39m     x\nabcd  y\n"


def test_what_a_peer_wrote_moves_no_column(captured: Printed) -> None:
    lines = show(captured, ["a\x1b[2J", "1", "x"], ["b", "1", "y"])

    assert lines[1:] == ["a\ufffd[2J      1  x", "b          1  y"]
