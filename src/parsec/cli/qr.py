"""QR codes as lines of text, two rows of modules to a line."""

from collections.abc import Sequence

_BLACK_ON_WHITE = "\x1b[30;107m"
_RESET = "\x1b[0m"
_QUIET_ZONE = 2
"""Modules around the code; the standard says four, phones need one, terminals are small."""

_DARK = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}


def qr_modules(content: str) -> list[list[bool]]:
    """The modules of a code row by row, True where they are dark, with the light ones around."""
    import segno

    # The lowest level of correction, since nothing smudges a screen: fewer modules, larger ones.
    code = segno.make_qr(content, error="l", boost_error=False)
    return [[bool(module) for module in row] for row in code.matrix_iter(border=_QUIET_ZONE)]


def qr_lines(modules: Sequence[Sequence[bool]], *, colours: bool) -> list[str]:
    """The code in half blocks, black on white.

    Without colours its light modules are drawn, as it is right on dark terminals.
    """
    rows = [list(row) for row in modules]
    if len(rows) % 2:
        rows.append([False] * len(rows[0]))
    drawn = [
        "".join(
            _DARK[upper == colours, lower == colours]
            for upper, lower in zip(rows[at], rows[at + 1], strict=True)
        )
        for at in range(0, len(rows), 2)
    ]
    return [f"{_BLACK_ON_WHITE}{line}{_RESET}" for line in drawn] if colours else drawn
