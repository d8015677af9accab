"""What is asked of an OpenBao server, and what its answers mean."""

import json
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsec.client.failure import (
    AuthenticationFailed,
    Conflict,
    FlowError,
    HttpRefusal,
    InvalidAnswer,
    NotFound,
    Offline,
)
from parsec.client.rules.openbao import (
    Exchange,
    NoSingleSignOn,
    OpenBaoAnswer,
    OpenBaoRequest,
    OpenBaoServer,
    OpenBaoSession,
    WrongEntity,
    spoken_errors,
)
from parsec.client.rules.openbao_key import fetch_key, store_key
from parsec.client.rules.openbao_login import (
    Authorization,
    ForeignRedirect,
    LoginCode,
    begin_login,
    finish_login,
    look_up_token,
    read_redirect,
)
from parsec.client.rules.openbao_signature import BadSignature, check_email, sign, verify
from parsec.crypto.keys import SecretKey
from parsec.data.address import ServerAddr
from parsec.protocol.server_config import (
    OpenBaoAuthConfig,
    OpenBaoConfigDisabled,
    OpenBaoConfigEnabled,
    OpenBaoSecretConfigKv2,
)

T = TypeVar("T")

PARSEC = ServerAddr(hostname="parsec.example.com")
PARSEC_WITHOUT_TLS = ServerAddr(hostname="parsec.example.com", use_ssl=False)
KEY = SecretKey(bytes(range(32)))
SESSION = OpenBaoSession(token="s.t0k3n", entity_id="alice-entity")
AUTHORIZATION = Authorization(url="https://sso.example.com/?state=s1", state="s1")


def config(
    server_url: str = "https://bao.example.com",
    *,
    secret: str = "secret",
    transit: str = "transit",
    auths: dict[str, str] | None = None,
) -> OpenBaoConfigEnabled:
    mounts = {"HEXAGONE": "auth/hexagone"} if auths is None else auths
    return OpenBaoConfigEnabled(
        server_url=server_url,
        secret=OpenBaoSecretConfigKv2(mount_path=secret),
        transit_mount_path=transit,
        auths=[OpenBaoAuthConfig(id=name, mount_path=path) for name, path in mounts.items()],
    )


SERVER = OpenBaoServer.named_by(PARSEC, config())


def request_of(exchange: Exchange[Any]) -> OpenBaoRequest:
    return next(exchange)


def outcome(exchange: Exchange[T], status: int, body: object) -> T:
    """What an exchange of one request makes of an answer."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    next(exchange)
    with pytest.raises(StopIteration) as ended:
        exchange.send(OpenBaoAnswer(status=status, body=raw))
    result: T = ended.value.value
    return result


def fetching(path: str = "alice-entity/0123") -> Exchange[SecretKey]:
    return fetch_key(SERVER, SESSION, path)


# --- What the Parsec server says ---


def test_a_server_without_openbao_offers_no_single_sign_on() -> None:
    with pytest.raises(NoSingleSignOn, match="offers no single sign-on") as raised:
        OpenBaoServer.named_by(PARSEC, OpenBaoConfigDisabled())

    assert raised.value.hint is not None


def test_mount_paths_lose_the_slashes_at_their_ends() -> None:
    server = OpenBaoServer.named_by(PARSEC, config(secret="/a/b/", transit="//t/"))

    assert (server.secret_mount_path, server.transit_mount_path) == ("a/b", "t")


@pytest.mark.parametrize("mount_path", ["auth/sso", "/auth/sso/", "sso", "/sso"])
def test_login_methods_are_mounted_below_auth(mount_path: str) -> None:
    server = OpenBaoServer.named_by(PARSEC, config(auths={"SSO": mount_path}))

    assert server.auth("SSO").mount_path == "auth/sso"


@pytest.mark.parametrize("url", ["https://bao.example.com/x/y", "https://bao.example.com/x/y/"])
def test_a_path_in_the_address_is_kept(url: str) -> None:
    server = OpenBaoServer.named_by(PARSEC, config(url, secret="keys"))

    request = request_of(fetch_key(server, SESSION, "e/1"))

    assert request.url == "https://bao.example.com/x/y/v1/keys/data/e/1"


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(config("bao.example.com"), id="no scheme"),
        pytest.param(config("file:///etc/passwd"), id="no web address"),
        pytest.param(config("https://"), id="no host"),
        pytest.param(config("https://bao.example.com/é"), id="path beyond ASCII"),
        pytest.param(config(secret=""), id="empty mount path"),
        pytest.param(config(secret="a//b"), id="empty part"),
        pytest.param(config(transit="../sys"), id="up"),
        pytest.param(config(auths={"SSO": "."}), id="here"),
    ],
)
def test_an_address_or_path_that_is_none_is_an_invalid_answer(wrong: OpenBaoConfigEnabled) -> None:
    with pytest.raises(InvalidAnswer):
        OpenBaoServer.named_by(PARSEC, wrong)


def test_keys_do_not_travel_in_clear() -> None:
    with pytest.raises(NoSingleSignOn, match="without TLS"):
        OpenBaoServer.named_by(PARSEC, config("http://bao.example.com"))


@pytest.mark.parametrize("host", ["127.0.0.1:8200", "localhost", "[::1]:8200"])
def test_on_this_machine_no_tls_is_needed(host: str) -> None:
    server = OpenBaoServer.named_by(PARSEC, config(f"http://{host}"))

    assert server.url == f"http://{host}"


def test_who_waived_tls_for_parsec_waived_it_for_openbao() -> None:
    server = OpenBaoServer.named_by(PARSEC_WITHOUT_TLS, config("http://bao:8200"))

    assert server.url == "http://bao:8200"


# --- The login method ---

BOTH = OpenBaoServer.named_by(PARSEC, config(auths={"HEXAGONE": "auth/h", "PRO_CONNECT": "auth/p"}))


@pytest.mark.parametrize(
    ("preferred", "proposed"),
    [("PRO_CONNECT", "PRO_CONNECT"), ("HEXAGONE", "HEXAGONE"), ("GONE", "HEXAGONE")],
)
def test_the_preferred_login_method_is_proposed_first(preferred: str, proposed: str) -> None:
    assert BOTH.proposed_auth(preferred).id == proposed


def test_without_preference_the_first_login_method_is_proposed() -> None:
    assert BOTH.proposed_auth(None).id == "HEXAGONE"


def test_a_login_method_that_is_not_offered_is_not_found() -> None:
    with pytest.raises(NotFound) as raised:
        BOTH.auth("GONE")

    assert "HEXAGONE, PRO_CONNECT" in str(raised.value.hint)


def test_a_server_without_any_login_method_says_so() -> None:
    server = OpenBaoServer.named_by(PARSEC, config(auths={}))

    with pytest.raises(NotFound, match="no way to log in"):
        server.proposed_auth("HEXAGONE")


# --- Keys ---


def test_paths_are_percent_encoded_part_by_part() -> None:
    server = OpenBaoServer.named_by(PARSEC, config(secret="a b/c?"))

    request = request_of(fetch_key(server, SESSION, "é/#1"))

    assert request.url == "https://bao.example.com/v1/a%20b/c%3F/data/%C3%A9/%231"


@pytest.mark.parametrize("path", ["", "/x", "../../sys/seal", "a/./b", "a//b", "a/"])
def test_a_damaged_file_leads_nowhere_else(path: str) -> None:
    with pytest.raises(FlowError, match="names no place"):
        next(fetching(path))


@given(raw=st.binary(min_size=32, max_size=32))
def test_what_is_stored_is_what_is_fetched(raw: bytes) -> None:
    body = request_of(store_key(SERVER, SESSION, SecretKey(raw), secret_id="1")).body
    assert body is not None

    found = outcome(fetching(), 200, {"data": {"data": json.loads(body)["data"]}})

    assert bytes(found) == raw


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"<html>", id="a web page"),
        pytest.param(b'"\xff"', id="no UTF-8"),
        pytest.param(b"[" * 9999, id="nested"),
        pytest.param({"data": {"opaque_key": "AAAA"}}, id="KV version 1"),
        pytest.param({"data": {"data": None}}, id="nothing"),
        pytest.param({"data": {"data": {}}}, id="no key"),
        pytest.param({"data": {"data": {"opaque_key": 1}}}, id="no text"),
        pytest.param({"data": {"data": {"opaque_key": "A" * 40}}}, id="short"),
        pytest.param({"data": {"data": {"opaque_key": "A" * 42 + "!="}}}, id="no base64"),
        pytest.param({"data": {"data": {"opaque_key": "é" * 44}}}, id="no ASCII"),
    ],
)
def test_what_is_no_key_is_an_invalid_answer(body: object) -> None:
    with pytest.raises(InvalidAnswer):
        outcome(fetching(), 200, body)


def test_an_answer_that_was_too_long_is_an_invalid_one() -> None:
    exchange = fetching()
    next(exchange)

    with pytest.raises(InvalidAnswer):
        exchange.send(OpenBaoAnswer(status=200, body=None))


def test_a_key_is_never_overwritten() -> None:
    exchange = store_key(SERVER, SESSION, KEY, secret_id="1")
    said = {"errors": ["check-and-set parameter did not match the current version"]}

    with pytest.raises(Conflict):
        outcome(exchange, 400, said)


def test_a_missing_key_is_named_by_its_path() -> None:
    with pytest.raises(NotFound, match="alice-entity/0123"):
        outcome(fetching(), 404, {"errors": []})


# --- Refusals ---


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (204, InvalidAnswer),
        (301, InvalidAnswer),
        (307, InvalidAnswer),
        (400, HttpRefusal),
        (403, AuthenticationFailed),
        (404, NotFound),
        (405, HttpRefusal),
        (429, HttpRefusal),
        (500, Offline),
        (502, Offline),
        (503, Offline),
    ],
)
def test_only_status_200_is_success(status: int, kind: type[FlowError]) -> None:
    with pytest.raises(kind):
        outcome(look_up_token(SERVER, "s.t0k3n"), status, {"data": {"entity_id": "e"}})


def test_an_expired_token_is_told_with_what_to_do() -> None:
    denied = {"errors": ["1 error occurred:\n\t* permission denied\n\n"]}

    with pytest.raises(AuthenticationFailed) as raised:
        outcome(fetching(), 403, denied)

    assert str(raised.value) == "OpenBao at bao.example.com refused: permission denied"
    assert "log in again" in str(raised.value.hint)


def test_who_has_not_logged_in_is_not_told_to_do_so_again() -> None:
    exchange = begin_login(SERVER, SERVER.auths[0], "http://127.0.0.1/")

    with pytest.raises(AuthenticationFailed) as raised:
        outcome(exchange, 403, {"errors": ["permission denied"]})

    assert "mount paths" in str(raised.value.hint)


def test_the_servers_words_cannot_harm_the_terminal() -> None:
    with pytest.raises(HttpRefusal) as raised:
        outcome(fetching(), 400, {"errors": ["\x1b[2J", "bad\u202eness" + "x" * 9999]})

    shown = str(raised.value)
    assert shown.isprintable()
    assert len(shown) < 300


@pytest.mark.parametrize("body", [b"", b"<html>", b"{", b'{"errors": 1}', b'{"errors": [""]}'])
def test_a_refusal_without_words_tells_its_status(body: bytes) -> None:
    with pytest.raises(HttpRefusal, match=r"refused \(HTTP 400\)$"):
        outcome(fetching(), 400, body)


@pytest.mark.parametrize(
    ("exchange", "secret"),
    [
        (lambda: fetching(), "s.t0k3n"),
        (
            lambda: store_key(SERVER, SESSION, KEY, secret_id="1"),
            "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        ),
        (
            lambda: finish_login(SERVER, SERVER.auths[0], LoginCode(code="c0de", state="s1")),
            "c0de",
        ),
        (
            lambda: begin_login(SERVER, SERVER.auths[0], "http://x/", client_nonce="n0nce"),
            "n0nce",
        ),
    ],
    ids=["token", "key", "code", "nonce"],
)
def test_secrets_that_a_server_repeats_are_not_shown(
    exchange: Callable[[], Exchange[Any]], secret: str
) -> None:
    with pytest.raises(FlowError) as raised:
        outcome(exchange(), 400, {"errors": [f"bad: {secret}"]})

    assert secret not in f"{raised.value!r} {raised.value.hint}"


def test_nothing_secret_shows() -> None:
    login = LoginCode(code="c0de", state="st4te")
    request = request_of(finish_login(SERVER, SERVER.auths[0], login, client_nonce="n0nce"))
    storing = request_of(store_key(SERVER, SESSION, KEY, secret_id="1"))
    answer = OpenBaoAnswer(status=200, body=b"s.t0k3n")

    shown = repr([SESSION, login, request, storing, answer, AUTHORIZATION])

    assert not any(
        secret in shown for secret in ("s.t0k3n", "c0de", "st4te", "n0nce", "AAEC", "state=s1")
    )


# --- Logins ---


def test_a_nonce_binds_the_end_of_a_login_to_its_beginning() -> None:
    auth = SERVER.auths[0]

    began = request_of(begin_login(SERVER, auth, "http://x/", client_nonce="n0nce"))
    ended = request_of(
        finish_login(SERVER, auth, LoginCode(code="c", state="s"), client_nonce="n0nce")
    )

    assert began.body == b'{"role":"default","redirect_uri":"http://x/","client_nonce":"n0nce"}'
    assert ended.url.endswith("/callback?code=c&state=s&client_nonce=n0nce")


def test_a_redirection_that_the_role_does_not_allow_is_explained() -> None:
    exchange = begin_login(SERVER, SERVER.auths[0], "http://127.0.0.1:4711/oidc/callback")

    with pytest.raises(HttpRefusal, match="lets no login end at") as raised:
        outcome(exchange, 200, {"data": {"auth_url": ""}})

    assert "allowed_redirect_uris" in str(raised.value.hint)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "javascript:alert(1)",
        "-flag",
        "sso.example.com",
        "https://",
        "https://sso.example.com/a b",
        "https://sso.example.com/\x1b[2J",
        "https://sso.example.com/é",
        "https://sso.example.com/" + "x" * 9999,
    ],
)
def test_only_a_web_address_is_opened(url: str) -> None:
    exchange = begin_login(SERVER, SERVER.auths[0], "http://127.0.0.1/")

    with pytest.raises(InvalidAnswer, match="no web address"):
        outcome(exchange, 200, {"data": {"auth_url": url}})


def test_the_state_of_a_login_is_read_from_where_it_begins() -> None:
    exchange = begin_login(SERVER, SERVER.auths[0], "http://127.0.0.1/")

    found = outcome(exchange, 200, {"data": {"auth_url": "https://sso.example.com/?state=s%201"}})

    assert found.state == "s 1"


@pytest.mark.parametrize(
    "address",
    [
        "https://callback.parsec.cloud.invalid/oidc/callback?code=c0de&state=s1",
        "  callback.parsec.cloud.invalid/oidc/callback?state=s1&code=c0de&iss=x\n",
        "/oidc/callback?code=c0de&state=s1#fragment",
    ],
)
def test_the_code_is_read_from_where_a_login_ends(address: str) -> None:
    assert read_redirect(AUTHORIZATION, address) == LoginCode(code="c0de", state="s1")


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("", id="nothing"),
        pytest.param("code=c0de&state=s1", id="no address"),
        pytest.param("https://[/?code=c0de&state=s1", id="broken"),
        pytest.param("/oidc/callback?code=c0de", id="no state"),
        pytest.param("/oidc/callback?code=c0de&state=", id="empty state"),
        pytest.param("/oidc/callback?code=c0de&state=s2", id="another login"),
        pytest.param("/oidc/callback?code=c0de&state=s1&state=s1", id="two states"),
        pytest.param("/oidc/callback?state=s1", id="no code"),
        pytest.param("/oidc/callback?code=&state=s1", id="empty code"),
        pytest.param("/oidc/callback?code=a&code=b&state=s1", id="two codes"),
        pytest.param("/oidc/callback?code=%00&state=s1", id="control character"),
        pytest.param("/oidc/callback?error=access_denied&state=s2", id="another one's error"),
        pytest.param("/oidc/callback?code=c0de&state=s1\udcff", id="no text"),
    ],
)
def test_an_address_of_no_or_another_login_is_foreign(address: str) -> None:
    with pytest.raises(ForeignRedirect):
        read_redirect(AUTHORIZATION, address)


def test_where_the_state_is_hidden_any_state_is_passed_on() -> None:
    hidden = Authorization(url="https://sso.example.com/?request_uri=x", state=None)

    assert read_redirect(hidden, "/?code=c&state=s9") == LoginCode(code="c", state="s9")


def test_a_refusal_of_the_identity_provider_is_told_in_its_words() -> None:
    address = "/?error=access_denied&error_description=Not+%1b[2Jyou&state=s1"

    with pytest.raises(AuthenticationFailed) as raised:
        read_redirect(AUTHORIZATION, address)

    assert str(raised.value) == "The login was refused: Not \ufffd[2Jyou"


def test_a_login_that_openbao_refuses_is_told_in_its_words() -> None:
    exchange = finish_login(SERVER, SERVER.auths[0], LoginCode(code="c0de", state="s1"))

    with pytest.raises(AuthenticationFailed, match="Expired or missing OAuth state"):
        outcome(exchange, 400, {"errors": ["Vault login failed. Expired or missing OAuth state."]})


@pytest.mark.parametrize(
    "logged_in",
    [
        pytest.param({"client_token": "", "entity_id": "e"}, id="no token"),
        pytest.param({"client_token": "a\r\nx: y", "entity_id": "e"}, id="a header"),
        pytest.param({"client_token": "s.x", "entity_id": "../e"}, id="a path"),
        pytest.param({"client_token": "s.x", "entity_id": ".."}, id="up"),
        pytest.param({"entity_id": "e"}, id="none"),
    ],
)
def test_a_login_gives_a_token_and_an_entity(logged_in: object) -> None:
    exchange = finish_login(SERVER, SERVER.auths[0], LoginCode(code="c0de", state="s1"))

    with pytest.raises(InvalidAnswer):
        outcome(exchange, 200, {"auth": logged_in})


def test_the_token_of_nobody_in_particular_is_refused() -> None:
    with pytest.raises(AuthenticationFailed, match="nobody in particular"):
        outcome(look_up_token(SERVER, "s.root"), 200, {"data": {"entity_id": ""}})


@pytest.mark.parametrize("token", ["", "two words", "line\nbreak", "clé", "x" * 5000])
def test_a_token_that_no_header_carries_is_refused_unseen(token: str) -> None:
    with pytest.raises(AuthenticationFailed) as raised:
        next(look_up_token(SERVER, token))

    assert not token or token not in str(raised.value)


def test_another_persons_login_names_both() -> None:
    with pytest.raises(WrongEntity) as raised:
        SESSION.expect_entity("bob-entity")

    assert "bob-entity" in str(raised.value)
    assert "alice-entity" in str(raised.value)


# --- Signatures ---


def test_a_signing_key_is_made_once_only() -> None:
    missing = OpenBaoAnswer(status=400, body=b'{"errors":["signing key not found"]}')
    exchange = sign(SERVER, SESSION, b"payload")
    next(exchange)
    exchange.send(missing)
    exchange.send(OpenBaoAnswer(status=200, body=b"{}"))

    with pytest.raises(HttpRefusal, match="signing key not found"):
        exchange.send(missing)


def test_an_error_that_only_quotes_the_missing_key_is_another_error() -> None:
    with pytest.raises(HttpRefusal):
        outcome(sign(SERVER, SESSION, b""), 400, {"errors": ["no: signing key not found"]})


def test_an_author_without_a_key_has_signed_nothing() -> None:
    exchange = verify(SERVER, SESSION, author_entity_id="e", payload=b"", signature="vault:v1:")

    with pytest.raises(BadSignature):
        outcome(exchange, 400, {"errors": ["signature verification key not found"]})


@pytest.mark.parametrize("entity_id", ["", "..", "a/b", "a b"])
def test_an_author_cannot_lead_elsewhere(entity_id: str) -> None:
    exchange = check_email(SERVER, SESSION, author_entity_id=entity_id, email="a@example.com")

    with pytest.raises(InvalidAnswer):
        next(exchange)


@pytest.mark.parametrize("aliases", [[], None])
def test_an_author_without_any_address_is_an_invalid_answer(aliases: object) -> None:
    exchange = check_email(SERVER, SESSION, author_entity_id="e", email="a@example.com")

    with pytest.raises(InvalidAnswer):
        outcome(exchange, 200, {"data": {"aliases": aliases}})


def test_words_of_several_errors_are_joined() -> None:
    request = request_of(fetching())
    answer = OpenBaoAnswer(
        status=400, body=b'{"errors":["2 errors occurred:\\n\\t* a\\n\\t* b\\n\\n","c"]}'
    )

    assert spoken_errors(request, answer) == "a b; c"
