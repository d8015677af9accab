"""Sources of random bytes."""

import os
from collections.abc import Callable
from typing import TypeAlias

Entropy: TypeAlias = Callable[[int], bytes]
"""From a number of bytes to that many unpredictable ones."""


def system_entropy(count: int, /) -> bytes:
    """The operating system's source; only the edges of the program may name it."""
    return os.urandom(count)
