"""What a browser would rather read: a page or not, and in which language (RFC 9110, 12.5)."""

import re
from collections.abc import Iterator

from parsec.server.settings import Language

# Longer ones are no browser's; the rest is not looked at.
_MAX_LENGTH = 1000

_WEIGHT = re.compile(r"\s*[qQ]\s*=\s*(?P<weight>[01](?:\.[0-9]{0,3})?)\s*")

_PAGES = ("text/html", "application/xhtml+xml")


def wants_page(accept: str) -> bool:
    """Whether an `Accept` header names pages: browsers do, programs take anything."""
    return any(name in _PAGES and weight > 0 for name, weight in _weighted(accept))


def preferred_language(accept_language: str, *, default: Language) -> Language:
    """The language that an `Accept-Language` header weighs most, among those that there are."""
    best, highest = default, 0.0
    for name, weight in _weighted(accept_language):
        found = default if name == "*" else _LANGUAGES.get(name.partition("-")[0])
        if found is not None and weight > highest:
            best, highest = found, weight
    return best


_LANGUAGES = {language.value: language for language in Language}


def _weighted(header: str) -> Iterator[tuple[str, float]]:
    for item in header[:_MAX_LENGTH].split(","):
        name, *parameters = item.split(";")
        weights = [match for text in parameters if (match := _WEIGHT.fullmatch(text))]
        yield name.strip().lower(), float(weights[0]["weight"]) if weights else 1.0
