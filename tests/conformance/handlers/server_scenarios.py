"""Scripts of requests with the expected answers, played against a live server."""

from typing import Any

import pytest

from tests.conformance.registry import Vector, handles
from tests.conformance.scenarios.runner import play
from tests.conformance.scenarios.server import OptionsUnsupported, server_under_test


@handles(
    "server-scenarios-auth",
    "server-scenarios-events",
    "server-scenarios-greeting",
    "server-scenarios-invite",
    "server-scenarios-options",
    "server-scenarios-organization",
    "server-scenarios-shamir",
    "server-scenarios-tos",
    "server-scenarios-totp",
    "server-scenarios-users",
)
def check_scenario(scenario: Vector, document: dict[str, Any]) -> None:
    assert document["format"] == 1, "scenarios of another format"
    try:
        server = server_under_test(scenario.get("server_options", []))
    except OptionsUnsupported as reason:
        pytest.skip(str(reason))
    play(scenario, server)
