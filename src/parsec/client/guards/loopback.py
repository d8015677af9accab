"""Waits, on a loopback address, for the browser to come back from a login.

    bound ──listen──▶ listening ──the right address──▶ over
                       │    ▲
                       └────┘ any other address is turned away

Whatever runs on this machine, and every page in the browser, can send requests here. So an address
counts only when it is accepted (it holds the secret of this login), only the first one counts, and
only when it is asked for by the address of the listener, not by a name that leads here.
"""

import queue
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Generic, Self, TypeVar

from parsec.client.step import FlowError

T = TypeVar("T")

_HOST = "127.0.0.1"
_IDLE_SECONDS = 10.0
_STEP_SECONDS = 0.5
"""Some systems notice Ctrl-C only between two waits."""

_DONE = "You are logged in. You can close this window."
_REFUSED = "The login was refused. You can close this window."
_NOT_THIS = "This is not the end of the login that was begun."


class LoginTimeout(FlowError):
    """Nobody logged in in time."""


class LoopbackListener(Generic[T]):
    """A port of this machine that takes one address. To be used as a context manager."""

    def __init__(self, path: str, *, port: int = 0) -> None:
        """Raises FlowError where the port cannot be had; 0 stands for any that is free."""
        self._path = path
        self._outcomes: queue.SimpleQueue[T | FlowError] = queue.SimpleQueue()
        self._accept: Callable[[str], T] | None = None
        self._lock = threading.Lock()
        try:
            self._server = _Server((_HOST, port), self._page)
        except OSError as error:
            raise FlowError(
                f"Cannot wait for the browser on port {port}: {error.strerror}",
                hint="another program may use this port",
            ) from error
        self._thread: threading.Thread | None = None

    @property
    def redirect_uri(self) -> str:
        """Where the browser has to come back to."""
        return f"http://{_HOST}:{self._server.server_port}{self._path}"

    def listen(self, accept: Callable[[str], T]) -> None:
        """Begin to take addresses; `accept` raises FlowError for those that are not the right one.

        An AuthenticationFailed of it is the end of the login too.
        """
        self._accept = accept
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        self._thread.start()
