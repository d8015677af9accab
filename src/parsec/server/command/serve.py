"""From settings to a process that serves HTTP until it is told to stop."""

import asyncio
import contextlib
import signal
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import click
import structlog
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from parsec import __version__
from parsec.server.build import running_server
from parsec.server.command.connection import BoundedConnection
from parsec.server.command.failure import Failure
from parsec.server.command.settle import Settled
from parsec.server.events import Exchange
from parsec.server.http.app import make_app
from parsec.server.http.metrics import MetricsPage
from parsec.server.settings import MailFolder, Settings, Tls
from parsec.server.store.engine import Engine, SchemaError, StorageError

if TYPE_CHECKING:
    from parsec.server.metrics import Metrics

# uvicorn's own default is a list of the time before TLS 1.2.
_MODERN_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"

_GRACE_SECONDS = 10

# What both of our HTTP servers are told.
_QUIET: Mapping[str, Any] = {
    "http": BoundedConnection,
    "ws": "none",
    "lifespan": "off",
    "log_config": None,
    "log_level": "warning",
    "access_log": False,
    "server_header": False,
}

_log = structlog.get_logger()


class Sockets(NamedTuple):
    """On which a process listens."""

    clients: socket.socket
    metrics: socket.socket | None


def serve(
    settings: Settings,
    sockets: Sockets,
    *,
    announce: Callable[[], None],
    lifeline: int | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM, or the end of what is read from `lifeline`.

    `announce` is called when the database is open. Raises Failure.
    """
    with (
        told_failures(settings),
        asyncio.Runner(loop_factory=_loop_factory()) as runner,
    ):
        runner.run(_serve(settings, sockets, announce, lifeline))


@contextlib.contextmanager
def told_failures(settings: Settings) -> Iterator[None]:
    """What the database does not allow, in the operator's words. Raises Failure."""
    try:
        yield
    except SchemaError as error:
        hint = error.hint or f"python -m parsec migrate --db {settings.database}"
        raise Failure(str(error), hint=hint) from error
    except StorageError as error:
        raise Failure(str(error), hint=error.hint) from error


def tell_start(settled: Settled) -> None:
    """Tell the operator, and the log, what starts."""
    settings = settled.settings
    # First into the log: who reads the line may do with that what they like.
    _log.info("starting", version=__version__, **_told(settings))
    for line in (*settled.notices, start_line(settings)):
        click.echo(line)


async def _serve(
    settings: Settings, sockets: Sockets, announce: Callable[[], None], lifeline: int | None
) -> None:
    check_http(settings)
    metrics = make_metrics(settings)
    async with running_server(settings, meter=metrics) as server:
        http = _Http(http_config(settings, make_app(server)), server.exchange)
        with http.stopped_by_signals(), _stopped_at_end(lifeline, http):
            # Who reads the start line may stop the server at once.
            announce()
            async with _stopped_at_loss(http, server.engine), _telling(metrics, sockets.metrics):
                await http.serve(sockets=[sockets.clients])
    _log.info("stopped")


def make_metrics(settings: Settings) -> "Metrics | None":
    """What counts, if anybody asks."""
    if settings.metrics_address is None:
        return None
    # Most servers count nothing, and the library takes long to load.
    from parsec.server.metrics import Metrics

    return Metrics()


@contextlib.asynccontextmanager
async def _telling(
    metrics: "Metrics | None", listener: socket.socket | None
) -> AsyncIterator[None]:
    """While this lasts, Prometheus is answered."""
    if metrics is None or listener is None:
        yield
        return
    config = uvicorn.Config(
        MetricsPage(metrics.text), proxy_headers=False, timeout_graceful_shutdown=1, **_QUIET
    )
    server = _Quiet(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await task


@contextlib.contextmanager
def _stopped_at_end(lifeline: int | None, http: "_Http") -> Iterator[None]:
    """While this lasts, the end of the process at the other end of a pipe stops the server."""
    if lifeline is None:
        yield
        return
    loop = asyncio.get_running_loop()

    def stop() -> None:
        loop.remove_reader(lifeline)
        http.stop()

    loop.add_reader(lifeline, stop)
    try:
        yield
    finally:
        loop.remove_reader(lifeline)


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


class _Quiet(uvicorn.Server):
    """Leaves signals alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # uvicorn's own come too late, and would end the process by the signal once all is closed.
        yield


class _Http(_Quiet):
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


def check_http(settings: Settings) -> None:
    """See whether clients could be served, before anything is made. Raises Failure."""
    http_config(settings, _nothing)


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """An application where there is none yet."""
    raise NotImplementedError


def http_config(settings: Settings, app: ASGIApp) -> uvicorn.Config:
    """How clients are served. Raises Failure."""
    config = uvicorn.Config(
        app,
        proxy_headers=True,
        forwarded_allow_ips=_by_both_versions(settings.proxy_trusted_addresses),
        timeout_graceful_shutdown=_GRACE_SECONDS,
        **_QUIET,
        **_tls_arguments(settings.tls),
    )
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        raise Failure(f"cannot use the certificate or its key: {error}") from error
    return config


def _by_both_versions(trusted: str) -> str:
    """Addresses of IPv4 also as a socket for both versions tells them."""
    words = [word.strip() for word in trusted.split(",")]
    mapped = [_mapped(word) for word in words if "." in word and ":" not in word]
    return ",".join([*words, *mapped])


def _mapped(word: str) -> str:
    address, slash, bits = word.partition("/")
    return f"::ffff:{address}" + (f"/{96 + int(bits)}" if slash else "")


def _tls_arguments(tls: Tls | None) -> dict[str, Any]:
    if tls is None:
        return {}
    return {
        "ssl_certfile": str(tls.certfile),
        "ssl_keyfile": str(tls.keyfile) if tls.keyfile else None,
        "ssl_ciphers": tls.ciphers or _MODERN_CIPHERS,
        "ssl_context_factory": _modern,
    }


def _modern(_config: uvicorn.Config, context: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    made = context()
    # Whatever the configuration of the machine's OpenSSL allows.
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    return made


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
        "workers": settings.workers,
        "metrics_address": settings.metrics_address,
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
