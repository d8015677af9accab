"""Where passwords come from.

The first source that is given counts: `--password-stdin`, `--password-file`, `--password-command`,
the variable PARSEC_DEVICE_PASSWORD_FILE, the terminal. Passwords are never option values, which
every user of the machine could see.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from parsec.cli.console import Console
from parsec.cli.errors import NoAnswer
from parsec.cli.sources import first_line_of_command, first_line_of_file

VARIABLE = "PARSEC_DEVICE_PASSWORD_FILE"
_TERMINAL_OPTIONS = "--password-stdin, --password-file or --password-command"


@dataclass
class Passwords:
    """The sources of one command's passwords."""

    console: Console
    from_stdin: bool = False
    file: Path | None = None
    command: str | None = None
    new_file: Path | None = None
    """Of the password that replaces another one."""
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    _opened_something: bool = False

    @property
    def typed(self) -> bool:
        """Whether they are typed at the terminal."""
        return not (self.from_stdin or self.file or self.command or self.environ.get(VARIABLE))

    @property
    def gives_new(self) -> bool:
        """Whether a new one needs no typing."""
        if self.new_file is not None or self.from_stdin:
            return True
        return not self.typed and not self._opened_something

    def existing(self, prompt: str = "Enter password for the device:") -> str:
        """A password that something is protected by. Raises FlowError."""
        self._opened_something = True
        given = self._given()
        return self.console.password(prompt, option=_TERMINAL_OPTIONS) if given is None else given

    def new(self, prompt: str) -> str:
        """A password that something will be protected by. Raises FlowError."""
        if self.new_file is not None:
            return first_line_of_file(self.new_file, "password")
        if self._opened_something and not self.from_stdin:
            # The same file or command would give the same password again.
            return self.console.new_password(
                prompt, option="--new-password-file or --password-stdin"
            )
        given = self._given()
        if given is not None:
            return given
        return self.console.new_password(prompt, option=_TERMINAL_OPTIONS)

    def line_of_stdin(self, what: str) -> str:
        """The next line of standard input, which answers one of several questions in a row."""
        line = self.console.read_line()
        if line is None:
            raise NoAnswer(
                f"There is no {what} on standard input",
                hint="with --password-stdin, each password is a line of it",
            )
        return line

    def _given(self) -> str | None:
        if self.from_stdin:
            return self.line_of_stdin("password")
        if self.file is not None:
            return first_line_of_file(self.file, "password")
        if self.command is not None:
            return first_line_of_command(self.command, "password")
        variable = self.environ.get(VARIABLE)
        return first_line_of_file(Path(variable), "password") if variable else None
