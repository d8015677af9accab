"""Events of all processes that share a PostgreSQL database.

They go through a table. A transaction that publishes numbers its events at its very end, holding
the row of a counter until its commit: so the numbers have no holes and follow the order of the
commits. NOTIFY only wakes the processes. Each, the publisher's included, reads what follows the
last number that it delivered. So it does not matter how large an event is, nor what was notified
while the listening connection was away: once it is back, all that happened meanwhile is read.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import structlog

from parsec.server.records import AnyEvent
from parsec.server.store.dialect import numbered
from parsec.server.store.engine import Listener, StorageError
from parsec.server.store.event_bytes import UnknownEventError, dump_event, load_event
from parsec.server.store.event_memory import (
    FORGET,
    forgets_others,
    forgetting_values,
    is_remembered,
)
from parsec.server.store.postgresql_connection import PostgresqlConnection

KEPT = 1 << 16
"""How many events a process may be behind; one that is farther must start again."""

_FORGET_EVERY = 1 << 10
# Between two portions streams take what waits for them. One that is told much more at once would
# count as too slow, although its client is not: when the database is back, much may have come.
_READ_AT_ONCE = 50

_POLL_SECONDS = 10.0
"""When to look although nobody called: the connection may have died silently."""

EAR_SECONDS = 10.0
"""How long the listening connection may take to answer: others wait for what it reads."""

_CHANNEL = "parsec_event"

# The numbers of the events are those in the memory too (`store.event_memory`), as they follow the
# order of the commits. What is not remembered names no organization.
_PUBLISH = """
WITH counter AS (
    UPDATE event_counter SET last = last + cardinality($1::bytea[])
    RETURNING last - cardinality($1::bytea[]) AS former
), published AS (
    SELECT former + position AS number, content, organization_id, event_id
    FROM counter, unnest($1::bytea[], $2::text[], $3::bytea[])
        WITH ORDINALITY AS given (content, organization_id, event_id, position)
), written AS (
    INSERT INTO event (number, content) SELECT number, content FROM published
), remembered AS (
    INSERT INTO remembered_event (organization_id, number, event_id, content)
    SELECT organization_id, number, event_id, content FROM published
    WHERE organization_id IS NOT NULL
)
SELECT pg_notify($4, '')"""

# One statement, so that the counter and the events are of one state.
_NEW = """
SELECT event_counter.last, event.number, event.content
FROM event_counter
LEFT JOIN event ON event.number > $1
ORDER BY event.number
LIMIT $2"""

_FORGET = "DELETE FROM event WHERE number <= $1"
_FORGET_REMEMBERED = numbered(FORGET)

_HAS_COUNTER = "SELECT to_regclass('event_counter') IS NOT NULL"
_LAST = "SELECT last FROM event_counter"

_log = structlog.get_logger()


class EventsLostError(StorageError):
    """Events are gone that this process did not deliver."""


async def publish(connection: PostgresqlConnection, events: Sequence[AnyEvent]) -> None:
    """Tell all processes, if the transaction commits: the last thing that it does."""
    await connection.rows(
        _PUBLISH,
        [dump_event(event) for event in events],
        [event.organization_id if is_remembered(event) else None for event in events],
        [event.event_id for event in events],
        _CHANNEL,
    )
    for event in filter(forgets_others, events):
        values = forgetting_values(event)
        await connection.rows(_FORGET_REMEMBERED.text, *_FORGET_REMEMBERED.arguments(values))


class Delivery:
    """Calls the listeners of this process for each event, in the order of the commits."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[PostgresqlConnection]],
        *,
        attempts: int,
        pause: float,
    ) -> None:
        self._connect = connect
        self._attempts = attempts
        self._pause = pause
        self._listeners: list[Listener] = []
        self._delivered = 0
        self._turn = asyncio.Lock()
        self._failures = 0
        self._task: asyncio.Task[None] | None = None
        self._lost: asyncio.Future[StorageError] | None = None

    async def begin(self, connection: PostgresqlConnection) -> None:
        """From now on no event is missed, whenever the listening begins."""
        ((has_counter,),) = await connection.rows(_HAS_COUNTER)
        if has_counter:
            ((self._delivered,),) = await connection.rows(_LAST)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Have a function called for each event; returns what ends it."""
        self._listeners.append(listener)
        if self._task is None:
            self._task = asyncio.create_task(self._listen())
        return lambda: self._listeners.remove(listener)

    async def lost(self) -> StorageError:
        """Comes only when listening has failed for good, and says why."""
        if self._lost is None:
            self._lost = asyncio.get_running_loop().create_future()
        return await asyncio.shield(self._lost)

    async def close(self) -> None:
        """Listen no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def catch_up(self, connection: PostgresqlConnection) -> None:
        """Deliver what was committed before, without waiting to be called. Raises StorageError."""
        async with self._turn:
            while await self._deliver_some(connection):
                pass

    # --- Listening ---

    async def _listen(self) -> None:
        try:
            while self._failures <= self._attempts:
                await self._listen_while_connected()
                await asyncio.sleep(self._pause)
            error = StorageError(f"the database is lost; gave up after {self._attempts} attempts")
        except EventsLostError as lost:
            error = lost
        except Exception as bug:
            _log.exception("bug", task="events")
            error = StorageError(f"events cannot be delivered: {bug!r}")
        if self._lost is None:
            self._lost = asyncio.get_running_loop().create_future()
        self._lost.set_result(error)

    async def _listen_while_connected(self) -> None:
        try:
            async with self._ear() as (connection, called):
                while True:
                    called.clear()
                    await self.catch_up(connection)
                    self._told_again()
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(_POLL_SECONDS):
                            await called.wait()
        except EventsLostError:
            raise
        except StorageError as error:
            self._failures += 1
            _log.warning("events wait for the database", attempt=self._failures, error=str(error))

    @contextlib.asynccontextmanager
    async def _ear(self) -> AsyncIterator[tuple[PostgresqlConnection, asyncio.Event]]:
        """A connection for listening alone, and what is set when there is something to do."""
        called = asyncio.Event()
        connection = await self._connect()
        try:
            await connection.listen(_CHANNEL, called.set)
            yield connection, called
        finally:
            connection.terminate()

    def _told_again(self) -> None:
        if self._failures:
            _log.info("events come again")
            self._failures = 0

    # --- Delivering ---

    async def _deliver_some(self, connection: PostgresqlConnection) -> bool:
        """Whether there may be more."""
        found = await connection.rows(_NEW, self._delivered, _READ_AT_ONCE)
        for number, content in self._checked(found):
            self._deliver(content)
            self._delivered = number
            if number % _FORGET_EVERY == 0:
                await connection.rows(_FORGET, number - KEPT)
        return len(found) == _READ_AT_ONCE

    def _checked(self, found: Sequence[Any]) -> Sequence[tuple[int, bytes]]:
        """The events behind the last one that was delivered; none may be missing."""
        last = found[0][0] if found else None
        events = [(number, content) for _, number, content in found if number is not None]
        first = events[0][0] if events else self._delivered + 1
        if first != self._delivered + 1 or (not events and last != self._delivered):
            raise EventsLostError(
                f"events behind {self._delivered} are gone from the database, whose last is {last}"
            )
        return events

    def _deliver(self, content: bytes) -> None:
        try:
            event = load_event(content)
        except UnknownEventError as error:
            # Of a newer process, while the processes of a server are replaced one by one.
            _log.warning("event not understood", error=str(error))
            return
        for listener in tuple(self._listeners):
            listener(event)
