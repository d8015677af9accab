"""What the page on cryptography shows works, and agrees with the vectors that it names."""

import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
PATH = ROOT / "docs" / "protocol" / "cryptography.md"
PAGE = PATH.read_text(encoding="utf-8")
# Empty lines in front, so that errors tell the lines of the page.
PRELUDE, *PIECES = (
    "\n" * PAGE.count("\n", 0, match.start(1)) + match[1]
    for match in re.finditer(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
)


def test_the_python_on_the_page_agrees_with_the_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    names: dict[str, Any] = {}

    for block in (PRELUDE, *PIECES):
        exec(compile(block, PATH, "exec"), names)

    assert {"derive", "argon2id", "sas_codes", "join", "sequester_verify", "totp"} <= names.keys()


@pytest.mark.parametrize("piece", PIECES, ids=range(len(PIECES)))
def test_every_piece_meets_vectors(piece: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A filter that lets nothing through would prove nothing."""
    monkeypatch.chdir(ROOT)
    names: dict[str, Any] = {}
    exec(PRELUDE, names)

    for file, fields in re.findall(r'vectors\("([\w-]+)"((?:, "\w+")*)\)', piece):
        assert list(names["vectors"](file, *re.findall(r'"(\w+)"', fields))), (file, fields)


def test_the_page_names_every_vector_file_on_cryptography() -> None:
    files = {path.stem for path in (ROOT / "tests" / "vectors").glob("*.json")}

    topics = {
        name for name in files if re.match(r"(crypto|shamir)-|client-(sas|sha|totp|pki)", name)
    }

    assert not {name for name in topics - {"crypto-v0-container"} if name not in PAGE}
