"""Which function checks the vectors of which topic."""

from collections.abc import Callable
from typing import Any, TypeAlias

Vector: TypeAlias = dict[str, Any]
Handler: TypeAlias = Callable[[Vector, dict[str, Any]], None]
"""Called with one vector and the whole file; raises (an assertion) when we disagree."""

HANDLERS: dict[str, Handler] = {}


def handles(*topics: str) -> Callable[[Handler], Handler]:
    """Register a function for topics (a file's name without `.json`)."""

    def register(handler: Handler) -> Handler:
        for topic in topics:
            assert topic not in HANDLERS, f"{topic} has two handlers"
            HANDLERS[topic] = handler
        return handler

    return register
