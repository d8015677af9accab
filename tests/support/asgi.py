"""Requests to an application in process, byte for byte as a server would hand them over."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from starlette.types import ASGIApp, Message, Scope


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


async def request(
    app: ASGIApp,
    method: str,
    target: str,
    headers: Mapping[str, str] | None = None,
    *chunks: bytes,
) -> Answer:
    """Send a request whose body comes in these chunks."""
    messages: list[Message] = [
        {"type": "http.request", "body": chunk, "more_body": number + 1 < len(chunks)}
        for number, chunk in enumerate(chunks)
    ] or [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Message:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    return await _answer(app, _scope(method, target, headers or {}), receive)


async def request_without_end(
    app: ASGIApp, method: str, target: str, headers: Mapping[str, str]
) -> Answer:
    """Send a request whose body never comes."""
    never = asyncio.Event()

    async def receive() -> Message:
        await never.wait()
        raise AssertionError

    async with asyncio.timeout(10):
        return await _answer(app, _scope(method, target, headers), receive)


async def _answer(app: ASGIApp, scope: Scope, receive: Callable[[], Awaitable[Message]]) -> Answer:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return Answer(
        status=sent[0]["status"],
        headers=_headers(sent[0]),
        body=b"".join(message.get("body", b"") for message in sent[1:]),
    )


@dataclass
class Stream:
    """An answer that goes on."""

    task: "asyncio.Task[None]"
    gone: asyncio.Event
    frames: "asyncio.Queue[bytes]" = field(default_factory=asyncio.Queue)

    async def next(self) -> bytes:
        """What comes next; empty bytes are the end."""
        async with asyncio.timeout(10):
            return await self.frames.get()

    async def leave(self) -> None:
        """Hang up, and wait until the application noticed."""
        self.gone.set()
        async with asyncio.timeout(10):
            await self.task


@contextlib.asynccontextmanager
async def stream(
    app: ASGIApp, target: str, headers: Mapping[str, str]
) -> AsyncIterator[tuple[Answer, Stream]]:
    """Open a stream; its answer so far has no body unless it ended at once."""
    loop = asyncio.get_running_loop()
    gone = asyncio.Event()
    frames: asyncio.Queue[bytes] = asyncio.Queue()
    started: asyncio.Future[Message] = loop.create_future()

    async def receive() -> Message:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            started.set_result(message)
        else:
            await frames.put(message.get("body", b""))

    task = asyncio.create_task(_run(app, _scope("GET", target, headers), receive, send))
    async with asyncio.timeout(10):
        head = await started
    answer = Answer(status=head["status"], headers=_headers(head), body=b"")
    opened = Stream(task=task, gone=gone, frames=frames)
    try:
        yield answer, opened
    finally:
        await opened.leave()


async def _run(app: ASGIApp, scope: Scope, receive: Any, send: Any) -> None:
    await app(scope, receive, send)


def _scope(method: str, target: str, headers: Mapping[str, str]) -> Scope:
    path, _, query = target.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http",
        "method": method,
        "path": unquote(path),
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": _raw_headers(headers),
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 6777),
    }


def _raw_headers(headers: Mapping[str, str]) -> Sequence[tuple[bytes, bytes]]:
    return [
        (b"host", b"127.0.0.1:6777"),
        *((name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()),
    ]


def _headers(head: Message) -> dict[str, str]:
    return {name.decode().lower(): value.decode("latin-1") for name, value in head["headers"]}
