"""Parts of lines: nothing that a peer wrote is obeyed by a terminal."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsec.cli.parts import TAB, green, json_text, line, safe, yellow


def test_control_characters_do_not_reach_the_terminal() -> None:
    shown = line(["Alice\x1b[2J\r\nError: forged", "\x07\x9b31m"], paints=False)

    assert shown == "Alice\ufffd[2J  Error: forged\ufffd\ufffd31m\n"


def test_bidirectional_overrides_do_not_reach_the_terminal() -> None:
    assert line(["user\u202egpj.exe"], paints=False) == "user\ufffdgpj.exe\n"


def test_spaces_around_a_part_stay() -> None:
    assert line(["  Ä:  ", "x"], paints=False) == "  Ä:  x\n"


def test_only_our_own_tabs_separate_columns() -> None:
    assert line(["a\tb", TAB, "c"], paints=False) == "a b\tc\n"


def test_colours_are_those_of_the_official_program_and_reset_the_foreground_alone() -> None:
    assert (
        line([yellow("5CDY"), green("✔")], paints=True) == "\x1b[33m5CDY\x1b[39m\x1b[92m✔\x1b[39m\n"
    )


def test_a_painted_part_is_made_safe_too() -> None:
    assert line([yellow("\x1b[0m")], paints=True) == "\x1b[33m\ufffd[0m\x1b[39m\n"


@given(st.text(max_size=60))
def test_a_line_is_one_line_without_control_characters(text: str) -> None:
    shown = line([text], paints=False)

    assert shown.endswith("\n")
    assert safe(shown[:-1]) == shown[:-1]
    assert "\x1b" not in shown
    assert "\n" not in shown[:-1]


@given(st.text())
def test_json_holds_what_was_given_and_nothing_to_obey(text: str) -> None:
    shown = json_text({"name": text})

    assert json.loads(shown) == {"name": text}
    assert shown.isprintable()


@pytest.mark.parametrize("value", [[], {}, ["é", {"a": None}]])
def test_indented_json_reads_back(value: object) -> None:
    assert json.loads(json_text(value, indent=2)) == value
