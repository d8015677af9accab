"""Text of peers cannot do anything on a terminal but be read."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsec.data.peer_text import terminal_safe


@pytest.mark.parametrize("text", ["Alice", "Zoé Müller", "日本語", "a b", "🙂", "", "c\u0301"])
def test_what_can_be_read_stays(text: str) -> None:
    assert terminal_safe(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", "\ufffd[31mred"),
        ("\x9b31m", "\ufffd31m"),
        ("bell\x07", "bell\ufffd"),
        ("back\x08", "back\ufffd"),
        ("\u202egnp.exe", "\ufffdgnp.exe"),
        ("zero\u200bwidth", "zero\ufffdwidth"),
        ("\ud800", "\ufffd"),
    ],
)
def test_what_acts_on_the_terminal_is_replaced(text: str, shown: str) -> None:
    assert terminal_safe(text) == shown


@pytest.mark.parametrize("text", ["a\nb", "a\tb", "a\u2028b", "a\u00a0b", "a\u3000b", "a\rb"])
def test_white_space_of_any_kind_is_a_space(text: str) -> None:
    assert terminal_safe(text) == "a b"


def test_a_long_text_ends_in_an_ellipsis() -> None:
    shown = terminal_safe("x" * 1_000_000, limit=10)

    assert shown == "x" * 9 + "…"


@given(st.text(), st.integers(min_value=1, max_value=50))
def test_a_line_of_bounded_length_comes_out_of_any_text(text: str, limit: int) -> None:
    shown = terminal_safe(text, limit=limit)

    assert len(shown) <= limit
    assert all(char == " " or unicodedata.category(char)[0] not in "CZ" for char in shown)
