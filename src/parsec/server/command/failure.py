"""What keeps a command from doing its work, told to the operator."""

import click


class Failure(click.ClickException):
    """Ends the command with code 1."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint

    def format_message(self) -> str:
        """`click` puts `Error: ` in front and writes it on standard error."""
        return f"{self.message}\nhint: {self.hint}" if self.hint else self.message
