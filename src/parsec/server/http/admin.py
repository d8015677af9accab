"""The administration's routes (server-core.md 16)."""

import csv
import io
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from parsec.data.instant import Instant
from parsec.data.people import OrganizationID, UserProfile
from parsec.protocol.authentication import MalformedTokenError, bearer_token
from parsec.server.http.administration_body import (
    CreateOrganization,
    FreezeUser,
    InvalidBody,
    PatchOrganization,
    ResetTotp,
    load_body,
)
from parsec.server.http.body import read_body
from parsec.server.http.guesses import Guesses
from parsec.server.http.rpc import client_address
from parsec.server.outbound.mailer import Outcome
from parsec.server.records import OrganizationStats, TermsOfService, TotpStanding, UserRecord
from parsec.server.rules.administration import Objected
from parsec.server.rules.network import is_within
from parsec.server.rules.refusal import Rejected, Verdict
from parsec.server.service import administration as service
from parsec.server.service.context import AdministrationContext, Server
from parsec.server.store.engine import StorageError

Answer: TypeAlias = Callable[[AdministrationContext, Request], Awaitable[Response]]
B = TypeVar("B")

_log = structlog.get_logger()


def admin_routes(server: Server, guesses: Guesses) -> list[Route]:
    """The routes, each of which asks for the administration token before anything else."""
    return [Route(path, _Endpoint(server, guesses, answers)) for path, answers in _ANSWERS.items()]


class _Failed(Exception):
    def __init__(
        self,
        status: int,
        detail: object,
        headers: Mapping[str, str] | None = None,
        *,
        reason: str | None = None,
    ) -> None:
        """`reason`: what the log says in place of the detail."""
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers
        self.reason = reason or (detail if isinstance(detail, str) else "invalid request")


class _Endpoint:
    """Answers the methods of one path."""

    def __init__(self, server: Server, guesses: Guesses, answers: Mapping[str, Answer]) -> None:
        self._server = server
        self._guesses = guesses
        self._answers = answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        # What the line of the log tells beyond what all of them do.
        request.state.audit = {}
        begun = time.perf_counter()
        try:
            response = await self._response(request)
        except Exception as error:
            # They are told and logged where all are, by `Edge`.
            self._audit(request, 503 if isinstance(error, StorageError) else 500, begun)
            raise
        self._audit(request, response.status_code, begun)
        await response(scope, receive, send)

    def _audit(self, request: Request, status: int, begun: float) -> None:
        """Who did what, and what came of it: each request, those that are refused too."""
        answer = self._answers.get(request.method)
        action = answer.__name__.removeprefix("_") if answer is not None else None
        seconds = time.perf_counter() - begun
        self._server.meter.request("administration", action, str(status), seconds)
        _log.log(
            logging.WARNING if status in (403, 429) else logging.INFO,
            "administration",
            address=client_address(request.scope),
            action=action,
            method=request.method,
            path=request.url.path,
            status=status,
            **request.state.audit,
        )

    async def _response(self, request: Request) -> Response:
        answer = self._answers.get(request.method)
        if answer is None:
            allowed = {"Allow": ", ".join(sorted(self._answers))}
            return _error(405, "Method Not Allowed", allowed)
        try:
            self._check_token(request)
            context = AdministrationContext(server=self._server, now=self._server.clock())
            return await answer(context, request)
        except Objected as objected:
            _note(request, reason=objected.objection.detail)
            return _error(objected.objection.status, objected.objection.detail)
        except Rejected as rejected:
            _note(request, reason=rejected.detail)
            return _error(rejected.verdict.status, rejected.detail)
        except InvalidBody as invalid:
            # Its detail may repeat what it objects to.
            _note(request, reason="invalid body")
            return _error(422, invalid.detail)
        except _Failed as failed:
            _note(request, reason=failed.reason)
            return _error(failed.status, failed.detail, failed.headers)

    def _check_token(self, request: Request) -> None:
        try:
            token = bearer_token(request.headers.get("authorization", ""))
        except MalformedTokenError:
            raise _Failed(403, "Not authenticated") from None
        settings, address = self._server.settings, client_address(request.scope)
        allowed = settings.administration_allowed_addresses
        is_allowed = allowed is None or is_within(address, allowed)
        if is_allowed and settings.administration_token.matches(token):
            return
        seconds = self._guesses.count(address, now=self._server.clock())
        if seconds:
            raise _Failed(429, Verdict.TOO_MANY.detail, {"Retry-After": str(seconds)})
        # From elsewhere even the right token is a wrong one.
        reason = None if is_allowed else "address not allowed"
        raise _Failed(403, "Bad authorization token", reason=reason)


async def _create_organization(context: AdministrationContext, request: Request) -> Response:
    body = await _body(CreateOrganization, request)
    _note(request, organization=body.organization_id, **_given(body))
    address = await service.create_organization(context, body.organization_id, body.change)
    return JSONResponse(
        {
            "bootstrap_url": address.url,
            "bootstrap_url_as_http_redirection": address.http_redirection_url,
        }
    )


async def _organization(context: AdministrationContext, request: Request) -> Response:
    record = await service.organization_record(context, _organization_id(request))
    minimum = record.realm_minimum_archiving_period_before_deletion
    return JSONResponse(
        {
            "is_bootstrapped": record.bootstrapped_on is not None,
            "is_expired": record.is_expired,
            "user_profile_outsider_allowed": record.user_profile_outsider_allowed,
            "active_users_limit": record.active_users_limit,
            "realm_minimum_archiving_period_before_deletion": minimum,
            "tos": _tos(record.tos),
        }
    )


async def _patch_organization(context: AdministrationContext, request: Request) -> Response:
    body = await _body(PatchOrganization, request)
    _note(request, **_given(body))
    await service.change_organization(context, _organization_id(request), body.change)
    return JSONResponse({})


async def _organization_stats(context: AdministrationContext, request: Request) -> Response:
    return JSONResponse(
        _stats(await service.organization_stats(context, _organization_id(request)))
    )


async def _users(context: AdministrationContext, request: Request) -> Response:
    """With `details=true`, which is ours, more about each user, and who was revoked too."""
    if request.query_params.get("details") == "true":
        users = await service.all_users(context, _organization_id(request))
        return JSONResponse({"users": [_detailed_user(one) for one in users]})
    users = await service.active_users(context, _organization_id(request))
    return JSONResponse({"users": [_user(one, frozen=one.is_frozen) for one in users]})


async def _totp_overview(context: AdministrationContext, request: Request) -> Response:
    """A route of ours, which the official server lacks."""
    users = await service.totp_overview(context, _organization_id(request))
    return JSONResponse({"users": [_user_totp(one) for one in users]})


async def _freeze(context: AdministrationContext, request: Request) -> Response:
    body = await _body(FreezeUser, request)
    user = await service.freeze_user(
        context,
        _organization_id(request),
        user_id=body.user_id,
        user_email=body.user_email,
        frozen=body.frozen,
    )
    _note(request, user=user.user_id.hex(), frozen=body.frozen)
    return JSONResponse(_user(user, frozen=body.frozen))


async def _reset_totp(context: AdministrationContext, request: Request) -> Response:
    body = await _body(ResetTotp, request)
    reset = await service.reset_totp(
        context,
        _organization_id(request),
        user_id=body.user_id,
        user_email=body.user_email,
        send_email=body.send_email,
    )
    _note(request, user=reset.user.user_id.hex(), mail=_email_sent_status(reset.mail))
    return JSONResponse(
        {
            "user_id": reset.user.user_id.hex(),
            "user_email": reset.user.human_handle.email,
            "totp_reset_url": reset.address.url,
            "totp_reset_url_as_http_redirection": reset.address.http_redirection_url,
            "email_sent_status": _email_sent_status(reset.mail),
        }
    )


async def _server_stats(context: AdministrationContext, request: Request) -> Response:
    write = _STATS_FORMATS.get(request.query_params.get("format", "json"))
    if write is None:
        problem = {"type": "enum", "loc": ["query", "format"], "msg": "Input should be json or csv"}
        raise _Failed(422, [problem])
    return write(await service.server_stats(context, at=_stats_date(request)))


_ANSWERS: Mapping[str, Mapping[str, Answer]] = {
    "/administration/organizations": {"POST": _create_organization},
    "/administration/organizations/{organization_id}": {
        "GET": _organization,
        "PATCH": _patch_organization,
    },
    "/administration/organizations/{organization_id}/stats": {"GET": _organization_stats},
    "/administration/organizations/{organization_id}/users": {"GET": _users},
    "/administration/organizations/{organization_id}/users/freeze": {"POST": _freeze},
    "/administration/organizations/{organization_id}/users/totp": {"GET": _totp_overview},
    "/administration/organizations/{organization_id}/users/reset_totp": {"POST": _reset_totp},
    "/administration/stats": {"GET": _server_stats},
}


# --- Reading requests ---


def _organization_id(request: Request) -> OrganizationID:
    try:
        return OrganizationID(request.path_params["organization_id"])
    except ValueError:
        raise _Failed(404, "Invalid organization ID") from None


async def _body(kind: type[B], request: Request) -> B:
    body = await read_body(dict(request.scope["headers"]), request.receive)
    return load_body(kind, request.headers.get("content-type", ""), body)


def _stats_date(request: Request) -> Instant | None:
    text = request.query_params.get("at", "")
    try:
        return Instant.parse(text) if text else None
    except ValueError:
        problem = "Invalid `at` query argument (expected RFC3339 datetime)"
        raise _Failed(400, problem) from None


# --- The log ---


def _note(request: Request, **facts: object) -> None:
    """Have the request's line of the log tell more: neither e-mail addresses nor links."""
    request.state.audit.update(facts)


def _given(body: CreateOrganization | PatchOrganization) -> dict[str, object]:
    """The options that a body sets; of the terms of service only in which languages."""
    options = msgspec.structs.asdict(body.change)
    return {
        name: list(value) if isinstance(value, dict) else value
        for name, value in options.items()
        if value is not msgspec.UNSET
    }


# --- Writing answers ---


def _error(status: int, detail: object, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"detail": detail}, status_code=status, headers=headers)


def _user(user: UserRecord, *, frozen: bool) -> dict[str, Any]:
    return {
        "user_id": user.user_id.hex(),
        "user_email": user.human_handle.email,
        "user_name": user.human_handle.label,
        "frozen": frozen,
    }


def _detailed_user(user: UserRecord) -> dict[str, Any]:
    return {
        **_user(user, frozen=user.is_frozen),
        "profile": user.profile.value,
        "created_on": _date(user.created_on),
        "revoked_on": _date_or_null(user.revoked_on),
    }


def _user_totp(overview: service.TotpOverview) -> dict[str, Any]:
    standing = overview.standing
    return {
        **_user(overview.user, frozen=overview.user.is_frozen),
        "state": _totp_state(standing),
        "set_up_on": _date_or_null(standing.completed_on),
        "last_used_on": _date_or_null(standing.last_success_on),
        "failures": standing.failures.count,
        "throttled_until": _date_or_null(overview.throttled_until),
        "opaque_keys": standing.keys,
        "reset_pending_since": _date_or_null(overview.reset_pending_since),
        "reset_count": standing.resets,
        "resets": [_date(on) for on in standing.last_resets],
    }


def _totp_state(standing: TotpStanding) -> str:
    if standing.completed_on is not None:
        return "SET_UP"
    return "BEGUN" if standing.has_secret else "NOT_SET_UP"


def _email_sent_status(mail: Outcome | None) -> str:
    match mail:
        case None:
            return "NOT_SENT_AS_REQUESTED"
        case Outcome.SENT:
            return "SENT_AS_REQUESTED"
        case Outcome.RECIPIENT_REFUSED | Outcome.SERVER_UNAVAILABLE | Outcome.BAD_SMTP_CONFIG:
            return mail.name


def _tos(tos: TermsOfService | None) -> dict[str, Any] | None:
    if tos is None:
        return None
    return {"per_locale_urls": tos.per_locale_urls, "updated_on": _date(tos.updated_on)}


def _date(instant: Instant) -> str:
    seconds, microseconds = divmod(int(instant), 1_000_000)
    return f"{Instant.from_seconds(seconds)}"[:-1] + f".{microseconds:06}Z"


def _date_or_null(instant: Instant | None) -> str | None:
    return _date(instant) if instant is not None else None


def _stats(stats: OrganizationStats) -> dict[str, Any]:
    return {
        "realms": stats.realms,
        "data_size": stats.data_size,
        "metadata_size": stats.metadata_size,
        "users": stats.users,
        "active_users": stats.active_users,
        "users_per_profile_detail": {
            profile.value: {"active": count.active, "revoked": count.revoked}
            for profile, count in stats.users_per_profile.items()
        },
    }


def _json_stats(stats: Sequence[OrganizationStats]) -> Response:
    return JSONResponse(
        {"stats": [{"organization_id": one.organization_id, **_stats(one)} for one in stats]}
    )


def _csv_stats(stats: Sequence[OrganizationStats]) -> Response:
    file = io.StringIO(newline="")
    rows = csv.writer(file, lineterminator="\r\n")
    per_profile = [
        f"{profile.value.lower()}_users_{state}"
        for profile in UserProfile
        for state in ("active", "revoked")
    ]
    rows.writerow(
        ["organization_id", "data_size", "metadata_size", "realms", "active_users", *per_profile]
    )
    for one in stats:
        counts = [one.users_per_profile[profile] for profile in UserProfile]
        numbers = [number for count in counts for number in (count.active, count.revoked)]
        rows.writerow(
            [
                one.organization_id,
                one.data_size,
                one.metadata_size,
                one.realms,
                one.active_users,
                *numbers,
            ]
        )
    return Response(file.getvalue(), media_type="text/csv")


_STATS_FORMATS = {"json": _json_stats, "csv": _csv_stats}
