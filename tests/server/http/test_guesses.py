"""Who guesses too much is answered no more; all others are (server-core.md 20, 7)."""

from collections.abc import AsyncIterator

import pytest

from parsec.crypto.keys import SigningKey
from parsec.data.ids import AccessToken
from parsec.data.instant import Instant
from parsec.data.people import UserProfile
from parsec.protocol.authentication import device_authorization
from parsec.protocol.organization import OrganizationBootstrap, OrganizationInfo
from parsec.protocol.statuses import InvalidOneTimePassword
from parsec.protocol.totp import (
    AnonymousTotpSetupGetSecret,
    TotpFetchOpaqueKey,
    TotpFetchOpaqueKeyOk,
)
from parsec.server.http.guesses import Guesses
from parsec.server.settings import RateLimit
from tests.support.asgi import Answer, request
from tests.support.newcomers import newcomer, papers
from tests.support.server_app import MSGPACK, ServerApp, server_app
from tests.support.server_calls import Codes, anonymous
from tests.support.server_totp import made_up_key

BURST = 2
LIMIT = RateLimit(burst=BURST, per_second=0.1)
NOW = Instant(0)
WRONG = AccessToken(b"no token of ours")


@pytest.fixture
async def server() -> AsyncIterator[ServerApp]:
    async with server_app(failed_lookups=LIMIT) as server:
        yield server


async def probe(server: ServerApp, organization: str = "Nowhere") -> Answer:
    return await request(server.app, "GET", f"/anonymous/{organization}", MSGPACK)


async def test_names_of_organizations_cannot_be_tried_without_end(server: ServerApp) -> None:
    answers = [await probe(server) for _ in range(BURST + 1)]

    assert [answer.status for answer in answers] == [404, 404, 429]
    assert answers[-1].headers["retry-after"] == "10"


async def test_whether_an_organization_exists_can_be_asked_as_often_as_wanted(
    server: ServerApp,
) -> None:
    await server.create("Org")

    answers = [await probe(server, "Org") for _ in range(3 * BURST)]

    assert {answer.status for answer in answers} == {200}


async def test_wrong_tokens_cannot_be_tried_without_end(server: ServerApp) -> None:
    alice = await server.bootstrap("Org")
    forged = device_authorization(alice.device_id, SigningKey(bytes(32)), now=server.clock())
    headers = MSGPACK | {"Authorization": forged}
    stream_headers = headers | {"Accept": "text/event-stream"}

    answers = [
        await request(server.app, "POST", "/authenticated/Org", headers, b""),
        await server.admin("GET", "organizations/Org", Authorization="Bearer wrong"),
        await request(server.app, "GET", "/authenticated/Org/events", stream_headers),
        await server.admin("GET", "organizations/Org", Authorization="Bearer wrong"),
    ]

    assert [answer.status for answer in answers] == [403, 403, 429, 429]


async def test_tokens_of_resets_and_bootstraps_cannot_be_tried_without_end(
    server: ServerApp,
) -> None:
    alice = await server.bootstrap("Org")
    await server.create("New")
    guess = AnonymousTotpSetupGetSecret(user_id=alice.user_id, token=WRONG)
    root, first = SigningKey(bytes(32)), newcomer("first", UserProfile.ADMIN)
    bootstrap = OrganizationBootstrap(
        bootstrap_token=WRONG,
        root_verify_key=root.verify_key,
        sequester_authority_certificate=None,
        **papers(first, author=None, timestamp=server.clock()).signed(root),
    )

    answers = [
        await anonymous(server, guess),
        await anonymous(server, bootstrap, "New"),
        await anonymous(server, guess),
        await anonymous(server, bootstrap, "New"),
    ]

    assert [answer.status for answer in answers] == [200, 200, 429, 429]


async def test_keys_behind_one_time_codes_cannot_be_tried_without_end(server: ServerApp) -> None:
    alice = await server.bootstrap("Org")

    answers = [
        await anonymous(
            server,
            TotpFetchOpaqueKey(
                user_id=alice.user_id, opaque_key_id=made_up_key(), one_time_password="000000"
            ),
        )
        for _ in range(BURST + 1)
    ]

    assert [answer.status for answer in answers] == [200, 200, 429]


async def test_who_types_wrong_codes_with_the_right_token_is_answered(server: ServerApp) -> None:
    alice = await server.bootstrap("Org")
    codes = Codes(server=server, device=alice)
    token = await codes.reset()
    await codes.ask_secret_with(token)

    replies = [await codes.confirm_with(token, codes.wrong_code()) for _ in range(3 * BURST)]

    assert replies == [InvalidOneTimePassword()] * 3 * BURST


async def test_who_has_the_right_code_is_answered_beside_who_guesses(server: ServerApp) -> None:
    alice = await server.bootstrap("Org")
    codes = Codes(server=server, device=alice)
    await codes.set_up()
    key_id = await codes.create_key()
    for _ in range(3 * BURST):
        await probe(server)

    assert isinstance(await codes.fetch(key_id, codes.code()), TotpFetchOpaqueKeyOk)


async def test_who_has_a_valid_token_is_answered_beside_who_guesses(server: ServerApp) -> None:
    alice = await server.bootstrap("Org")
    for _ in range(3 * BURST):
        await probe(server)

    answers = [
        await server.send(alice, OrganizationInfo()),
        await server.admin("GET", "organizations/Org"),
    ]

    assert [answer.status for answer in answers] == [200, 200]


async def test_after_a_while_guesses_are_answered_again(server: ServerApp) -> None:
    for _ in range(BURST + 1):
        await probe(server)

    server.clock.now = server.clock.now.plus(seconds=10)

    assert (await probe(server)).status == 404


async def test_the_limit_can_be_taken_off() -> None:
    async with server_app(failed_lookups=None) as server:
        answers = [await probe(server) for _ in range(3 * BURST)]

    assert {answer.status for answer in answers} == {404}


def test_the_address_that_was_silent_longest_is_forgotten_first() -> None:
    guesses = Guesses(RateLimit(burst=1, per_second=1), max_places=2)

    for address in ("192.0.2.1", "192.0.2.2", "192.0.2.1", "192.0.2.3"):
        guesses.count(address, now=NOW)

    assert guesses.count("192.0.2.1", now=NOW) == 1
    assert guesses.count("192.0.2.2", now=NOW) == 0
