"""The command line of the server, from words to settings."""

from pathlib import Path
from typing import Any

import click
from click.testing import CliRunner

from parsec.server.command.options import log_options, run_options
from parsec.server.command.settle import Place, RunOptions


def read_options(*arguments: str, **environment: str) -> RunOptions:
    """What click makes of a command line; raises UsageError."""
    found: list[RunOptions] = []

    @click.command()
    @run_options()
    @log_options(level="INFO")
    def run(**given: Any) -> None:
        found.append(RunOptions(**{k: v for k, v in given.items() if not k.startswith("log_")}))

    result = CliRunner().invoke(run, arguments, env=environment, standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return found[0]


def place_at(folder: Path, **environment: str) -> Place:
    """A machine whose random bytes are known."""
    return Place(
        data_folder=folder / "data",
        scratch_folder=folder / "scratch",
        environment=environment,
        entropy=lambda length: bytes(range(length)),
    )
