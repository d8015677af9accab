"""QR codes drawn with characters."""

import shutil
import struct
import subprocess
import zlib
from pathlib import Path

import pytest

from parsec.cli.qr import qr_lines, qr_modules

URI = "otpauth://totp/Parsec%3AMyOrganization/alice%40example.com?secret=" + "ABCD" * 8

needs_scanner = pytest.mark.skipif(
    shutil.which("zbarimg") is None, reason="no zbarimg: run scripts/install-counterparts.sh"
)

_HALVES = {" ": (False, False), "▀": (True, False), "▄": (False, True), "█": (True, True)}
_SCALE = 8


def _seen(lines: list[str], *, drawn_is_dark: bool) -> list[list[bool]]:
    """Which of the squares that the lines show are dark."""
    rows: list[list[bool]] = []
    for line in lines:
        text = line.removeprefix("\x1b[30;107m").removesuffix("\x1b[0m")
        rows += [[_HALVES[char][half] == drawn_is_dark for char in text] for half in (0, 1)]
    return rows


def _png(rows: list[list[bool]]) -> bytes:
    """A picture in grey, each module a square."""
    width, height = len(rows[0]) * _SCALE, len(rows) * _SCALE
    line = [bytes(b for dark in row for b in (0 if dark else 255,) * _SCALE) for row in rows]
    raw = b"".join((b"\0" + pixels) * _SCALE for pixels in line)

    def chunk(kind: bytes, content: bytes) -> bytes:
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + (
        chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("colours", [True, False])
def test_the_lines_show_every_module(colours: bool) -> None:
    modules = qr_modules(URI)

    seen = _seen(qr_lines(modules, colours=colours), drawn_is_dark=colours)

    assert seen[: len(modules)] == modules
    assert not any(module for row in seen[len(modules) :] for module in row)


@needs_scanner
@pytest.mark.parametrize("colours", [True, False])
def test_a_scanner_reads_what_is_drawn(colours: bool, tmp_path: Path) -> None:
    lines = qr_lines(qr_modules(URI), colours=colours)
    picture = tmp_path / "code.png"
    picture.write_bytes(_png(_seen(lines, drawn_is_dark=colours)))

    scanned = subprocess.run(
        ["zbarimg", "--raw", "--quiet", str(picture)], capture_output=True, text=True, check=True
    )

    assert scanned.stdout.strip() == URI


def test_a_code_fits_a_small_terminal() -> None:
    lines = qr_lines(qr_modules(URI), colours=False)

    assert len(lines) <= 24
    assert all(len(line) <= 80 for line in lines)


def test_there_is_a_light_margin() -> None:
    modules = qr_modules(URI)

    assert not any(any(row) for row in (*modules[:2], *modules[-2:]))
    assert not any(row[at] for row in modules for at in (0, 1, -2, -1))
