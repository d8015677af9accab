"""The pages on the protocol keep up with the source."""

import re
from pathlib import Path

import pytest

from parsec.crypto.keys import SigningKey
from parsec.data.ids import DeviceID
from parsec.data.instant import Instant
from parsec.protocol.authentication import bearer_token, device_authorization
from parsec.protocol.command import Family
from parsec.protocol.families import commands
from parsec.protocol.versions import API_VERSION
from scripts.generate_protocol_docs import PAGE, generate

PAGES = PAGE.parent
_LINK = re.compile(r"\]\(([^)#:]*)(?:#([^)]*))?\)")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


def test_the_page_on_commands_is_up_to_date() -> None:
    written = PAGE.read_text(encoding="utf-8")

    assert written == generate(), "run .venv/bin/python scripts/generate_protocol_docs.py"


def test_every_command_has_its_place_on_the_page() -> None:
    headings = _HEADING.findall(generate())

    for family in Family:
        assert f"Family `{family}`" in headings
        assert {f"`{name}`" for name in commands(family)} <= set(headings)


@pytest.mark.parametrize("page", sorted(PAGES.glob("*.md")), ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")

    for path, anchor in _LINK.findall(text):
        target = page.parent / path if path else page
        assert target.exists(), path
        if anchor:
            assert anchor in anchors(target), anchor


def anchors(page: Path) -> set[str]:
    """What the headings of a page are called in links."""
    headings = _HEADING.findall(page.read_text(encoding="utf-8"))
    return {heading.replace("`", "").replace(" ", "-").lower() for heading in headings}


def test_the_index_lists_every_page() -> None:
    index = (PAGES / "README.md").read_text(encoding="utf-8")

    missing = {page.name for page in PAGES.glob("*.md")} - {"README.md"}
    assert all(f"({name})" in index for name in missing)


def test_the_page_on_transport_knows_our_version_and_tokens() -> None:
    text = (PAGES / "transport.md").read_text(encoding="utf-8")
    header = device_authorization(DeviceID(bytes(16)), SigningKey(bytes(32)), now=Instant(0))

    assert f"`{API_VERSION}`" in text
    assert f"`{bearer_token(header).split('.')[0]}." in text
