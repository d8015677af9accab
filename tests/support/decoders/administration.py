"""Targets: the administration interface from both sides, and what errors of HTTP tell people."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import msgspec

from parsec.cli import administration
from parsec.client.failure import FlowError
from parsec.client.transport import AdminTransport
from parsec.client.transport.http import Answer, Http
from parsec.client.transport.refusals import detail, refusal
from parsec.data.address import ServerAddr
from parsec.data.ids import UserID
from parsec.data.instant import Instant
from parsec.data.people import OrganizationID
from parsec.server.http.administration_body import (
    CreateOrganization,
    FreezeUser,
    InvalidBody,
    PatchOrganization,
    ResetTotp,
    load_body,
)
from tests.support.decoders.openbao import STATUSES
from tests.support.decoders.target import Form, Target, check_words

_BODIES: Sequence[type[Any]] = (CreateOrganization, PatchOrganization, FreezeUser, ResetTotp)


def check_bodies(data: bytes) -> None:
    """The body of any request of an administrator."""
    for kind in _BODIES:
        try:
            body = load_body(kind, "application/json", data)
        except InvalidBody as invalid:
            _check_detail(invalid.detail)
            continue
        written = msgspec.json.encode(body, enc_hook=_text)
        again = load_body(kind, "application/json; charset=utf-8", written)
        assert again == body
        if isinstance(body, CreateOrganization | PatchOrganization):
            _ = body.change


def _check_detail(found: list[dict[str, Any]]) -> None:
    assert found
    for problem in found:
        assert problem.keys() == {"type", "loc", "msg"}
    # As it is sent.
    json.dumps(found, ensure_ascii=False, allow_nan=False).encode()


def _text(value: object) -> str:
    return value.hex() if isinstance(value, UserID) else str(value)


# --- The client's side ---


class _OneAnswer:
    """Speaks HTTP with a server that answers the same to everything."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def exchange(self, *_: object, **__: object) -> Answer:
        return self._answer


_SERVER = ServerAddr(hostname="parsec.example.com")
_ORGANIZATION = OrganizationID("Org")
_TOKEN = "the-administration-token"
_ASKED: Sequence[Callable[[AdminTransport], object]] = (
    administration.organizations,
    lambda admin: administration.settings(admin, "Org"),
    lambda admin: _shown_accounts(administration.accounts(admin, _ORGANIZATION)),
    lambda admin: administration.frozen_or_not(admin, _ORGANIZATION, {}, frozen=True),
    lambda admin: _shown_codes(administration.codes_overview(admin, _ORGANIZATION)),
    lambda admin: admin.get_text("stats"),
)


def check_answers(data: bytes) -> None:
    """Any answer to an administrator; the first byte chooses the status."""
    for headers in ({"content-type": "application/json"}, {}):
        answer = _answer(data, headers)
        admin = AdminTransport(
            cast("Http", _OneAnswer(answer)), _SERVER, _TOKEN, now=lambda: Instant(0)
        )
        for ask in _ASKED:
            try:
                ask(admin)
            except FlowError as error:
                check_words(error, _TOKEN)


def _shown_accounts(accounts: Sequence[administration.Account]) -> None:
    administration.alike_addresses(accounts)
    for account in accounts:
        _ = (account.human_handle, account.is_detailed, account.is_revoked)
        if isinstance(account.created_on, str):
            administration.day(account.created_on)


def _shown_codes(found: Sequence[administration.Codes]) -> None:
    for codes in found:
        administration.minute(codes.set_up_on)
        administration.minute(codes.throttled_until)


def check_refusals(data: bytes) -> None:
    """Any answer but a success, as a person is told of it; headers first, then the body."""
    head, _, body = data.partition(b"\n\n")
    lines = [line.partition(":") for line in head.decode("latin-1").split("\n")]
    headers = {name.lower(): value.strip() for name, _, value in lines}
    for status in (*range(300, 310), *range(400, 430), *range(459, 500), 500, 502, 503, 599):
        answer = Answer(status=status, headers=headers, body=body)
        check_words(refusal(answer, netloc=_SERVER.netloc, now=Instant(0)))
    detail(Answer(status=404, headers={"content-type": "application/json"}, body=data))


def _answer(data: bytes, headers: Mapping[str, str]) -> Answer:
    status = STATUSES[data[0] % len(STATUSES)] if data else 200
    return Answer(status=status, headers=headers, body=data[1:])


_USER = {
    "user_id": "00" * 16,
    "user_email": "alice@example.com",
    "user_name": "Alice",
    "frozen": False,
}


def _request_bodies() -> list[bytes]:
    bodies: list[Any] = [
        {"organization_id": "Org", "active_users_limit": 3, "tos": {"en": "https://example.com"}},
        {"is_expired": True, "user_profile_outsider_allowed": False, "tos": None},
        {"frozen": True, "user_email": "alice@example.com"},
        {"user_id": "00" * 16, "send_email": True},
        {"realm_minimum_archiving_period_before_deletion": 86_400, "active_users_limit": None},
    ]
    return [json.dumps(body).encode() for body in bodies]


def _answers() -> list[bytes]:
    figures = dict.fromkeys(("active_users", "users", "realms", "data_size", "metadata_size"), 1)
    profiles = {"ADMIN": {"active": 1, "revoked": 0}}
    stats = {"organization_id": "Org", **figures, "users_per_profile_detail": profiles}
    settings = {
        "is_bootstrapped": True,
        "is_expired": False,
        "user_profile_outsider_allowed": True,
        "active_users_limit": None,
        "realm_minimum_archiving_period_before_deletion": 0,
        "tos": {"per_locale_urls": {"en": "https://example.com"}, "updated_on": "2026-01-01"},
    }
    codes = {
        **_USER,
        "state": "set-up",
        "set_up_on": "2026-01-31T12:00:00Z",
        "last_used_on": None,
        "failures": 0,
        "throttled_until": None,
        "opaque_keys": 1,
        "reset_pending_since": None,
        "reset_count": 0,
        "resets": [],
    }
    account = {**_USER, "profile": "ADMIN", "created_on": "2026-01-31T12:00:00Z"}
    bodies: list[Any] = [
        {"stats": [stats]},
        settings,
        {"users": [account]},
        {"users": [codes]},
        account,
        {"detail": "Organization not found"},
        {"detail": [{"msg": "Field required", "loc": ["body"]}]},
    ]
    return [bytes([status]) + json.dumps(body).encode() for body in bodies for status in (0, 5, 7)]


def _http_errors() -> list[bytes]:
    return [
        b'content-type: application/json\n\n{"detail": "token expired"}',
        b"date: Sat, 31 Jan 2026 12:00:00 GMT\nsupported-api-versions: 5.5;4.1\n\n",
        b"location: https://example.com/\ncontent-type: text/html\n\n<html>",
    ]


TARGETS = (
    Target("administration-bodies", Form.JSON, check_bodies, _request_bodies),
    Target("administration-answers", Form.JSON, check_answers, _answers),
    Target("refusals", Form.TEXT, check_refusals, _http_errors),
)
