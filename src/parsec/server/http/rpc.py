"""The one endpoint behind every command family, driven by a table.

The order of the checks is wire.md 1.3, except that a device proves itself before it learns
anything about the state of its organization and user, and that no body is read of who may not
call. The first check that fails is the answer.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from typing import Any, TypeAlias

import msgspec
import structlog
from starlette.types import Receive, Scope, Send

from parsec.data.people import OrganizationID
from parsec.protocol.authentication import (
    MalformedTokenError,
    bearer_token,
    load_account_token,
    load_device_token,
    load_invitation_token,
)
from parsec.protocol.command import Family, Reply, Request, dump_reply, reply_status
from parsec.protocol.families import command_name, load_request
from parsec.protocol.versions import API_VERSION, ApiVersion
from parsec.server.http.answer import API_VERSION_HEADER, send_answer, send_rejection
from parsec.server.http.body import Headers, check_declared_size, read_body
from parsec.server.http.commands import COMMANDS, DEBUG_COMMANDS, Command
from parsec.server.http.guesses import Guesses
from parsec.server.rules.refusal import Refused, Rejected, Verdict
from parsec.server.service.authentication import (
    Caller,
    anonymous_context,
    anonymous_server_context,
    authenticated_context,
    invited_context,
)
from parsec.server.service.context import Context, Server
from parsec.server.store.engine import StorageError
from parsec.wire.msgpack import MalformedError

_MSGPACK = b"application/msgpack"
_MSGPACK_HEADER = (b"content-type", _MSGPACK)

_log = structlog.get_logger()


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """A request without its body, once its form has been checked."""

    caller: Caller
    organization_id: OrganizationID | None
    token: Any
    """What the family's `load_token` read."""
    method: str


Authenticate: TypeAlias = Callable[[Server, Envelope], Awaitable[Context]]


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """How requests of a family are checked."""

    family: Family
    authenticate: Authenticate
    load_token: Callable[[str], Any] | None = None
    """None: the header `Authorization` is not looked at."""
    size_first: bool = True
    """The declared size is checked before the caller is authenticated."""


async def _anonymous_server(server: Server, envelope: Envelope) -> Context:
    return anonymous_server_context(server, envelope.caller)


async def _anonymous(server: Server, envelope: Envelope) -> Context:
    assert envelope.organization_id is not None
    may_create = envelope.method == "POST"
    return await anonymous_context(
        server, envelope.caller, envelope.organization_id, may_create=may_create
    )


async def _invited(server: Server, envelope: Envelope) -> Context:
    assert envelope.organization_id is not None
    return await invited_context(server, envelope.caller, envelope.organization_id, envelope.token)


async def _authenticated(server: Server, envelope: Envelope) -> Context:
    assert envelope.organization_id is not None
    return await authenticated_context(
        server, envelope.caller, envelope.organization_id, envelope.token
    )


async def _tos(server: Server, envelope: Envelope) -> Context:
    assert envelope.organization_id is not None
    return await authenticated_context(
        server, envelope.caller, envelope.organization_id, envelope.token, despite_tos=True
    )


async def _account(server: Server, envelope: Envelope) -> Context:  # noqa: ARG001
    # There are no accounts yet, so that nobody has one.
    raise Rejected(Verdict.BAD_AUTHENTICATION)


ROUTES: Mapping[Family, Route] = {
    route.family: route
    for route in (
        Route(family=Family.ANONYMOUS_SERVER, authenticate=_anonymous_server),
        Route(family=Family.ANONYMOUS, authenticate=_anonymous, size_first=False),
        Route(
            family=Family.INVITED,
            authenticate=_invited,
            load_token=load_invitation_token,
            size_first=False,
        ),
        Route(
            family=Family.AUTHENTICATED, authenticate=_authenticated, load_token=load_device_token
        ),
        Route(family=Family.TOS, authenticate=_tos, load_token=load_device_token),
        Route(
            family=Family.AUTHENTICATED_ACCOUNT,
            authenticate=_account,
            load_token=load_account_token,
        ),
    )
}


async def answer_rpc(
    server: Server,
    guesses: Guesses,
    family: Family,
    organization: str | None,
    scope: Scope,
    receive: Receive,
    send: Send,
) -> None:
    """Answer a request for a command; `organization` is that part of its path."""
    call = _Call(server, ROUTES[family], organization, scope, receive)
    told: dict[str, object] = {}
    try:
        try:
            reply = await call.reply()
        except Refused as refused:
            reply, told = refused.reply, {"reason": str(refused)}
        guesses.check_reply(call.kind, reply, client_address(scope), now=server.clock)
    except Rejected as found:
        rejected = guesses.judged(found, client_address(scope), now=server.clock())
        call.log(rejected.verdict.name.lower(), http=rejected.verdict.status, reason=str(rejected))
        await send_rejection(send, rejected)
        return
    except Exception as error:
        # They are told and logged where all are, by `Edge`.
        call.count("storage_failed" if isinstance(error, StorageError) else "bug")
        raise
    call.log(_status(reply), **told)
    body = dump_reply(reply) if reply is not None else b""
    await send_answer(send, 200, (_MSGPACK_HEADER, API_VERSION_HEADER), body)


class _Call:
    """One request, and what became known of it on the way."""

    def __init__(
        self,
        server: Server,
        route: Route,
        organization: str | None,
        scope: Scope,
        receive: Receive,
    ) -> None:
        self._server = server
        self._route = route
        self._organization = organization
        self._scope = scope
        self._receive = receive
        self._headers: Headers = dict(scope["headers"])
        self._context: Context | None = None
        self._request: Request[Any] | None = None
        self._begun = time.perf_counter()

    async def reply(self) -> Reply | None:
        """None for a mere test that the organization exists. Raises Refused or Rejected."""
        envelope = self._envelope()
        if self._route.size_first:
            check_declared_size(self._headers)
        self._context = await self._route.authenticate(self._server, envelope)
        if envelope.method == "GET":
            return None
        body = await read_body(self._headers, self._receive)
        self._request = _decode(self._route.family, body)
        command = _command(type(self._request), debug=self._server.settings.debug)
        return await command(self._context, self._request)

    def _envelope(self) -> Envelope:
        version = check_version(self._headers)
        organization_id = check_organization_id(self._organization)
        if self._headers.get(b"content-type") != _MSGPACK:
            raise Rejected(Verdict.BAD_CONTENT)
        token = None
        if self._route.load_token is not None:
            token = check_authorization(self._headers, self._route.load_token)
        return Envelope(
            caller=caller(self._server, self._scope, version),
            organization_id=organization_id,
            token=token,
            method=self._scope["method"],
        )

    def log(self, status: str, **more: object) -> None:
        """One line, with identifiers only: no token, no content."""
        self.count(status)
        device = getattr(self._context, "device_id", None)
        _log.info(
            "rpc",
            auth=self._route.family.value,
            organization=self._organization,
            device=device.hex() if device is not None else None,
            cmd=self._name,
            status=status,
            **more,
        )

    def count(self, status: str) -> None:
        """One more request with that end."""
        seconds = time.perf_counter() - self._begun
        self._server.meter.request(self._route.family.value, self._name, status, seconds)

    @property
    def kind(self) -> type[Request[Any]] | None:
        """The command, once it is known."""
        return type(self._request) if self._request is not None else None

    @property
    def _name(self) -> str | None:
        return command_name(self.kind) if self.kind is not None else None


def check_version(headers: Headers) -> ApiVersion:
    """The version of the API that the client speaks. Raises Rejected."""
    return _version(headers.get(b"api-version", b""))


@lru_cache(maxsize=64)  # All clients say one of a few things.
def _version(header: bytes) -> ApiVersion:
    try:
        version = ApiVersion.parse(header.decode("latin-1"))
    except ValueError:
        raise Rejected(Verdict.BAD_VERSION) from None
    if not API_VERSION.understands(version):
        raise Rejected(Verdict.BAD_VERSION)
    return version


@lru_cache(maxsize=1024)
def check_organization_id(text: str | None) -> OrganizationID | None:
    """The organization that a path names, if any. Raises Rejected."""
    try:
        return OrganizationID(text) if text is not None else None
    except ValueError:
        raise Rejected(Verdict.ORGANIZATION_NOT_FOUND) from None


def check_authorization(headers: Headers, load_token: Callable[[str], Any]) -> Any:
    """The proof that a request carries, well-formed and not yet verified. Raises Rejected."""
    try:
        header = headers.get(b"authorization", b"").decode("latin-1")
        return load_token(bearer_token(header))
    except MalformedTokenError:
        raise Rejected(Verdict.MISSING_AUTHENTICATION) from None


def caller(server: Server, scope: Scope, version: ApiVersion) -> Caller:
    """What is known of any request."""
    return Caller(now=server.clock(), client_address=client_address(scope), api_version=version)


def client_address(scope: Scope) -> str:
    """Where a request comes from, as far as known."""
    client = scope.get("client")
    return client[0] if client else "unknown"


def _decode(family: Family, body: bytes) -> Request[Any]:
    try:
        return load_request(family, body)
    except MalformedError as error:
        raise Rejected(Verdict.BAD_CONTENT) from error


def _command(kind: type[Request[Any]], *, debug: bool) -> Command:
    command = COMMANDS.get(kind)
    if command is None and debug:
        command = DEBUG_COMMANDS.get(kind)
    if command is None:
        raise Rejected(Verdict.BAD_CONTENT)
    return command


def _status(reply: Reply | None) -> str:
    return reply_status(type(reply)) if reply is not None else "exists"
