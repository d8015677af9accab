"""What all answers have in common: a few headers, and that failures tell nothing."""

from collections.abc import Sequence

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from parsec.server.http.answer import (
    CLOSE_HEADER,
    RawHeaders,
    send_answer,
    send_detail,
)
from parsec.server.store.engine import StorageError

_HEADERS: RawHeaders = (
    (b"server", b"parsec/3"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)
# For who has come by TLS once; a year is what browsers expect.
_TLS_ONLY = (b"strict-transport-security", b"max-age=31536000")

_log = structlog.get_logger()


class Edge:
    """Stands around an application."""

    def __init__(self, app: ASGIApp, *, tls: bool) -> None:
        """`tls`: clients reach the server by TLS, whoever speaks it."""
        self._app = app
        self._headers: Sequence[tuple[bytes, bytes]] = (*_HEADERS, _TLS_ONLY) if tls else _HEADERS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal is_started
            if message["type"] == "http.response.start":
                is_started = True
                message["headers"] = [*message["headers"], *self._headers]
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
