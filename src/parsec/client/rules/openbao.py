"""An OpenBao server, the requests that are made to it, and what its answers mean (`client.md` 5).

An exchange is a generator: it yields the requests to send, receives their answers, and returns what
came of them. The modules `openbao_login`, `openbao_key` and `openbao_signature` hold them; none
speaks with a server itself.

    FlowError
    ├── NoSingleSignOn           the Parsec server names no OpenBao server
    ├── AuthenticationFailed     the login was refused, or the token is not (or no longer) good
    │   └── WrongEntity          somebody else logged in than the one whom the file belongs to
    ├── NotFound                 there is no such key, or no such login method
    ├── Conflict                 there is such a key already
    ├── Offline                  OpenBao is sealed, or out of order
    ├── HttpRefusal              it refused for another reason, with its own words
    └── InvalidAnswer            it answered what it may not answer
"""

import re
from collections.abc import Generator, Mapping, Sequence
from typing import Generic, Self, TypeAlias, TypeVar
from urllib.parse import urlencode

import msgspec

from parsec.client.failure import (
    AuthenticationFailed,
    FlowError,
    HttpRefusal,
    InvalidAnswer,
    NotFound,
    Offline,
)
from parsec.data.address import ServerAddr
from parsec.data.peer_text import terminal_safe
from parsec.protocol.server_config import OpenBaoConfig, OpenBaoConfigDisabled
from parsec.wire.url import UrlError, encode_segment, split_url

T = TypeVar("T")


class NoSingleSignOn(FlowError):
    """The Parsec server names no OpenBao server, or one that must not be used."""


class WrongEntity(AuthenticationFailed):
    """Who logged in is not the one whom the device file belongs to."""


# --- The server, and who speaks with it ---


class OpenBaoAuth(msgspec.Struct, frozen=True, kw_only=True):
    """A login method."""

    id: str
    mount_path: str


class OpenBaoServer(msgspec.Struct, frozen=True, kw_only=True):
    """An OpenBao server as a Parsec server names it; paths without slashes at their ends."""

    url: str
    netloc: str
    secret_mount_path: str
    transit_mount_path: str
    auths: tuple[OpenBaoAuth, ...]

    @classmethod
    def named_by(cls, server: ServerAddr, config: OpenBaoConfig) -> Self:
        """The OpenBao server in the configuration of a Parsec server.

        Raises NoSingleSignOn (for plain HTTP too, unless TLS was waived for the Parsec server or
        everything stays on this machine) or InvalidAnswer.
        """
        if isinstance(config, OpenBaoConfigDisabled):
            raise NoSingleSignOn(
                f"Server {server.netloc} offers no single sign-on",
                hint="choose another protection, or ask its administrator to set up OpenBao",
            )
        url, netloc, host = _base_url(config.server_url)
        if server.use_ssl and url.startswith("http:") and host not in _LOOPBACK_HOSTS:
            raise NoSingleSignOn(
                f"Server {server.netloc} names an OpenBao server without TLS, {netloc}",
                hint="everybody on the way would see the key: ask its administrator for https",
            )
        return cls(
            url=url,
            netloc=netloc,
            secret_mount_path=_mount_path(config.secret.mount_path),
            transit_mount_path=_mount_path(config.transit_mount_path),
            auths=tuple(
                OpenBaoAuth(id=auth.id, mount_path=_auth_mount_path(auth.mount_path))
                for auth in config.auths
            ),
        )

    def auth(self, auth_id: str) -> OpenBaoAuth:
        """The login method of that name. Raises NotFound."""
        for auth in self.auths:
            if auth.id == auth_id:
                return auth
        offered = ", ".join(terminal_safe(auth.id) for auth in self.auths) or "none"
        raise NotFound(
            f"There is no login method {terminal_safe(auth_id)}", hint=f"offered here: {offered}"
        )

    def proposed_auth(self, preferred_auth_id: str | None) -> OpenBaoAuth:
        """The preferred login method where it is offered, else the first. Raises NotFound."""
        for auth in self.auths:
            if auth.id == preferred_auth_id:
                return auth
        if not self.auths:
            raise NotFound("The server names an OpenBao server, but no way to log in to it")
        return self.auths[0]


class OpenBaoSession(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who has logged in."""

    token: str
    entity_id: str

    def __repr__(self) -> str:
        return f"OpenBaoSession({self.entity_id}, …)"

    def expect_entity(self, entity_id: str) -> None:
        """Make sure that this is who is expected. Raises WrongEntity."""
        if self.entity_id != entity_id:
            raise WrongEntity(
                f"This device belongs to the OpenBao entity {terminal_safe(entity_id)}, "
                f"but {self.entity_id} has logged in",
                hint="log in as the person whom the device belongs to",
            )


# --- Requests and answers ---


class OpenBaoRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request to send."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None
    secrets: tuple[str, ...]
    """What no message may repeat, though the server may."""

    def __repr__(self) -> str:
        # Without the query, which may hold a code.
        return f"OpenBaoRequest({self.method} {self.url.partition('?')[0]}, …)"


class OpenBaoAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it; no body where it was too long."""

    status: int
    body: bytes | None

    def __repr__(self) -> str:
        return f"OpenBaoAnswer({self.status}, …)"


Exchange: TypeAlias = Generator[OpenBaoRequest, OpenBaoAnswer, T]


def make_request(
    server: OpenBaoServer,
    method: str,
    route: str,
    *,
    token: str | None = None,
    query: Mapping[str, str] | None = None,
    body: Mapping[str, object] | None = None,
    secrets: Sequence[str] = (),
) -> OpenBaoRequest:
    """The request for a route below `/v1/`, with the token of whoever has one."""
    headers = {} if token is None else {"x-vault-token": token}
    if body is not None:
        headers["Content-Type"] = "application/json"
    # The official client writes "%2F" inside of paths. OpenBao takes both for the same, but some
    # proxies in front of it refuse that form.
    path = "/".join(map(encode_segment, route.split("/")))
    return OpenBaoRequest(
        method=method,
        url=f"{server.url}/v1/{path}" + (f"?{urlencode(query)}" if query else ""),
        headers=headers,
        body=None if body is None else msgspec.json.encode(body),
        secrets=(*secrets, *(() if token is None else (token,))),
    )


# --- What answers mean ---


class Data(msgspec.Struct, Generic[T]):
    """The envelope of most answers."""

    data: T


class _Failure(msgspec.Struct):
    errors: list[str]


def ask(server: OpenBaoServer, request: OpenBaoRequest, kind: type[T]) -> Exchange[T]:
    """Send a request and read its answer. Raises as `read_answer` does."""
    return read_answer(server, request, (yield request), kind)


def health(server: OpenBaoServer) -> Exchange[None]:
    """See whether a server could serve: raises what `ask` raises, Offline where it is sealed."""
    request = make_request(server, "GET", "sys/health")
    answer = yield request
    if answer.status not in _HEALTHY:
        raise _refusal(server, request, answer)


_HEALTHY = (200, 429, 472, 473)
"""Active, or one that stands by and hands requests on."""


def read_answer(
    server: OpenBaoServer, request: OpenBaoRequest, answer: OpenBaoAnswer, kind: type[T]
) -> T:
    """What a successful answer says; only the status 200 is one.

    Raises AuthenticationFailed, NotFound, HttpRefusal, Offline or InvalidAnswer.
    """
    expect_success(server, request, answer)
    try:
        return msgspec.json.decode(answer.body or b"", type=kind)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        # Without the cause, which may quote the answer.
        raise InvalidAnswer(
            f"What answers at {server.netloc} is no OpenBao server",
            hint="check the configuration of the Parsec server, and whether a proxy is in between",
        ) from None


def expect_success(server: OpenBaoServer, request: OpenBaoRequest, answer: OpenBaoAnswer) -> None:
    """Accept a successful answer. Raises as `read_answer` does."""
    if answer.status != 200:
        raise _refusal(server, request, answer)


def spoken_errors(request: OpenBaoRequest, answer: OpenBaoAnswer) -> str | None:
    """The server's own words about a failure, unless they repeat a secret."""
    errors = (" ".join(_DECORATION.sub(" ", text).split()) for text in listed_errors(answer))
    found = "; ".join(error for error in errors if error)
    if not found or any(secret in found for secret in request.secrets):
        return None
    return terminal_safe(found)


def listed_errors(answer: OpenBaoAnswer) -> Sequence[str]:
    """The errors in an answer, for comparisons."""
    try:
        return _FAILURE.decode(answer.body or b"").errors
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return ()


_FAILURE = msgspec.json.Decoder(_Failure)
_DECORATION = re.compile(r"\d+ errors? occurred:|\n\s*\*")
"""Of the lists that OpenBao makes even of a single error."""


def _refusal(server: OpenBaoServer, request: OpenBaoRequest, answer: OpenBaoAnswer) -> FlowError:
    name = f"OpenBao at {server.netloc}"
    words = spoken_errors(request, answer)
    said = f": {words}" if words else ""
    match answer.status:
        case 403 if "x-vault-token" in request.headers:
            return AuthenticationFailed(
                f"{name} refused{said or ': permission denied'}",
                hint="the login or the token may have expired: log in again",
            )
        case 403 | 404:
            kind = AuthenticationFailed if answer.status == 403 else NotFound
            return kind(
                f"{name} does not know what it was asked for{said}",
                hint="check the mount paths in the configuration of the Parsec server",
            )
        case 429:
            return HttpRefusal(429, f"{name} is asked too often{said}", hint="try again later")
        case status if status >= 500:
            return Offline(
                f"{name} is out of order (HTTP {status}){said}",
                hint="it may be sealed: ask its administrator, then try again",
            )
        case status if status >= 400:
            return HttpRefusal(status, f"{name} refused (HTTP {status}){said}")
        case status if 300 <= status < 400:
            return InvalidAnswer(
                f"{name} sends on to another address, which is not followed (HTTP {status})",
                hint="the configuration of the Parsec server must name the final address",
            )
        case status:
            return InvalidAnswer(f"{name} answered HTTP {status}")


# --- What addresses and paths may be ---

ENTITY_ID = re.compile(r"[0-9A-Za-z_-][0-9A-Za-z._-]{0,127}")
TOKEN = re.compile(r"[!-~]{1,4096}")
_LOOPBACK_HOSTS = ("127.0.0.1", "[::1]", "localhost")
_URL_PATH = re.compile(r"(/[!-~]*)?")


def is_path(text: str) -> bool:
    """Whether a path stays below the place where it is put."""
    return all(part.strip(".") for part in text.split("/"))


def _base_url(text: str) -> tuple[str, str, str]:
    """The URL without a slash at its end, its host with the port, the host alone."""
    try:
        parts = split_url(text)
    except UrlError as error:
        raise InvalidAnswer(f"The address of the OpenBao server is none: {error}") from error
    path = parts.path.rstrip("/")
    if parts.scheme not in ("https", "http") or not _URL_PATH.fullmatch(path):
        raise InvalidAnswer("The address of the OpenBao server is no web address")
    netloc = parts.host if parts.port is None else f"{parts.host}:{parts.port}"
    return f"{parts.scheme}://{netloc}{path}", netloc, parts.host


def _mount_path(text: str) -> str:
    path = text.strip("/")
    if not is_path(path):
        raise InvalidAnswer("The server names a place in OpenBao that cannot be one")
    return path


def _auth_mount_path(text: str) -> str:
    path = _mount_path(text)
    return path if path.startswith("auth/") else f"auth/{path}"
