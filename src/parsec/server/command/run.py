"""`run`: the server itself."""

import os
import socket
from typing import Any

import click

from parsec.server.command.failure import Failure
from parsec.server.command.options import log_options, run_options


@click.command()
@run_options()
@log_options(level="INFO")
def run(**options: Any) -> None:
    """Run the server.

    Without any option it serves this machine alone, on a database in the data folder of the user.
    """
    # The parts below take long to load, and --help needs none of them.
    from parsec.server.command.logs import configure_logs
    from parsec.server.command.place import this_machine
    from parsec.server.command.serve import serve
    from parsec.server.command.settle import RunOptions, settle

    logs = {name: options.pop(f"log_{name}") for name in ("level", "format", "file")}
    configure_logs(**logs)
    listener = listen(options["host"], options["port"])
    with listener:
        given = RunOptions(**options | {"port": listener.getsockname()[1]})
        settled = settle(given, this_machine())
        serve(settled, listener)


def listen(host: str, port: int) -> socket.socket:
    """A socket on which clients may connect. Raises Failure."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise Failure(f"cannot listen on {host}: {error.strerror}") from error
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise Failure(
            f"cannot listen on {host}:{port}: {error.strerror}",
            hint="end what listens there, or choose another --port",
        ) from error
    return listener
