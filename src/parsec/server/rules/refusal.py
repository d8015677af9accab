"""How a rule says no.

Both exceptions roll the transaction back. Their text is the reason for the log: it names facts,
never a secret.
"""

import enum

from parsec.protocol.command import Reply


class Refused(Exception):
    """The command is refused with a reply of its own."""

    def __init__(self, reply: Reply, reason: str = "") -> None:
        super().__init__(reason or type(reply).__name__)
        self.reply = reply


class Verdict(enum.Enum):
    """Refusals below the commands: an HTTP status and the text of wire.md 1.4."""

    MISSING_AUTHENTICATION = 401, "Missing authentication info"
    BAD_AUTHENTICATION = 403, "Bad authentication info"
    ORGANIZATION_NOT_FOUND = 404, "Organization not found"
    BAD_ACCEPT = 406, "Bad accept type"
    INCOMPLETE = 408, "Request Timeout"
    INVITATION_GONE = 410, "Invitation already used or deleted"
    TOO_LARGE = 413, "Request Entity Too Large"
    BAD_CONTENT = 415, "Bad content type or invalid body or unknown command"
    BAD_VERSION = 422, "Unprocessable Entity"
    TOO_MANY = 429, "Too Many Requests"
    ORGANIZATION_EXPIRED = 460, "Organization expired"
    USER_REVOKED = 461, "User revoked"
    USER_FROZEN = 462, "User frozen"
    TOS_NOT_ACCEPTED = 463, "User must accept tos"
    TOKEN_EXPIRED = 498, "Token expired"
    STOPPING = 503, "Server is stopping"

    def __init__(self, status: int, detail: str) -> None:
        self.status = status
        self.detail = detail


class Rejected(Exception):
    """The caller may not send this command, or any, in the present state of things.

    `cause` is told to the caller behind the text of the verdict: `User frozen (cause)`;
    `retry_after` is in seconds.
    """

    def __init__(
        self, verdict: Verdict, *, cause: str = "", retry_after: int | None = None
    ) -> None:
        super().__init__(cause or verdict.detail)
        self.verdict = verdict
        self.cause = cause
        self.retry_after = retry_after

    @property
    def detail(self) -> str:
        """What the caller is told; nobody should parse it."""
        return f"{self.verdict.detail} ({self.cause})" if self.cause else self.verdict.detail
