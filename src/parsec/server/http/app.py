"""The whole application: which path leads where."""

from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from parsec.protocol.command import Family
from parsec.server.http.admin import admin_routes
from parsec.server.http.answer import send_answer, send_detail
from parsec.server.http.edge import Edge
from parsec.server.http.guesses import Guesses
from parsec.server.http.health import Health
from parsec.server.http.pages import NEVER_KEPT, landing_page, link_page, not_found_page
from parsec.server.http.rpc import answer_rpc
from parsec.server.http.sse import answer_events
from parsec.server.rules.negotiation import preferred_language, wants_page
from parsec.server.rules.redirect import redirect_location
from parsec.server.service.context import Server
from parsec.server.settings import Language

_ORGANIZATION_FAMILIES = {
    "anonymous": Family.ANONYMOUS,
    "invited": Family.INVITED,
    "authenticated": Family.AUTHENTICATED,
}
_SERVER_FAMILIES = {
    "anonymous_server": Family.ANONYMOUS_SERVER,
    "authenticated_account": Family.AUTHENTICATED_ACCOUNT,
}


def make_app(server: Server) -> ASGIApp:
    """The application of a server."""
    settings = server.settings
    guesses = Guesses(settings.failed_lookups)
    app: ASGIApp = _Rpc(server, guesses, _pages(server, guesses))
    if settings.cors_allow_origins:
        app = CORSMiddleware(
            app,
            allow_origins=settings.cors_allow_origins,
            allow_methods=["OPTIONS", "GET", "POST", "PATCH"],
            allow_headers=["Api-Version", "Authorization", "User-Agent", "Last-Event-ID"],
            max_age=600,
        )
    return Edge(app, tls=settings.server_addr.use_ssl, entropy=server.entropy)


class _Rpc:
    """Routes of the commands and events, before all others because they are all the traffic."""

    def __init__(self, server: Server, guesses: Guesses, others: ASGIApp) -> None:
        self._server = server
        self._guesses = guesses
        self._others = others
        self._health = Health(server)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._others(scope, receive, send)
            return
        _, *parts = scope["path"].split("/")
        match parts:
            case [family, organization] if family in _ORGANIZATION_FAMILIES and organization:
                found = _ORGANIZATION_FAMILIES[family]
                await self._rpc(found, organization, scope, receive, send)
            case [family] if family in _SERVER_FAMILIES:
                await self._rpc(_SERVER_FAMILIES[family], None, scope, receive, send)
            case ["authenticated", organization, "tos"] if organization:
                await self._rpc(Family.TOS, organization, scope, receive, send)
            case ["authenticated", organization, "events"] if organization:
                if await _allowed(scope, send, "GET"):
                    await answer_events(
                        self._server, self._guesses, organization, scope, receive, send
                    )
            case ["health"]:
                if await _allowed(scope, send, "GET"):
                    await self._health.answer_health(send)
            case ["ready"]:
                if await _allowed(scope, send, "GET"):
                    await self._health.answer_ready(send)
            case [family, *rest, ""] if _is_rpc_path(family, rest):
                await _redirect_without_slash(scope, send)
            case _:
                await self._others(scope, receive, send)

    async def _rpc(
        self, family: Family, organization: str | None, scope: Scope, receive: Receive, send: Send
    ) -> None:
        methods = ("GET", "POST") if family is Family.ANONYMOUS else ("POST",)
        if await _allowed(scope, send, *methods):
            await answer_rpc(
                self._server, self._guesses, family, organization, scope, receive, send
            )


def _is_rpc_path(family: str, rest: list[str]) -> bool:
    match [family, *rest]:
        case [("anonymous" | "invited" | "authenticated"), organization]:
            return organization != ""
        case ["authenticated", organization, ("tos" | "events")]:
            return organization != ""
        case [("anonymous_server" | "authenticated_account")]:
            return True
        case _:
            return False


async def _redirect_without_slash(scope: Scope, send: Send) -> None:
    target: bytes = scope.get("raw_path") or scope["path"].encode()
    location = target.rstrip(b"/")
    if scope["query_string"]:
        location += b"?" + scope["query_string"]
    await send_answer(send, 307, ((b"location", location),), b"")


async def _allowed(scope: Scope, send: Send, *methods: str) -> bool:
    if scope["method"] in methods:
        return True
    # Only what commands and events are sent with; the probe by GET goes unnamed, as officially.
    allow = methods[-1].encode()
    await send_detail(send, 405, "Method Not Allowed", ((b"allow", allow),))
    return False


class _Pages(Starlette):
    """Leaves failures to `Edge`, which tells those of the database apart."""

    def build_middleware_stack(self) -> ASGIApp:
        # Without the layer that would answer each of them by itself, with a 500.
        return ExceptionMiddleware(self.router, handlers=self.exception_handlers)


def _pages(server: Server, guesses: Guesses) -> ASGIApp:
    """Administration, redirection, and what a browser may come across."""

    def language(request: Request) -> Language:
        accepted = request.headers.get("accept-language", "")
        return preferred_language(accepted, default=server.settings.default_language)

    async def landing(request: Request) -> Response:
        return landing_page(language(request))

    async def redirect(request: Request) -> Response:
        raw_path: bytes = request.scope.get("raw_path") or request.url.path.encode()
        location = redirect_location(
            server.settings.server_addr,
            raw_path.decode("latin-1").removeprefix("/redirect/"),
            request.scope["query_string"].decode("latin-1"),
        )
        # Programs want to be led on. Browsers would show nothing where no app opens the link.
        if wants_page(request.headers.get("accept", "")):
            return link_page(location, language(request))
        return RedirectResponse(location, status_code=302, headers=NEVER_KEPT)

    async def http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if error.status_code == HTTPStatus.NOT_FOUND:
            return not_found_page(language(request))
        return JSONResponse(
            {"detail": error.detail}, status_code=error.status_code, headers=error.headers
        )

    return _Pages(
        routes=[
            *admin_routes(server, guesses),
            Route("/", landing, methods=["GET"]),
            Route("/redirect/{path:path}", redirect, methods=["GET"]),
        ],
        exception_handlers={HTTPException: http_error},
    )
