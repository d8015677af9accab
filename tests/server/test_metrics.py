"""What Prometheus reads of a server (docs/operate-production.md)."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parsec import __version__
from parsec.data.address import InvitationType
from parsec.data.people import EmailAddress
from parsec.protocol.invite import InviteNewDevice
from parsec.protocol.organization import OrganizationInfo
from parsec.protocol.ping import Ping
from parsec.server.build import running_server
from parsec.server.http import rpc, sse
from parsec.server.http.app import make_app
from parsec.server.http.metrics import MetricsPage
from parsec.server.metrics import Metrics
from parsec.server.outbound.counted import CountedMailer
from parsec.server.outbound.mailer import Envelope, Outcome
from parsec.server.settings import MailFolder, MailSettings
from parsec.server.store.engine import StorageError
from tests.support.asgi import request, stream
from tests.support.server_app import BEGIN, MSGPACK, Clock, ServerApp, some_settings


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
async def server(metrics: Metrics, tmp_path: Path) -> AsyncIterator[ServerApp]:
    clock = Clock(BEGIN)
    mail = MailSettings(sender=EmailAddress("p@example.com"), by=MailFolder(tmp_path))
    async with running_server(some_settings(mail=mail), clock=clock, meter=metrics) as made:
        yield ServerApp(made, make_app(made), clock)


def value(metrics: Metrics, name: str, **labels: str) -> float:
    """That of the series with these labels; 0 if nothing was counted yet."""
    told = ",".join(f'{key}="{labels[key]}"' for key in sorted(labels))
    sample = re.escape(f"{name}{{{told}}}" if labels else name)
    found = re.search(rf"^{sample} (\S+)$", metrics.text().decode(), re.MULTILINE)
    return float(found[1]) if found else 0.0


def requests(metrics: Metrics, family: str, command: str, status: str) -> float:
    return value(metrics, "parsec_requests_total", family=family, command=command, status=status)


async def test_requests_are_counted_by_family_command_and_status(
    server: ServerApp, metrics: Metrics
) -> None:
    alice = await server.bootstrap("Org")

    for _ in range(3):
        await server.send(alice, OrganizationInfo())
    await request(server.app, "POST", "/anonymous/Nowhere", MSGPACK, b"")

    assert requests(metrics, "anonymous", "organization_bootstrap", "ok") == 1
    assert requests(metrics, "authenticated", "organization_info", "ok") == 3
    assert requests(metrics, "anonymous", "none", "organization_not_found") == 1
    assert requests(metrics, "administration", "create_organization", "200") == 1


async def test_how_long_requests_take_is_counted(server: ServerApp, metrics: Metrics) -> None:
    alice = await server.bootstrap("Org")

    await server.send(alice, OrganizationInfo())

    labels = {"family": "authenticated", "command": "organization_info"}
    assert value(metrics, "parsec_request_duration_seconds_count", **labels) == 1
    assert 0 < value(metrics, "parsec_request_duration_seconds_sum", **labels) < 10


@pytest.mark.parametrize(
    ("failure", "status"),
    [(ZeroDivisionError(), "bug"), (StorageError("the disk is full"), "storage_failed")],
)
async def test_failures_are_counted(
    server: ServerApp,
    metrics: Metrics,
    monkeypatch: pytest.MonkeyPatch,
    failure: Exception,
    status: str,
) -> None:
    async def fail(*_: object) -> None:
        raise failure

    alice = await server.bootstrap("Org")
    monkeypatch.setattr(rpc, "COMMANDS", {OrganizationInfo: fail})

    await server.send(alice, OrganizationInfo())

    assert requests(metrics, "authenticated", "organization_info", status) == 1


async def test_streams_that_fail_to_open_are_counted(
    server: ServerApp, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise StorageError("the disk is full")

    alice = await server.bootstrap("Org")
    monkeypatch.setattr(sse, "open_stream", fail)

    headers = server.headers(alice) | {"Accept": "text/event-stream"}
    answer = await request(server.app, "GET", "/authenticated/Org/events", headers)

    assert answer.status == 503
    assert requests(metrics, "authenticated", "events", "storage_failed") == 1


async def test_streams_and_their_events_are_counted(server: ServerApp, metrics: Metrics) -> None:
    alice = await server.bootstrap("Org")
    headers = server.headers(alice) | {"Accept": "text/event-stream"}

    async with stream(server.app, "/authenticated/Org/events", headers) as (_, events):
        await events.next()
        opened = value(metrics, "parsec_event_streams")
        await server.send(alice, Ping(ping="hello"))
        await events.next()

    assert (opened, value(metrics, "parsec_event_streams")) == (1, 0)
    assert value(metrics, "parsec_events_delivered_total") == 1
    assert requests(metrics, "authenticated", "events", "opened") == 1


async def test_mails_are_counted(server: ServerApp, metrics: Metrics) -> None:
    alice = await server.bootstrap("Org")

    await server.send(alice, InviteNewDevice(send_email=True))

    assert value(metrics, "parsec_mails_total", outcome="sent") == 1


class Refusing:
    async def send(self, envelope: Envelope, /) -> Outcome:
        return Outcome.SERVER_UNAVAILABLE


async def test_mails_that_did_not_leave_are_counted_apart(metrics: Metrics) -> None:
    envelope = Envelope(
        sender=EmailAddress("p@example.com"),
        to=EmailAddress("alice@example.com"),
        reply_to=None,
        subject=InvitationType.USER.value,
        text="",
        html="",
        date=BEGIN,
        message_id="<1@example.com>",
    )

    outcome = await CountedMailer(Refusing(), metrics).send(envelope)

    assert outcome is Outcome.SERVER_UNAVAILABLE
    assert value(metrics, "parsec_mails_total", outcome="server_unavailable") == 1


async def test_transactions_are_counted(server: ServerApp, metrics: Metrics) -> None:
    def done(kind: str) -> float:
        return value(metrics, "parsec_database_transactions_total", kind=kind, result="done")

    before = done("read"), done("write")
    async with server.server.engine.transaction(write=False):
        pass
    async with server.server.engine.transaction(write=True):
        pass
    await server.server.engine.rows("SELECT :name", name="a")

    assert (done("read"), done("write")) == (before[0] + 2, before[1] + 1)


async def test_transactions_that_fail_are_counted_apart(
    server: ServerApp, metrics: Metrics
) -> None:
    with pytest.raises(StorageError):
        async with server.server.engine.transaction(write=True) as transaction:
            await transaction.rows("SELECT nonsense")
    with pytest.raises(StorageError):
        await server.server.engine.rows("SELECT nonsense")

    for kind in ("read", "write"):
        failed = value(metrics, "parsec_database_transactions_total", kind=kind, result="failed")
        assert failed == 1


async def test_a_refusal_is_no_transaction_that_failed(server: ServerApp, metrics: Metrics) -> None:
    with pytest.raises(ZeroDivisionError):
        async with server.server.engine.transaction(write=True):
            raise ZeroDivisionError

    failed = value(metrics, "parsec_database_transactions_total", kind="write", result="failed")
    assert failed == 0


async def test_nobody_is_named(server: ServerApp, metrics: Metrics) -> None:
    alice = await server.bootstrap("SecretSociety")
    await server.send(alice, OrganizationInfo())
    await server.send(alice, InviteNewDevice(send_email=True))
    await request(server.app, "POST", "/anonymous/OtherSociety", MSGPACK, b"")

    text = metrics.text().decode()

    told = ("Society", "alice", "example.com", alice.device_id.hex(), alice.user_id.hex())
    assert [name for name in told if name in text] == []


def test_versions_are_told(metrics: Metrics) -> None:
    assert f'version="{__version__}"' in metrics.text().decode()


async def test_the_page_of_metrics_is_all_that_there_is(metrics: Metrics) -> None:
    page = MetricsPage(metrics.text)

    found = await request(page, "GET", "/metrics")
    others = [
        await request(page, method, path)
        for method, path in (("GET", "/"), ("GET", "/anonymous/Org"), ("POST", "/metrics"))
    ]

    assert (found.status, found.headers["content-type"]) == (
        200,
        "text/plain; version=0.0.4; charset=utf-8",
    )
    assert [answer.status for answer in others] == [404, 404, 405]
