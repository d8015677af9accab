"""A stand-in for an OpenBao server: what its documented API does, over HTTP, in this process.

It serves KV version 2, transit (Ed25519), logins by OIDC with an identity provider of its own,
`lookup-self` and entities, under the policy that `client.md` 5.2 asks of the role: everybody reads
and creates below the own entity alone. Errors are worded as OpenBao words them. Time passes only
when it is told to.
"""

import base64
import json
import socketserver
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self, TypeAlias
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import nacl.exceptions
import nacl.signing

from parsec.protocol.server_config import (
    OpenBaoAuthConfig,
    OpenBaoConfigEnabled,
    OpenBaoSecretConfigKv2,
)

TOKEN_SECONDS = 3600.0
LOGIN_SECONDS = 600.0
OFFICIAL_REDIRECT_URI = "https://callback.parsec.cloud.invalid/oidc/callback"

Json: TypeAlias = dict[str, Any]
_DENIED = ["1 error occurred:\n\t* permission denied\n\n"]
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class _Failed(Exception):
    """The request is answered with errors."""

    def __init__(self, status: int, errors: list[str], data: Json | None = None) -> None:
        super().__init__(status, errors)
        self.status = status
        self.body: Json = {"errors": errors} if data is None else {"data": data}


@dataclass
class _Token:
    entity_id: str
    """Empty for the root token."""
    expires: float


@dataclass
class _Login:
    mount: str
    redirect_uri: str
    client_nonce: str
    expires: float
    code: str | None = None
    email: str = ""


@dataclass
class Request:
    """A request as it came in; the path still encoded, header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class StandInOpenBao:
    """To be used as a context manager."""

    secret_mount: str = "secret/parsec-keys"
    transit_mount: str = "transit"
    auth_mounts: dict[str, str] = field(
        default_factory=lambda: {"HEXAGONE": "auth/hexagone", "PRO_CONNECT": "auth/pro_connect"}
    )
    """Mount paths by the name of the login method."""
    allowed_redirect_uris: list[str] = field(
        default_factory=lambda: [OFFICIAL_REDIRECT_URI, "http://127.0.0.1/oidc/callback"]
    )
    root_token: str = "s.root"
    at_the_provider: str = "alice@example.com"
    """Who is logged in to the identity provider, in every browser."""
    provider_refuses: str | None = None
    """The error that the identity provider redirects with."""
    sealed: bool = False
    secrets: dict[str, list[Json | None]] = field(default_factory=dict)
    """Versions by path; a deleted one is None."""
    received: list[Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._now = 0.0
        self._lock = threading.RLock()
        self._tokens = {self.root_token: _Token("", float("inf"))}
        self._entities: dict[str, list[str]] = {}
        self._logins: dict[str, _Login] = {}
        self._transit: dict[str, nacl.signing.SigningKey] = {}

    def __enter__(self) -> Self:
        self._server = _Server(self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    # --- What tests arrange ---

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def config(self) -> OpenBaoConfigEnabled:
        """What a Parsec server says about it."""
        return OpenBaoConfigEnabled(
            server_url=self.url,
            secret=OpenBaoSecretConfigKv2(mount_path=self.secret_mount),
            transit_mount_path=self.transit_mount,
            auths=[
                OpenBaoAuthConfig(id=name, mount_path=mount)
                for name, mount in self.auth_mounts.items()
            ],
        )

    def entity(self, email: str) -> str:
        """The entity of somebody, who becomes known by that."""
        with self._lock:
            for entity_id, names in self._entities.items():
                if email in names:
                    return entity_id
            entity_id = str(uuid.uuid4())
            self._entities[entity_id] = [email]
            return entity_id

    def token(self, email: str) -> str:
        """A token of somebody, come by in another way."""
        with self._lock:
            token = f"s.{uuid.uuid4().hex}"
            self._tokens[token] = _Token(self.entity(email), self._now + TOKEN_SECONDS)
            return token

    def end(self, token: str) -> None:
        """Revoke a token."""
        with self._lock:
            del self._tokens[token]

    def let_pass(self, seconds: float) -> None:
        """Let time pass: tokens and logins expire."""
        with self._lock:
            self._now += seconds

    # --- What requests come to ---

    def answer(self, request: Request) -> tuple[int, Json, dict[str, str]]:
        """Status, body and headers."""
        with self._lock:
            self.received.append(request)
            target = urlsplit(request.target)
            query = dict(parse_qsl(target.query, keep_blank_values=True))
            # To OpenBao an encoded slash is a slash.
            path = unquote(target.path)
            if path == "/idp/authorize":
                return 302, {}, {"Location": self._authorize(query)}
            try:
                return 200, self._api(request, path, query), {}
            except _Failed as failed:
                return failed.status, failed.body, {}

    def _api(self, request: Request, path: str, query: Json) -> Json:
        if self.sealed:
            raise _Failed(503, ["OpenBao is sealed"])
        if not path.startswith("/v1/"):
            raise _Failed(404, [])
        route = path.removeprefix("/v1/")
        for mount in self.auth_mounts.values():
            if route.startswith(f"{mount}/oidc/"):
                return self._oidc(mount, route.rpartition("/")[2], _json(request), query)
        if (request.method, route) == ("GET", "sys/health"):
            return {"initialized": True, "sealed": False, "standby": False}
        holder = self._tokens.get(request.headers.get("x-vault-token", ""))
        if holder is None or holder.expires <= self._now:
            raise _Failed(403, ["permission denied"])
        if not self._allows(holder, request.method, route):
            raise _Failed(403, _DENIED)
        return self._engine(request, holder, route)

    def _allows(self, holder: _Token, method: str, route: str) -> bool:
        own = holder.entity_id
        if not own or (method, route) == ("GET", "auth/token/lookup-self"):
            return True
        if route.startswith(f"{self.secret_mount}/data/{own}/"):
            # "create" does not cover what exists already.
            return method == "GET" or (method == "POST" and route not in self.secrets)
        if method == "POST":
            return route in (
                f"{self.transit_mount}/keys/entity-{own}",
                f"{self.transit_mount}/sign/entity-{own}",
            ) or route.startswith(f"{self.transit_mount}/verify/")
        return method == "GET" and route.startswith("identity/entity/id/")

    def _engine(self, request: Request, holder: _Token, route: str) -> Json:
        if route == "auth/token/lookup-self":
            return {"data": {"entity_id": holder.entity_id, "policies": ["default"], "path": route}}
        if route.startswith(f"{self.secret_mount}/data/"):
            return self._kv(request, route)
        if route.startswith(f"{self.transit_mount}/"):
            operation, _, name = route.removeprefix(f"{self.transit_mount}/").partition("/")
            operations: dict[str, Callable[[str, Json], Json]] = {
                "keys": self._new_key,
                "sign": self._sign,
                "verify": self._verify,
            }
            if request.method != "POST" or operation not in operations:
                raise _Failed(405, ["1 error occurred:\n\t* unsupported operation\n\n"])
            return operations[operation](name, _json(request))
        if route.startswith("identity/entity/id/"):
            return self._read_entity(route.removeprefix("identity/entity/id/"))
        raise _Failed(404, [f'no handler for route "{route}". route entry not found.'])

    # --- KV version 2 ---

    def _kv(self, request: Request, route: str) -> Json:
        versions = self.secrets.get(route, [])
        match request.method:
            case "GET":
                if not versions:
                    raise _Failed(404, [])
                metadata = {"version": len(versions), "destroyed": False}
                if versions[-1] is None:
                    raise _Failed(404, [], {"data": None, "metadata": metadata})
                return {"data": {"data": versions[-1], "metadata": metadata}}
            case "DELETE":
                versions[-1] = None
                return {}
            case "POST":
                body = _json(request)
                if "data" not in body:
                    raise _Failed(400, ["no data provided"])
                if body.get("options", {}).get("cas", len(versions)) != len(versions):
                    raise _Failed(
                        400, ["check-and-set parameter did not match the current version"]
                    )
                self.secrets[route] = [*versions, body["data"]]
                return {"data": {"version": len(versions) + 1, "destroyed": False}}
        raise _Failed(405, ["1 error occurred:\n\t* unsupported operation\n\n"])

    # --- Transit ---

    def _new_key(self, name: str, body: Json) -> Json:
        if body.get("type") != "ed25519":
            raise _Failed(400, [f"unknown key type {body.get('type')}"])
        self._transit.setdefault(name, nacl.signing.SigningKey.generate())
        return {"data": {"name": name, "type": "ed25519"}}

    def _sign(self, name: str, body: Json) -> Json:
        key = self._transit.get(name)
        if key is None:
            raise _Failed(400, ["signing key not found"])
        signature = base64.b64encode(key.sign(_bytes(body["input"])).signature).decode()
        return {"data": {"signature": f"vault:v1:{signature}", "key_version": 1}}

    def _verify(self, name: str, body: Json) -> Json:
        key = self._transit.get(name)
        if key is None:
            raise _Failed(400, ["signature verification key not found"])
        prefix = "vault:v1:"
        if not body["signature"].startswith(prefix):
            raise _Failed(400, ["invalid signature: no prefix"])
        try:
            key.verify_key.verify(
                _bytes(body["input"]), _bytes(body["signature"].removeprefix(prefix))
            )
        except (nacl.exceptions.BadSignatureError, nacl.exceptions.ValueError):
            return {"data": {"valid": False}}
        return {"data": {"valid": True}}

    # --- Logins and who logs in ---

    def _read_entity(self, entity_id: str) -> Json:
        if entity_id not in self._entities:
            raise _Failed(404, [])
        return {"data": {"aliases": [{"name": name} for name in self._entities[entity_id]]}}

    def _oidc(self, mount: str, operation: str, body: Json, query: Json) -> Json:
        if operation == "auth_url":
            return {"data": {"auth_url": self._auth_url(mount, body)}}
        login = self._logins.pop(query.get("state", ""), None)
        if login is None or login.mount != mount or login.expires <= self._now:
            raise _Failed(400, ["Vault login failed. Expired or missing OAuth state."])
        if login.client_nonce and login.client_nonce != query.get("client_nonce"):
            raise _Failed(400, ["invalid client_nonce"])
        if login.code is None or login.code != query.get("code"):
            raise _Failed(400, ['Vault login failed. Error exchanging oidc code: "invalid_grant".'])
        token = self.token(login.email)
        return {
            "auth": {
                "client_token": token,
                "entity_id": self._tokens[token].entity_id,
                "lease_duration": int(TOKEN_SECONDS),
            }
        }

    def _auth_url(self, mount: str, body: Json) -> str:
        if body.get("role") != "default":
            raise _Failed(400, [f'role "{body.get("role")}" could not be found'])
        redirect_uri = body.get("redirect_uri", "")
        if not any(_same(redirect_uri, allowed) for allowed in self.allowed_redirect_uris):
            return ""
        state = f"st_{uuid.uuid4().hex}"
        self._logins[state] = _Login(
            mount, redirect_uri, body.get("client_nonce", ""), self._now + LOGIN_SECONDS
        )
        query = {"response_type": "code", "redirect_uri": redirect_uri, "state": state}
        return f"{self.url}/idp/authorize?{urlencode(query)}"

    def _authorize(self, query: Json) -> str:
        """Where the identity provider redirects to, once the person has logged in there."""
        login = self._logins[query["state"]]
        if self.provider_refuses is not None:
            answer = {"error": self.provider_refuses, "state": query["state"]}
        else:
            login.code, login.email = uuid.uuid4().hex, self.at_the_provider
            answer = {"code": login.code, "state": query["state"]}
        return f"{query['redirect_uri']}?{urlencode(answer)}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, bao: StandInOpenBao) -> None:
        self.bao = bao
        super().__init__(("127.0.0.1", 0), _Handler)

    def server_bind(self) -> None:
        # Not the method of HTTPServer, which asks for the name of the host.
        socketserver.TCPServer.server_bind(self)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 10

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, self.path, headers, self.rfile.read(length))
        status, body, extra = self.server.bao.answer(request)
        content = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **extra}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_DELETE = do_GET  # noqa: N815  (the names that the base class looks for)

    def log_message(self, *_: object, **__: object) -> None:
        return


def _same(redirect_uri: str, allowed: str) -> bool:
    """Whether a role that allows the one allows the other: on loopback the port does not count."""
    given, known = urlsplit(redirect_uri), urlsplit(allowed)
    if given.hostname not in _LOOPBACK:
        return redirect_uri == allowed
    return (given.scheme, given.hostname, given.path) == (
        known.scheme,
        known.hostname,
        known.path,
    )


def _json(request: Request) -> Json:
    try:
        found = json.loads(request.body or b"{}")
    except ValueError:
        raise _Failed(400, ["failed to parse JSON input: invalid character"]) from None
    assert isinstance(found, dict)
    return found


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise _Failed(400, ["unable to decode input as base64"]) from None
