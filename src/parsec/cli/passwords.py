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
from parsec.client.step import FlowError

VARIABLE = "PARSEC_DEVICE_PASSWORD_FILE"
_LARGEST = 64 * 1024


@dataclass
class Passwords:
    """The sources of one command's passwords."""

    console: Console
    from_stdin: bool = False
    file: Path | None = None
    command: str | None = None
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def existing(self, prompt: str = "Enter password for the device:") -> str:
        """A password that something is protected by. Raises FlowError."""
        given = self._given()
        return self.console.password(prompt) if given is None else given

    def new(self, prompt: str) -> str:
        """A password that something will be protected by. Raises FlowError."""
        given = self._given()
        return self.console.new_password(prompt) if given is None else given

    def _given(self) -> str | None:
        if self.from_stdin:
            line = self.console.read_line()
            if line is None:
                raise NoAnswer(
                    "There is no password on standard input",
                    hint="with --password-stdin, each password is a line of it",
                )
            return line
        if self.file is not None:
            return _first_line_of_file(self.file)
        if self.command is not None:
            return _first_line_of_command(self.command)
        variable = self.environ.get(VARIABLE)
        return _first_line_of_file(Path(variable)) if variable else None


def _first_line_of_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST)
    except OSError as error:
        raise FlowError(f"Cannot read the password file {path}: {error.strerror}") from None
    return _first_line(content, f"The password file {path}")


def _first_line_of_command(command: str) -> str:
    import shlex
    import subprocess

    try:
        # Its standard input is not ours: that may hold answers to questions.
        ended = subprocess.run(  # noqa: S603  # the person wrote the command
            shlex.split(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False
        )
    except (OSError, ValueError, IndexError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no command"
        raise FlowError(f"Cannot run the password command: {reason}") from None
    if ended.returncode != 0:
        raise FlowError(f"The password command failed with exit code {ended.returncode}")
    return _first_line(ended.stdout, "The password command")


def _first_line(content: bytes, source: str) -> str:
    line, _, _ = content.partition(b"\n")
    try:
        return line.removesuffix(b"\r").decode()
    except UnicodeDecodeError:
        raise FlowError(f"{source} gives no UTF-8") from None
