"""Requests to the server under test, and its streams of events, exactly as the scenario says."""

import base64
import contextlib
import http.client
import json
import queue
import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import msgspec

from tests.conformance.scenarios.wire import load

_TIMEOUT_S = 30
_SETTLE_S = 5

Headers = Mapping[str, str | None]


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where a server listens."""

    host: str
    port: int
    tls: bool

    @classmethod
    def parse(cls, address: str) -> "Endpoint":
        """Read `parsec3://HOST[:PORT][?no_ssl=true]`."""
        parts = urlsplit(address)
        assert parts.scheme == "parsec3", f"not the address of a server: {address}"
        assert parts.hostname, f"not the address of a server: {address}"
        tls = "no_ssl=true" not in parts.query
        return cls(host=parts.hostname, port=parts.port or (443 if tls else 80), tls=tls)

    def connect(self) -> http.client.HTTPConnection:
        if not self.tls:
            return http.client.HTTPConnection(self.host, self.port, timeout=_TIMEOUT_S)
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(
            self.host, self.port, timeout=_TIMEOUT_S, context=context
        )


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back, with the content decoded where it can be."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def content(self) -> Any:
        """MessagePack or JSON by the declared type, None for anything else."""
        declared = self.headers.get("content-type", "").partition(";")[0]
        with contextlib.suppress(ValueError, msgspec.DecodeError):
            if declared == "application/msgpack":
                return load(self.body)
            if declared == "application/json":
                return json.loads(self.body)
        return None

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")


def exchange(endpoint: Endpoint, method: str, target: str, headers: Headers, body: bytes) -> Answer:
    """Send one request over a connection of its own."""
    with contextlib.closing(endpoint.connect()) as connection:
        _send(connection, method, target, headers, body)
        with connection.getresponse() as response:
            return Answer(status=response.status, headers=_headers(response), body=response.read())


class EventStream:
    """An open stream of server-sent events, or the refusal to open one."""

    def __init__(self, endpoint: Endpoint, target: str, headers: Headers) -> None:
        self._connection = endpoint.connect()
        self._messages: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._thread: threading.Thread | None = None
        _send(self._connection, "GET", target, headers, b"")
        # http.client forgets a socket that the server wants closed; we need it to stop reading.
        self._socket: socket.socket = self._connection.sock
        self._response = self._connection.getresponse()
        opened = self._response.status == 200
        self.answer = Answer(
            status=self._response.status,
            headers=_headers(self._response),
            body=b"" if opened else self._response.read(),
        )
        if opened:
            # A stream may be silent for long: waiting is bounded where messages are taken.
            self._socket.settimeout(None)
            self._thread = threading.Thread(target=self._read, daemon=True)
            self._thread.start()

    def next(self, timeout: float) -> dict[str, Any] | None:
        """The next message, None when the stream has ended. Raises AssertionError if late."""
        try:
            message = self._messages.get(timeout=timeout)
        except queue.Empty:
            raise AssertionError(f"no event within {timeout} seconds") from None
        if message is None:
            self._messages.put(None)
        return message

    def check_idle(self, seconds: float) -> None:
        """Raises AssertionError if anything happens during that time."""
        try:
            message = self._messages.get(timeout=seconds)
        except queue.Empty:
            return
        raise AssertionError(f"expected no event, found {message or 'the end of the stream'!r}")

    def check_closed(self, timeout: float) -> None:
        """Raises AssertionError unless the stream ends by itself, without another event."""
        message = self.next(timeout)
        while message is not None and message["event"] == "keepalive":
            message = self.next(timeout)
        assert message is None, f"expected the end of the stream, found {message!r}"

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        if self._thread is not None:
            self._thread.join(_SETTLE_S)
        self._response.close()
        self._connection.close()

    def _read(self) -> None:
        lines: list[str] = []
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
            while line := self._response.readline():
                text = line.decode().removesuffix("\n")
                if text:
                    lines.append(text)
                else:
                    self._messages.put(_message(lines))
                    lines = []
        self._messages.put(None)


def _message(lines: list[str]) -> dict[str, Any]:
    fields = dict(line.partition(":")[::2] for line in lines)
    data = fields.get("data", "")
    return {
        "event": fields.get("event"),
        "id": fields.get("id"),
        "data": load(base64.b64decode(data)) if data else None,
        "raw_keys": sorted(fields),
    }


def _send(
    connection: http.client.HTTPConnection,
    method: str,
    target: str,
    headers: Headers,
    body: bytes,
) -> None:
    connection.putrequest(method, target, skip_accept_encoding=True)
    for name, value in headers.items():
        if value is not None:
            connection.putheader(name, value)
    if body or method not in ("GET", "DELETE"):
        connection.putheader("Content-Length", str(len(body)))
    # A server that refuses a large body may hang up before it has read it all: its answer counts.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        connection.endheaders(body or None)


def _headers(response: http.client.HTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.getheaders()}
