"""QR codes as a camera sees them: half blocks become a picture, and a scanner reads it."""

import shutil
import struct
import subprocess
import zlib
from collections.abc import Sequence
from pathlib import Path

import pytest

needs_scanner = pytest.mark.skipif(
    shutil.which("zbarimg") is None, reason="no zbarimg: run scripts/install-counterparts.sh"
)

_HALVES = {" ": (False, False), "▀": (True, False), "▄": (False, True), "█": (True, True)}
_SCALE = 8


def modules_of(lines: Sequence[str], *, drawn_is_dark: bool) -> list[list[bool]]:
    """Which of the squares that the lines show are dark."""
    rows: list[list[bool]] = []
    for line in lines:
        text = line.removeprefix("\x1b[30;107m").removesuffix("\x1b[0m")
        rows += [[_HALVES[char][half] == drawn_is_dark for char in text] for half in (0, 1)]
    return rows


def scanned(modules: Sequence[Sequence[bool]], picture: Path) -> str:
    """What a scanner reads of the squares, which are drawn into a file."""
    picture.write_bytes(_png(modules))
    found = subprocess.run(
        ["zbarimg", "--raw", "--quiet", str(picture)], capture_output=True, text=True, check=True
    )
    return found.stdout.strip()


def _png(rows: Sequence[Sequence[bool]]) -> bytes:
    """A picture in grey."""
    lines = [bytes(b for dark in row for b in (0 if dark else 255,) * _SCALE) for row in rows]
    raw = b"".join((b"\0" + pixels) * _SCALE for pixels in lines)
    width, height = len(rows[0]) * _SCALE, len(rows) * _SCALE
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(raw)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*each) for each in chunks)


def _chunk(kind: bytes, content: bytes) -> bytes:
    body = kind + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))
