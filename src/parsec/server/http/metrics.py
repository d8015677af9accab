"""What Prometheus reads, at an address of its own."""

from collections.abc import Callable

from starlette.types import Receive, Scope, Send

from parsec.server.http.answer import send_answer, send_detail

_HEADERS = ((b"content-type", b"text/plain; version=0.0.4; charset=utf-8"),)


class MetricsPage:
    """Answers `GET /metrics` with a text, and nothing else."""

    def __init__(self, text: Callable[[], bytes]) -> None:
        self._text = text

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        assert scope["type"] == "http"
        if scope["path"] != "/metrics":
            await send_detail(send, 404, "Not Found")
        elif scope["method"] != "GET":
            await send_detail(send, 405, "Method Not Allowed", ((b"allow", b"GET"),))
        else:
            await send_answer(send, 200, _HEADERS, self._text())
