"""The administration's reset of one-time codes (server-core.md 16.9), beyond the scenarios."""

from collections.abc import AsyncIterator
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest

from parsec.data.address import ServerAddr, TOTPResetAddr
from parsec.data.ids import AccessToken
from parsec.data.people import EmailAddress
from parsec.protocol.command import Reply, dump_request, load_reply
from parsec.protocol.totp import AnonymousTotpSetupGetSecret, AnonymousTotpSetupGetSecretOk
from parsec.server.settings import MailFolder, MailSettings, SmtpServer
from tests.support.asgi import Answer, request
from tests.support.server_app import MSGPACK, Device, ServerApp, server_app
from tests.support.smtp_server import smtp_server

PATH = "organizations/Org/users/reset_totp"
SENDER = EmailAddress("parsec@example.com")


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ServerApp]:
    mail = MailSettings(sender=SENDER, by=MailFolder(tmp_path / "mails"))
    async with server_app(mail=mail) as made:
        yield made


@pytest.fixture
async def alice(server: ServerApp) -> Device:
    return await server.bootstrap("Org")


async def reset(server: ServerApp, **body: Any) -> Answer:
    return await server.admin("POST", PATH, body)


async def begin(server: ServerApp, address: TOTPResetAddr) -> Reply:
    """Follow the link."""
    command = AnonymousTotpSetupGetSecret(user_id=address.user_id, token=address.token)
    target = f"/anonymous/{address.organization_id}"
    answer = await request(server.app, "POST", target, MSGPACK, dump_request(command))
    reply = load_reply(AnonymousTotpSetupGetSecret, answer.body)
    assert isinstance(reply, Reply)
    return reply


async def test_the_two_links_lead_to_the_same_set_up(server: ServerApp, alice: Device) -> None:
    told = (await reset(server, user_id=alice.user_id.hex(), send_email=False)).json

    address = TOTPResetAddr.parse(told["totp_reset_url"])
    assert TOTPResetAddr.parse(told["totp_reset_url_as_http_redirection"]) == address
    assert address.server == ServerAddr(hostname="localhost", port=6777, use_ssl=False)
    assert address.user_id == alice.user_id
    assert isinstance(await begin(server, address), AnonymousTotpSetupGetSecretOk)


async def test_the_answer_says_whom_it_concerns(server: ServerApp, alice: Device) -> None:
    told = (await reset(server, user_email="alice@example.com")).json

    assert set(told) == {
        "user_id",
        "user_email",
        "totp_reset_url",
        "totp_reset_url_as_http_redirection",
        "email_sent_status",
    }
    assert (told["user_id"], told["user_email"]) == (alice.user_id.hex(), "alice@example.com")


async def test_an_expired_organization_and_a_frozen_user_are_no_obstacle(
    server: ServerApp, alice: Device
) -> None:
    await server.admin("PATCH", "organizations/Org", {"is_expired": True})
    body = {"user_id": alice.user_id.hex(), "frozen": True}
    await server.admin("POST", "organizations/Org/users/freeze", body)

    assert (await reset(server, user_id=alice.user_id.hex())).status == 200


async def test_a_revoked_user_is_not_reset(server: ServerApp, alice: Device) -> None:
    bob = await server.add_user(alice, "bob")
    await server.revoke(alice, bob.user_id)

    by_id = await reset(server, user_id=bob.user_id.hex())
    by_email = await reset(server, user_email="bob@example.com")

    assert (by_id.status, by_id.json) == (404, {"detail": "User has been revoked"})
    assert (by_email.status, by_email.json) == (404, {"detail": "User not found"})


async def test_who_waits_to_be_bootstrapped_has_no_users(server: ServerApp) -> None:
    await server.create("Org")

    answer = await reset(server, user_email="alice@example.com")

    assert (answer.status, answer.json) == (404, {"detail": "Organization not found"})


async def test_without_the_administration_token_nobody_is_reset(
    server: ServerApp, alice: Device
) -> None:
    body = {"user_id": alice.user_id.hex()}

    answer = await server.admin("POST", PATH, body, Authorization="Bearer other")

    assert answer.status == 403


async def test_the_mail_brings_the_link(server: ServerApp, alice: Device, tmp_path: Path) -> None:
    told = (await reset(server, user_id=alice.user_id.hex(), send_email=True)).json

    (file,) = (tmp_path / "mails").iterdir()
    mail = message_from_bytes(file.read_bytes(), policy=policy.default)
    (text, _) = mail.iter_parts()
    assert told["email_sent_status"] == "SENT_AS_REQUESTED"
    assert mail["To"] == "alice@example.com"
    assert told["totp_reset_url_as_http_redirection"] in text.get_content()


async def test_without_wish_no_mail_is_sent(
    server: ServerApp, alice: Device, tmp_path: Path
) -> None:
    told = (await reset(server, user_id=alice.user_id.hex())).json

    assert told["email_sent_status"] == "NOT_SENT_AS_REQUESTED"
    assert not (tmp_path / "mails").exists()


@pytest.mark.parametrize(
    ("answers", "greeting", "status"),
    [
        ({"RCPT": "550 nobody here"}, "220 ready", "RECIPIENT_REFUSED"),
        ({}, "554 not you", "SERVER_UNAVAILABLE"),
        ({"MAIL": "550 not from you"}, "220 ready", "BAD_SMTP_CONFIG"),
    ],
)
async def test_a_mail_that_fails_does_not_undo_the_reset(
    answers: dict[str, str], greeting: str, status: str
) -> None:
    async with smtp_server(answers, greeting=greeting) as mail_server:
        by = SmtpServer(host="127.0.0.1", port=mail_server.port)
        async with server_app(mail=MailSettings(sender=SENDER, by=by)) as server:
            alice = await server.bootstrap("Org")
            told = (await reset(server, user_id=alice.user_id.hex(), send_email=True)).json
            reply = await begin(server, TOTPResetAddr.parse(told["totp_reset_url"]))

    assert told["email_sent_status"] == status
    assert isinstance(reply, AnonymousTotpSetupGetSecretOk)


async def test_templates_of_the_operator_that_lack_the_mail_do_not_undo_the_reset(
    tmp_path: Path,
) -> None:
    async with server_app(template_dir=tmp_path) as server:
        alice = await server.bootstrap("Org")
        answer = await reset(server, user_id=alice.user_id.hex(), send_email=True)

    assert (answer.status, answer.json["email_sent_status"]) == (200, "BAD_SMTP_CONFIG")


async def test_another_token_in_the_link_opens_nothing(server: ServerApp, alice: Device) -> None:
    told = (await reset(server, user_id=alice.user_id.hex())).json
    address = TOTPResetAddr.parse(told["totp_reset_url"])
    forged = TOTPResetAddr(
        server=address.server,
        organization_id=address.organization_id,
        user_id=address.user_id,
        token=AccessToken(bytes(16)),
    )

    reply = await begin(server, forged)

    assert not isinstance(reply, AnonymousTotpSetupGetSecretOk)
