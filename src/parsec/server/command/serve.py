"""From settings to a process that serves HTTP until it is told to stop."""

import asyncio
import contextlib
import signal
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Iterator

import click
import structlog
import uvicorn

from parsec import __version__
from parsec.server.build import running_server
from parsec.server.command.failure import Failure
from parsec.server.command.settle import Settled
from parsec.server.events import Exchange
from parsec.server.http.app import make_app
from parsec.server.settings import MailFolder, Settings, Tls
from parsec.server.store.engine import Engine, SchemaError, StorageError

# uvicorn's own default is a list of the time before TLS 1.2.
_MODERN_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"

_GRACE_SECONDS = 10

_log = structlog.get_logger()


def serve(settled: Settled, listener: socket.socket) -> None:
    """Serve until SIGINT or SIGTERM. Raises Failure."""
    settings = settled.settings
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        try:
            runner.run(_serve(settled, listener))
        except SchemaError as error:
            hint = f"python -m parsec migrate --db {settings.database}"
            raise Failure(str(error), hint=hint) from error
        except StorageError as error:
            raise Failure(str(error)) from error
    click.echo("bye ;-)")


async def _serve(settled: Settled, listener: socket.socket) -> None:
    settings = settled.settings
    async with running_server(settings) as server:
        http = _Http(_http_config(settings, make_app(server)), server.exchange)
        with http.stopped_by_signals():
            # Who reads the start line may stop the server at once.
            for line in (*settled.notices, start_line(settings)):
                click.echo(line)
            _log.info("starting", version=__version__, **_told(settings))
            async with _stopped_at_loss(http, server.engine):
                await http.serve(sockets=[listener])
    _log.info("stopped")


@contextlib.asynccontextmanager
async def _stopped_at_loss(http: "_Http", engine: Engine) -> AsyncIterator[None]:
    """While this lasts, losing the database for good stops the server. Raises StorageError."""
    loss = asyncio.create_task(engine.lost())
    loss.add_done_callback(http.stop)
    try:
        yield
        if loss.done():
            raise loss.result()
    finally:
        loss.cancel()


def start_line(settings: Settings) -> str:
    """What the operator sees first."""
    parts = [
        f"db={settings.database}",
        "blockstore=none",
        f"email={_mail_text(settings)}",
        "telemetry=off",
        f"server_addr={settings.server_addr.url}",
    ]
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"Starting Parsec server on {host}:{settings.port}({' '.join(parts)})"


class _Http(uvicorn.Server):
    """Ends event streams first, and the process with code 0 whatever signal stopped it."""

    def __init__(self, config: uvicorn.Config, exchange: Exchange) -> None:
        super().__init__(config)
        self._exchange = exchange

    def stop(self, _reason: object = None) -> None:
        """End as at a first signal."""
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._exchange.stop()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def stopped_by_signals(self) -> Iterator[None]:
        """While this lasts, SIGINT and SIGTERM stop the server; a second SIGINT hurries it."""
        kept = {
            number: signal.signal(number, self.handle_exit)
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield
        finally:
            for number, handler in kept.items():
                signal.signal(number, handler)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # uvicorn's own come too late, and would end the process by the signal once all is closed.
        yield


def _http_config(settings: Settings, app: object) -> uvicorn.Config:
    config = uvicorn.Config(
        app,  # type: ignore[arg-type]  # an ASGI application, in Starlette's types
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=True,
        forwarded_allow_ips=settings.proxy_trusted_addresses,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        **_tls_arguments(settings.tls),  # type: ignore[arg-type]
    )
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        raise Failure(f"cannot use the certificate or its key: {error}") from error
    return config


def _tls_arguments(tls: Tls | None) -> dict[str, str | None]:
    if tls is None:
        return {}
    return {
        "ssl_certfile": str(tls.certfile),
        "ssl_keyfile": str(tls.keyfile) if tls.keyfile else None,
        "ssl_ciphers": tls.ciphers or _MODERN_CIPHERS,
    }


def _told(settings: Settings) -> dict[str, object]:
    """The configuration without what is secret."""
    return {
        "host": settings.host,
        "port": settings.port,
        "server_addr": settings.server_addr.url,
        "db": str(settings.database),
        "email": _mail_text(settings),
        "tls": settings.tls is not None,
        "proxy_trusted_addresses": settings.proxy_trusted_addresses,
        "debug": settings.debug,
        "spontaneous_organization_bootstrap": settings.spontaneous_organization_bootstrap,
        "advisory_device_file_protection": settings.advisory_device_file_protection,
        "cors_allow_origins": settings.cors_allow_origins,
    }


def _mail_text(settings: Settings) -> str:
    by = settings.mail.by
    return str(by.path) if isinstance(by, MailFolder) else f"{by.host}:{by.port}"


def _loop_factory() -> "type[asyncio.AbstractEventLoop] | None":
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.Loop
