"""No link, proof or address of a person reaches the log (server-core.md 20, 18)."""

import base64
import email
import email.policy
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from parsec.data.people import EmailAddress
from parsec.protocol.invite import InviteNewDevice, InviteNewDeviceOk, InviteNewUser
from parsec.protocol.organization import OrganizationInfo
from parsec.protocol.ping import Ping
from parsec.server.command.logs import configure_logs
from parsec.server.http import rpc
from parsec.server.settings import MailFolder, MailSettings
from parsec.server.store.engine import StorageError
from tests.support.asgi import request, stream
from tests.support.server_app import TOKEN, server_app


@pytest.fixture(params=["JSON", "CONSOLE"])
def log_file(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
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
    with configure_logs(level="DEBUG", format=request.param, file=file):
        yield file
    structlog.reset_defaults()
    logging.root.handlers, logging.root.level = handlers, level


def links(folder: Path) -> list[str]:
    """Those in all mails."""
    found = []
    for file in folder.glob("*.eml"):
        message = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
        part = message.get_body(("plain",))
        assert part is not None
        found += re.findall(r"https?://\S+p=\S+", part.get_content())
    return found


def forms(secret: bytes) -> set[str]:
    """As what it may be written."""
    base = {
        secret.hex(),
        base64.b64encode(secret).decode(),
        base64.urlsafe_b64encode(secret).decode(),
    }
    return {form.rstrip("=") for form in base}


async def test_links_and_proofs_stay_out_of_the_log(log_file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mails"
    mail = MailSettings(sender=EmailAddress("p@example.net"), by=MailFolder(folder))
    async with server_app(mail=mail) as server:
        alice = await server.bootstrap("Org")
        bootstrap = await server.create("New")
        await server.send(
            alice, InviteNewUser(claimer_email=EmailAddress("zack@example.com"), send_email=True)
        )
        made = await server.reply(alice, InviteNewDevice(send_email=True))
        reset = await server.admin(
            "POST",
            "organizations/Org/users/reset_totp",
            {"user_email": "alice@example.com", "send_email": True},
        )
        sent = links(folder)
        for link in (*sent, bootstrap.http_redirection_url, reset.json["totp_reset_url"]):
            target = re.sub(r"^\w+://[^/]+", "", link)
            for path in (target, f"/redirect{target}", f"/nowhere{target}"):
                await request(server.app, "GET", path, {"Referer": link, "User-Agent": link})
        proof = server.headers(alice)
        await request(server.app, "POST", "/authenticated/Org", proof, b"Pa55word!")
        async with stream(
            server.app, "/authenticated/Org/events", proof | {"Accept": "text/event-stream"}
        ) as (_, events):
            await events.next()
            await server.send(alice, Ping(ping="Pa55word!"))
            await events.next()

    assert isinstance(made, InviteNewDeviceOk)
    assert bootstrap.token is not None
    text = log_file.read_text()  # noqa: ASYNC240  (a small file, once)
    assert "reset_totp" in text
    assert len(sent) == 3
    tokens = [re.search(r"p=([^&\s]+)", link) for link in (*sent, bootstrap.url)]
    words = [
        *(found[1] for found in tokens if found),
        *forms(made.token),
        *forms(bootstrap.token),
        proof["Authorization"].removeprefix("Bearer "),
        *(TOKEN, "Pa55word!", "alice@example.com", "zack@example.com"),
    ]
    assert [word for word in words if word in text] == []


@pytest.mark.parametrize("kind", [ValueError, StorageError])
async def test_a_failure_that_quotes_a_link_or_a_proof_is_cleaned(
    log_file: Path, monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    async def fail(*_: object) -> None:
        raise kind(
            "parsec3://host/Org?a=claim_user&p=xBCHa3dE9fXyZ and Authorization: Bearer 9fXyZ"
        )

    async with server_app() as server:
        alice = await server.bootstrap("Org")
        monkeypatch.setattr(rpc, "COMMANDS", {OrganizationInfo: fail})
        answer = await server.send(alice, OrganizationInfo())

    assert answer.status >= 500
    text = log_file.read_text()  # noqa: ASYNC240  (a small file, once)
    assert "parsec3://host/Org?a=claim_user&p=" in text
    assert "9fXyZ" not in text
