"""A process that ends itself by SIGKILL at its n-th write point.

Nothing of the product knows of it: the libraries that reach the databases are handed connections
that count. Write points are the moments before each statement that writes and after each that
lasts (to a database, after another one is before the next one), one more while a commit is under
way to PostgreSQL, before and after a file is renamed or linked, and before an answer.
"""

import asyncio
import functools
import os
import signal
import sqlite3
from collections.abc import Callable, Coroutine
from typing import Any

import asyncpg  # type: ignore[import-untyped]
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_READS = ("SELECT", "PRAGMA", "SHOW", "LISTEN", "UNLISTEN", "WITH RECURSIVE")


class Fate:
    """How many write points a process has passed, and at which of them it ends."""

    def __init__(self) -> None:
        self.passed = 0
        self.last: int | None = None
        self._is_armed = False

    def begin(self, last: int | None) -> None:
        """Count from here on, up to the last one or for ever."""
        self.passed, self.last, self._is_armed = 0, last, True

    def point(self) -> None:
        """Here something was just written, or is about to be."""
        if not self._is_armed:
            return
        self.passed += 1
        if self.passed == self.last:
            os.kill(os.getpid(), signal.SIGKILL)
            # Whichever thread this is does not go on until the signal is there.
            signal.pause()


FATE = Fate()


class _Sqlite(sqlite3.Connection):
    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        if not _writes(sql):
            return super().execute(sql, parameters)
        FATE.point()
        cursor = super().execute(sql, parameters)
        if not self.in_transaction:
            FATE.point()
        return cursor


class _Postgresql(asyncpg.Connection):  # type: ignore[misc]
    async def fetch(self, query: str, *arguments: Any, **options: Any) -> Any:
        if not _writes(query):
            return await super().fetch(query, *arguments, **options)
        return await self._mortal(super().fetch(query, *arguments, **options))

    async def execute(self, query: str, *arguments: Any, **options: Any) -> Any:
        if not _writes(query):
            return await super().execute(query, *arguments, **options)
        statement = super().execute(query, *arguments, **options)
        return await self._mortal(statement, on_the_way=query == "COMMIT")

    async def _mortal(
        self, statement: Coroutine[Any, Any, Any], *, on_the_way: bool = False
    ) -> Any:
        FATE.point()
        sent = asyncio.ensure_future(statement)
        if on_the_way:
            # Its first step sends it; what becomes of it is for the database to say.
            await asyncio.sleep(0)
            FATE.point()
        result = await sent
        if not self.is_in_transaction():
            FATE.point()
        return result


def _writes(sql: str) -> bool:
    return not sql.lstrip().upper().startswith(_READS)


def make_mortal() -> None:
    """Have all databases and files of this process count from now on."""
    sqlite3.connect = functools.partial(sqlite3.connect, factory=_Sqlite)  # type: ignore[assignment]
    asyncpg.connect = functools.partial(asyncpg.connect, connection_class=_Postgresql)
    os.replace = _counted(os.replace)
    os.link = _counted(os.link)


def _counted(act: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(act)
    def counted(*arguments: Any, **options: Any) -> Any:
        FATE.point()
        result = act(*arguments, **options)
        FATE.point()
        return result

    return counted


def mortal_app(app: ASGIApp) -> ASGIApp:
    """The application, for which the moment before an answer is a write point too."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_or_die(message: Message) -> None:
            if message["type"] == "http.response.start":
                FATE.point()
            await send(message)

        await app(scope, receive, send_or_die)

    return answer
