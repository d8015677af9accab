"""A whole mail server of another author (aiosmtpd), which keeps what it is given."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

_LOGIN = ("parsec", "s3cr3t")


@dataclass
class Sink:
    """What it does, and what arrived."""

    needs_login: bool
    refused: frozenset[str]
    port: int = 0
    envelopes: list[Envelope] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    logins: list[tuple[str, str]] = field(default_factory=list)

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        login = (data.login.decode(), data.password.decode())
        self.logins.append(login)
        return AuthResult(success=login == _LOGIN, handled=False)

    async def handle_MAIL(  # noqa: N802  (the names are aiosmtpd's)
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.needs_login and not session.authenticated:
            return "530 log in first"
        envelope.mail_from = address
        return "250 ok"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refused:
            return "550 nobody here"
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        self.envelopes.append(envelope)
        assert server.transport is not None
        self.encrypted.append(server.transport.get_extra_info("sslcontext") is not None)
        return "250 taken"


class _Connection(SMTP):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.is_lost = asyncio.Event()

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self.is_lost.set()

    async def end(self) -> None:
        """Make sure that nothing of it goes on."""
        if self._handler_coroutine is None or self.session is None:
            return  # There was no TLS, so that it never began.
        if isinstance(self.transport, asyncio.Transport):
            self.transport.abort()
        # Where STARTTLS failed, the connection is gone without anybody being told.
        if self._tls_protocol is None or self.session.ssl is not None:
            await self.is_lost.wait()
        self._handler_coroutine.cancel()
        await asyncio.gather(self._handler_coroutine, return_exceptions=True)


@contextlib.asynccontextmanager
async def smtp_sink(
    *,
    tls: ssl.SSLContext | None = None,
    start_tls: ssl.SSLContext | None = None,
    needs_login: bool = False,
    refused: frozenset[str] = frozenset(),
) -> AsyncIterator[Sink]:
    """A server on a local port: with TLS from the first byte, from STARTTLS on, or without.

    It knows the user `parsec` with the password `s3cr3t`; `refused` are recipients it does not.
    """
    sink = Sink(needs_login=needs_login, refused=refused)
    loop = asyncio.get_running_loop()
    connections: list[_Connection] = []

    def connection() -> SMTP:
        made = _Connection(
            sink,
            hostname="sink",
            loop=loop,
            tls_context=start_tls,
            require_starttls=start_tls is not None,
            authenticator=sink.authenticate,
            auth_require_tls=start_tls is not None,
        )
        connections.append(made)
        return made

    server = await loop.create_server(connection, "127.0.0.1", 0, ssl=tls)
    async with server:
        sink.port = server.sockets[0].getsockname()[1]
        yield sink
        for one in connections:
            await one.end()
