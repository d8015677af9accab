"""The guard whose keys OpenBao keeps, before the stand-in and a real server where there is one."""

import base64
import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from parsec.client.failure import AuthenticationFailed, Conflict, FlowError, NotFound, Offline
from parsec.client.guards.openbao import OpenBaoGuard
from parsec.client.guards.openbao_http import carry_out
from parsec.client.guards.openbao_login import Login, token_login
from parsec.client.protection import OpenBaoFields
from parsec.client.rules.device_file import KeyUnavailable
from parsec.client.rules.openbao import OpenBaoServer, OpenBaoSession, WrongEntity
from parsec.client.rules.openbao_key import fetch_key, store_key
from parsec.client.rules.openbao_login import look_up_token
from parsec.client.rules.openbao_signature import (
    BadSignature,
    UnexpectedEmail,
    check_email,
    sign,
    verify,
)
from parsec.client.transport import Http
from parsec.crypto.entropy import system_entropy
from parsec.crypto.keys import SecretKey
from parsec.data.address import ServerAddr
from parsec.data.device_file import AnyDeviceFile, OpenBaoDeviceFile, load_device_file
from tests.client.guards.conftest import AnyOpenBao
from tests.support.guard_contract import GuardContract, protected
from tests.support.openbao import TOKEN_SECONDS, StandInOpenBao

VECTORS = Path(__file__).parents[2] / "vectors" / "client-device-files.json"
PARSEC = ServerAddr(hostname="parsec.invalid", use_ssl=False)
"""Without TLS, as a real OpenBao for tests may be."""
ALICE = "alice@example.com"
BOB = "bob@example.com"
KEY = SecretKey(bytes(range(32)))


def server_of(bao: AnyOpenBao) -> OpenBaoServer:
    return OpenBaoServer.named_by(PARSEC, bao.config)


def guard_of(http: Http, bao: AnyOpenBao, email: str = ALICE) -> OpenBaoGuard:
    server = server_of(bao)
    return OpenBaoGuard(http, server, token_login(http, server, bao.token(email)))


def session_of(http: Http, bao: AnyOpenBao, email: str = ALICE) -> OpenBaoSession:
    return carry_out(http, look_up_token(server_of(bao), bao.token(email)))


def file_with(fields: OpenBaoFields) -> AnyDeviceFile:
    return protected(KEY, fields)


class TestOpenBaoGuard(GuardContract):
    @pytest.fixture
    def guard(self, http: Http, bao: AnyOpenBao) -> OpenBaoGuard:
        return guard_of(http, bao, ALICE)

    @pytest.fixture
    def stranger(self, http: Http, bao: AnyOpenBao) -> OpenBaoGuard:
        return guard_of(http, bao, BOB)


# --- What a real server shows too ---


def test_a_new_key_can_be_had_again_by_who_made_it(http: Http, bao: AnyOpenBao) -> None:
    key, fields = guard_of(http, bao).new(system_entropy)

    assert guard_of(http, bao).key(file_with(fields)) == key


def test_the_file_says_where_the_key_is_and_whose_it_is(http: Http, bao: AnyOpenBao) -> None:
    _, fields = guard_of(http, bao).new(system_entropy)

    entity_id = session_of(http, bao).entity_id
    assert (fields.preferred_auth_id, fields.entity_id) == ("HEXAGONE", entity_id)
    # A random UUID, RFC 9562.
    uuid = "[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}"
    assert re.fullmatch(f"{entity_id}/{uuid}", fields.ciphertext_key_path)


def test_another_person_is_told_whose_device_it_is(http: Http, bao: AnyOpenBao) -> None:
    _, fields = guard_of(http, bao, ALICE).new(system_entropy)
    bob = session_of(http, bao, BOB).entity_id

    with pytest.raises(WrongEntity) as raised:
        guard_of(http, bao, BOB).key(file_with(fields))

    assert fields.entity_id in str(raised.value)
    assert bob in str(raised.value)


def test_openbao_itself_keeps_others_from_a_key(http: Http, bao: AnyOpenBao) -> None:
    _, fields = guard_of(http, bao, ALICE).new(system_entropy)
    bob = session_of(http, bao, BOB)

    with pytest.raises(AuthenticationFailed, match="permission denied"):
        carry_out(http, fetch_key(server_of(bao), bob, fields.ciphertext_key_path))


def test_a_key_that_is_gone_is_not_found(http: Http, bao: AnyOpenBao) -> None:
    entity_id = session_of(http, bao).entity_id
    fields = OpenBaoFields(
        preferred_auth_id="HEXAGONE", entity_id=entity_id, ciphertext_key_path=f"{entity_id}/0"
    )

    with pytest.raises(NotFound, match=f"{entity_id}/0"):
        guard_of(http, bao).key(file_with(fields))


def test_a_key_that_is_there_is_not_overwritten(http: Http, bao: AnyOpenBao) -> None:
    server, session = server_of(bao), session_of(http, bao)
    secret_id = system_entropy(16).hex()
    path = carry_out(http, store_key(server, session, KEY, secret_id=secret_id))

    # A policy that lets nobody change anything refuses before the check of the version.
    with pytest.raises((Conflict, AuthenticationFailed)):
        carry_out(http, store_key(server, session, SecretKey(bytes(32)), secret_id=secret_id))

    assert carry_out(http, fetch_key(server, session, path)) == KEY


def test_a_token_that_was_revoked_needs_another_login(http: Http, bao: AnyOpenBao) -> None:
    token = bao.token(ALICE)
    session = carry_out(http, look_up_token(server_of(bao), token))
    bao.end(token)

    with pytest.raises(AuthenticationFailed) as raised:
        carry_out(http, fetch_key(server_of(bao), session, f"{session.entity_id}/1"))

    assert "log in again" in str(raised.value.hint)


def test_a_token_that_never_was_is_refused(http: Http, bao: AnyOpenBao) -> None:
    server = server_of(bao)
    guard = OpenBaoGuard(http, server, token_login(http, server, "s.nobody"))

    with pytest.raises(AuthenticationFailed):
        guard.new(system_entropy)


def test_a_wrong_mount_path_is_no_success(http: Http, bao: AnyOpenBao) -> None:
    session = session_of(http, bao)
    server = msgspec.structs.replace(server_of(bao), secret_mount_path="parsec-nowhere")

    with pytest.raises((AuthenticationFailed, NotFound)):
        carry_out(http, store_key(server, session, KEY, secret_id="1"))


def test_a_signature_is_verified_by_others(http: Http, bao: AnyOpenBao) -> None:
    server = server_of(bao)
    alice, bob = session_of(http, bao, ALICE), session_of(http, bao, BOB)
    signature = carry_out(http, sign(server, alice, b"payload"))

    carry_out(
        http,
        verify(
            server, bob, author_entity_id=alice.entity_id, payload=b"payload", signature=signature
        ),
    )
    with pytest.raises(BadSignature):
        carry_out(
            http,
            verify(
                server, bob, author_entity_id=alice.entity_id, payload=b"other", signature=signature
            ),
        )


# --- What only the stand-in can be made to do ---


def test_an_author_is_known_by_address(http: Http, stand_in: StandInOpenBao) -> None:
    server, bob = server_of(stand_in), session_of(http, stand_in, BOB)
    alice = stand_in.entity(ALICE)

    carry_out(http, check_email(server, bob, author_entity_id=alice, email=ALICE))
    with pytest.raises(UnexpectedEmail):
        carry_out(http, check_email(server, bob, author_entity_id=alice, email=BOB))


def test_a_key_that_was_deleted_is_not_found(http: Http, stand_in: StandInOpenBao) -> None:
    guard = guard_of(http, stand_in)
    _, fields = guard.new(system_entropy)
    (stored,) = stand_in.secrets
    stand_in.secrets[stored][-1] = None

    with pytest.raises(NotFound):
        guard.key(file_with(fields))


def test_a_sealed_server_is_offline(http: Http, stand_in: StandInOpenBao) -> None:
    guard = guard_of(http, stand_in)
    stand_in.sealed = True

    with pytest.raises(Offline, match="sealed"):
        guard.new(system_entropy)


def test_a_server_that_is_gone_is_offline(http: Http) -> None:
    with StandInOpenBao() as bao:
        guard = guard_of(http, bao)

    with pytest.raises(Offline):
        guard.new(system_entropy)


def test_a_key_is_proved_before_the_file_is_written(http: Http, stand_in: StandInOpenBao) -> None:
    class Forgetful(dict[str, list[object]]):
        def __setitem__(self, path: str, versions: list[object]) -> None:
            super().__setitem__(path, [{"opaque_key": "A" * 43 + "="}])

    stand_in.secrets = Forgetful()  # type: ignore[assignment]
    guard = guard_of(http, stand_in)

    with pytest.raises(KeyUnavailable, match="does not give back"):
        guard.new(system_entropy)


class CountedLogin:
    """Logs in as whoever is next, and counts."""

    def __init__(self, http: Http, bao: StandInOpenBao, *emails: str) -> None:
        self.auth_ids: list[str] = []
        self._http = http
        self._bao = bao
        self._emails = list(emails)

    def __call__(self, auth: object) -> OpenBaoSession:
        self.auth_ids.append(getattr(auth, "id", ""))
        return session_of(self._http, self._bao, self._emails.pop(0))


def test_one_login_serves_several_keys(http: Http, stand_in: StandInOpenBao) -> None:
    login = CountedLogin(http, stand_in, ALICE)
    guard = OpenBaoGuard(http, server_of(stand_in), login)

    _, fields = guard.new(system_entropy)
    guard.new(system_entropy)
    guard.key(file_with(fields))

    assert login.auth_ids == ["HEXAGONE"]


def test_an_expired_token_is_forgotten(http: Http, stand_in: StandInOpenBao) -> None:
    login = CountedLogin(http, stand_in, ALICE, ALICE)
    guard = OpenBaoGuard(http, server_of(stand_in), login)
    key, fields = guard.new(system_entropy)
    stand_in.let_pass(TOKEN_SECONDS)

    with pytest.raises(AuthenticationFailed):
        guard.key(file_with(fields))

    assert guard.key(file_with(fields)) == key


def test_after_a_wrong_person_another_one_may_log_in(http: Http, stand_in: StandInOpenBao) -> None:
    key, fields = guard_of(http, stand_in, ALICE).new(system_entropy)
    login = CountedLogin(http, stand_in, BOB, ALICE)
    guard = OpenBaoGuard(http, server_of(stand_in), login)

    with pytest.raises(WrongEntity):
        guard.key(file_with(fields))

    assert guard.key(file_with(fields)) == key


@pytest.mark.parametrize(
    ("chosen", "in_file", "used"),
    [
        (None, "PRO_CONNECT", "PRO_CONNECT"),
        (None, "GONE", "HEXAGONE"),
        ("HEXAGONE", "PRO_CONNECT", "HEXAGONE"),
    ],
)
def test_the_chosen_login_method_comes_before_that_of_the_file(
    http: Http, stand_in: StandInOpenBao, chosen: str | None, in_file: str, used: str
) -> None:
    login = CountedLogin(http, stand_in, ALICE)
    guard = OpenBaoGuard(http, server_of(stand_in), login, auth_id=chosen)
    fields = OpenBaoFields(
        preferred_auth_id=in_file, entity_id="somebody", ciphertext_key_path="somebody/1"
    )

    with pytest.raises(WrongEntity):
        guard.key(file_with(fields))

    assert login.auth_ids == [used]


def test_the_login_method_is_kept_in_the_file(http: Http, stand_in: StandInOpenBao) -> None:
    login = CountedLogin(http, stand_in, ALICE)
    guard = OpenBaoGuard(http, server_of(stand_in), login, auth_id="PRO_CONNECT")

    _, fields = guard.new(system_entropy)

    assert fields.preferred_auth_id == "PRO_CONNECT"


def test_a_login_method_that_is_not_offered_is_not_tried(
    http: Http, stand_in: StandInOpenBao
) -> None:
    login = CountedLogin(http, stand_in)
    guard = OpenBaoGuard(http, server_of(stand_in), login, auth_id="GONE")

    with pytest.raises(NotFound, match="GONE"):
        guard.new(system_entropy)

    assert login.auth_ids == []


def test_a_file_written_before_the_server_moved_opens(http: Http, stand_in: StandInOpenBao) -> None:
    key, fields = guard_of(http, stand_in).new(system_entropy)
    stored = dict(stand_in.secrets)

    with StandInOpenBao(secret_mount=stand_in.secret_mount) as moved:
        moved.secrets.update(stored)
        server = server_of(moved)
        session = OpenBaoSession(token=moved.root_token, entity_id=fields.entity_id)
        guard = OpenBaoGuard(http, server, _already(session))

        assert guard.key(file_with(fields)) == key


def _files_of_the_official_client() -> list[Any]:
    return [
        pytest.param(vector, id=vector["description"])
        for vector in json.loads(VECTORS.read_text(encoding="utf-8"))["vectors"]
        if "openbao_opaque_key_b64" in vector["unlock"]
    ]


@pytest.mark.parametrize("vector", _files_of_the_official_client())
def test_files_of_the_official_client_get_their_key(
    http: Http, stand_in: StandInOpenBao, vector: dict[str, Any]
) -> None:
    file = load_device_file(bytes.fromhex(vector["device_file_hex"]))
    assert isinstance(file, OpenBaoDeviceFile)
    text = vector["unlock"]["openbao_opaque_key_b64"]
    place = f"{stand_in.secret_mount}/data/{file.openbao_ciphertext_key_path}"
    stand_in.secrets[place] = [{"opaque_key": text}]
    session = OpenBaoSession(token=stand_in.root_token, entity_id=file.openbao_entity_id)

    key = OpenBaoGuard(http, server_of(stand_in), _already(session)).key(file)

    assert key == SecretKey(base64.b64decode(text))


def test_nothing_secret_shows(http: Http, stand_in: StandInOpenBao) -> None:
    token = stand_in.token(ALICE)
    server = server_of(stand_in)
    guard = OpenBaoGuard(http, server, token_login(http, server, token))
    guard.new(system_entropy)
    stand_in.end(token)

    with pytest.raises(FlowError) as raised:
        guard.new(system_entropy)

    assert token not in f"{guard!r} {raised.value!r} {raised.value.hint}"


def _already(session: OpenBaoSession) -> Login:
    return lambda _: session
