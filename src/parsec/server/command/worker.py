"""One of several processes that serve: what its supervisor starts, and what it is told.

`python -m parsec.server.command.worker` is not for people. What it must know comes through standard
input, whose end is that of the supervisor. Why it gives up goes to standard output.
"""

import pickle
import socket
import sys
from typing import Any

import msgspec

from parsec.server.settings import Settings


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker must know; sockets as the numbers of inherited descriptors."""

    number: int
    settings: Settings
    clients: int
    metrics: int | None
    logs: dict[str, Any]


class Excuse(msgspec.Struct, frozen=True):
    """Why a worker gave up, in the operator's words."""

    message: str
    hint: str | None = None


def main() -> None:
    """Serve until told to stop, or until the supervisor is gone."""
    # After `Job`, which the supervisor needs without the rest.
    import structlog

    from parsec.server.command.failure import Failure
    from parsec.server.command.logs import configure_logs
    from parsec.server.command.serve import Sockets, serve

    job: Job = pickle.load(sys.stdin.buffer)  # noqa: S301  (only our supervisor has the other end)
    try:
        configure_logs(**job.logs, worker=job.number)
        sockets = Sockets(
            socket.socket(fileno=job.clients),
            socket.socket(fileno=job.metrics) if job.metrics is not None else None,
        )
        serve(
            job.settings,
            sockets,
            announce=lambda: structlog.get_logger().info("worker started"),
            lifeline=sys.stdin.fileno(),
        )
    except Failure as failure:
        excuse = Excuse(failure.message, failure.hint)
        sys.stdout.buffer.write(msgspec.json.encode(excuse))
        sys.exit(failure.exit_code)


if __name__ == "__main__":
    main()
