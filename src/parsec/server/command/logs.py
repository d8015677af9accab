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
from parsec.server.http.edge import REQUEST

# Tokens of invitations, bootstraps and resets travel in addresses and headers.
_SECRETS = re.compile(r"(?P<before>\bBearer\s+|[?&]p=|%3[Ff]p%3[Dd]|%26p%3[Dd])[^\s&\"']+")

# Nothing that a secret would follow, and nothing that a line must not hold: most values.
_PLAIN = re.compile(r"[A-Za-z0-9_./:@+-]*")


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


def harmless(text: str) -> str:
    """The text without the tokens that it may hold, and without what could forge a log line."""
    if _PLAIN.fullmatch(text):
        return text
    redacted = _SECRETS.sub(lambda match: f"{match['before']}…", text)
    return "".join(
        "�" if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") else character
        for character in redacted
    )


def _opened(file: Path, *, empty: bool) -> TextIO:
    try:
        if empty:
            file.open("w").close()
        # Several processes may write, and something may empty it to begin anew.
        return file.open("a", encoding="utf-8", buffering=1)
    except OSError as error:
        raise Failure(f"cannot write the log to {file}: {error.strerror}") from error


def name_request(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Have a line say for which request it was written."""
    # Of structlog's own variables only this one would be used, at twenty times the cost.
    request = REQUEST.get(None)
    if request is not None:
        event["request"] = request
    return event


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
    if colors:
        return [*shared, make_harmless, renderer]
    return [*shared, quick_lines(renderer)]


def quick_lines(renderer: Processor) -> Processor:
    """The lines of requests as `renderer` shows them once they are harmless, in less time.

    Logging was half of what a small request cost.
    """

    def shown(logger: Any, method: str, event: MutableMapping[str, Any]) -> Any:
        if not _RARE.isdisjoint(event):
            return renderer(logger, method, make_harmless(logger, method, event))
        timestamp = event.pop("timestamp", None)
        head = f"[{event.pop('level'):9}] {harmless(event.pop('event')):30}"
        if timestamp is not None:
            head = f"{timestamp} {head}"
        names = sorted(event)
        values = [event[name] for name in names]
        texts = [value if isinstance(value, str) else repr(value) for value in values]
        # One look at all of them, as hardly any line holds what must be looked at.
        if not _PLAIN.fullmatch("".join(texts)):
            texts = [_value(value) for value in values]
        fields = [f"{name}={text}" for name, text in zip(names, texts, strict=True)]
        return " ".join([head, *fields]).rstrip()

    return shown


_RARE = frozenset(("exception", "exc_info", "stack", "logger", "logger_name"))


def _value(value: object) -> str:
    if not isinstance(value, str):
        return repr(value)
    text = harmless(value)
    return text if set(text).isdisjoint(" \t=\r\n\"'") else repr(text)


def make_harmless(
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
