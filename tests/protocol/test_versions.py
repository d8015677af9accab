"""Versions of the API."""

import pytest

from parsec.protocol.versions import API_VERSION, ApiVersion


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("5.5", (5, 5)),
        ("05.05", (5, 5)),
        ("+5.+5", (5, 5)),
        ("4294967295.0", (4294967295, 0)),
    ],
)
def test_reads_two_numbers(text: str, version: tuple[int, int]) -> None:
    assert ApiVersion.parse(text) == version


@pytest.mark.parametrize(
    "text",
    ["", "5", "5.", ".5", "5.5.5", "-5.5", " 5.5", "5.5 ", "5,5", "5.x", "4294967296.0", "5_0.5",
     "0.4294967296", "\u0665.5", "9" * 5000 + ".0"],
)  # fmt: skip
def test_other_text_is_no_version(text: str) -> None:
    with pytest.raises(ValueError):
        ApiVersion.parse(text)


def test_is_written_as_it_is_read() -> None:
    assert str(API_VERSION) == "5.5"
    assert ApiVersion.parse(str(API_VERSION)) == API_VERSION


@pytest.mark.parametrize(
    ("other", "understood"), [("5.0", True), ("5.99", True), ("4.5", False), ("6.0", False)]
)
def test_revisions_understand_each_other(other: str, understood: bool) -> None:
    assert API_VERSION.understands(ApiVersion.parse(other)) == understood
