"""Where the log goes and in which form; what is secret never gets there."""

import logging
import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any, TextIO

import structlog
from structlog.typing import Processor

from parsec.server.command.failure import Failure
from parsec.server.command.log_lines import make_harmless, name_request, quick_lines
from parsec.server.service.context import system_clock


def configure_logs(
    *,
    level: str,
    format: str,  # noqa: A002
    file: Path | None,
    worker: int | None = None,
) -> TextIO:
    """Send the log of the whole process to a file, or to standard error: what is returned.

    A `worker` says so in each line, and adds to the file of who started it. Raises Failure.
    """
    stream = sys.stderr
    if file is not None and str(file) != "-":
        stream = _opened(file, empty=worker is None)
    processors = _processors(format, colors=stream.isatty())
    if worker is not None:
        processors.insert(0, _named(worker))
    number = logging.getLevelNamesMapping()[level]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_Forward()], level=max(logging.INFO, number), force=True)
    # It tells the URL of each request, and that of a webhook may hold a secret.
    logging.getLogger("httpx2").setLevel(max(logging.WARNING, number))
    return stream


def _opened(file: Path, *, empty: bool) -> TextIO:
    try:
        if empty:
            file.open("w").close()
        # Several processes may write, and something may empty it to begin anew.
        return file.open("a", encoding="utf-8", buffering=1)
    except OSError as error:
        raise Failure(f"cannot write the log to {file}: {error.strerror}") from error


def _named(worker: int) -> Processor:
    def name(
        _logger: Any, _method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        event["worker"] = worker
        return event

    return name


def _processors(form: str, *, colors: bool) -> list[Processor]:
    shared: list[Processor] = [
        name_request,
        structlog.processors.add_log_level,
        # Before what takes secrets out: exceptions quote what they stumbled over.
        structlog.processors.format_exc_info,
    ]
    if form != "CONSOLE_NO_TIMESTAMP":
        shared.append(structlog.processors.TimeStamper(fmt="iso", utc=True))
    if form == "JSON":
        return [*shared, make_harmless, structlog.processors.JSONRenderer()]
    renderer = structlog.dev.ConsoleRenderer(
        colors=colors, exception_formatter=structlog.dev.plain_traceback
    )
    processors: list[Processor] = [*shared, make_harmless, renderer]
    if colors:
        return processors
    return [quick_lines(processors, clock=None if form == "CONSOLE_NO_TIMESTAMP" else system_clock)]


class _Forward(logging.Handler):
    """Passes what libraries log on to our log."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger()
        log.log(record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info)
