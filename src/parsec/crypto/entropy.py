"""Sources of random bytes."""

from collections.abc import Callable
from typing import TypeAlias

Entropy: TypeAlias = Callable[[int], bytes]
"""From a number of bytes to that many unpredictable ones."""


def system_entropy(count: int, /) -> bytes:
    """The operating system's source; only the edges of the program may name it."""
    # When it is used: it comes with every other generator of random numbers.
    import secrets

    return secrets.token_bytes(count)
