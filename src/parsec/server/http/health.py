"""Two questions of whoever watches the process: whether it lives, and whether it can work."""

import asyncio

import msgspec
from starlette.types import Send

from parsec.server.http.answer import send_answer
from parsec.server.service.context import Server
from parsec.server.service.readiness import Readiness, readiness
from parsec.server.store.migrations import known_migrations

PATIENCE_SECONDS = 5.0
"""How long the database may take to answer."""

# Anybody may ask: the database is asked for all of them together, and not all the time.
_FRESH_SECONDS = 1.0

_HEADERS = ((b"content-type", b"application/json"), (b"cache-control", b"no-store"))


class Health:
    """Answers them."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._known = tuple(known_migrations())
        self._asked: asyncio.Task[Readiness] | None = None
        self._found = Readiness.READY
        self._found_at = -_FRESH_SECONDS

    async def answer_health(self, send: Send) -> None:
        """The process lives, whatever its database does."""
        await _send(send, 200, "alive")

    async def answer_ready(self, send: Send) -> None:
        """Whether requests should be sent here."""
        found = await self._readiness()
        await _send(send, 200 if found is Readiness.READY else 503, found.value)

    async def _readiness(self) -> Readiness:
        if self._server.exchange.is_stopping:
            return Readiness.STOPPING
        loop = asyncio.get_running_loop()
        if loop.time() - self._found_at < _FRESH_SECONDS:
            return self._found
        if self._asked is None:
            self._asked = loop.create_task(self._ask())
        # Who hangs up does not take the answer from the others.
        return await asyncio.shield(self._asked)

    async def _ask(self) -> Readiness:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                self._found = await readiness(self._server, self._known)
        except TimeoutError:
            self._found = Readiness.DATABASE
        finally:
            self._found_at = asyncio.get_running_loop().time()
            self._asked = None
        return self._found


async def _send(send: Send, status: int, text: str) -> None:
    await send_answer(send, status, _HEADERS, msgspec.json.encode({"status": text}))
