"""Text that a peer wrote, made safe to show to a person."""

import unicodedata

_LIMIT = 200
_REPLACEMENT = "\ufffd"


def terminal_safe(text: str, *, limit: int = _LIMIT) -> str:
    """One line that cannot move the cursor, change its colour, reverse its order or hide itself.

    Control and format characters (escape sequences, bidirectional overrides, zero widths) become
    U+FFFD, white space becomes a space, and what is longer than `limit` ends in an ellipsis.
    """
    # Cut first: a peer may send megabytes.
    shown = "".join(_safe(char) for char in text[: limit + 1]).strip()
    return shown if len(text) <= limit else shown[: limit - 1] + "…"


def _safe(char: str) -> str:
    if char.isspace() or unicodedata.category(char) == "Zs":
        return " "
    return char if char.isprintable() else _REPLACEMENT
