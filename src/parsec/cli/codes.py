"""Where one-time codes come from.

The first source that is given counts: `--totp-code`, `--totp-stdin`, `--totp-command`, the person.
"""

from dataclasses import dataclass, field

from parsec.cli.console import Console
from parsec.cli.errors import NoAnswer
from parsec.cli.sources import first_line_of_command
from parsec.client.step import AuthenticationFailed

_PROMPT = "Enter TOTP code"


@dataclass
class Codes:
    """The sources of one command's one-time codes."""

    console: Console
    code: str | None = field(default=None, repr=False)
    from_stdin: bool = False
    command: str | None = None
    _last_was_wrong: bool = False

    def next(self) -> str:
        """A code for whoever asks. Raises FlowError, also for a wrong one that nobody corrects."""
        if self._last_was_wrong and (self.code is not None or self.command is not None):
            # It would be the same one again, and each wrong one makes the server listen later.
            raise _wrong()
        if self.code is not None:
            return self.code.strip()
        if not self.from_stdin and self.command is not None:
            return first_line_of_command(self.command, "TOTP").strip()
        try:
            return self.console.ask(
                _PROMPT,
                _read,
                option="--totp-code, --totp-stdin or --totp-command",
                shown=False,
            )
        except NoAnswer:
            if self._last_was_wrong:
                raise _wrong() from None
            raise

    def reject(self) -> None:
        """The last one was not accepted."""
        self._last_was_wrong = True


def _read(text: str) -> str:
    # Authenticators show them in two groups.
    code = "".join(text.split())
    if not code:
        raise ValueError("A code has six digits")
    return code


def _wrong() -> AuthenticationFailed:
    return AuthenticationFailed(
        "The one-time code is wrong",
        hint="codes change every 30 seconds and need a right clock; if the authenticator is lost, "
        "ask the administrator of the server for a reset",
    )
