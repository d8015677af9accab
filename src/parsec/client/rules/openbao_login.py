"""Logging in to an OpenBao server (OIDC, or a token come by elsewhere; `client.md` 5.2)."""

import hmac
import re
from urllib.parse import parse_qs, urlsplit

import msgspec

from parsec.client.failure import AuthenticationFailed, FlowError, HttpRefusal, InvalidAnswer
from parsec.client.rules.openbao import (
    ENTITY_ID,
    TOKEN,
    Data,
    Exchange,
    OpenBaoAuth,
    OpenBaoServer,
    OpenBaoSession,
    ask,
    make_request,
    read_answer,
    spoken_errors,
)
from parsec.data.peer_text import terminal_safe

ROLE = "default"
"""The role of the login methods that serves Parsec."""

LOOPBACK_PATH = "/oidc/callback"
"""Where a login ends on this machine; the role must allow `http://127.0.0.1` with this path."""

OFFICIAL_REDIRECT_URI = "https://callback.parsec.cloud.invalid/oidc/callback"
"""Where logins of the official client end; it leads nowhere, so that a browser shows it."""


class ForeignRedirect(FlowError):
    """An address is not the one at which this login ends."""


class Authorization(msgspec.Struct, frozen=True, kw_only=True):
    """Where somebody logs in, and what tells the end of that login from any other."""

    url: str
    state: str | None

    def __repr__(self) -> str:
        return "Authorization(…)"


class LoginCode(msgspec.Struct, frozen=True, kw_only=True):
    """What a login ends with."""

    code: str
    state: str

    def __repr__(self) -> str:
        return "LoginCode(…)"


class _AuthUrl(msgspec.Struct):
    auth_url: str


class _ClientToken(msgspec.Struct):
    client_token: str
    entity_id: str = ""

    def __repr__(self) -> str:
        return "_ClientToken(…)"


class _LoggedIn(msgspec.Struct):
    auth: _ClientToken


class _Self(msgspec.Struct):
    entity_id: str = ""


def begin_login(
    server: OpenBaoServer, auth: OpenBaoAuth, redirect_uri: str, *, client_nonce: str | None = None
) -> Exchange[Authorization]:
    """Where to log in so that the login ends at `redirect_uri`.

    A login that was begun with a nonce cannot be finished without it by whoever saw its code.
    Raises HttpRefusal, AuthenticationFailed, NotFound, Offline or InvalidAnswer.
    """
    body = {"role": ROLE, "redirect_uri": redirect_uri}
    if client_nonce is not None:
        body["client_nonce"] = client_nonce
    request = make_request(
        server,
        "POST",
        f"{auth.mount_path}/oidc/auth_url",
        body=body,
        secrets=() if client_nonce is None else (client_nonce,),
    )
    found = yield from ask(server, request, Data[_AuthUrl])
    url = found.data.auth_url
    if not url:
        # How OpenBao refuses an address that its role does not allow.
        raise HttpRefusal(
            400,
            f"OpenBao at {server.netloc} lets no login end at {redirect_uri}",
            hint=f"the role {ROLE} of {terminal_safe(auth.mount_path)} must list this address in "
            "allowed_redirect_uris (for 127.0.0.1 the port does not matter)",
        )
    # It goes to a terminal and to a browser, which would also open files and run programs.
    if not _WEB_ADDRESS.fullmatch(url):
        raise InvalidAnswer(f"OpenBao at {server.netloc} gave no web address to log in at")
    return Authorization(url=url, state=_parameters(url).get("state"))


def read_redirect(authorization: Authorization, address: str) -> LoginCode:
    """The code in the address at which a login ended.

    Raises ForeignRedirect for an address of another login or of none, AuthenticationFailed where
    the address says that the login was refused.
    """
    parameters = _parameters(address)
    state = parameters.get("state", "")
    expected = state if authorization.state is None else authorization.state
    if not _CODE.fullmatch(state) or not hmac.compare_digest(state.encode(), expected.encode()):
        raise ForeignRedirect(
            "This address does not belong to the login that was begun",
            hint="log in at the address that was shown last, and give the one that it ends at",
        )
    if "error" in parameters:
        reason = parameters.get("error_description") or parameters["error"]
        raise AuthenticationFailed(f"The login was refused: {terminal_safe(reason)}")
    code = parameters.get("code", "")
    if not _CODE.fullmatch(code):
        raise ForeignRedirect("There is no code in this address", hint="log in again")
    return LoginCode(code=code, state=state)


def finish_login(
    server: OpenBaoServer, auth: OpenBaoAuth, login: LoginCode, *, client_nonce: str | None = None
) -> Exchange[OpenBaoSession]:
    """Exchange the code for a session.

    Raises AuthenticationFailed, NotFound, HttpRefusal, Offline or InvalidAnswer.
    """
    query = {"code": login.code, "state": login.state}
    if client_nonce is not None:
        query["client_nonce"] = client_nonce
    request = make_request(
        server,
        "GET",
        f"{auth.mount_path}/oidc/callback",
        query=query,
        secrets=tuple(query.values()),
    )
    answer = yield request
    if answer.status == 400:
        reason = spoken_errors(request, answer) or "it gave no reason"
        raise AuthenticationFailed(
            f"OpenBao at {server.netloc} refused the login: {reason}", hint="log in again"
        )
    found = read_answer(server, request, answer, _LoggedIn).auth
    return _session(server, found.client_token, found.entity_id)


def look_up_token(server: OpenBaoServer, token: str) -> Exchange[OpenBaoSession]:
    """The session of a token that was come by elsewhere.

    Raises AuthenticationFailed, NotFound, HttpRefusal, Offline or InvalidAnswer.
    """
    if not TOKEN.fullmatch(token):
        raise AuthenticationFailed("The OpenBao token is empty or holds a forbidden character")
    request = make_request(server, "GET", "auth/token/lookup-self", token=token)
    found = yield from ask(server, request, Data[_Self])
    return _session(server, token, found.data.entity_id)


_CODE = re.compile(r"[ -~]{1,4096}")
"""Also the state, RFC 6749, appendix A."""

_WEB_ADDRESS = re.compile(r"https?://[!-~]{1,8192}")


def _session(server: OpenBaoServer, token: str, entity_id: str) -> OpenBaoSession:
    if not entity_id:
        raise AuthenticationFailed(
            f"The token for OpenBao at {server.netloc} belongs to nobody in particular",
            hint="keys are kept for entities: take the token of a login, not a root token",
        )
    if not TOKEN.fullmatch(token) or not ENTITY_ID.fullmatch(entity_id):
        raise InvalidAnswer(f"OpenBao at {server.netloc} gave a token or an entity that is none")
    return OpenBaoSession(token=token, entity_id=entity_id)


def _parameters(address: str) -> dict[str, str]:
    """The parameters of an address; a repeated one counts as absent."""
    try:
        query = urlsplit(address.strip()).query
    except ValueError:
        return {}
    values = parse_qs(query, keep_blank_values=True)
    return {name: found[0] for name, found in values.items() if len(found) == 1}
