"""Signing with OpenBao, and who an author is to it (transit, identity; `client.md` 5.3)."""

import base64

import msgspec

from parsec.client.failure import FlowError, InvalidAnswer
from parsec.client.rules.openbao import (
    ENTITY_ID,
    Data,
    Exchange,
    OpenBaoServer,
    OpenBaoSession,
    ask,
    expect_success,
    listed_errors,
    make_request,
    read_answer,
)
from parsec.data.peer_text import terminal_safe


class BadSignature(FlowError):
    """A payload was not signed by whom it names."""


class UnexpectedEmail(FlowError):
    """OpenBao does not know the author of a payload by the e-mail address in it."""


class _Signature(msgspec.Struct):
    signature: str


class _Verdict(msgspec.Struct):
    valid: bool


class _Alias(msgspec.Struct):
    name: str


class _Entity(msgspec.Struct):
    aliases: list[_Alias] | None = None


def sign(server: OpenBaoServer, session: OpenBaoSession, payload: bytes) -> Exchange[str]:
    """The signature of a payload by one's own key, which is made where there is none yet.

    Raises AuthenticationFailed, NotFound, HttpRefusal, Offline or InvalidAnswer.
    """
    name = f"entity-{session.entity_id}"
    request = make_request(
        server,
        "POST",
        f"{server.transit_mount_path}/sign/{name}",
        token=session.token,
        body={"input": _base64(payload)},
    )
    answer = yield request
    if answer.status == 400 and "signing key not found" in listed_errors(answer):
        creation = make_request(
            server,
            "POST",
            f"{server.transit_mount_path}/keys/{name}",
            token=session.token,
            body={"type": "ed25519"},
        )
        expect_success(server, creation, (yield creation))
        answer = yield request
    return read_answer(server, request, answer, Data[_Signature]).data.signature


def verify(
    server: OpenBaoServer,
    session: OpenBaoSession,
    *,
    author_entity_id: str,
    payload: bytes,
    signature: str,
) -> Exchange[None]:
    """Accept a payload that its author signed.

    Raises BadSignature, AuthenticationFailed, NotFound, HttpRefusal, Offline or InvalidAnswer.
    """
    request = make_request(
        server,
        "POST",
        f"{server.transit_mount_path}/verify/entity-{_entity(author_entity_id)}",
        token=session.token,
        body={"input": _base64(payload), "signature": signature},
    )
    answer = yield request
    unknown = answer.status == 400 and "signature verification key not found" in listed_errors(
        answer
    )
    if unknown or not read_answer(server, request, answer, Data[_Verdict]).data.valid:
        raise BadSignature(f"The payload was not signed by {author_entity_id}")


def check_email(
    server: OpenBaoServer, session: OpenBaoSession, *, author_entity_id: str, email: str
) -> Exchange[None]:
    """Accept an author whom OpenBao knows by this address, compared as exact text.

    Raises UnexpectedEmail, AuthenticationFailed, NotFound, HttpRefusal, Offline or InvalidAnswer.
    """
    request = make_request(
        server,
        "GET",
        f"identity/entity/id/{_entity(author_entity_id)}",
        token=session.token,
    )
    found = yield from ask(server, request, Data[_Entity])
    names = [alias.name for alias in found.data.aliases or ()]
    if not names:
        raise InvalidAnswer(f"OpenBao at {server.netloc} knows the author by no address at all")
    if email not in names:
        raise UnexpectedEmail(
            f"OpenBao at {server.netloc} does not know the author as {terminal_safe(email)}"
        )


def _entity(entity_id: str) -> str:
    """What may stand in a path. Raises InvalidAnswer."""
    if not ENTITY_ID.fullmatch(entity_id):
        raise InvalidAnswer("The author of the payload names an OpenBao entity that is none")
    return entity_id


def _base64(payload: bytes) -> str:
    return base64.b64encode(payload).decode("ascii")
