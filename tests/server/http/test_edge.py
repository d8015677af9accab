"""What all answers have in common: names of requests, and headers for browsers."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
import structlog
from structlog.testing import LogCapture

from parsec.protocol.organization import OrganizationInfo
from parsec.server.command.log_lines import name_request
from parsec.server.http import rpc
from parsec.server.http.edge import REQUEST
from parsec.server.store.engine import StorageError
from tests.support.asgi import Answer, request
from tests.support.server_app import MSGPACK, ServerApp, server_app


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The lines of the log, as their fields."""
    capture = LogCapture()
    structlog.configure(processors=[name_request, capture])
    monkeypatch.setattr(rpc, "_log", structlog.get_logger())
    return capture.entries


@pytest.fixture
async def server(log: list[Any]) -> AsyncIterator[ServerApp]:
    async with server_app() as made:
        yield made
    structlog.reset_defaults()


async def refused(server: ServerApp, **headers: str) -> Answer:
    return await request(server.app, "POST", "/anonymous/Nowhere", MSGPACK | headers, b"")


async def test_an_error_names_its_request(server: ServerApp) -> None:
    answers = [
        await refused(server),
        await request(server.app, "GET", "/nowhere"),
        await request(server.app, "DELETE", "/anonymous/Org"),
        await request(server.app, "GET", "/administration/stats"),
    ]

    names = [answer.headers["x-request-id"] for answer in answers]
    assert all(re.fullmatch("[0-9a-f]{16}", name) for name in names)
    assert len(set(names)) == len(names)


async def test_what_went_well_has_no_name(server: ServerApp) -> None:
    answer = await request(server.app, "GET", "/")

    assert "x-request-id" not in answer.headers


async def test_nobody_names_his_own_request(server: ServerApp) -> None:
    answer = await refused(server, **{"X-Request-Id": "0123456789abcdef"})

    assert answer.headers["x-request-id"] != "0123456789abcdef"


async def test_a_line_of_the_log_names_its_request(server: ServerApp, log: list[Any]) -> None:
    answer = await refused(server)

    (line,) = [line for line in log if line["event"] == "rpc"]
    assert line["request"] == answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("failure", "event"),
    [(ZeroDivisionError(), "bug"), (StorageError("the disk is full"), "storage failed")],
)
async def test_a_failure_is_found_by_the_name_that_its_answer_has(
    server: ServerApp,
    log: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    failure: Exception,
    event: str,
) -> None:
    async def fail(*_: object) -> None:
        raise failure

    alice = await server.bootstrap("Org")
    monkeypatch.setattr(rpc, "COMMANDS", {OrganizationInfo: fail})

    answer = await server.send(alice, OrganizationInfo())

    (line,) = [line for line in log if line["event"] == event]
    assert line["request"] == answer.headers["x-request-id"]


async def test_the_administration_too_is_told_that_the_database_is_away(
    server: ServerApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise StorageError("the database is away")

    monkeypatch.setattr(type(server.server.engine), "transaction", fail)
    answer = await server.admin("GET", "stats")

    assert (answer.status, answer.json) == (503, {"detail": "Storage unavailable"})


async def test_the_name_is_forgotten_with_the_request(server: ServerApp) -> None:
    await refused(server)

    assert REQUEST.get(None) is None


@pytest.mark.parametrize("path", ["/", "/nowhere", "/administration/stats", "/health"])
async def test_browsers_are_told_to_be_careful(server: ServerApp, path: str) -> None:
    answer = await request(server.app, "GET", path)

    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json"])
async def test_no_page_loads_scripts_of_others(server: ServerApp, path: str) -> None:
    answer = await request(server.app, "GET", path)

    assert answer.status == 404
    assert "default-src 'none'" in answer.headers["content-security-policy"]
