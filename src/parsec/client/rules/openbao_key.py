"""Keeping a key in an OpenBao server (KV version 2, `client.md` 5.3)."""

import base64
import binascii

import msgspec

from parsec.client.failure import Conflict, FlowError, InvalidAnswer, NotFound
from parsec.client.rules.openbao import (
    Data,
    Exchange,
    OpenBaoServer,
    OpenBaoSession,
    expect_success,
    is_path,
    listed_errors,
    make_request,
    read_answer,
)
from parsec.crypto.errors import KeySizeError
from parsec.crypto.keys import SecretKey
from parsec.data.peer_text import terminal_safe


class _OpaqueKey(msgspec.Struct):
    opaque_key: str

    def __repr__(self) -> str:
        return "_OpaqueKey(…)"


def store_key(
    server: OpenBaoServer, session: OpenBaoSession, key: SecretKey, *, secret_id: str
) -> Exchange[str]:
    """Store a key for oneself, and return its path; `secret_id` is a fresh UUID in hexadecimal.

    Raises AuthenticationFailed, Conflict, NotFound, Offline, HttpRefusal or InvalidAnswer.
    """
    path = f"{session.entity_id}/{secret_id}"
    # The standard alphabet, with padding (client.md 18, number 17).
    text = base64.b64encode(bytes(key)).decode("ascii")
    request = make_request(
        server,
        "POST",
        _route(server, path),
        token=session.token,
        # "cas": nothing is ever overwritten.
        body={"options": {"cas": 0}, "data": {"opaque_key": text}},
        secrets=(text,),
    )
    answer = yield request
    if answer.status == 400 and any(_NOT_CURRENT in error for error in listed_errors(answer)):
        raise Conflict(f"OpenBao at {server.netloc} holds a key at {path} already")
    expect_success(server, request, answer)
    return path


def fetch_key(server: OpenBaoServer, session: OpenBaoSession, path: str) -> Exchange[SecretKey]:
    """The key at a path.

    Raises NotFound, AuthenticationFailed, Offline, HttpRefusal or InvalidAnswer.
    """
    request = make_request(server, "GET", _route(server, path), token=session.token)
    answer = yield request
    if answer.status == 404:
        raise NotFound(
            f"OpenBao at {server.netloc} holds no key at {terminal_safe(path)}",
            hint="it may have been deleted; the device cannot be opened without it",
        )
    found = read_answer(server, request, answer, Data[Data[_OpaqueKey]]).data.data
    try:
        return SecretKey(base64.b64decode(found.opaque_key, validate=True))
    except (binascii.Error, ValueError, KeySizeError):
        # Without the cause, which may tell about the key.
        raise InvalidAnswer(
            f"What OpenBao at {server.netloc} holds at {terminal_safe(path)} is no key"
        ) from None


_NOT_CURRENT = "check-and-set parameter did not match"


def _route(server: OpenBaoServer, path: str) -> str:
    if not is_path(path):
        raise FlowError("The device file names no place in OpenBao", hint="it may be damaged")
    return f"{server.secret_mount_path}/data/{path}"
