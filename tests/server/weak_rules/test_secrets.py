"""Attacks by the clock and by the log (server-core.md 20, rows 13 and 18)."""

import hmac
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import structlog

from parsec.crypto.entropy import system_entropy
from parsec.crypto.keys import HashDigest, SigningKey
from parsec.crypto.totp import accepted_codes
from parsec.data.ids import AccessToken
from parsec.data.people import UserProfile
from parsec.protocol.invite import InviteInfo
from parsec.protocol.organization import OrganizationBootstrap
from parsec.protocol.shamir import InviteShamirRecoveryReveal
from parsec.protocol.statuses import BadRevealToken, BadToken, InvalidBootstrapToken, Ok
from parsec.protocol.totp import TotpFetchOpaqueKeyOk
from parsec.server.command.logs import configure_logs
from tests.support.newcomers import newcomer, papers
from tests.support.server_app import TOKEN, Device, ServerApp, server_app
from tests.support.server_calls import (
    REVEAL_TOKEN,
    Codes,
    anonymous,
    invite_recovery,
    invite_user,
    invited,
    reply,
    set_up_recovery,
)

WRONG = AccessToken(bytes(16))


@pytest.fixture
async def server() -> AsyncIterator[ServerApp]:
    async with server_app() as made:
        yield made


@pytest.fixture
async def alice(server: ServerApp) -> Device:
    return await server.bootstrap("Org")


# --- Row 13 ---


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What was compared in a time that does not tell where it differs."""
    seen: list[bytes] = []
    compare: Callable[..., bool] = hmac.compare_digest

    def record(first: bytes | str, second: bytes | str) -> bool:
        seen.extend(_bytes(one) for one in (first, second))
        return compare(first, second)

    monkeypatch.setattr(hmac, "compare_digest", record)
    return seen


def _bytes(value: bytes | str) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value)


async def test_the_administration_token_is_compared_in_constant_time(
    server: ServerApp, compared: list[bytes]
) -> None:
    """server-core 20 #13."""
    answer = await server.admin("GET", "stats", Authorization="Bearer s3cr3x")

    assert answer.status == 403
    assert TOKEN.encode() in compared


async def test_the_bootstrap_token_is_compared_in_constant_time(
    server: ServerApp, compared: list[bytes]
) -> None:
    """server-core 20 #13: by its digest, as nothing else is kept."""
    address = await server.create("New")
    root = SigningKey.generate(system_entropy)
    person = newcomer("carol", UserProfile.ADMIN)
    command = OrganizationBootstrap(
        bootstrap_token=WRONG,
        root_verify_key=root.verify_key,
        sequester_authority_certificate=None,
        **papers(person, author=None, timestamp=server.clock()).signed(root),
    )

    refused = reply(command, await anonymous(server, command, "New"))

    assert refused == InvalidBootstrapToken()
    assert address.token is not None
    assert bytes(HashDigest.of(address.token)) in compared


async def test_the_reveal_token_is_compared_in_constant_time(
    server: ServerApp, alice: Device, compared: list[bytes]
) -> None:
    """server-core 20 #13: by its digest, as nothing else is kept."""
    bob = await server.add_user(alice, "bob")
    await set_up_recovery(server, bob, alice)
    token = await invite_recovery(server, alice, bob)
    command = InviteShamirRecoveryReveal(reveal_token=WRONG)

    refused = reply(command, await invited(server, token, command))

    assert refused == BadRevealToken()
    assert bytes(HashDigest.of(REVEAL_TOKEN)) in compared


async def test_the_token_of_a_reset_is_compared_in_constant_time(
    server: ServerApp, alice: Device, compared: list[bytes]
) -> None:
    """server-core 20 #13: by its digest, as nothing else is kept."""
    bob = Codes(server=server, device=alice)
    token = await bob.reset()

    refused = await bob.ask_secret_with(WRONG)

    assert refused == BadToken()
    assert bytes(HashDigest.of(token)) in compared


async def test_all_accepted_codes_are_compared_in_constant_time(
    server: ServerApp, alice: Device, compared: list[bytes]
) -> None:
    """server-core 20 #13: also once one of them was found."""
    codes = Codes(server=server, device=alice)
    await codes.set_up()
    key = await codes.create_key()
    compared.clear()

    told = await codes.fetch(key, codes.code(steps=-1))

    assert isinstance(told, TotpFetchOpaqueKeyOk)
    expected = accepted_codes(codes.secret, server.clock.now)
    assert {code.encode() for code in expected} <= set(compared)


# --- Row 18 ---


@pytest.fixture
def log_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """All that a server with `--log-level DEBUG` writes."""
    file = tmp_path / "log"
    handlers, level = logging.root.handlers[:], logging.root.level
    # The loggers of modules outlive this test, so they must not keep its file.
    configure = structlog.configure
    monkeypatch.setattr(
        structlog,
        "configure",
        lambda **how: configure(**how | {"cache_logger_on_first_use": False}),
    )
    stream = configure_logs(level="DEBUG", format="JSON", file=file)
    yield file
    structlog.reset_defaults()
    logging.root.handlers, logging.root.level = handlers, level
    stream.close()


async def test_no_log_holds_what_opens_anything(log_file: Path) -> None:
    """server-core 20 #18: neither at DEBUG, nor when things are refused."""
    async with server_app() as server:
        alice = await server.bootstrap("Org")
        bob = await server.add_user(alice, "bob")
        address = await server.create("New")
        codes = Codes(server=server, device=bob)
        await codes.set_up()
        key = await codes.create_key()
        opened = await codes.fetch(key, codes.code())
        await codes.fetch(key, codes.code())
        await codes.fetch(key, codes.wrong_code())
        user_token = await invite_user(server, alice)
        await invited(server, user_token, InviteInfo())
        await invited(server, WRONG, InviteInfo())
        await set_up_recovery(server, bob, alice)
        recovery_token = await invite_recovery(server, alice, bob)
        for reveal_token in (REVEAL_TOKEN, WRONG):
            command = InviteShamirRecoveryReveal(reveal_token=reveal_token)
            await invited(server, recovery_token, command)
        reset_token = await codes.reset()
        await codes.ask_secret_with(reset_token)
        assert await codes.confirm_with(reset_token) == Ok()
        await server.admin("GET", "stats", Authorization="Bearer wrong-token")

    assert isinstance(opened, TotpFetchOpaqueKeyOk)
    assert address.token is not None
    text = log_file.read_text()  # noqa: ASYNC240  (a small file, once)
    assert "invite_info" in text
    tokens = [user_token, recovery_token, REVEAL_TOKEN, reset_token, address.token]
    secrets = [*tokens, codes.secret, bytes(opened.opaque_key)]
    assert [secret for secret in secrets if secret.hex() in text.replace("-", "")] == []
    assert [word for word in (TOKEN, "wrong-token", codes.code()) if word in text] == []
