"""Vectors of what a client says to an OpenBao server, and what it makes of the answers."""

import base64
import json
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, unquote, urlsplit

from parsec.client.failure import FlowError, Offline
from parsec.client.rules.openbao import (
    Exchange,
    OpenBaoAnswer,
    OpenBaoRequest,
    OpenBaoServer,
    OpenBaoSession,
)
from parsec.client.rules.openbao_key import fetch_key, store_key
from parsec.client.rules.openbao_login import LoginCode, begin_login, finish_login
from parsec.client.rules.openbao_signature import (
    BadSignature,
    UnexpectedEmail,
    check_email,
    sign,
    verify,
)
from parsec.crypto.keys import SecretKey
from parsec.data.address import ServerAddr
from parsec.protocol.server_config import (
    OpenBaoAuthConfig,
    OpenBaoConfigEnabled,
    OpenBaoSecretConfigKv2,
)
from tests.conformance.registry import Vector, handles

Json: TypeAlias = dict[str, Any]


@handles("client-openbao-http")
def check_openbao(vector: Vector, document: Json) -> None:
    exchanges = vector.get("exchanges") or [vector]
    config = vector["config"]
    url = config["openbao_server_url"]
    server = OpenBaoServer.named_by(
        ServerAddr(hostname="parsec.invalid", use_ssl=not url.startswith("http:")),
        OpenBaoConfigEnabled(
            server_url=url,
            secret=OpenBaoSecretConfigKv2(mount_path=config["secret_mount_path"]),
            transit_mount_path=config["transit_mount_path"],
            auths=[OpenBaoAuthConfig(id="TEST", mount_path=config.get("auth_mount_path", "test"))],
        ),
    )
    session = OpenBaoSession(token=config["token"], entity_id=config["entity_id"])

    found = _outcome(_operation(vector["operation"], server, session, exchanges), exchanges)

    expected = vector["expected"]
    assert {name: found.get(name) for name in expected} == expected, found


def _operation(
    operation: str, server: OpenBaoServer, session: OpenBaoSession, exchanges: list[Json]
) -> Exchange[Json]:
    """The exchange under test; it returns what these vectors expect."""
    request = exchanges[0]["request"]
    argument = request.get("argument")
    match operation:
        case "upload_opaque_key":
            key = SecretKey(bytes.fromhex(request["random"]["opaque_key_hex"]))
            path = yield from store_key(
                server, session, key, secret_id=request["random"]["uuid4_hex"]
            )
            return {"ciphertext_key_path": path, "key_hex": bytes(key).hex()}
        case "fetch_opaque_key":
            found = yield from fetch_key(server, session, argument)
            return {"key_hex": bytes(found).hex()}
        case "sign":
            return {"signature": (yield from sign(server, session, _payload(request)))}
        case "verify":
            yield from verify(
                server,
                session,
                author_entity_id=argument["author_entity_id"],
                payload=bytes.fromhex(argument["payload_hex"]),
                signature=argument["signature"],
            )
            return {"valid": True}
        case "check_author_email":
            yield from check_email(
                server,
                session,
                author_entity_id=argument["author_entity_id"],
                email=argument["expected_email"],
            )
            return {"ok": True}
        case "oidc_start":
            uri = request["json"]["redirect_uri"]
            authorization = yield from begin_login(server, server.auths[0], uri)
            return {"auth_url": authorization.url}
        case "oidc_finish":
            login = LoginCode(code=argument["code"], state=argument["state"])
            logged_in = yield from finish_login(server, server.auths[0], login)
            return {"token": logged_in.token, "entity_id": logged_in.entity_id}
        case _:
            raise AssertionError(f"unknown operation {operation}")


def _outcome(exchange: Exchange[Json], exchanges: list[Json]) -> Json:
    """What came of an exchange whose requests are the expected ones; errors by their name there."""
    remaining = list(exchanges)
    try:
        request = next(exchange)
        while True:
            assert remaining, "one request too many"
            step = remaining.pop(0)
            _check_request(request, step["request"])
            if step.get("response") is None:
                exchange.throw(Offline("no answer"))
            request = exchange.send(_answer(step["response"]))
    except StopIteration as end:
        assert not remaining, "a request is missing"
        result: Json = end.value
        return result
    except BadSignature:
        return {"error": "bad signature"}
    except UnexpectedEmail:
        return {"error": "unexpected author email"}
    except Offline:
        # An answer that tells of an outage is an answer too.
        answered = exchanges[-1].get("response") is not None
        return {"error": "bad server response" if answered else "no response"}
    except FlowError:
        return {"error": "bad server response"}


def _check_request(request: OpenBaoRequest, expected: Json) -> None:
    assert request.method == expected["method"]
    # To OpenBao an encoded slash is a slash.
    assert _readable(request.url) == _readable(expected["url"])
    headers = {name.lower(): value for name, value in request.headers.items()}
    for name, value in expected.get("headers", {}).items():
        assert headers.get(name.lower()) == value, name
    assert (None if request.body is None else json.loads(request.body)) == expected.get("json")


def _readable(url: str) -> tuple[str, str, str, list[tuple[str, str]]]:
    parts = urlsplit(url)
    return (parts.scheme, parts.netloc, unquote(parts.path), sorted(parse_qsl(parts.query)))


def _answer(response: Json) -> OpenBaoAnswer:
    if "json" in response:
        body = json.dumps(response["json"]).encode()
    else:
        body = str(response.get("body", "")).encode()
    return OpenBaoAnswer(status=response["status"], body=body)


def _payload(request: Json) -> bytes:
    if "argument_hex" in request:
        return bytes.fromhex(request["argument_hex"])
    return base64.b64decode(request["json"]["input"])
