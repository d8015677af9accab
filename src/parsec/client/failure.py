"""How flows fail: with a text that says why, and a hint where there is something to do."""


class FlowError(Exception):
    """A flow ended without reaching its goal; the text says why, `hint` what to do now."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class Offline(FlowError):
    """No answer came from the server; the request may or may not have been carried out."""


class Refused(FlowError):
    """The server refused."""


class NotFound(FlowError):
    """What the person named does not exist."""


class Conflict(FlowError):
    """It exists already, or changed meanwhile."""


class AuthenticationFailed(FlowError):
    """A password, code or key was wrong."""


class Cancelled(FlowError):
    """Somebody cancelled: this person, or the peer."""


class InvalidAnswer(FlowError):
    """The server answered what it may not answer: it is broken, or lies."""


class HttpRefusal(Refused):
    """The server refused before looking at the command; `status` is the HTTP status."""

    def __init__(self, status: int, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status
