"""Telling another service of a new organization (server-core.md 17.2)."""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeAlias

import msgspec
import pytest
import structlog

from parsec.data.ids import DeviceID
from parsec.data.people import DeviceLabel, EmailAddress, HumanHandle, OrganizationID
from parsec.server.command.logs import configure_logs
from parsec.server.http.app import make_app
from parsec.server.outbound.webhook import MAX_CALLS, BootstrappedOrganization, BootstrapWebhook
from parsec.server.settings import Secret
from tests.support.server_app import ServerApp, server_app
from tests.support.smtp_server import serving

TOLD = BootstrappedOrganization(
    organization_id=OrganizationID("Évreux"),
    device_id=DeviceID(bytes(range(16))),
    device_label=DeviceLabel("desk"),
    human_handle=HumanHandle(EmailAddress("alice@example.com"), "Alice"),
)


Answer: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def answering(*answers: bytes) -> Answer:
    """Say these, one a request; the last one again and again."""
    left = list(answers)

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(left.pop(0) if len(left) > 1 else left[0])
        await writer.drain()

    return answer


@contextlib.asynccontextmanager
async def listener(answer: Answer) -> AsyncIterator[tuple[str, list[bytes]]]:
    """An address, and the requests that come to it."""
    heard: list[bytes] = []

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        heard.append(head + await reader.readexactly(length))
        await answer(reader, writer)

    async with serving(hear) as port:
        yield f"http://127.0.0.1:{port}/hook?key=s3cr3t", heard


def status(line: str, *headers: str) -> bytes:
    lines = (f"HTTP/1.1 {line}", "Content-Length: 0", "Connection: close", *headers, "", "")
    return "\r\n".join(lines).encode()


DONE = status("204 No Content")


def webhook(url: str, *, timeout: float = 30) -> BootstrapWebhook:
    """Without pauses."""
    return BootstrapWebhook(url, timeout=timeout, pauses=(0, 0), grace=10)


async def told(answer: Answer) -> list[bytes]:
    """The requests that come of telling once, until nothing more will."""
    async with listener(answer) as (url, heard):
        hook = webhook(url)
        before = asyncio.all_tasks()
        hook.tell(TOLD)
        (telling,) = asyncio.all_tasks() - before
        await telling
        await hook.close()
    return heard


async def test_the_other_service_is_sent_json() -> None:
    heard = await told(answering(DONE))

    head, body = heard[0].split(b"\r\n\r\n", 1)
    assert head.startswith(b"POST /hook?key=s3cr3t HTTP/1.1")
    assert b"content-type: application/json; charset=utf-8" in head.lower()
    assert json.loads(body) == {
        "organization_id": "Évreux",
        "device_id": bytes(range(16)).hex(),
        "device_label": "desk",
        "human_email": "alice@example.com",
        "human_label": "Alice",
    }


async def test_a_service_that_is_not_there_changes_nothing() -> None:
    async with listener(answering(b"")) as (url, _):
        pass

    async with server_app(organization_bootstrap_webhook=Secret(url)) as server:
        await server.bootstrap("Org")


async def say_nothing(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def talk_without_end(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A head that never ends, in which no single read takes long."""
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-More: 1\r\n")
        await writer.drain()
        await asyncio.sleep(0)


async def answer_hugely(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A body of a terabyte, as long as somebody reads it."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n")
    while True:
        writer.write(bytes(65_536))
        await writer.drain()


@pytest.mark.parametrize(
    "answer",
    [
        answering(status("500 No")),
        answering(status("403 No")),
        answering(b"no HTTP at all\r\n\r\n"),
        answering(b""),
        say_nothing,
        talk_without_end,
        answer_hugely,
    ],
    ids=["fails", "refuses", "garbage", "hangs-up", "slow", "endless", "huge"],
)
async def test_whatever_a_service_does_the_organization_begins(answer: Answer) -> None:
    async with listener(answer) as (url, heard), server_app() as server:
        # Little patience: some never come to an end.
        hook = webhook(url, timeout=2)
        told_server = msgspec.structs.replace(server.server, bootstrap_webhook=hook)
        app = ServerApp(told_server, make_app(told_server), server.clock)

        await app.bootstrap("Org")  # asserts that the answer is `ok`

        await hook.close()
    assert len(heard) >= 1


async def test_the_answer_does_not_wait_for_the_service() -> None:
    async with listener(say_nothing) as (url, _), server_app() as server:
        hook = BootstrapWebhook(url, timeout=3600, pauses=(), grace=0)
        told_server = msgspec.structs.replace(server.server, bootstrap_webhook=hook)
        app = ServerApp(told_server, make_app(told_server), server.clock)

        async with asyncio.timeout(10):
            await app.bootstrap("Org")

        await hook.close()


@pytest.mark.parametrize("line", ["500 No", "503 No", "429 Slowly", "408 Late"])
async def test_a_service_that_is_away_for_a_moment_is_told_again(line: str) -> None:
    heard = await told(answering(status(line), DONE))

    assert len(heard) == 2
    assert heard[0] == heard[1]


async def test_a_service_that_hangs_up_is_told_again() -> None:
    assert len(await told(answering(b"", DONE))) == 2


@pytest.mark.parametrize("line", ["200 OK", "202 Later", "400 No", "403 No", "404 No", "410 Gone"])
async def test_what_has_been_judged_is_not_repeated(line: str) -> None:
    assert len(await told(answering(status(line)))) == 1


async def test_a_service_that_stays_away_is_given_up() -> None:
    assert len(await told(answering(status("500 No")))) == 3


@pytest.mark.parametrize("line", ["301 Moved", "302 Found", "307 Moved", "308 Moved"])
async def test_nobody_is_told_elsewhere(line: str) -> None:
    async with listener(answering(DONE)) as (elsewhere, heard_elsewhere):
        heard = await told(answering(status(line, f"Location: {elsewhere}")))

    assert (len(heard), heard_elsewhere) == (1, [])


async def test_what_is_late_is_given_up_at_the_end() -> None:
    begun = asyncio.Event()

    async def begin(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        begun.set()
        await reader.read()

    async with listener(begin) as (url, _):
        hook = BootstrapWebhook(url, timeout=3600, pauses=(), grace=0)
        hook.tell(TOLD)
        await begun.wait()

        async with asyncio.timeout(10):
            await hook.close()


async def test_at_the_end_there_is_no_further_attempt() -> None:
    async with listener(answering(status("500 No"))) as (url, heard):
        hook = BootstrapWebhook(url, pauses=(3600,))
        hook.tell(TOLD)

        async with asyncio.timeout(10):
            await hook.close()

    assert len(heard) == 1


async def test_only_so_many_are_on_their_way() -> None:
    with structlog.testing.capture_logs() as logs:
        hook = BootstrapWebhook("http://127.0.0.1:9/", timeout=0.1, pauses=(), grace=10)
        for _ in range(MAX_CALLS + 1):
            hook.tell(TOLD)
        given_up = [entry for entry in logs if entry["event"] == "bootstrap webhook given up"]
        await hook.close()

    assert len(given_up) == 1


async def test_the_log_names_the_organization_and_never_the_address(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logs(level="DEBUG", format="CONSOLE_NO_TIMESTAMP", file=None)
    try:
        await told(answering(status("500 No"), b"", DONE))
    finally:
        structlog.reset_defaults()
        logging.basicConfig(force=True)

    log = capsys.readouterr().err
    assert "Évreux" in log
    assert "status=204" in log
    assert "s3cr3t" not in log
    assert "/hook" not in log
