"""One HTTP exchange within bounds of time and size; the only importer of httpx2.

A hostile server may answer slowly, without end, or with garbage: whatever it does, an exchange
ends with an Answer, or with Offline or InvalidAnswer. Redirections are not followed, cookies not
kept, compressed bodies not asked for, and nothing is sent twice.
"""

import platform
import socket
import ssl
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import httpx2
import msgspec

from parsec import __version__
from parsec.client.failure import FlowError, InvalidAnswer, Offline
from parsec.data.address import ServerAddr
from parsec.data.instant import Instant
from parsec.data.peer_text import terminal_safe
from parsec.wire.url import UrlError, split_url

_AGENT_SYSTEMS = {"Linux": "Linux", "Windows": "Windows", "Darwin": "MacOS"}

USER_AGENT = f"Parsec-Client/{__version__} {_AGENT_SYSTEMS.get(platform.system(), 'Linux')}"
"""Exactly two words; servers may turn away who does not begin like this (docs/protocol)."""

# Below the five seconds after which common servers drop an idle connection: a request that meets
# the drop would be lost, and nothing is sent twice.
_IDLE_SECONDS = 3.0
_LENGTH_DIGITS = 20


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """How long an exchange may take."""

    connect_seconds: float = 15.0
    silence_seconds: float = 60.0
    """Without a byte from the server."""
    total_seconds: float = 600.0


_HURRIED = Bounds(connect_seconds=5.0, silence_seconds=5.0, total_seconds=10.0)


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a server answered; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes | None
    """None where it is longer than the reader wanted to know."""

    @property
    def media_type(self) -> str:
        """The kind of body, without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


class Http:
    """Speaks HTTP with servers, keeping connections for the next exchange; one at a time."""

    def __init__(self, environ: Mapping[str, str], bounds: Bounds | None = None) -> None:
        """`SSL_CAFILE` adds trusted authorities; proxies come from the process's environment."""
        self.is_hurried = False
        """Whether somebody waits to leave: Parsec servers are given seconds then."""
        self._ca_file = environ.get("SSL_CAFILE")
        self._bounds = bounds or Bounds()
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()

    def exchange(
        self,
        server: ServerAddr,
        method: str,
        route: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None,
        limit: int,
    ) -> Answer:
        """Send one request and read at most `limit` bytes of the body of its answer.

        An answer of status 200 that is longer is refused, another one read without its body.
        Raises Offline or InvalidAnswer.
        """
        answer = self._exchange(
            method,
            f"{server.base_url}{route}",
            netloc=server.netloc,
            use_ssl=server.use_ssl,
            headers=headers,
            body=body,
            limit=limit,
            bounds=_HURRIED if self.is_hurried else self._bounds,
        )
        if answer.body is None and answer.status == 200:
            raise InvalidAnswer(
                f"Server {server.netloc} answered with more than {limit} bytes",
                hint="this is not what a Parsec server does",
            )
        return answer

    def exchange_url(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None,
        limit: int,
        bounds: Bounds,
    ) -> Answer:
        """The same with a server that is no Parsec server, within bounds of its own.

        Raises Offline or InvalidAnswer.
        """
        try:
            parts = split_url(url)
        except UrlError as error:
            raise InvalidAnswer(f"This address cannot be spoken to: {error}") from error
        answer = self._exchange(
            method,
            url,
            netloc=parts.host if parts.port is None else f"{parts.host}:{parts.port}",
            use_ssl=parts.scheme != "http",
            headers=headers,
            body=body,
            limit=limit,
            bounds=bounds,
        )
        if answer.body is None and answer.status == 200:
            raise InvalidAnswer(f"Server {parts.host} answered with more than {limit} bytes")
        return answer

    def close(self) -> None:
        """Close the connections."""
        for client in ("_plain_client", "_secure_client"):
            if client in vars(self):
                vars(self).pop(client).close()

    def _exchange(
        self,
        method: str,
        url: str,
        *,
        netloc: str,
        use_ssl: bool,
        headers: Mapping[str, str],
        body: bytes | None,
        limit: int,
        bounds: Bounds,
    ) -> Answer:
        with (
            self._borrowed("_secure_client" if use_ssl else "_plain_client") as client,
            _Alarm(bounds.total_seconds, self._sockets) as alarm,
        ):
            with (
                _explained(netloc, alarm),
                client.stream(
                    method,
                    url,
                    headers=dict(headers),
                    content=body,
                    timeout=_timeout(bounds),
                    extensions={"trace": alarm.trace},
                ) as response,
            ):
                status, found = response.status_code, dict(response.headers)
                content = _read(response, limit)
            # A body without length ends where the alarm has cut it.
            alarm.check(netloc)
        return Answer(status=status, headers=found, body=content)

    @contextmanager
    def _borrowed(self, name: str) -> Iterator[httpx2.Client]:
        """The client of that name, which nobody uses again after an interruption.

        Broken off somewhere in the library, it may hold a lock of its own for ever.
        """
        client: httpx2.Client = getattr(self, name)
        del vars(self)[name]
        try:
            yield client
        except Exception:
            vars(self)[name] = client
            raise
        vars(self)[name] = client

    # Two clients, because reading the trusted authorities takes longer than a local exchange.

    @cached_property
    def _plain_client(self) -> httpx2.Client:
        # A context that trusts nobody: what asks for TLS here fails.
        return self._client(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))

    @cached_property
    def _secure_client(self) -> httpx2.Client:
        return self._client(_tls_context(self._ca_file))

    def _client(self, context: ssl.SSLContext) -> httpx2.Client:
        try:
            return httpx2.Client(
                verify=context,
                limits=httpx2.Limits(keepalive_expiry=_IDLE_SECONDS),
                headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
            )
        except (ValueError, ImportError, httpx2.InvalidURL):
            # Without the cause, which may hold the password of the proxy.
            raise FlowError(
                "The address of the proxy is not one that can be used",
                hint="check the variables HTTP_PROXY and HTTPS_PROXY",
            ) from None


def certificate_end(server: ServerAddr, environ: Mapping[str, str]) -> Instant:
    """Until when the TLS certificate of a server is valid, asked for without a proxy.

    Raises OSError (of which ssl.SSLError is one), or FlowError for a bad `SSL_CAFILE`.
    """
    context = _tls_context(environ.get("SSL_CAFILE"))
    place = (server.hostname.strip("[]"), server.port)
    with (
        socket.create_connection(place, Bounds().connect_seconds) as plain,
        context.wrap_socket(plain, server_hostname=place[0]) as secure,
    ):
        end = (secure.getpeercert() or {})["notAfter"]
    assert isinstance(end, str)
    return Instant(ssl.cert_time_to_seconds(end) * 1_000_000)


def _timeout(bounds: Bounds) -> httpx2.Timeout:
    return httpx2.Timeout(bounds.silence_seconds, connect=bounds.connect_seconds)


def _tls_context(ca_file: str | None) -> ssl.SSLContext:
    """The system's trusted authorities and those of `ca_file`, TLS 1.2 at least."""
    context = httpx2.create_ssl_context(trust_env=False)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file:
        try:
            context.load_verify_locations(cafile=Path(ca_file))
        except (OSError, ssl.SSLError) as error:
            raise FlowError(
                f"Cannot read the certificate authorities in {terminal_safe(ca_file)}",
                hint="the variable SSL_CAFILE names a file in PEM format",
            ) from error
    return context


def _read(response: httpx2.Response, limit: int) -> bytes | None:
    """The body, or None when it is longer than `limit`."""
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise InvalidAnswer("The server sent a compressed body, which nobody asked for")
    length = response.headers.get("content-length", "")
    if len(length) > _LENGTH_DIGITS or (length.isdecimal() and int(length) > limit):
        return None
    body = bytearray()
    for part in response.iter_raw():
        body += part
        if len(body) > limit:
            return None
    return bytes(body)


class _Alarm:
    """Breaks off an exchange that takes too long in total, whatever it is waiting for.

    The limits of httpx2 are for one operation each: a server that sends a byte now and then would
    pass them for ever. The alarm shuts the sockets down instead, which ends any waiting.
    """

    def __init__(self, seconds: float, sockets: "weakref.WeakSet[socket.socket]") -> None:
        self._seconds = seconds
        self._sockets = sockets
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._ring)
        self._timer.daemon = True
        self.rang = False

    def __enter__(self) -> Self:
        try:
            self._timer.start()
        except BaseException:
            self._timer.cancel()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Told by httpx2 of each operation; those that open a connection have a stream."""
        stream = info.get("return_value")
        if not event.endswith(("connect_tcp.complete", "start_tls.complete")):
            return
        opened = stream.get_extra_info("socket") if stream is not None else None
        if not isinstance(opened, socket.socket):
            return
        with self._lock:
            self._sockets.add(opened)
            if self.rang:
                _shut_down(opened)

    def check(self, netloc: str) -> None:
        """Raises Offline if the alarm has rung."""
        if self.rang:
            raise Offline(
                f"Server {netloc} did not answer within {self._seconds:g} seconds",
                hint="try again later",
            )

    def _ring(self) -> None:
        with self._lock:
            self.rang = True
            for opened in self._sockets:
                _shut_down(opened)


def _shut_down(opened: socket.socket) -> None:
    try:
        # Not the method of SSLSocket, which forgets that the connection is encrypted.
        socket.socket.shutdown(opened, socket.SHUT_RDWR)
    except OSError:
        return


@contextmanager
def _explained(netloc: str, alarm: _Alarm) -> Iterator[None]:
    try:
        yield
    except httpx2.InvalidURL:
        raise InvalidAnswer(f"{netloc} cannot be spoken to over HTTP") from None
    except httpx2.LocalProtocolError:
        # Without the cause, which may hold a header.
        raise FlowError(
            "The request cannot be sent: a header holds a forbidden character"
        ) from None
    except httpx2.HTTPError as error:
        alarm.check(netloc)
        raise _failure(netloc, error) from error


def _failure(netloc: str, error: httpx2.HTTPError) -> FlowError:
    if isinstance(error, httpx2.RemoteProtocolError) and not _closed_early(error):
        return InvalidAnswer(
            f"Server {netloc} does not speak HTTP",
            hint="check the host, the port, and whether the address is for TLS",
        )
    for kind, explain in _REASONS:
        cause = _cause(error, kind)
        if cause is not None:
            reason, hint = explain(cause)
            return Offline(f"Server {netloc} is out of reach: {reason}", hint=hint)
    return Offline(f"Server {netloc} is out of reach", hint="try again later")


def _closed_early(error: httpx2.RemoteProtocolError) -> bool:
    # The library has one class for both: a connection that ends too early, and garbage.
    return any(sign in str(error) for sign in ("disconnected", "closed connection"))


_Explain = Callable[[Any], tuple[str, str | None]]


def _certificate_reason(error: ssl.SSLCertVerificationError) -> tuple[str, str]:
    return (
        f"its TLS certificate is not trusted ({terminal_safe(error.verify_message)})",
        "the variable SSL_CAFILE names a PEM file with further authorities",
    )


def _tls_reason(_: ssl.SSLError) -> tuple[str, str]:
    return "TLS failed", "check the port, and whether the address needs no_ssl=true"


_REASONS: tuple[tuple[type[BaseException], _Explain], ...] = (
    (ssl.SSLCertVerificationError, _certificate_reason),
    (ssl.SSLError, _tls_reason),
    (socket.gaierror, lambda _: ("its name cannot be resolved", "check the address")),
    (
        ConnectionRefusedError,
        lambda _: ("connection refused", "start the server, or correct the address"),
    ),
    (httpx2.ProxyError, lambda _: ("the proxy refused", "check HTTP_PROXY and HTTPS_PROXY")),
    (httpx2.TimeoutException, lambda _: ("no answer in time", "try again later")),
    # As a server with TLS does to whoever speaks in clear.
    (
        httpx2.RemoteProtocolError,
        lambda _: (
            "the connection was closed",
            "try again later, and check whether the address is for TLS",
        ),
    ),
    (ConnectionError, lambda _: ("the connection was closed", "try again later")),
)


def _cause(error: BaseException, kind: type[BaseException]) -> BaseException | None:
    """The error of that kind among an error and its causes."""
    current: BaseException | None = error
    while current is not None:
        if isinstance(current, kind):
            return current
        current = current.__cause__ or current.__context__
    return None
