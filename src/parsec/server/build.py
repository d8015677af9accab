"""The only place that picks an engine and wires a server together."""

import contextlib
from collections.abc import AsyncIterator, Callable

from parsec.crypto.entropy import Entropy
from parsec.data.instant import Instant
from parsec.server.events import Exchange
from parsec.server.outbound.mail import WrittenMails
from parsec.server.outbound.mailer import FolderMailer, Mailer, SmtpMailer
from parsec.server.outbound.webhook import BootstrapWebhook
from parsec.server.service.context import Server, system_clock, system_source
from parsec.server.settings import (
    Database,
    MailFolder,
    MockedDatabase,
    PostgresqlDatabase,
    Settings,
    SmtpServer,
    SqliteDatabase,
)
from parsec.server.store.engine import Engine, SchemaError, StorageError
from parsec.server.store.sqlite import SqliteEngine, TemporarySqliteEngine


@contextlib.asynccontextmanager
async def running_server(
    settings: Settings,
    *,
    clock: Callable[[], Instant] = system_clock,
    entropy: Entropy = system_source,
) -> AsyncIterator[Server]:
    """A server from its settings, until it is stopped. Raises StorageError."""
    engine = make_engine(settings.database)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(engine.close)
        await _check_schema(engine, skip=settings.skip_migrations_check)
        exchange = Exchange()
        stack.callback(engine.subscribe(exchange.deliver))
        webhook = None
        if settings.organization_bootstrap_webhook is not None:
            webhook = BootstrapWebhook(settings.organization_bootstrap_webhook)
            stack.push_async_callback(webhook.close)
        yield Server(
            settings=settings,
            engine=engine,
            exchange=exchange,
            mails=WrittenMails(
                _mailer(settings.mail.by),
                sender=settings.mail.sender,
                server_addr=settings.server_addr,
                clock=clock,
                entropy=entropy,
                template_dir=settings.template_dir,
            ),
            bootstrap_webhook=webhook,
            clock=clock,
            entropy=entropy,
        )


def make_engine(database: Database) -> Engine:
    """The engine for a database. Raises StorageError."""
    match database:
        case SqliteDatabase():
            return SqliteEngine(database.path)
        case MockedDatabase():
            return TemporarySqliteEngine()
        case PostgresqlDatabase():
            return _postgresql_engine(database)


def _postgresql_engine(database: PostgresqlDatabase) -> Engine:
    # Only who uses PostgreSQL needs what it takes.
    try:
        from parsec.server.store.postgresql import PostgresqlEngine
    except ModuleNotFoundError as error:
        if error.name != "asyncpg":
            raise
        raise StorageError(
            "PostgreSQL needs the extra `postgres`: pip install 'parsec-py[server,postgres]'"
        ) from error
    return PostgresqlEngine(database)


async def _check_schema(engine: Engine, *, skip: bool) -> None:
    migrations = await engine.migrations()
    missing = [migration.name for migration in migrations if not migration.applied]
    if len(missing) == len(migrations):
        await engine.migrate()
    elif missing and not skip:
        raise SchemaError(f"the database lacks {len(missing)} migrations: {', '.join(missing)}")


def _mailer(by: SmtpServer | MailFolder) -> Mailer:
    match by:
        case SmtpServer():
            return SmtpMailer(by)
        case MailFolder():
            return FolderMailer(by.path)
