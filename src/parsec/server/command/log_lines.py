"""What becomes of an event in the log: a line that holds no secret and forges no other one."""

import re
import unicodedata
from collections.abc import Callable, MutableMapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from structlog.typing import Processor

from parsec.data.instant import Instant
from parsec.server.http.edge import REQUEST

# Tokens of invitations, bootstraps and resets travel in addresses and headers.
_SECRETS = re.compile(r"(?P<before>\bBearer\s+|[?&]p=|%3[Ff]p%3[Dd]|%26p%3[Dd])[^\s&\"']+")

# Nothing that a secret would follow, and nothing that a line must not hold: most values.
_PLAIN = re.compile(r"[A-Za-z0-9_./:@+-]*")


def harmless(text: str) -> str:
    """The text without the tokens that it may hold, and without what could forge a log line."""
    if _PLAIN.fullmatch(text):
        return text
    redacted = _SECRETS.sub(lambda match: f"{match['before']}…", text)
    return "".join(
        "�" if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") else character
        for character in redacted
    )


def name_request(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Have a line say for which request it was written."""
    # Of structlog's own variables only this one would be used, at twenty times the cost.
    request = REQUEST.get(None)
    if request is not None:
        event["request"] = request
    return event


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


# --- The lines of requests ---

_RARE = frozenset(
    (
        *("exception", "exc_info", "stack", "stack_info"),
        *("level", "logger", "logger_name", "timestamp"),
    )
)

# What most values do not exceed: names of people and organizations, commands, identifiers.
_SHORT = 64


def quick_lines(
    processors: Sequence[Processor], *, clock: Callable[[], Instant] | None
) -> Processor:
    """The lines that `processors` make in the end, but those of requests in less time.

    `processors` are those of this module, structlog's level, its time stamp unless there is no
    `clock`, and its console without colors. Logging was half of what a small request cost.
    """

    def shown(logger: Any, method: str, event: MutableMapping[str, Any]) -> Any:
        if not _RARE.isdisjoint(event):
            for processor in processors:
                event = processor(logger, method, event)  # type: ignore[assignment]
            return event
        head = f"[{method:9}] {harmless(event.pop('event')):30}"
        if clock is not None:
            head = f"{_date(clock())} {head}"
        fields = {name: _field(name, value) for name, value in event.items()}
        request = REQUEST.get(None)
        if request is not None:
            # Of our own making, and never the same again.
            fields["request"] = f"request={request}"
        return " ".join([head, *(fields[name] for name in sorted(fields))]).rstrip()

    return shown


def _date(now: Instant) -> str:
    """As structlog writes it, but the microseconds also where they are 0."""
    seconds, microseconds = divmod(now, 1_000_000)
    return f"{_second(seconds)}.{microseconds:06}Z"


@lru_cache(maxsize=4)
def _second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


def _field(name: str, value: object) -> str:
    if not isinstance(value, str):
        return f"{name}={value!r}"
    # What holds a secret is no word: it is not kept.
    is_word = value.isidentifier() or value.isalnum()
    return _known_field(name, value) if is_word and len(value) <= _SHORT else _shown(name, value)


def _shown(name: str, value: str) -> str:
    return f"{name}={_text(value)}"


_known_field = lru_cache(maxsize=4096)(_shown)


def _text(value: str) -> str:
    text = harmless(value)
    return text if set(text).isdisjoint(" \t=\r\n\"'") else repr(text)
