"""Connections that are kept between transactions, because making one takes long.

asyncpg has a pool of its own, which does more for each loan than a statement costs.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Generic, Protocol, TypeVar

_MAX_IDLE_SECONDS = 300.0
"""How long a connection is trusted that nobody used: firewalls forget them silently."""

_LAST_SECONDS = 10.0
"""How long the end waits for who still uses a connection."""


class Connection(Protocol):
    """What a pool must know of connections."""

    def is_closed(self) -> bool:
        """Whether nothing can be done with it any more."""

    def terminate(self) -> None:
        """Let go at once, without a word to the other side."""

    async def close(self) -> None:
        """Let go properly."""


C = TypeVar("C", bound=Connection)


class Pool(Generic[C]):
    """Lends each connection to one user at a time; who comes first is served first."""

    def __init__(self, connect: Callable[[], Awaitable[C]], *, limit: int) -> None:
        self._connect = connect
        self._limit = limit
        self._free_places = limit
        # Who waits is handed a place together with the connection that was used in it, if any.
        self._waiting: deque[asyncio.Future[C | None]] = deque()
        # The one used last comes first, so that those too many become idle.
        self._idle: list[tuple[C, float]] = []
        self._has_ended = False

    def adopt(self, connection: C) -> None:
        """Keep one more connection, which nobody uses yet."""
        self._idle.append((connection, monotonic()))

    async def acquire(self) -> C:
        """A connection for the caller alone, who gives it back. Raises what `connect` raises."""
        handed_over = await self._place()
        if handed_over is not None:
            return handed_over
        try:
            return self._kept() or await self._connect()
        except BaseException:
            self._leave(None)
            raise

    def release(self, connection: C) -> None:
        """Take a connection back, in the state in which it was lent, or closed."""
        if self._has_ended:
            connection.terminate()
        self._leave(None if connection.is_closed() else connection)

    async def close(self) -> None:
        """Let all connections go, after those who use them, but not for ever."""
        try:
            async with asyncio.timeout(_LAST_SECONDS):
                for _ in range(self._limit):
                    connection = await self._place()
                    if connection is not None:
                        self.adopt(connection)
                while self._idle:
                    connection, _ = self._idle.pop()
                    await connection.close()
        except TimeoutError:
            for connection, _ in self._idle:
                connection.terminate()
        self._has_ended = True

    async def _place(self) -> C | None:
        if self._free_places > 0:
            self._free_places -= 1
            return None
        turn: asyncio.Future[C | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            return await turn
        except BaseException:
            if not turn.cancel() and not turn.cancelled():
                # It was given a moment before.
                self._leave(turn.result())
            raise

    def _leave(self, connection: C | None) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(connection)
                return
        self._free_places += 1
        if connection is not None:
            self.adopt(connection)

    def _kept(self) -> C | None:
        while self._idle:
            connection, since = self._idle.pop()
            if connection.is_closed():
                continue
            if monotonic() - since < _MAX_IDLE_SECONDS:
                return connection
            connection.terminate()
        return None
