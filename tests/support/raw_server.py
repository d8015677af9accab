"""A server of raw bytes on a local port, for what no honest server does."""

import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self, TypeAlias

from parsec.data.address import ServerAddr

_STEP_SECONDS = 0.02


@dataclass
class Received:
    """A request as it came in; header names in lower case."""

    line: str
    headers: dict[str, str]
    body: bytes


Behaviour: TypeAlias = Callable[[socket.socket, threading.Event], bool]
"""Answers one request; told when the server stops. True: the connection may serve the next one."""


def says(answer: bytes, *, keep: bool = False) -> Behaviour:
    """Sends these bytes, then closes the connection unless it is to be kept."""

    def behave(connection: socket.socket, _: threading.Event) -> bool:
        connection.sendall(answer)
        return keep

    return behave


def silent() -> Behaviour:
    """Never answers."""

    def behave(_: socket.socket, stopped: threading.Event) -> bool:
        stopped.wait()
        return False

    return behave


def drips(answer: bytes) -> Behaviour:
    """Sends these bytes, then one byte now and then, for ever."""

    def behave(connection: socket.socket, stopped: threading.Event) -> bool:
        connection.sendall(answer)
        while not stopped.wait(_STEP_SECONDS):
            connection.sendall(b"a")
        return False

    return behave


def pours(answer: bytes) -> Behaviour:
    """Sends these bytes, then more and more as fast as they are taken."""

    def behave(connection: socket.socket, stopped: threading.Event) -> bool:
        connection.sendall(answer)
        while not stopped.is_set():
            connection.sendall(bytes(65536))
        return False

    return behave


def http(
    status: str = "200 OK",
    body: bytes = b"",
    *,
    content_type: str | None = "application/msgpack",
    headers: tuple[str, ...] = (),
) -> bytes:
    """A well-formed answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    if content_type is not None:
        lines.append(f"Content-Type: {content_type}")
    return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass
class RawServer:
    """Answers its requests with the behaviours in turn, the last one again and again."""

    behaviours: list[Behaviour]
    tls: ssl.SSLContext | None = None
    received: list[Received] = field(default_factory=list)
    connections: int = 0

    def __enter__(self) -> Self:
        self._stopped = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._listen)]
        self._threads[0].start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stopped.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(timeout=10)
        self._socket.close()

    @property
    def addr(self) -> ServerAddr:
        """Where the server listens."""
        port: int = self._socket.getsockname()[1]
        return ServerAddr(hostname="127.0.0.1", port=port, use_ssl=self.tls is not None)

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(10)
        with connection:
            self._converse(connection)

    def _converse(self, plain: socket.socket) -> None:
        try:
            with self._secured(plain) as connection:
                while (request := _read(connection)) is not None:
                    self.received.append(request)
                    number = min(len(self.received), len(self.behaviours)) - 1
                    if not self.behaviours[number](connection, self._stopped):
                        return
        except OSError:
            return

    def _secured(self, plain: socket.socket) -> socket.socket:
        return plain if self.tls is None else self.tls.wrap_socket(plain, server_side=True)


def _read(connection: socket.socket) -> Received | None:
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65536)
        if not part:
            return None
        data += part
        if not data[:1].isalpha():
            return Received("not HTTP", {}, data)
    head, _, body = data.partition(b"\r\n\r\n")
    line, *fields = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (f.partition(":") for f in fields)}
    while len(body) < int(headers.get("content-length", "0")):
        body += connection.recv(65536)
    return Received(line, headers, body)
