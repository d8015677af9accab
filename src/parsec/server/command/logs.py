"""Where the log goes and in which form; what is secret never gets there."""

import logging
import re
import sys
import unicodedata
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any, TextIO

import structlog
from structlog.typing import Processor

from parsec.server.command.failure import Failure

# Tokens of invitations, bootstraps and resets travel in addresses and headers.
_SECRETS = re.compile(r"(?P<before>\bBearer\s+|[?&]p=|%3[Ff]p%3[Dd]|%26p%3[Dd])[^\s&\"']+")


def configure_logs(*, level: str, format: str, file: Path | None) -> TextIO:  # noqa: A002
    """Send the log of the whole process to a file, or to standard error: what is returned.

    Raises Failure.
    """
    stream = sys.stderr if file is None or str(file) == "-" else _emptied(file)
    number = logging.getLevelNamesMapping()[level]
    structlog.configure(
        processors=_processors(format, colors=stream.isatty()),
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_Forward()], level=max(logging.INFO, number), force=True)
    return stream


def harmless(text: str) -> str:
    """The text without the tokens that it may hold, and without what could forge a log line."""
    redacted = _SECRETS.sub(lambda match: f"{match['before']}…", text)
    return "".join(
        "�" if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") else character
        for character in redacted
    )


def _emptied(file: Path) -> TextIO:
    try:
        return file.open("w", encoding="utf-8", buffering=1)
    except OSError as error:
        raise Failure(f"cannot write the log to {file}: {error.strerror}") from error


def _processors(form: str, *, colors: bool) -> list[Processor]:
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        # Before what takes secrets out: exceptions quote what they stumbled over.
        structlog.processors.format_exc_info,
        _make_harmless,
    ]
    timestamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
    if form == "JSON":
        return [*shared, timestamp, structlog.processors.JSONRenderer()]
    console = structlog.dev.ConsoleRenderer(
        colors=colors, exception_formatter=structlog.dev.plain_traceback
    )
    return [*shared, *([] if form == "CONSOLE_NO_TIMESTAMP" else [timestamp]), console]


def _make_harmless(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for name, value in event.items():
        if name == "exception":
            event[name] = _harmless_lines(value)
        elif isinstance(value, str):
            event[name] = harmless(value)
    return event


def _harmless_lines(text: str) -> str:
    """A traceback, none of whose lines looks like the beginning of an entry of the log."""
    return "\n".join(f"  {harmless(line)}" for line in text.splitlines())


class _Forward(logging.Handler):
    """Passes what libraries log on to our log."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger()
        log.log(record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info)
