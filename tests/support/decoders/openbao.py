"""Targets: what an OpenBao server answers, and the addresses at which its logins end."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from parsec.client.failure import FlowError
from parsec.client.rules.openbao import (
    Exchange,
    OpenBaoAnswer,
    OpenBaoAuth,
    OpenBaoServer,
    OpenBaoSession,
    health,
)
from parsec.client.rules.openbao_key import fetch_key, store_key
from parsec.client.rules.openbao_login import (
    Authorization,
    LoginCode,
    begin_login,
    finish_login,
    look_up_token,
    read_redirect,
)
from parsec.client.rules.openbao_signature import check_email, sign, verify
from parsec.crypto.keys import SecretKey
from parsec.data.address import ServerAddr
from parsec.protocol.server_config import (
    OpenBaoAuthConfig,
    OpenBaoConfigEnabled,
    OpenBaoSecretConfigKv2,
)
from tests.support.decoders import seeds
from tests.support.decoders.target import Form, Target, check_words, text_of

STATUSES = (200, 200, 200, 204, 301, 400, 403, 404, 429, 473, 500, 503)

_TOKEN, _NONCE, _CODE = "s.token-of-alice", "nonce-of-this-login", "code-of-this-login"
_AUTH = OpenBaoAuth(id="HEXAGONE", mount_path="auth/hexagone")
_SESSION = OpenBaoSession(token=_TOKEN, entity_id="alice-entity")
_SERVER = OpenBaoServer(
    url="https://bao.example.com",
    netloc="bao.example.com",
    secret_mount_path="secret",
    transit_mount_path="transit",
    auths=(_AUTH,),
)

_EXCHANGES: Sequence[Callable[[], Exchange[Any]]] = (
    lambda: health(_SERVER),
    lambda: begin_login(_SERVER, _AUTH, "http://127.0.0.1/oidc/callback", client_nonce=_NONCE),
    lambda: finish_login(_SERVER, _AUTH, LoginCode(code=_CODE, state="state"), client_nonce=_NONCE),
    lambda: look_up_token(_SERVER, _TOKEN),
    lambda: store_key(_SERVER, _SESSION, SecretKey(bytes(32)), secret_id="00" * 16),
    lambda: fetch_key(_SERVER, _SESSION, "alice-entity/0123"),
    lambda: sign(_SERVER, _SESSION, b"payload"),
    lambda: verify(
        _SERVER, _SESSION, author_entity_id="bob", payload=b"payload", signature="vault:v1:AA=="
    ),
    lambda: check_email(_SERVER, _SESSION, author_entity_id="bob", email="bob@example.com"),
)


def check_answers(data: bytes) -> None:
    """Any answer to any request; the first byte chooses the status."""
    status = STATUSES[data[0] % len(STATUSES)] if data else 200
    answer = OpenBaoAnswer(status=status, body=data[1:])
    for begin in _EXCHANGES:
        exchange = begin()
        try:
            next(exchange)
            while True:
                exchange.send(answer)
        except StopIteration:
            continue
        except FlowError as error:
            check_words(error, _TOKEN, _NONCE, _CODE)


_AUTHORIZATIONS = (
    Authorization(url="https://sso.example.com/?state=s1", state="s1"),
    Authorization(url="https://sso.example.com/", state=None),
)


def check_redirects(data: bytes) -> None:
    """The address that a browser ended at, as pasted."""
    for authorization in _AUTHORIZATIONS:
        try:
            code = read_redirect(authorization, text_of(data))
        except FlowError as error:
            check_words(error)
        else:
            assert code.code.isprintable()
            assert authorization.state in (None, code.state)


def check_configurations(data: bytes) -> None:
    """The OpenBao server that a Parsec server names: an address and paths, a line each."""
    url, secret, transit, auth, *_ = [*data.decode("utf-8", "replace").split("\n"), *[""] * 4]
    config = OpenBaoConfigEnabled(
        server_url=url,
        secret=OpenBaoSecretConfigKv2(mount_path=secret),
        transit_mount_path=transit,
        auths=[OpenBaoAuthConfig(id="X", mount_path=auth)],
    )
    try:
        server = OpenBaoServer.named_by(ServerAddr(hostname="parsec.example.com"), config)
    except FlowError as error:
        check_words(error)
        return
    request = next(look_up_token(server, _TOKEN))
    assert request.url.startswith(("https://", "http://127.0.0.1", "http://[::1]", "http://local"))
    assert request.url.isascii()
    assert request.url.isprintable()
    [auth_url] = [next(begin_login(server, each, "http://127.0.0.1")).url for each in server.auths]
    assert "/../" not in auth_url


def _answers() -> list[bytes]:
    official = [
        vector["response"]
        for vector in seeds.document("client-openbao-http")["vectors"]
        if "response" in vector
    ]
    more: list[Any] = [
        {"data": {"auth_url": "https://sso.example.com/?state=s1"}},
        {"auth": {"client_token": "s.t", "entity_id": "alice-entity"}},
        {"data": {"entity_id": "alice-entity"}},
        {"data": {"data": {"opaque_key": "A" * 43 + "="}}},
        {"data": {"signature": "vault:v1:AA=="}},
        {"data": {"valid": True}},
        {"data": {"aliases": [{"name": "bob@example.com"}]}},
        {"errors": ["1 error occurred:\n\t* permission denied\n\n", "check-and-set parameter"]},
    ]
    numbers = [STATUSES.index(answer["status"]) for answer in official if "json" in answer]
    bodies = [answer["json"] for answer in official if "json" in answer]
    pairs = [*zip(numbers, bodies, strict=True), *((0, body) for body in more), (6, more[-1])]
    return [bytes([number]) + json.dumps(body).encode() for number, body in pairs]


TARGETS = (
    Target("openbao-answers", Form.JSON, check_answers, _answers),
    Target(
        "openbao-redirects",
        Form.TEXT,
        check_redirects,
        lambda: [b"http://127.0.0.1:1/oidc/callback?code=abc&state=s1", b"http://x/?error=no"],
    ),
    Target(
        "openbao-configurations",
        Form.TEXT,
        check_configurations,
        lambda: [b"https://bao.example.com/a\nsecret/kv\ntransit\nauth/oidc\n"],
    ),
)
