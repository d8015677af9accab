"""Texts that come back from the database, where only what was checked is ever written."""

from functools import lru_cache
from typing import TypeVar

from parsec.data.people import EmailAddress, HumanHandle, Text

T = TypeVar("T", bound=Text)


def stored_text(kind: type[T], text: str) -> T:
    """A text of a kind, without the checks: they take longer than the query that loads it."""
    return str.__new__(kind, text)


@lru_cache(maxsize=4096)  # Most requests are of people who just sent another one.
def stored_human_handle(email: str, label: str) -> HumanHandle:
    """The same for a person."""
    return HumanHandle(stored_text(EmailAddress, email), label)
