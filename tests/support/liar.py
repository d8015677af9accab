"""A real HTTP server between clients and a server, which lies where it is told to.

What it is told is a function of the exchange at hand: it may forward the request, once, twice or
never, and answer with what came, with something else, or not at all.
"""

import http.client
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self, TypeAlias

import msgpack  # type: ignore[import-untyped]

from parsec.data.address import ServerAddr

_SECONDS = 20.0
_HOP_BY_HOP = ("connection", "transfer-encoding", "content-length", "date", "server")


@dataclass(frozen=True)
class Said:
    """What a server answers."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def but(self, **changes: Any) -> "Said":
        return replace(self, **changes)


@dataclass(frozen=True)
class Heard:
    """A request of a client; `number` counts those since the lie was set up."""

    number: int
    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def command(self) -> str | None:
        """The name of the command, if it is one."""
        try:
            return str(msgpack.unpackb(self.body, strict_map_key=False)["cmd"])
        except (ValueError, KeyError, TypeError):
            return None


Forward: TypeAlias = Callable[[], Said]
Lie: TypeAlias = Callable[[Heard, Forward], Said | None]
"""None: the connection is closed without an answer."""


def honest(_: Heard, forward: Forward) -> Said | None:
    """No lie."""
    return forward()


@dataclass
class Liar:
    """To be used as a context manager."""

    upstream: int = 0
    """The port of the real server."""
    lie: Lie = honest
    received: list[Heard] = field(default_factory=list)
    """All since the lie was set up."""

    def __enter__(self) -> Self:
        self._lock = threading.Lock()
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def addr(self) -> ServerAddr:
        port = self._server.server_address[1]
        return ServerAddr(hostname="127.0.0.1", port=port, use_ssl=False)

    def tell(self, lie: Lie) -> None:
        """From now on."""
        with self._lock:
            self.lie = lie
            self.received = []

    def hear(self, method: str, path: str, headers: Any, body: bytes) -> tuple[Lie, Heard]:
        with self._lock:
            heard = Heard(len(self.received), method, path, tuple(headers.items()), body)
            self.received.append(heard)
            return self.lie, heard


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, liar: Liar) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.liar = liar

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients may leave in the middle."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._upstream: http.client.HTTPConnection | None = None

    def finish(self) -> None:
        super().finish()
        if self._upstream is not None:
            self._upstream.close()

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        lie, heard = self.server.liar.hear(self.command, self.path, self.headers, body)
        said = lie(heard, lambda: self._forward(heard))
        if said is None:
            self.close_connection = True
            return
        self.send_response(said.status)
        for name, value in said.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(said.body)))
        self.end_headers()
        self.wfile.write(said.body)

    do_GET = do_POST = do_PATCH = _serve  # noqa: N815  (the names are the library's)

    def _forward(self, heard: Heard) -> Said:
        if self._upstream is None:
            self._upstream = http.client.HTTPConnection(
                "127.0.0.1", self.server.liar.upstream, timeout=_SECONDS
            )
        headers = {name: value for name, value in heard.headers if name.lower() not in _HOP_BY_HOP}
        self._upstream.request(heard.method, heard.path, heard.body, headers)
        answer = self._upstream.getresponse()
        kept = [pair for pair in answer.getheaders() if pair[0].lower() not in _HOP_BY_HOP]
        return Said(answer.status, tuple(kept), answer.read())

    def log_message(self, *_: object) -> None:
        """Nothing."""
