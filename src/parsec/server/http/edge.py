"""What all answers have in common: a few headers, a name, and that failures tell nothing."""

import contextvars
from collections.abc import Sequence
from random import Random

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from parsec.crypto.entropy import Entropy
from parsec.server.http.answer import (
    CLOSE_HEADER,
    RawHeaders,
    send_answer,
    send_detail,
)
from parsec.server.store.engine import StorageError

REQUEST: contextvars.ContextVar[str] = contextvars.ContextVar("request")
"""The name of the request that is being answered, also for what is begun on its behalf."""

_HEADERS: RawHeaders = (
    (b"server", b"parsec/3"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)
# For who has come by TLS once; a year is what browsers expect.
_TLS_ONLY = (b"strict-transport-security", b"max-age=31536000")

# What somebody may complain about is found in the log by the name of the request.
_FIRST_ERROR = 400

_log = structlog.get_logger()


class Edge:
    """Stands around an application."""

    def __init__(self, app: ASGIApp, *, tls: bool, entropy: Entropy) -> None:
        """`tls`: clients reach the server by TLS, whoever speaks it."""
        self._app = app
        # Names are no secrets: the system need not be asked for each of them.
        self._names = Random(entropy(16))  # noqa: S311
        self._headers: Sequence[tuple[bytes, bytes]] = (*_HEADERS, _TLS_ONLY) if tls else _HEADERS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # Of our own making, whatever the client calls it: a name that others choose proves nothing.
        request = f"{self._names.getrandbits(64):016x}"
        before = REQUEST.set(request)
        try:
            await self._answer(request, scope, receive, send)
        finally:
            REQUEST.reset(before)

    async def _answer(self, request: str, scope: Scope, receive: Receive, send: Send) -> None:
        is_started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal is_started
            if message["type"] == "http.response.start":
                is_started = True
                message["headers"] = [*message["headers"], *self._headers]
                if message["status"] >= _FIRST_ERROR:
                    message["headers"].append((b"x-request-id", request.encode()))
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except StorageError as error:
            _log.error("storage failed", path=scope["path"], error=str(error))
            if is_started:
                raise
            # Official clients take this one for a server that is away for a moment.
            await send_detail(send_with_headers, 503, "Storage unavailable", (CLOSE_HEADER,))
        except Exception:
            _log.exception("bug", path=scope["path"])
            if is_started:
                raise
            headers = ((b"content-type", b"text/plain; charset=utf-8"), CLOSE_HEADER)
            await send_answer(send_with_headers, 500, headers, b"Internal Server Error")
