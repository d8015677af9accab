"""A connection of a client, on which a request is bounded in time, and its head in size.

The head is the start line and the headers. uvicorn reads one as long as it comes, so that anybody
could fill the memory with one that never ends, or keep connections on which none ever comes. The
same holds for what comes behind the body, and for a next request before the answer to the first.
How long a body may be is known to who reads it (`http.body`).
"""

import asyncio
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

MAX_HEAD = 1 << 16
"""Bytes (docs/weak-rules.md); the proofs that clients send take a few hundred."""

HEAD_SECONDS = 30.0
"""From the first byte, or from the begin of the connection, to the end of the headers."""

BODY_SECONDS = 30.0
"""From there to the end of the request, as long as we read on."""

# The spaces and line ends of a start line, of a header, and behind the last one.
_START_LINE_REST = len("  HTTP/1.1\r\n")
_HEADER_REST = len(": \r\n")
_END = len("\r\n")


class _Corked:
    """A transport that sends in one go what is written in one turn of the loop.

    uvicorn writes the head of an answer, then its body: each would be a call of the system.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._waiting: list[bytes] = []

    def write(self, data: bytes) -> None:
        if not self._waiting:
            self._loop.call_soon(self._send)
        self._waiting.append(data)

    def close(self) -> None:
        self._send()
        self._transport.close()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def _send(self) -> None:
        data = b"".join(self._waiting)
        self._waiting.clear()
        if data and not self._transport.is_closing():
            self._transport.write(data)


class BoundedConnection(HttpToolsProtocol):
    """Answers 431 to a head that is too long, and 408 to a head or a body that does not come."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        # Runs while something is awaited: most requests come in one piece and need none.
        self._timer: asyncio.TimerHandle | None = None
        # What came since the last head, piece of a body or end of a request.
        self._head_size = 0
        self._is_in_body = False
        # Nobody took the body, so that we did not read on, since it began to be awaited.
        self._was_held_up = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(_Corked(transport, self.loop))  # type: ignore[arg-type]
        self._await(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._await_nothing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        self._head_size += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        self._was_held_up |= self.flow.read_paused
        if self._head_size > MAX_HEAD:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        elif self._timer is None:
            if self._is_in_body:
                self._await(BODY_SECONDS)
            elif self._head_size > 0 and self._is_idle():
                self._await(HEAD_SECONDS)

    def on_body(self, body: bytes) -> None:
        self._head_size = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._await_nothing()
        self._head_size = 0
        self._is_in_body = False
        super().on_message_complete()

    def on_headers_complete(self) -> None:
        self._await_nothing()
        self._head_size = 0
        if self._size_of_complete_head() > MAX_HEAD:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            # Ends the parsing of what came with it.
            raise ValueError("the head is too long")
        super().on_headers_complete()
        self._is_in_body = True
        self._was_held_up = False

    def send_400_response(self, msg: str) -> None:
        # Not behind another answer.
        if not self.transport.is_closing():
            super().send_400_response(msg)

    def _is_idle(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None or cycle.response_complete

    def _await(self, seconds: float) -> None:
        self._timer = self.loop.call_later(seconds, self._give_up)

    def _await_nothing(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        if self._is_in_body and self._was_held_up:
            # It gets its time from when we read on.
            self._was_held_up = self.flow.read_paused
            self._await(BODY_SECONDS)
        elif self._is_in_body or self._head_size > 0:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        else:
            # Browsers open connections for later: who has not asked yet is not answered.
            self.transport.close()

    def _size_of_complete_head(self) -> int:
        size = len(self.parser.get_method()) + len(self.url) + _START_LINE_REST + _END
        for name, value in self.headers:
            size += len(name) + len(value) + _HEADER_REST
        return size

    def _refuse(self, status: HTTPStatus) -> None:
        self._await_nothing()
        if not self._is_answering():
            head = f"HTTP/1.1 {status.value} {status.phrase}\r\nserver: parsec/3\r\n"
            self.transport.write(f"{head}content-length: 0\r\nconnection: close\r\n\r\n".encode())
        self.transport.close()

    def _is_answering(self) -> bool:
        """Whether what is sent now would come in the midst of an answer, or behind it."""
        if self._is_in_body:
            return self.cycle.response_started or bool(self.pipeline)
        return not self._is_idle()
