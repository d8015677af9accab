"""The `parsec-cli` program: its groups of commands and its exit codes."""

import os
import signal
import sys
from collections.abc import Mapping, Sequence

import click

from parsec import __version__
from parsec.cli.command import GENERAL_VARIABLES, PROGRAM, Group
from parsec.cli.console import COLORS, FORMATS, PROGRESS, Console, Look

_EXIT_OK = 0
_EXIT_ERROR = 1
_EXIT_USAGE = 2
_EXIT_INTERRUPTED = 130
_EXIT_ENDED = 128

_GROUPS = {
    "organization": "Create, bootstrap, configure and examine organizations.",
    "invite": "Invite people and devices, greet them, claim an invitation.",
    "device": "The devices on this machine.",
    "totp": "One-time codes from an authenticator app, in addition to what protects a device.",
    "user": "The members of the organization.",
    "shared-recovery": "Let colleagues give you your account back when all is lost.",
    "certificate": "What this device knows and has verified of the organization.",
    "tos": "The terms of service of the organization.",
    "server": "Figures of a server.",
    "doctor": "Look for what keeps this machine from working with Parsec.",
}


def _version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        ctx.obj.own_text(f"{PROGRAM} {__version__}\n")
        ctx.exit()


root = Group(
    PROGRAM,
    modules={
        name: (f"parsec.cli.{name.replace('-', '_')}", text) for name, text in _GROUPS.items()
    },
    params=[
        click.Option(
            ["-V", "--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_version,
            help="Show the version.",
        )
    ],
    help="""Organizations whose members trust no server with their secrets.

    Every question that a command asks can be answered by an option, data goes to standard output
    and all else to standard error.
    """,
    epilog="""\b
    Exit codes:
      0  done, or declined       5  server out of reach
      1  error                   6  the server refused
      2  wrong usage             7  conflict: it exists, or changed meanwhile
      3  not found               8  cancelled, or wrong code
      4  authentication failed   130  interrupted

    PARSEC_DEBUG=1 shows the traceback of unexpected errors.
    """,
)


def main() -> None:
    """Run the program and end the process."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started us
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123
        # A terminal that lacks a character shows its number; it is no reason to fail.
        getattr(sys, name).reconfigure(errors="backslashreplace")
    _end_like_an_interruption(signal.SIGTERM, getattr(signal, "SIGHUP", None))
    sys.exit(run(sys.argv[1:], os.environ))


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run a command; the answer is its exit code."""
    console = Console(Look())
    try:
        return _run(arguments, environ, console)
    except KeyboardInterrupt as interruption:
        console.abandon()
        return (
            _EXIT_ENDED + interruption.number
            if isinstance(interruption, _Ended)
            else _EXIT_INTERRUPTED
        )
    except OSError as error:
        _show_traceback(error, environ, console)
        # Our output cannot be written. What is left of it must not be tried again at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):  # else whoever read it has seen enough
            console.error(f"Cannot go on: {error.strerror}")
        return _EXIT_ERROR


class _Ended(KeyboardInterrupt):
    """Somebody ends the process, or closes its terminal."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def _end_like_an_interruption(*numbers: int | None) -> None:
    """Let these signals do what Ctrl-C does: the other side of a conversation is told."""

    def end(number: int, _: object) -> None:
        raise _Ended(number)

    for number in numbers:
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, end)


def _run(arguments: Sequence[str], environ: Mapping[str, str], console: Console) -> int:
    try:
        _take_look(console.look, environ)
        with root.make_context(PROGRAM, list(arguments), obj=console, max_content_width=100) as ctx:
            root.invoke(ctx)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        console.own_text(f"{error.format_message()}\n", error=True)
        return _EXIT_USAGE
    except click.UsageError as error:
        usage = error.ctx or click.Context(root, info_name=PROGRAM)
        console.usage_error(_usage_fault(error), usage.get_usage(), usage.command_path)
        return _EXIT_USAGE
    except click.ClickException as error:
        console.error(error.format_message())
        return _EXIT_ERROR
    except OSError:
        raise
    except Exception as error:
        return _failed(error, environ, console)
    return _EXIT_OK


def _usage_fault(error: click.UsageError) -> str:
    message = error.format_message()
    if isinstance(error, click.MissingParameter) and error.param and error.param.envvar:
        message = f"{message.rstrip('.')} (or the variable {error.param.envvar})."
    return message


def _failed(error: Exception, environ: Mapping[str, str], console: Console) -> int:
    # Not before: most of the program is behind these names.
    from parsec.cli.errors import DeviceNotChosen, exit_code
    from parsec.client.failure import FlowError

    _show_traceback(error, environ, console)
    if isinstance(error, FlowError):
        console.error(str(error), error.hint)
        if isinstance(error, DeviceNotChosen):
            for line in error.lines:
                console.message(line)
        return exit_code(error)
    console.error(
        # Not its text, which may hold a secret.
        f"Unexpected {type(error).__name__} in {_place(error)}: this is a bug",
        hint="PARSEC_DEBUG=1 shows where it comes from; please report it",
    )
    return _EXIT_ERROR


def _show_traceback(error: Exception, environ: Mapping[str, str], console: Console) -> None:
    if environ.get("PARSEC_DEBUG"):
        import traceback

        console.own_text("".join(traceback.format_exception(error)), error=True)


def _place(error: Exception) -> str:
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None:
        return "an unknown place"
    name = traceback.tb_frame.f_globals.get("__name__", "an unknown module")
    return f"{name}, line {traceback.tb_lineno}"


def _take_look(look: Look, environ: Mapping[str, str]) -> None:
    for name, choices in (("format", FORMATS), ("color", COLORS), ("progress", PROGRESS)):
        variable = GENERAL_VARIABLES[name]
        value = environ.get(variable)
        if not value:
            continue
        if value not in choices:
            raise click.UsageError(f"{variable} is '{value}', but not one of {', '.join(choices)}")
        setattr(look, name, value)


if __name__ == "__main__":
    main()
