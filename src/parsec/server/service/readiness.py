"""Whether the server can do its work at this moment."""

import enum

from parsec.server.service.context import Server
from parsec.server.store import migrations
from parsec.server.store.engine import SchemaError, StorageError
from parsec.server.store.migrations import Migration


class Readiness(enum.Enum):
    """What a load balancer may be told."""

    READY = "ready"
    STOPPING = "stopping"
    DATABASE = "the database does not answer"
    SCHEMA = "the schema of the database is not that of this version"


async def readiness(server: Server, known: tuple[Migration, ...]) -> Readiness:
    """Ask the database, whose schema should be that of these migrations."""
    if server.exchange.is_stopping:
        return Readiness.STOPPING
    try:
        async with server.engine.transaction(write=False, single=True) as transaction:
            rows = await transaction.rows(migrations.APPLIED)
        applied = {name: checksum for name, checksum in rows}  # noqa: C416  (rows are no pairs)
        pending = migrations.pending_migrations(applied, known)
    except SchemaError:
        return _misfit(server)
    except StorageError:
        return Readiness.DATABASE
    return _misfit(server) if pending else Readiness.READY


def _misfit(server: Server) -> Readiness:
    # An operator who starts on the schema of another version has said that it will do.
    return Readiness.READY if server.settings.skip_migrations_check else Readiness.SCHEMA
