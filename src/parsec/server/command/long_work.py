"""Work on whole databases: how far it is, and how it ends before its time."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

import click

from parsec.server.command.failure import Failure
from parsec.server.store.engine import StorageError

T = TypeVar("T")

_SHOWN_EVERY_S = 0.1
_WRITTEN_EVERY_S = 10.0


def carry_out(work: Coroutine[Any, Any, T], *, interrupted: str) -> T:
    """Do it to its end; SIGINT and SIGTERM let it clean up behind itself. Raises Failure."""
    try:
        return asyncio.run(_stoppable(work))
    except StorageError as error:
        raise Failure(str(error), hint=error.hint) from error
    except (KeyboardInterrupt, asyncio.CancelledError) as error:
        raise Failure(f"interrupted; {interrupted}") from error


async def _stoppable(work: Coroutine[Any, Any, T]) -> T:
    task = asyncio.current_task()
    assert task is not None
    if os.name == "posix":
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await work


class Progress:
    """Tells on standard error what is being done: on a terminal always, else now and then."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._every = _SHOWN_EVERY_S if self._is_terminal else _WRITTEN_EVERY_S
        self._shown = time.monotonic()
        self._is_open = False

    def __call__(self, what: str, count: int) -> None:
        if time.monotonic() - self._shown < self._every:
            return
        self._shown = time.monotonic()
        if self._is_terminal:
            click.echo(f"\r\x1b[K{what}: {count:,}", err=True, nl=False)
            self._is_open = True
        else:
            click.echo(f"{what}: {count:,}", err=True)

    def end(self) -> None:
        """Leave the line for others."""
        if self._is_open:
            click.echo("\r\x1b[K", err=True, nl=False)
            self._is_open = False


@contextlib.contextmanager
def progress() -> Iterator[Progress]:
    """What tells how far work is, until its end."""
    shown = Progress()
    try:
        yield shown
    finally:
        shown.end()


def warn(text: str) -> None:
    """Tell what was done, but may not be what was wanted."""
    click.echo(f"warning: {text}", err=True)
