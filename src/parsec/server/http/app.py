"""The whole application: which path leads where."""

from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from parsec.protocol.command import Family
from parsec.server.http.admin import admin_routes
from parsec.server.http.answer import send_answer, send_detail
from parsec.server.http.edge import Edge
from parsec.server.http.guesses import Guesses
from parsec.server.http.pages import landing_page, not_found_page
from parsec.server.http.rpc import answer_rpc
from parsec.server.http.sse import answer_events
from parsec.server.rules.redirect import redirect_location
from parsec.server.service.context import Server

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
    return Edge(app, tls=settings.server_addr.use_ssl)


class _Rpc:
    """Routes of the commands and events, before all others because they are all the traffic."""

    def __init__(self, server: Server, guesses: Guesses, others: ASGIApp) -> None:
        self._server = server
        self._guesses = guesses
        self._others = others

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


def _pages(server: Server, guesses: Guesses) -> ASGIApp:
    """Administration, redirection, and what a browser may come across."""

    async def landing(request: Request) -> Response:  # noqa: ARG001
        return landing_page()

    async def redirect(request: Request) -> Response:
        raw_path: bytes = request.scope.get("raw_path") or request.url.path.encode()
        location = redirect_location(
            server.settings.server_addr,
            raw_path.decode("latin-1").removeprefix("/redirect"),
            request.scope["query_string"].decode("latin-1"),
        )
        return RedirectResponse(location, status_code=302)

    return Starlette(
        routes=[
            *admin_routes(server, guesses),
            Route("/", landing, methods=["GET"]),
            Route("/redirect/{path:path}", redirect, methods=["GET"]),
        ],
        exception_handlers={HTTPException: _http_error},
    )


async def _http_error(request: Request, error: Exception) -> Response:  # noqa: ARG001
    assert isinstance(error, HTTPException)
    if error.status_code == HTTPStatus.NOT_FOUND:
        return not_found_page()
    return JSONResponse(
        {"detail": error.detail}, status_code=error.status_code, headers=error.headers
    )
