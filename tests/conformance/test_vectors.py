"""Every vector file of a folder, one test case per vector (`make conformance VECTORS=DIR`)."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conformance import handlers as _handlers  # noqa: F401  (registers the topics)
from tests.conformance.registry import HANDLERS, Vector

OWN_VECTORS = Path(__file__).parent.parent / "vectors"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    folder = Path(metafunc.config.getoption("--vectors") or OWN_VECTORS)
    files = sorted(folder.glob("*.json"))
    if not files:
        raise pytest.UsageError(f"no vector file in {folder}")
    cases = [case for file in files for case in _cases(file)]
    metafunc.parametrize(("topic", "vector", "document"), cases)


def test_vector(topic: str, vector: Vector | None, document: dict[str, Any]) -> None:
    handler = HANDLERS.get(topic)
    assert handler is not None, f"no handler for the topic {topic}"
    assert vector is not None, f"{topic} holds no vector"
    if not (vector.get("optional") or vector.get("level") == "may"):
        handler(vector, document)
        return
    try:
        handler(vector, document)
    except Exception as error:
        pytest.xfail(f"optional, we answer otherwise: {error!r}"[:200])


def _cases(file: Path) -> list[Any]:
    document = json.loads(file.read_text(encoding="utf-8"))
    topic = file.stem
    vectors: list[Vector | None] = [*_vectors(document)] or [None]
    return [
        pytest.param(topic, vector, document, id=f"{topic}-{_name(vector, number)}")
        for number, vector in enumerate(vectors)
    ]


def _vectors(document: dict[str, Any]) -> list[Vector]:
    """What stands in the lists of a file, whatever the lists are called."""
    return [
        vector
        for group in document.values()
        if isinstance(group, list)
        for vector in group
        if isinstance(vector, dict)
    ]


def _name(vector: Vector | None, number: int) -> str:
    text = (vector or {}).get("name") or (vector or {}).get("description") or ""
    return f"{number}-{text}"[:80].encode("ascii", "replace").decode()
