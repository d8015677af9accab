"""Requests of many people to one server over real connections, which may break at any moment."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from parsec.data.ids import AccessToken
from parsec.data.instant import Instant
from parsec.protocol.authentication import device_authorization, invitation_authorization
from parsec.protocol.command import Family, Request, dump_request, load_reply
from parsec.protocol.events import EventsListen
from tests.support.newcomers import Newcomer

_PATIENCE_S = 60.0
_PAUSE_S = 0.02
_OK, _UNAVAILABLE = 200, 503


class Unanswered(Exception):
    """Whether it was done nobody knows."""


class Wrong(Exception):
    """An answer that must not be."""


@dataclass
class Wire:
    """The way to a server, and how much went over it."""

    port: int
    administration_token: str
    operations: int = 0
    unanswered: int = 0
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the soak is over: nobody waits any longer."""
    _idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = field(default_factory=list)

    # --- Requests ---

    async def ask(self, who: Newcomer, organization: str, command: Request[Any]) -> Any:
        """The reply to a device. Raises Unanswered."""
        headers = {"Authorization": device_authorization(who.device_id, who.key, now=now())}
        suffix = "/tos" if command.FAMILY is Family.TOS else ""
        path = f"/authenticated/{organization}{suffix}"
        return await self._command(path, headers, command)

    async def ask_invited(
        self, token: AccessToken, organization: str, command: Request[Any]
    ) -> Any:
        """The reply to a claimer. Raises Unanswered."""
        headers = {"Authorization": invitation_authorization(token)}
        return await self._command(f"/invited/{organization}", headers, command)

    async def ask_anonymous(self, organization: str, command: Request[Any]) -> Any:
        """The reply to anybody. Raises Unanswered."""
        return await self._command(f"/anonymous/{organization}", {}, command)

    async def administer(self, method: str, path: str, body: Any = None) -> Any:
        """What the administration answers. Raises Unanswered."""
        headers = {
            "Authorization": f"Bearer {self.administration_token}",
            "Content-Type": "application/json",
        }
        content = json.dumps(body).encode() if body is not None else b""
        status, answer = await self.send(method, f"/administration/{path}", headers, content)
        if status != _OK:
            raise Wrong(f"{method} {path}: HTTP {status} {answer!r}")
        return json.loads(answer)

    async def _command(self, path: str, headers: Mapping[str, str], command: Request[Any]) -> Any:
        common = {"Api-Version": "5.5", "Content-Type": "application/msgpack"}
        status, body = await self.send("POST", path, {**common, **headers}, dump_request(command))
        if status != _OK:
            raise Wrong(f"{type(command).__name__}: HTTP {status} {body!r}")
        return load_reply(type(command), body)

    async def send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes]:
        """Status and body of an answer. Raises Unanswered."""
        writer = None
        try:
            async with asyncio.timeout(_PATIENCE_S):
                reader, writer = await self._connection()
                writer.write(_head(method, path, {**headers, "Content-Length": str(len(body))}))
                writer.write(body)
                await writer.drain()
                status, answered = await _read_head(reader)
                content = await reader.readexactly(int(answered.get("content-length", "0")))
        except TimeoutError:
            raise Wrong(f"{path}: no answer in {_PATIENCE_S} seconds") from None
        except (OSError, EOFError):
            if writer is not None:
                writer.close()
            await self._breathe()
            raise Unanswered from None
        if answered.get("connection") == "close":
            writer.close()
        else:
            self._idle.append((reader, writer))
        if status == _UNAVAILABLE:
            await self._breathe()
            raise Unanswered
        self.operations += 1
        return status, content

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof() and not writer.is_closing():
                return reader, writer
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def _breathe(self) -> None:
        self.unanswered += 1
        await asyncio.sleep(_PAUSE_S)

    def hang_up(self) -> None:
        """Let all connections go."""
        for _, writer in self._idle:
            writer.close()
        self._idle.clear()

    # --- Events ---

    async def events(
        self, who: Newcomer, organization: str, last: str | None
    ) -> AsyncIterator[tuple[str, str | None, Any]]:
        """The name, identifier and content of what comes, until the stream breaks."""
        headers = {
            "Api-Version": "5.5",
            "Accept": "text/event-stream",
            "Authorization": device_authorization(who.device_id, who.key, now=now()),
        }
        if last is not None:
            headers["Last-Event-ID"] = last
        writer = None
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.write(_head("GET", f"/authenticated/{organization}/events", headers))
            status, answered = await _read_head(reader)
            if status == _UNAVAILABLE:
                return
            if status != _OK:
                raise Wrong(f"events: HTTP {status}")
            assert answered["transfer-encoding"] == "chunked"
            rest = b""
            while chunk := await _chunk(reader):
                *frames, rest = (rest + chunk).split(b"\n\n")
                for frame in frames:
                    yield _event(frame)
        except (OSError, EOFError):
            return
        finally:
            if writer is not None:
                writer.close()


def now() -> Instant:
    return Instant(time.time_ns() // 1_000)


def _head(method: str, path: str, headers: Mapping[str, str]) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


async def _read_head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {}
    for line in head[1:-2]:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return int(head[0].split()[1]), headers


async def _chunk(reader: asyncio.StreamReader) -> bytes:
    size = int(await reader.readuntil(b"\r\n"), 16)
    content = await reader.readexactly(size + 2)
    return content[:-2]


def _event(frame: bytes) -> tuple[str, str | None, Any]:
    name, identifier, content = "", None, None
    for line in frame.decode().split("\n"):
        field_name, _, value = line.partition(":")
        match field_name:
            case "event":
                name = value
            case "id":
                identifier = value
            case "data" if value:
                content = load_reply(EventsListen, base64.b64decode(value))
    return name, identifier, content
