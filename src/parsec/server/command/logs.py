"""Where the log goes and in which form; what is secret never gets there."""

import logging
import re
import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any, TextIO

import structlog
from structlog.typing import Processor

# Tokens of invitations, bootstraps and resets travel in addresses and headers.
_SECRETS = re.compile(r"(?P<before>\bBearer\s+|[?&]p=|%3[Ff]p%3[Dd]|%26p%3[Dd])[^\s&\"']+")


def configure_logs(*, level: str, format: str, file: Path | None) -> None:  # noqa: A002
    """Send the log of the whole process to a file, or to standard error. Raises OSError."""
    stream: TextIO = sys.stderr if file is None else file.open("w", encoding="utf-8", buffering=1)
    is_colored = file is None and sys.stderr.isatty()
    structlog.configure(
        processors=_processors(format, colors=is_colored),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_Forward()], level=max(logging.INFO, _number(level)), force=True)


def redact(text: str) -> str:
    """The text without the tokens that it may hold."""
    return _SECRETS.sub(lambda match: f"{match['before']}…", text)


def _number(level: str) -> int:
    return logging.getLevelNamesMapping()[level]


def _processors(form: str, *, colors: bool) -> list[Processor]:
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        _redact_values,
    ]
    timestamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
    if form == "JSON":
        return [
            *shared,
            timestamp,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ]
    console = structlog.dev.ConsoleRenderer(
        colors=colors, exception_formatter=structlog.dev.plain_traceback
    )
    return [*shared, *([] if form == "CONSOLE_NO_TIMESTAMP" else [timestamp]), console]


def _redact_values(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = redact(value)
    return event


class _Forward(logging.Handler):
    """Passes what libraries log on to our log."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger()
        log.log(record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info)
