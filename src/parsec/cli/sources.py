"""Where what nobody should see on a command line is read from: files, and what commands write."""

from pathlib import Path

from parsec.client.failure import FlowError

_LARGEST = 64 * 1024


def first_line_of_file(path: Path, what: str) -> str:
    """The first line of a file. Raises FlowError; `what` is such as `password`."""
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST)
    except OSError as error:
        raise FlowError(f"Cannot read the {what} file {path}: {error.strerror}") from None
    return _first_line(content, f"The {what} file {path}")


def first_line_of_command(command: str, what: str) -> str:
    """The first line that a command writes. Raises FlowError."""
    import shlex
    import subprocess

    try:
        # Its standard input is not ours: that may hold answers to questions.
        ended = subprocess.run(  # noqa: S603  # the person wrote the command
            shlex.split(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False
        )
    except (OSError, ValueError, IndexError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no command"
        raise FlowError(f"Cannot run the {what} command: {reason}") from None
    if ended.returncode != 0:
        raise FlowError(f"The {what} command failed with exit code {ended.returncode}")
    return _first_line(ended.stdout, f"The {what} command")


def _first_line(content: bytes, source: str) -> str:
    line, _, _ = content.partition(b"\n")
    try:
        return line.removesuffix(b"\r").decode()
    except UnicodeDecodeError:
        raise FlowError(f"{source} gives no UTF-8") from None
