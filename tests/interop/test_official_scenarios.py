"""Who judges our server judges the official one rightly: the scenarios tell what it answers."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.scenarios.runner import play
from tests.conformance.scenarios.server import official_server

VECTORS = Path(__file__).parent.parent / "vectors"

SCENARIOS = [
    pytest.param(scenario, id=scenario["name"])
    for file in sorted(VECTORS.glob("server-scenarios-*.json"))
    for scenario in json.loads(file.read_text(encoding="utf-8"))["scenarios"]
]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_official_server_answers_as_the_scenarios_say(
    scenario: dict[str, Any], official_python: str
) -> None:
    play(scenario, official_server(official_python, scenario.get("server_options", [])))
