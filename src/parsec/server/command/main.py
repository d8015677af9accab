"""The group of the server's commands, and its exit codes.

0 done, or stopped by SIGINT or SIGTERM · 1 could not start or finish · 2 wrong usage.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn

import click

from parsec import __version__
from parsec.server.command.backup import backup
from parsec.server.command.migrate import migrate
from parsec.server.command.move import move
from parsec.server.command.restore import restore
from parsec.server.command.rotate_key import rotate_key
from parsec.server.command.run import run

EXTRA_ARGUMENTS = "PARSEC_CMD_ARGS"
"""More of the command line, for places where only the environment can be set."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="parsec", message="%(prog)s, version %(version)s")
def parsec() -> None:
    """A Parsec server.

    Each option can also be set by the environment variable that its help names; the command line
    wins. More arguments may stand in PARSEC_CMD_ARGS.
    """


parsec.add_command(run)
parsec.add_command(migrate)
parsec.add_command(backup)
parsec.add_command(restore)
parsec.add_command(move)
parsec.add_command(rotate_key)


def main() -> NoReturn:
    """Run a command with the arguments of the process."""
    parsec.main(
        args=[*sys.argv[1:], *extra_arguments(os.environ)],
        windows_expand_args=False,
    )


def extra_arguments(environment: Mapping[str, str]) -> Sequence[str]:
    """The arguments in `PARSEC_CMD_ARGS`, with the variables that they name replaced."""
    return [os.path.expandvars(word) for word in environment.get(EXTRA_ARGUMENTS, "").split()]
