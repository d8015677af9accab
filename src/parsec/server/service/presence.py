"""Who is there: the users of whom a device has an open event stream.

One process knows by itself. Of several, each writes its part into the database, in the background
and as much at a time as has come together, and shows now and then that it lives: what a process
wrote that was killed counts no more after a while, and the others remove it.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol

import structlog

from parsec.crypto.entropy import Entropy
from parsec.data.ids import UserID
from parsec.data.instant import Instant
from parsec.data.people import OrganizationID
from parsec.server.events import Exchange
from parsec.server.records import ProcessID
from parsec.server.store import presence as store
from parsec.server.store.engine import Engine, StorageError, Transaction

SILENCE_SECONDS = 60
"""After which a process counts as ended; the clocks of machines differ by a little."""

_SEEN_EVERY_SECONDS = 15

_log = structlog.get_logger()


class Presence(Protocol):
    """Knows who is there."""

    async def announced(self) -> None:
        """Returns when all processes can know who has opened a stream here before."""

    async def present(
        self, transaction: Transaction, organization_id: OrganizationID, user_ids: Sequence[UserID]
    ) -> set[UserID]:
        """Those of some users who are there."""


class UntoldPresence:
    """Nobody is told to be there."""

    async def announced(self) -> None:
        """At once."""

    async def present(
        self,
        transaction: Transaction,  # noqa: ARG002
        organization_id: OrganizationID,  # noqa: ARG002
        user_ids: Sequence[UserID],  # noqa: ARG002
    ) -> set[UserID]:
        """None of them."""
        return set()


class LocalPresence:
    """That of the only process."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def announced(self) -> None:
        """At once."""

    async def present(
        self,
        transaction: Transaction,  # noqa: ARG002
        organization_id: OrganizationID,
        user_ids: Sequence[UserID],
    ) -> set[UserID]:
        """Those of some users who are there."""
        is_listening = self._exchange.is_listening
        return {user_id for user_id in user_ids if is_listening(organization_id, user_id)}


class SharedPresence:
    """That of one of several processes."""

    def __init__(
        self, engine: Engine, exchange: Exchange, *, clock: Callable[[], Instant], entropy: Entropy
    ) -> None:
        self._engine = engine
        self._exchange = exchange
        self._clock = clock
        self._process_id = ProcessID.generate(entropy)
        self._changed: set[tuple[OrganizationID, UserID]] = set()
        # How many changes there were, and how many of these the others were told.
        self._noted = self._told = 0
        self._telling: asyncio.Future[None] | None = None
        self._wake = asyncio.Event()

    @contextlib.asynccontextmanager
    async def telling(self) -> AsyncIterator[None]:
        """While this lasts, the other processes are told."""
        unwatch = self._exchange.watch(self._note)
        self._telling = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(self._tell_for_ever())
        try:
            yield
        finally:
            unwatch()
            task.cancel()
            await asyncio.wait([task])
            done, self._telling = self._telling, None
            done.set_result(None)
            with contextlib.suppress(StorageError):
                async with self._engine.transaction(write=True) as transaction:
                    await store.remove_process(transaction, self._process_id)

    async def announced(self) -> None:
        """Returns when all processes can know who has opened a stream here before."""
        noted = self._noted
        while self._telling is not None and self._told < noted:
            # Others wait for it too.
            await asyncio.shield(self._telling)

    async def present(
        self, transaction: Transaction, organization_id: OrganizationID, user_ids: Sequence[UserID]
    ) -> set[UserID]:
        """Those of some users who are there."""
        since = self._clock().plus(seconds=-SILENCE_SECONDS)
        return await store.present(transaction, organization_id, user_ids, since=since)

    def _note(self, organization_id: OrganizationID, user_id: UserID) -> None:
        self._changed.add((organization_id, user_id))
        self._noted += 1
        self._wake.set()

    async def _tell_for_ever(self) -> None:
        while True:
            self._wake.clear()
            noted = self._noted
            await self._tell()
            # Also if it failed: nobody waits for what is a courtesy.
            assert self._telling is not None
            self._told, done = noted, self._telling
            self._telling = asyncio.get_running_loop().create_future()
            done.set_result(None)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_SEEN_EVERY_SECONDS):
                    await self._wake.wait()

    async def _tell(self) -> None:
        changed, self._changed = self._changed, set()
        try:
            async with self._engine.transaction(write=True) as transaction:
                await self._write(transaction, changed)
        except StorageError as error:
            self._changed |= changed
            _log.warning("presence not written", error=str(error))
        except Exception:
            self._changed |= changed
            _log.exception("bug", task="presence")

    async def _write(
        self, transaction: Transaction, changed: set[tuple[OrganizationID, UserID]]
    ) -> None:
        now = self._clock()
        if not await store.be_seen(transaction, self._process_id, on=now):
            # The first time, or the others took it for dead.
            changed = changed | self._exchange.listening()
        await store.remove_silent(transaction, since=now.plus(seconds=-SILENCE_SECONDS))
        for organization_id, user_id in changed:
            await store.set_presence(
                transaction,
                self._process_id,
                organization_id,
                user_id,
                is_present=self._exchange.is_listening(organization_id, user_id),
            )
