"""A database for each process that runs tests, where several do.

Locks and notifications are of a database: in one for all, the tests of one process would wait for
those of another.
"""

import asyncio
import os
from collections.abc import MutableMapping
from urllib.parse import urlsplit

VARIABLE = "PARSEC_TEST_POSTGRESQL"


class OwnDatabase:
    """The database of a process of pytest-xdist; none where there is no such process."""

    def __init__(self, environ: MutableMapping[str, str] = os.environ) -> None:
        self._shared = environ.get(VARIABLE)
        self._worker = environ.get("PYTEST_XDIST_WORKER")
        self._environ = environ

    def make(self) -> None:
        """Make it, and let the variable name it."""
        if self._shared is None or self._worker is None:
            return
        self._run(f"DROP DATABASE IF EXISTS {self._name} WITH (FORCE)")
        self._run(f"CREATE DATABASE {self._name}")
        self._environ[VARIABLE] = urlsplit(self._shared)._replace(path=self._name).geturl()

    def drop(self) -> None:
        """Remove it."""
        if self._shared is not None and self._worker is not None:
            self._environ[VARIABLE] = self._shared
            self._run(f"DROP DATABASE {self._name} WITH (FORCE)")

    @property
    def _name(self) -> str:
        return f"parsec_test_{self._worker}"

    def _run(self, statement: str) -> None:
        # Most runs need no database.
        import asyncpg  # type: ignore[import-untyped]

        async def run() -> None:
            connection = await asyncpg.connect(self._shared)
            try:
                await connection.execute(statement)
            finally:
                await connection.close()

        asyncio.run(run())
