"""Where one-time codes come from.

The first source that is given counts: `--totp-code`, `--totp-stdin`, `--totp-command`, the person.
"""

import re
from dataclasses import dataclass, field

from parsec.cli.console import Console
from parsec.cli.errors import NoAnswer
from parsec.cli.sources import first_line_of_command
from parsec.client.failure import AuthenticationFailed
from parsec.crypto.totp import DIGITS

_PROMPT = "Enter TOTP code"
_OPTIONS = "--totp-code, --totp-stdin or --totp-command"
_CODE = re.compile(f"[0-9]{{{DIGITS}}}")


@dataclass
class Codes:
    """The sources of one command's one-time codes."""

    console: Console
    code: str | None = field(default=None, repr=False)
    from_stdin: bool = False
    command: str | None = None
    stdin_has_passwords: bool = False
    """Then a line of it is no code unless it was said that codes are among them."""
    _last_was_wrong: bool = False

    def next(self) -> str:
        """A code for whoever asks. Raises FlowError, also for a wrong one that nobody corrects."""
        if self._last_was_wrong and (self.code is not None or self.command is not None):
            # It would be the same one again, and each wrong one makes the server listen later.
            raise _wrong()
        if self.code is not None:
            return _checked(self.code)
        if not self.from_stdin and self.command is not None:
            return _checked(first_line_of_command(self.command, "TOTP"))
        if self.stdin_has_passwords and not self.from_stdin:
            raise NoAnswer(f'There is no answer to "{_PROMPT}"', hint=f"give {_OPTIONS}")
        try:
            return self.console.ask(_PROMPT, _read, option=_OPTIONS, shown=False)
        except NoAnswer:
            if self._last_was_wrong:
                raise _wrong() from None
            raise

    def reject(self) -> None:
        """The last one was not accepted."""
        self._last_was_wrong = True


def _read(text: str) -> str:
    # Authenticators show them in two groups. Whatever else was typed, such as a password at the
    # wrong question, must not reach the server.
    code = "".join(text.split())
    if not _CODE.fullmatch(code):
        raise ValueError(f"A code has {DIGITS} digits")
    return code


def _checked(text: str) -> str:
    try:
        return _read(text)
    except ValueError:
        raise AuthenticationFailed(
            "What was given as one-time code is none", hint=f"a code has {DIGITS} digits"
        ) from None


def _wrong() -> AuthenticationFailed:
    return AuthenticationFailed(
        "The one-time code is wrong",
        hint="codes change every 30 seconds and need a right clock; if the authenticator is lost, "
        "ask the administrator of the server for a reset",
    )
