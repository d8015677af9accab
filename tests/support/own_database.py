"""A database for each process that runs tests, where several do.

Locks and notifications are of a database: in one for all, the tests of one process would wait for
those of another.
"""

import asyncio
import atexit
import os
import secrets
from urllib.parse import urlsplit

VARIABLE = "PARSEC_TEST_POSTGRESQL"


def use_own_database() -> None:
    """In a process of pytest-xdist, make a database and let the variable name it.

    To be called before anybody reads the variable. The database goes away with the process, after
    the servers that use it: what was registered last runs first at exit.
    """
    shared = os.environ.get(VARIABLE)
    if shared is None or "PYTEST_XDIST_WORKER" not in os.environ:
        return
    name = f"parsec_test_{secrets.token_hex(8)}"
    _run(shared, f"CREATE DATABASE {name}")
    atexit.register(_run, shared, f"DROP DATABASE {name} WITH (FORCE)")
    parts = urlsplit(shared)
    os.environ[VARIABLE] = f"{parts.scheme}://{parts.netloc}/{name}?{parts.query}"


def _run(url: str, statement: str) -> None:
    # Most runs need no database.
    import asyncpg  # type: ignore[import-untyped]

    async def run() -> None:
        connection = await asyncpg.connect(url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(run())
