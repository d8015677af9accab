"""Waits, on a loopback address, for the browser to come back from a login.

    bound ──listen──▶ listening ──the address of this login──▶ over
                       │     ▲
                       └─────┘ any other address is turned away

Whatever runs on this machine, and every page in the browser, can send requests here. So an address
counts only when it is accepted (it names the login that was begun), only the first one counts, and
only when it is asked for by the listener's own address, not by a name that leads here.
"""

import os
import queue
import socketserver
import sys
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self, TypeAlias

from parsec.client.failure import FlowError
from parsec.client.rules.openbao_login import ForeignRedirect, LoginCode

Accept: TypeAlias = Callable[[str], LoginCode]

_HOST = "127.0.0.1"
_IDLE_SECONDS = 10.0
_POLL_SECONDS = 0.05
_STEP_SECONDS = 0.5
"""Some systems notice Ctrl-C only between two waits."""


class LoginTimeout(FlowError):
    """Nobody logged in in time."""


class LoopbackListener:
    """A port of this machine that takes one address. To be used as a context manager."""

    def __init__(self, path: str, *, port: int = 0) -> None:
        """Raises FlowError where the port cannot be had; 0 stands for any that is free."""
        try:
            self._server = _Server(path, port)
        except OSError as error:
            raise FlowError(
                f"Cannot wait for the browser on port {port}: {error.strerror}",
                hint="another program may use this port",
            ) from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL_SECONDS,), daemon=True
        )

    @property
    def redirect_uri(self) -> str:
        """Where the browser has to come back to."""
        return f"http://{self._server.host}{self._server.path}"

    def listen(self, accept: Accept) -> None:
        """Begin to take addresses.

        `accept` raises ForeignRedirect for what is turned away; another FlowError ends the waiting.
        """
        self._server.accept = accept
        self._thread.start()

    def wait(self, seconds: float) -> LoginCode:
        """What was accepted. Raises LoginTimeout, the error of `accept`, or KeyboardInterrupt."""
        end = time.monotonic() + seconds
        while True:
            left = end - time.monotonic()
            try:
                outcome = self._server.outcomes.get(timeout=max(0.0, min(left, _STEP_SECONDS)))
            except queue.Empty:
                if left > 0:
                    continue
                raise LoginTimeout(
                    f"Nobody logged in within {seconds / 60:g} minutes",
                    hint="begin again, and open the address that is shown in a browser",
                ) from None
            if isinstance(outcome, FlowError):
                raise outcome
            return outcome

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    # Browsers open connections ahead and leave them idle: each gets a thread of its own.
    daemon_threads = True
    # On Windows this would let another program take the port over.
    allow_reuse_address = os.name == "posix"

    def __init__(self, path: str, port: int) -> None:
        self.path = path
        self.accept: Accept | None = None
        self.outcomes: queue.SimpleQueue[LoginCode | FlowError] = queue.SimpleQueue()
        self._over = threading.Lock()
        super().__init__((_HOST, port), _Handler)

    @property
    def host(self) -> str:
        return f"{_HOST}:{self.server_address[1]}"

    def server_bind(self) -> None:
        # Not the method of HTTPServer, which asks for the name of the host and may wait long.
        socketserver.TCPServer.server_bind(self)

    def outcome(self, address: str) -> LoginCode | FlowError:
        """What an address leads to; ForeignRedirect also for all after the first that counts."""
        assert self.accept is not None
        try:
            found: LoginCode | FlowError = self.accept(address)
        except FlowError as error:
            found = error
        if isinstance(found, ForeignRedirect) or self._over.acquire(blocking=False):
            return found
        return ForeignRedirect("The login is over")

    def handle_error(self, request: Any, client_address: Any) -> None:
        # By default a connection that breaks is printed too.
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = _IDLE_SECONDS

    def do_GET(self) -> None:
        if self.headers.get("Host") != self.server.host:
            return self._show(HTTPStatus.MISDIRECTED_REQUEST, _NOT_FOUND)
        if self.path.partition("?")[0] != self.server.path:
            return self._show(HTTPStatus.NOT_FOUND, _NOT_FOUND)
        outcome = self.server.outcome(self.path)
        match outcome:
            case ForeignRedirect():
                return self._show(HTTPStatus.BAD_REQUEST, _FOREIGN)
            case FlowError():
                page = _REFUSED
            case LoginCode():
                page = _DONE
        try:
            self._show(HTTPStatus.OK, page)
        finally:
            # Only now, because the program may end as soon as it knows.
            self.server.outcomes.put(outcome)

    def _show(self, status: HTTPStatus, text: str) -> None:
        body = _PAGE.format(text=text).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", "default-src 'none'")
        # The address of this page holds the code of the login.
        self.send_header("Referrer-Policy", "no-referrer")
        self.end_headers()
        self.wfile.write(body)

    def version_string(self) -> str:
        return "Parsec"

    def log_message(self, *_: object, **__: object) -> None:
        # Standard error is the person's, and addresses hold codes.
        return


_DONE = "You can close this window and go back to the program that opened it."
_REFUSED = "The login was refused. You can close this window."
_FOREIGN = "This is not the end of the login that was begun, or it is over already."
_NOT_FOUND = "There is nothing here."
_PAGE = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>Parsec</title><p>{text}</p></html>'
)
