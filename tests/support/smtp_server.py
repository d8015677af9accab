"""A mail server that says what a test wants, and remembers what it was told."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field


@dataclass
class SmtpRecorder:
    port: int = 0
    commands: list[str] = field(default_factory=list)
    messages: list[bytes] = field(default_factory=list)


@contextlib.asynccontextmanager
async def smtp_server(
    answers: Mapping[str, str] | None = None, *, greeting: str = "220 ready"
) -> AsyncIterator[SmtpRecorder]:
    """`answers` are given to commands that begin so, instead of a polite `250 ok`."""
    recorder = SmtpRecorder()
    said = {"DATA": "354 go on", "QUIT": "221 bye", "AUTH": "235 welcome"} | dict(answers or {})

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def say(line: str) -> None:
            writer.write(f"{line}\r\n".encode())
            await writer.drain()

        await say(greeting)
        while line := (await reader.readline()).decode().strip():
            recorder.commands.append(line)
            word = line.split(" ")[0].upper()
            await say("250-me\r\n250 AUTH PLAIN" if word == "EHLO" else said.get(word, "250 ok"))
            if word == "DATA" and said[word].startswith("354"):
                recorder.messages.append(await reader.readuntil(b"\r\n.\r\n"))
                await say("250 taken")

    async with serving(talk) as port:
        recorder.port = port
        yield recorder


@contextlib.asynccontextmanager
async def serving(
    talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[int]:
    """A local port on which every connection is talked to, until the end."""
    writers: list[asyncio.StreamWriter] = []
    tasks: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await talk(reader, writer)
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
    for writer in writers:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    await asyncio.gather(*tasks)
