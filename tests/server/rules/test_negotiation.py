"""What a browser would rather read (RFC 9110, 12.5)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsec.server.rules.negotiation import preferred_language, wants_page
from parsec.server.settings import Language

EN, FR = Language.EN, Language.FR

# What browsers send when somebody follows a link.
FIREFOX = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
CHROME = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,"
    "*/*;q=0.8,application/signed-exchange;v=b3;q=0.7"
)


@pytest.mark.parametrize(
    "accept", [FIREFOX, CHROME, "text/html", "TEXT/HTML ; charset=utf-8; q=0.1"]
)
def test_a_browser_wants_a_page(accept: str) -> None:
    assert wants_page(accept)


@pytest.mark.parametrize(
    "accept",
    ["", "*/*", "text/*", "application/json", "text/html;q=0", "text/html; q=0.000", "text/htmlx"],
)
def test_a_program_wants_none(accept: str) -> None:
    assert not wants_page(accept)


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", EN),
        ("fr", FR),
        ("fr-CA, en;q=0.5", FR),
        ("FR-fr", FR),
        ("de, fr;q=0.5, en;q=0.4", FR),
        ("de, en;q=0.5, fr;q=0.4", EN),
        ("en;q=0.4, fr;q=0.5", FR),
        ("fr;q=0, de", EN),
        ("de, *;q=0.5, fr;q=0.4", EN),
        ("frisian", EN),
        ("fr;q=nonsense, en;q=0.9", FR),
        (",;,;q=", EN),
    ],
)
def test_the_language_that_weighs_most_is_taken(header: str, language: Language) -> None:
    assert preferred_language(header, default=EN) is language


def test_who_wants_neither_gets_the_language_of_the_server() -> None:
    assert preferred_language("de", default=FR) is FR


@given(st.text())
def test_nothing_in_a_header_is_a_failure(header: str) -> None:
    assert preferred_language(header, default=EN) in Language
    assert isinstance(wants_page(header), bool)
