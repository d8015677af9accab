"""`run`: the server itself."""

import contextlib
import os
import socket
from typing import TYPE_CHECKING, Any

import click
import msgspec

from parsec.server.command.failure import Failure
from parsec.server.command.options import log_options, run_options

if TYPE_CHECKING:
    from parsec.server.settings import Settings


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
    from parsec.server.command.serve import Sockets, serve, tell_start
    from parsec.server.command.settle import RunOptions, settle
    from parsec.server.command.workers import supervise

    logs = {name: options.pop(f"log_{name}") for name in ("level", "format", "file")}
    configure_logs(**logs)
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(listen(options["host"], options["port"]))
        given = RunOptions(**options | {"port": listener.getsockname()[1]})
        settled = settle(given, this_machine())
        settings, metrics = settled.settings, _metrics_listeners(settled.settings, stack)
        if metrics:
            places = " ".join(f"http://{_place(one)}/metrics" for one in metrics)
            settled = msgspec.structs.replace(
                settled, notices=[*settled.notices, f"Metrics at {places}"]
            )
        if settings.workers > 1:
            supervise(settled, listener, metrics, logs)
        else:
            sockets = Sockets(listener, metrics[0] if metrics else None)
            serve(settings, sockets, announce=lambda: tell_start(settled))
    click.echo("bye ;-)")


def _metrics_listeners(settings: "Settings", stack: contextlib.ExitStack) -> list[socket.socket]:
    """One for each worker, at successive ports. Raises Failure."""
    if settings.metrics_address is None:
        return []
    host, first = settings.metrics_address
    # From port 0 on, any is free.
    ports = [first + number if first else 0 for number in range(settings.workers)]
    return [stack.enter_context(listen(host, port)) for port in ports]


def _place(listener: socket.socket) -> str:
    host, port, *_ = listener.getsockname()
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


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
            hint="end what listens there, or choose another port",
        ) from error
    return listener
