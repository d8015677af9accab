"""What the log never holds (server-core.md 1.6, 20.18)."""

import contextvars
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.typing import Processor

from parsec.data.instant import Instant
from parsec.server.command import log_lines
from parsec.server.command.failure import Failure
from parsec.server.command.log_lines import harmless, make_harmless, name_request, quick_lines
from parsec.server.command.logs import configure_logs
from parsec.server.http.edge import REQUEST

TOKEN = "xBCHa3dE9fXyZ0123456789abc"


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {TOKEN}",
        f"bearer  Bearer {TOKEN} failed",
        f"GET /redirect/Org?a=claim_user&p={TOKEN}",
        f"parsec3://host/Org?p={TOKEN}&no_ssl=true",
        f"webRedirectUrl=parsec3%3A//host/Org%3Fa%3Dclaim_user%26p%3D{TOKEN}",
    ],
)
def test_tokens_are_taken_out(text: str) -> None:
    assert TOKEN not in harmless(text)


def test_the_rest_of_a_line_stays() -> None:
    text = f"parsec3://host/Org?p={TOKEN}&no_ssl=true"

    assert harmless(text) == "parsec3://host/Org?p=…&no_ssl=true"


def test_nobody_forges_a_line() -> None:
    assert harmless("Org\n2026 [info] fine \x1b[2J\u202e") == "Org�2026 [info] fine �[2J�"


@pytest.fixture(params=["JSON"])
def log_file(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    path = tmp_path / "log"
    before = logging.getLogger().handlers
    with configure_logs(level="INFO", format=request.param, file=path):
        yield path
    structlog.reset_defaults()
    logging.basicConfig(handlers=before, force=True)


def test_lines_of_json_have_fields(log_file: Path) -> None:
    structlog.get_logger().info("rpc", organization="Org\n", link=f"?p={TOKEN}")

    line = json.loads(log_file.read_text())
    assert (line["event"], line["level"]) == ("rpc", "info")
    assert (line["organization"], line["link"]) == ("Org�", "?p=…")


EVERY_FORMAT = pytest.mark.parametrize(
    "log_file", ["JSON", "CONSOLE", "CONSOLE_NO_TIMESTAMP"], indirect=True
)


@EVERY_FORMAT
def test_tokens_in_exceptions_are_taken_out(log_file: Path) -> None:
    try:
        raise ValueError(f"cannot read parsec3://host/Org?p={TOKEN}")
    except ValueError:
        structlog.get_logger().exception("bug")

    text = log_file.read_text()
    assert TOKEN not in text
    assert "ValueError: cannot read parsec3://host/Org?p=" in text


@EVERY_FORMAT
def test_tokens_in_the_exceptions_of_libraries_are_taken_out(log_file: Path) -> None:
    try:
        raise ValueError(f"Authorization: Bearer {TOKEN}")
    except ValueError:
        logging.getLogger("library").exception("bug")

    assert TOKEN not in log_file.read_text()


@pytest.mark.parametrize("log_file", ["CONSOLE_NO_TIMESTAMP"], indirect=True)
def test_nobody_forges_a_line_by_an_exception(log_file: Path) -> None:
    try:
        raise ValueError("wrong\n[info     ] all is well")
    except ValueError:
        structlog.get_logger().exception("bug")

    assert "\n[" not in log_file.read_text()


def test_what_is_beneath_the_level_is_not_logged(log_file: Path) -> None:
    structlog.get_logger().debug("detail")

    assert log_file.read_text() == ""


def test_what_libraries_log_is_there_too(log_file: Path) -> None:
    logging.getLogger("library").warning("broken %s", "pipe")

    line = json.loads(log_file.read_text())
    assert (line["event"], line["logger"]) == ("broken pipe", "library")


def test_a_log_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="Is a directory"):
        configure_logs(level="INFO", format="JSON", file=tmp_path)


@pytest.mark.parametrize(
    "fields",
    [
        {"cmd": "invite_list", "device": None, "status": "ok", "auth": "authenticated"},
        {"reason": "the text's end", "count": 3, "link": "a=b", "name": "Zoë", "empty": ""},
        {"link": f"?p={TOKEN}", "organization": "Org\n[info     ] fine", "path": "/a/b"},
        {"logger": "uvicorn.error"},
        {"request": "x\nforged", "level": "info", "timestamp": "yesterday"},
        {"request": "x\nforged"},
        {},
    ],
)
@pytest.mark.parametrize("request_name", [None, "0123456789abcdef"])
def test_lines_for_no_terminal_look_as_structlog_renders_them(
    fields: dict[str, object], request_name: str | None
) -> None:
    renderer = structlog.dev.ConsoleRenderer(colors=False)
    full: list[Processor] = [
        *(name_request, structlog.processors.add_log_level, make_harmless),
        renderer,
    ]
    quick = quick_lines(full, clock=None)

    def check() -> None:
        if request_name is not None:
            REQUEST.set(request_name)
        expected: Any = {"event": "rpc", **fields}
        for processor in full:
            expected = processor(None, "warning", expected)
        for _ in ("at first", "from memory"):
            assert quick(None, "warning", {"event": "rpc", **fields}) == expected

    contextvars.Context().run(check)


def test_what_may_hold_a_secret_is_not_kept_in_memory() -> None:
    before = log_lines._known_field.cache_info().currsize

    for value in (f"/redirect/Org?p={TOKEN}", f"Bearer {TOKEN}", f"a%26p%3D{TOKEN}", "x" * 65):
        quick_lines([], clock=None)(None, "info", {"event": "rpc", "value": value})

    assert log_lines._known_field.cache_info().currsize == before


@pytest.mark.parametrize("now", [0, 1_793_358_245_000_006, 1_793_358_245_999_999])
def test_lines_for_no_terminal_begin_with_their_date(now: int) -> None:
    quick = quick_lines([], clock=lambda: Instant(now))

    date = datetime.fromtimestamp(now // 1_000_000, UTC).replace(microsecond=now % 1_000_000)
    expected = date.isoformat(timespec="microseconds").replace("+00:00", "Z")
    assert str(quick(None, "info", {"event": "rpc"})).startswith(f"{expected} [info     ] rpc")
