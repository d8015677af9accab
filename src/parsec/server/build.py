"""The only place that picks an engine and wires a server together."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import structlog

from parsec.crypto.entropy import Entropy
from parsec.data.instant import Instant
from parsec.server.events import Exchange
from parsec.server.meter import Meter
from parsec.server.outbound.counted import CountedMailer
from parsec.server.outbound.mail import WrittenMails
from parsec.server.outbound.mail_templates import MailTemplates
from parsec.server.outbound.mailer import FolderMailer, Mailer, SmtpMailer
from parsec.server.outbound.webhook import BootstrapWebhook
from parsec.server.service.context import Server, system_clock, system_source
from parsec.server.service.presence import (
    LocalPresence,
    Presence,
    SharedPresence,
    UntoldPresence,
)
from parsec.server.settings import (
    Database,
    MailFolder,
    MockedDatabase,
    PostgresqlDatabase,
    Settings,
    SmtpServer,
    SqliteDatabase,
    key_path_beside,
)
from parsec.server.store.counted import CountedEngine
from parsec.server.store.engine import Engine, OutOfReachError, SchemaError, StorageError, Use
from parsec.server.store.key_file import KeyFile, Keys, KeysInMemory
from parsec.server.store.sealed_columns import opened_sealing
from parsec.server.store.sealing import Sealing
from parsec.server.store.sqlite import SqliteEngine, TemporarySqliteEngine

_log = structlog.get_logger()


@contextlib.asynccontextmanager
async def running_server(
    settings: Settings,
    *,
    clock: Callable[[], Instant] = system_clock,
    entropy: Entropy = system_source,
    meter: Meter | None = None,
) -> AsyncIterator[Server]:
    """A server from its settings, until it is stopped. Raises StorageError."""
    engine = make_engine(settings.database)
    mailer = _mailer(settings.mail.by)
    if meter is not None:
        engine, mailer = CountedEngine(engine, meter), CountedMailer(mailer, meter)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(engine.close)
        sealing = await _opened(engine, settings, entropy)
        exchange = Exchange()
        stack.callback(engine.subscribe(exchange.deliver))
        presence: Presence = UntoldPresence()
        match settings.tell_presence, settings.database:
            case True, PostgresqlDatabase():
                presence = shared = SharedPresence(engine, exchange, clock=clock, entropy=entropy)
                await stack.enter_async_context(shared.telling())
            case True, _:
                presence = LocalPresence(exchange)
        webhook = None
        if settings.organization_bootstrap_webhook is not None:
            webhook = BootstrapWebhook(settings.organization_bootstrap_webhook.reveal())
            stack.push_async_callback(webhook.close)
        yield Server(
            settings=settings,
            engine=engine,
            sealing=sealing,
            exchange=exchange,
            presence=presence,
            mails=WrittenMails(
                mailer,
                sender=settings.mail.sender,
                server_addr=settings.server_addr,
                clock=clock,
                entropy=entropy,
                templates=MailTemplates(settings.default_language, settings.template_dir),
                language=settings.default_language,
            ),
            bootstrap_webhook=webhook,
            meter=meter or Meter(),
            clock=clock,
            entropy=entropy,
        )


async def prepare_database(settings: Settings) -> None:
    """Make what an empty database lacks, and check what another has. Raises StorageError.

    Several processes that begin together then find it done.
    """
    engine = make_engine(settings.database)
    try:
        await _opened(engine, settings, system_source)
    finally:
        await engine.close()


def make_engine(database: Database, *, use: Use = Use.ALONE, durable: bool = True) -> Engine:
    """The engine for a database; `use` is for one that is a file. Raises StorageError."""
    match database:
        case SqliteDatabase():
            return SqliteEngine(database.path, use=use, durable=durable)
        case MockedDatabase():
            return TemporarySqliteEngine()
        case PostgresqlDatabase():
            return _postgresql_engine(database)


def make_keys(settings: Settings) -> Keys:
    """Where the server key is."""
    if settings.server_key_file is not None:
        return KeyFile(settings.server_key_file)
    if isinstance(settings.database, SqliteDatabase):
        return KeyFile(key_path_beside(settings.database))
    return KeysInMemory()


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


async def _opened(engine: Engine, settings: Settings, entropy: Entropy) -> Sealing:
    """What opens the secrets of a database whose schema is made or checked. Raises StorageError.

    Begun again where the database goes away in the middle: a worker that is started at the wrong
    moment would take all others with it.
    """
    database = settings.database
    attempts, pause = 1, 0.0
    if isinstance(database, PostgresqlDatabase):
        attempts, pause = database.attempts, database.pause
    for _ in range(attempts - 1):
        try:
            return await _opened_at_once(engine, settings, entropy)
        except OutOfReachError as error:
            _log.warning("database out of reach", error=str(error))
            await asyncio.sleep(pause)
    return await _opened_at_once(engine, settings, entropy)


async def _opened_at_once(engine: Engine, settings: Settings, entropy: Entropy) -> Sealing:
    await _check_schema(engine, skip=settings.skip_migrations_check)
    return await opened_sealing(engine, make_keys(settings), entropy)


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
