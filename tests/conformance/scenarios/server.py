"""The live server that scenarios are played against.

By default `python -m parsec run` of this interpreter, started at first use and stopped at exit.

* `PARSEC_TEST_SERVER_ADDR` names a server that runs already (then scenarios that need options
  of their own are skipped);
* `PARSEC_TEST_SERVER_PYTHON` names another interpreter, that of an official server;
* `PARSEC_TEST_POSTGRESQL` names the PostgreSQL database on which our server runs, as two processes
  that answer in turns; else it is one process on SQLite;
* `PARSEC_TEST_EXPECT` is `preferred` (what a new server answers), or `memory` or `postgresql`
  (what the official server answers with that storage).
"""

import atexit
import contextlib
import itertools
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias, cast

from tests.conformance.scenarios.http import Endpoint
from tests.support.postgresql import SERVER, new_place_for_a_process

ADMINISTRATION_TOKEN = "s3cr3t"

Expectation: TypeAlias = Literal["preferred", "memory", "postgresql"]

# Places for databases go after the servers that use them.
_UNTIL_EXIT = contextlib.ExitStack()
atexit.register(_UNTIL_EXIT.close)

_START_LIMIT_S = 60
_STOP_LIMIT_S = 15


class Arguments(NamedTuple):
    port: int
    texts: list[str]


class OptionsUnsupported(Exception):
    """The server runs already, so that nobody can start it with other options."""


class ServerUnderTest:
    """One process or several that are one server; `port` is that of its address."""

    def __init__(self, endpoints: Sequence[Endpoint], expectation: Expectation) -> None:
        self.port = endpoints[0].port
        self.expectation = expectation
        self._turns = itertools.cycle(endpoints)

    @property
    def endpoint(self) -> Endpoint:
        """Where to send the next request: to another process each time."""
        return next(self._turns)


def server_under_test(options: list[str]) -> ServerUnderTest:
    """A running server with these further options. Raises OptionsUnsupported."""
    expectation = os.environ.get("PARSEC_TEST_EXPECT", "preferred")
    assert expectation in ("preferred", "memory", "postgresql"), expectation
    address = os.environ.get("PARSEC_TEST_SERVER_ADDR")
    if address and options:
        raise OptionsUnsupported(f"the server at {address} has options of its own")
    python = os.environ.get("PARSEC_TEST_SERVER_PYTHON", sys.executable)
    endpoints = (Endpoint.parse(address),) if address else _started(python, tuple(options))
    return ServerUnderTest(endpoints, cast("Expectation", expectation))


def official_server(python: str, options: list[str]) -> ServerUnderTest:
    """A running official server without database, with these further options."""
    return ServerUnderTest(_started(python, tuple(options)), "memory")


@cache
def _started(python: str, options: tuple[str, ...]) -> tuple[Endpoint, ...]:
    first = _free_port()
    if SERVER is None or python != sys.executable:
        return (_start(python, _arguments(first, address=first, database="MOCKED"), options),)
    database = _UNTIL_EXIT.enter_context(new_place_for_a_process())
    folder = tempfile.TemporaryDirectory(prefix="parsec-scenarios-")
    # What one process seals the other opens.
    options = (*options, f"--server-key-file={_UNTIL_EXIT.enter_context(folder)}/server.key")
    return tuple(
        _start(python, _arguments(port, address=first, database=database), options)
        for port in (first, _free_port())
    )


def _start(python: str, arguments: Arguments, options: tuple[str, ...]) -> Endpoint:
    # Lives as long as this process.
    folder = tempfile.TemporaryDirectory(prefix="parsec-scenarios-")
    log = Path(folder.name) / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [python, "-m", "parsec", "run", *arguments.texts, *options],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder.name,
            env=_environment(folder.name),
        )
    atexit.register(_stop, process, folder)
    _wait_until_listening(process, arguments.port, log)
    return Endpoint(host="127.0.0.1", port=arguments.port, tls=False)


def _arguments(port: int, *, address: int, database: str) -> Arguments:
    # The mandatory options of the official server (cli.md 10.5) and the debug commands.
    texts = [
        "--debug",
        f"--db={database}",
        "--blockstore=MOCKED",
        f"--administration-token={ADMINISTRATION_TOKEN}",
        f"--server-addr=parsec3://127.0.0.1:{address}?no_ssl=true",
        "--email-host=MOCKED",
        "--fake-account-password-algorithm-seed=F4k3",
        f"--port={port}",
    ]
    return Arguments(port, texts)


def _environment(folder: str) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PARSEC_", "PYTHON")) and name != "DEBUG"
    }
    # Whatever the server keeps outside its database goes away with the folder.
    return kept | {"HOME": folder, "XDG_DATA_HOME": folder, "TMPDIR": folder}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_listening(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_LIMIT_S
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"the server does not start:\n{log.read_text(errors='replace')[-4000:]}")


def _stop(process: "subprocess.Popen[bytes]", folder: "tempfile.TemporaryDirectory[str]") -> None:
    process.terminate()
    try:
        process.wait(_STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    folder.cleanup()
