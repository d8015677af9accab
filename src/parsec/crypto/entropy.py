"""Sources of random bytes."""

import secrets
from collections.abc import Callable
from typing import TypeAlias

Entropy: TypeAlias = Callable[[int], bytes]
"""From a number of bytes to that many unpredictable ones."""

system_entropy: Entropy = secrets.token_bytes
"""The operating system's source; only the edges of the program may name it."""
