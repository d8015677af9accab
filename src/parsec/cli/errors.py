"""The errors of the command line itself, and the exit code of each error."""

from collections.abc import Sequence

from parsec.client.failure import (
    AuthenticationFailed,
    Cancelled,
    Conflict,
    FlowError,
    HttpRefusal,
    NotFound,
    Offline,
    Refused,
)

EXIT_ERROR = 1
EXIT_USAGE = 2
EXIT_NOT_FOUND = 3
EXIT_AUTHENTICATION = 4
EXIT_OFFLINE = 5
EXIT_REFUSED = 6
EXIT_CONFLICT = 7
EXIT_CANCELLED = 8
EXIT_INTERRUPTED = 130


class NoAnswer(FlowError):
    """A question came up that nobody is there to answer."""


class DeviceNotChosen(FlowError):
    """It is not clear which device is meant; `lines` lists those there are."""

    def __init__(self, message: str, lines: Sequence[str]) -> None:
        super().__init__(message)
        self.lines = tuple(lines)


class DeviceNotFound(DeviceNotChosen, NotFound):
    """No device is the one that is meant."""


_CODES: tuple[tuple[type[FlowError], int], ...] = (
    (NoAnswer, EXIT_USAGE),
    (DeviceNotFound, EXIT_NOT_FOUND),
    (DeviceNotChosen, EXIT_USAGE),
    (NotFound, EXIT_NOT_FOUND),
    (AuthenticationFailed, EXIT_AUTHENTICATION),
    (Offline, EXIT_OFFLINE),
    (Refused, EXIT_REFUSED),
    (Conflict, EXIT_CONFLICT),
    (Cancelled, EXIT_CANCELLED),
)

_HTTP_CODES = {404: EXIT_NOT_FOUND, 409: EXIT_CONFLICT, 410: EXIT_CONFLICT}


def exit_code(error: FlowError) -> int:
    """What the command ends with."""
    if isinstance(error, HttpRefusal) and error.status in _HTTP_CODES:
        return _HTTP_CODES[error.status]
    return next((code for kind, code in _CODES if isinstance(error, kind)), EXIT_ERROR)
