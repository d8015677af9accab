"""QR codes drawn with characters."""

from pathlib import Path

import pytest

from parsec.cli.qr import qr_lines, qr_modules
from tests.support.pictures import modules_of, needs_scanner, scanned

URI = "otpauth://totp/Parsec%3AMyOrganization/alice%40example.com?secret=" + "ABCD" * 8


@pytest.mark.parametrize("colours", [True, False])
def test_the_lines_show_every_module(colours: bool) -> None:
    modules = qr_modules(URI)

    seen = modules_of(qr_lines(modules, colours=colours), drawn_is_dark=colours)

    assert seen[: len(modules)] == modules
    assert not any(module for row in seen[len(modules) :] for module in row)


@needs_scanner
@pytest.mark.parametrize("colours", [True, False])
def test_a_scanner_reads_what_is_drawn(colours: bool, tmp_path: Path) -> None:
    lines = qr_lines(qr_modules(URI), colours=colours)

    assert scanned(modules_of(lines, drawn_is_dark=colours), tmp_path / "code.png") == URI


def test_a_code_fits_a_small_terminal() -> None:
    lines = qr_lines(qr_modules(URI), colours=False)

    assert len(lines) <= 24
    assert all(len(line) <= 80 for line in lines)


def test_there_is_a_light_margin() -> None:
    modules = qr_modules(URI)

    assert not any(any(row) for row in (*modules[:2], *modules[-2:]))
    assert not any(row[at] for row in modules for at in (0, 1, -2, -1))
