"""Connections: how long the head of a request may be, and how long all of it may take."""

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator

import pytest
import uvicorn
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from parsec.server.command import connection
from parsec.server.command.connection import MAX_HEAD, BoundedConnection

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def begun_for_ever() -> AsyncIterator[str]:
    yield "begun"
    await asyncio.get_running_loop().create_future()


async def welcome(
    scope: Scope, receive: Receive, send: Send, *, when_to_read: asyncio.Event | None = None
) -> None:
    if when_to_read is not None:
        await when_to_read.wait()
    if scope["path"] != "/unread":
        await Request(scope, receive).body()
    if scope["path"] == "/slow":
        await StreamingResponse(begun_for_ever())(scope, receive, send)
    await PlainTextResponse("welcome")(scope, receive, send)


@contextlib.asynccontextmanager
async def connected(when_to_read: asyncio.Event | None = None) -> AsyncIterator[Connection]:
    """A connection to a server that answers everything."""
    app = functools.partial(welcome, when_to_read=when_to_read)
    config = uvicorn.Config(app, interface="asgi3", lifespan="off", log_config=None)
    config.load()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: BoundedConnection(config, ServerState(), {}), "127.0.0.1", 0
    )
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        yield reader, writer
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def answer(connection: Connection) -> bytes:
    """What the server says before it hangs up."""
    async with asyncio.timeout(10):
        return await connection[0].read()


def head(size: int) -> bytes:
    """One of that size, after whose answer the connection ends."""
    begin, end = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Long: ", b"\r\n\r\n"
    return begin + b"a" * (size - len(begin) - len(end)) + end


@pytest.mark.parametrize("piece", [MAX_HEAD * 2, 1_000], ids=["at once", "in pieces"])
@pytest.mark.parametrize(("size", "status"), [(MAX_HEAD, b"200"), (MAX_HEAD + 1, b"431")])
async def test_a_head_may_have_so_many_bytes(size: int, piece: int, status: bytes) -> None:
    async with connected() as (reader, writer):
        data = head(size)
        for begin in range(0, size, piece):
            writer.write(data[begin : begin + piece])
            await writer.drain()
            await asyncio.sleep(0)

        told = await answer((reader, writer))

    assert told.startswith(b"HTTP/1.1 " + status)


async def test_a_head_without_end_is_not_collected() -> None:
    async with connected() as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nX-Long: ".ljust(MAX_HEAD + 1, b"a"))

        told = await answer((reader, writer))

    assert told.startswith(b"HTTP/1.1 431")


async def test_the_path_counts_too() -> None:
    async with connected() as (reader, writer):
        writer.write(b"GET /".ljust(MAX_HEAD + 1, b"a"))

        told = await answer((reader, writer))

    assert told.startswith(b"HTTP/1.1 431")


async def test_the_body_does_not_count() -> None:
    body = bytes(2 * MAX_HEAD)
    async with connected() as (reader, writer):
        length = f"POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(length.encode() + body)

        told = await answer((reader, writer))

    assert told.startswith(b"HTTP/1.1 200")


async def pour_headers(writer: asyncio.StreamWriter) -> None:
    """Send far more of them than a head may have."""
    headers = b"".join(b"x-%d: %s\r\n" % (number, b"a" * 1000) for number in range(64))
    with contextlib.suppress(ConnectionError):
        for _ in range(64):
            writer.write(headers)
            await writer.drain()
            await asyncio.sleep(0)


async def test_what_comes_behind_a_body_is_not_collected() -> None:
    async with connected() as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n")

        await pour_headers(writer)

        with contextlib.suppress(ConnectionError):
            assert b"200" not in await answer((reader, writer))


async def test_a_second_head_without_end_is_not_collected_while_the_first_is_answered() -> None:
    async with connected() as (reader, writer):
        writer.write(b"GET /slow HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n")
        async with asyncio.timeout(10):
            await reader.readuntil(b"begun")

        await pour_headers(writer)

        with contextlib.suppress(ConnectionError):
            assert b"200" not in await answer((reader, writer))


async def test_a_head_that_does_not_come_is_not_awaited_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "HEAD_SECONDS", 0.05)
    async with connected() as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nX-Slow: ")

        told = await answer((reader, writer))

    assert told.startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize("nothing", [b"", b"\r\n\r\n"])
async def test_who_asks_nothing_is_let_go(nothing: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HEAD_SECONDS", 0.05)
    async with connected() as (reader, writer):
        writer.write(nothing)

        assert b"200" not in await answer((reader, writer))


BEGUN = b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nhalf"


async def test_a_body_that_does_not_come_is_not_awaited_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "BODY_SECONDS", 0.05)
    async with connected() as (reader, writer):
        writer.write(BEGUN)

        told = await answer((reader, writer))

    assert told.startswith(b"HTTP/1.1 408")
    assert b"connection: close" in told


async def drip(writer: asyncio.StreamWriter) -> None:
    """Send a body in the smallest pieces, for ever."""
    while True:
        writer.write(b"1\r\nx\r\n")
        await writer.drain()
        await asyncio.sleep(0)


async def test_a_body_without_end_is_not_awaited_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "BODY_SECONDS", 0.05)
    async with connected() as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        dripping = asyncio.create_task(drip(writer))

        async with asyncio.timeout(10):
            told = await reader.readline()

        dripping.cancel()
        with contextlib.suppress(asyncio.CancelledError, ConnectionError):
            await dripping

    assert told.startswith(b"HTTP/1.1 408")


async def test_a_body_that_nobody_wants_is_not_awaited_for_ever_either(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "BODY_SECONDS", 0.05)
    async with connected() as (reader, writer):
        writer.write(b"POST /unread HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        # Which keeps the connection from being closed because it is not used.
        dripping = asyncio.create_task(drip(writer))

        async with asyncio.timeout(10):
            await reader.readuntil(b"welcome")
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""

        dripping.cancel()
        with contextlib.suppress(asyncio.CancelledError, ConnectionError):
            await dripping


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Bodies are given up at once, until it was tried twice: then this happens."""
    event, tries = asyncio.Event(), iter(range(2))
    give_up = BoundedConnection._give_up

    def tried(self: BoundedConnection) -> None:
        if next(tries, None) is None:
            monkeypatch.setattr(connection, "BODY_SECONDS", 30)
            event.set()
        give_up(self)

    monkeypatch.setattr(connection, "BODY_SECONDS", 0)
    monkeypatch.setattr(BoundedConnection, "_give_up", tried)
    return event


async def test_a_body_that_is_not_taken_yet_is_not_late(patience: asyncio.Event) -> None:
    body = bytes(8 * MAX_HEAD)
    async with connected(when_to_read=patience) as (reader, writer):
        head = "POST /later HTTP/1.1\r\nConnection: close\r\n"
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)

        told = await answer((reader, writer))

    assert told.startswith(b"HTTP/1.1 200")


async def test_a_body_behind_a_request_that_is_being_answered_is_not_late(
    patience: asyncio.Event,
) -> None:
    async with connected() as (reader, writer):
        async with asyncio.timeout(10):
            writer.write(b"GET /slow HTTP/1.1\r\n\r\n")
            await reader.readuntil(b"begun")
            writer.write(BEGUN)
            await patience.wait()

        assert not reader.at_eof()


async def test_a_long_head_that_begins_behind_another_request_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = uvicorn.Config(welcome, lifespan="off", log_config=None)
    config.load()
    recorder = Recorder()
    bounded = BoundedConnection(config, ServerState(), {})
    bounded.connection_made(recorder)
    long = head(3 * MAX_HEAD)

    bounded.data_received(b"GET / HTTP/1.1\r\n\r\n" + long[: 2 * MAX_HEAD + 100])
    bounded.data_received(long[2 * MAX_HEAD + 100 :])
    await asyncio.sleep(0)

    assert recorder.is_closed
    bounded.connection_lost(None)


async def test_a_long_head_behind_another_request_is_noticed() -> None:
    async with connected() as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\n\r\n" + head(MAX_HEAD + 1))

        told = await answer((reader, writer))

    assert told.count(b"welcome") <= 1


async def test_several_requests_follow_each_other() -> None:
    async with connected() as (reader, writer):
        long = b"GET / HTTP/1.1\r\nX-Long: " + b"a" * (MAX_HEAD - 100) + b"\r\n\r\n"
        for _ in range(3):
            writer.write(long)
            await writer.drain()
            async with asyncio.timeout(10):
                await reader.readuntil(b"welcome")
        writer.write(head(200))

        told = await answer((reader, writer))

    assert told.startswith(b"HTTP/1.1 200")


# --- What is written ---


class Recorder(asyncio.Transport):
    """A transport that remembers."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []
        self.is_closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent.append(bytes(data))

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True


async def test_what_is_written_in_one_turn_leaves_in_one_piece() -> None:
    recorder = Recorder()
    corked = connection._Corked(recorder, asyncio.get_running_loop())

    corked.write(b"head ")
    corked.write(b"body")
    await asyncio.sleep(0)
    corked.write(b"event")
    await asyncio.sleep(0)

    assert recorder.sent == [b"head body", b"event"]


async def test_what_waits_leaves_before_the_end_and_nothing_after_it() -> None:
    recorder = Recorder()
    corked = connection._Corked(recorder, asyncio.get_running_loop())

    corked.write(b"last words")
    corked.close()
    corked.write(b"too late")
    await asyncio.sleep(0)

    assert recorder.sent == [b"last words"]
    assert corked.is_closing()
