"""The event stream of a device (wire.md 1.8)."""

import asyncio
import contextlib
import time

import structlog
from starlette.types import Receive, Scope, Send

from parsec.protocol.authentication import load_device_token
from parsec.server.events import (
    KEEPALIVE_FRAME,
    Stopping,
    Subscription,
    configuration_frame,
)
from parsec.server.http.answer import send_rejection
from parsec.server.http.body import Headers
from parsec.server.http.guesses import Guesses
from parsec.server.http.rpc import (
    caller,
    check_authorization,
    check_organization_id,
    check_version,
    client_address,
)
from parsec.server.records import EventID
from parsec.server.rules.refusal import Rejected, Verdict
from parsec.server.service.authentication import authenticated_context
from parsec.server.service.context import Server
from parsec.server.service.events import open_stream
from parsec.server.store.engine import StorageError

# Without the version of the API, as the official server.
_STREAM_HEADERS = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
)

# How a stream is counted among the requests.
_FAMILY, _COMMAND = "authenticated", "events"

_log = structlog.get_logger()


async def answer_events(
    server: Server,
    guesses: Guesses,
    organization: str,
    scope: Scope,
    receive: Receive,
    send: Send,
) -> None:
    """Send the events that concern a device until the server or the client ends it."""
    headers: Headers = dict(scope["headers"])
    meter, begun = server.meter, time.perf_counter()
    try:
        subscription, first_frame = await _open(server, organization, scope, headers)
    except Rejected as found:
        rejected = guesses.judged(found, client_address(scope), now=server.clock())
        status = rejected.verdict.name.lower()
        meter.request(_FAMILY, _COMMAND, status, time.perf_counter() - begun)
        _log.info("events", organization=organization, status=status)
        await send_rejection(send, rejected)
        return
    except Exception as error:
        # They are told and logged where all are, by `Edge`.
        status = "storage_failed" if isinstance(error, StorageError) else "bug"
        meter.request(_FAMILY, _COMMAND, status, time.perf_counter() - begun)
        raise
    meter.request(_FAMILY, _COMMAND, "opened", time.perf_counter() - begun)
    about = {"organization": organization, "device": subscription.device_id.hex()}
    _log.info("events", status="opened", **about)
    meter.stream_opened()
    watch = asyncio.create_task(_close_when_gone(receive, subscription))
    try:
        await send({"type": "http.response.start", "status": 200, "headers": list(_STREAM_HEADERS)})
        await _send_frames(send, first_frame, subscription, server)
    finally:
        subscription.close()
        watch.cancel()
        meter.stream_closed()
        _log.info("events", status="closed", **about)


async def _open(
    server: Server, organization: str, scope: Scope, headers: Headers
) -> tuple[Subscription, bytes]:
    version = check_version(headers)
    organization_id = check_organization_id(organization)
    assert organization_id is not None
    if headers.get(b"accept") != b"text/event-stream":
        raise Rejected(Verdict.BAD_ACCEPT)
    token = check_authorization(headers, load_device_token)
    context = await authenticated_context(
        server, caller(server, scope, version), organization_id, token
    )
    try:
        subscription, configuration = await open_stream(
            context, last_event_id=_last_event_id(headers)
        )
    except Stopping:
        raise Rejected(Verdict.STOPPING) from None
    return subscription, configuration_frame(configuration)


async def _send_frames(
    send: Send, first_frame: bytes, subscription: Subscription, server: Server
) -> None:
    await send({"type": "http.response.body", "body": first_frame, "more_body": True})
    is_over = False
    while not is_over:
        has_come = await subscription.wait(server.settings.sse_keepalive)
        is_over = subscription.is_closed
        frames = KEEPALIVE_FRAME
        if has_come:
            waiting = subscription.take()
            frames = b"".join(waiting)
            server.meter.events(len(waiting))
        if frames:
            await send({"type": "http.response.body", "body": frames, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _close_when_gone(receive: Receive, subscription: Subscription) -> None:
    message = await receive()
    while message["type"] != "http.disconnect":
        message = await receive()
    subscription.take()
    subscription.close()


def _last_event_id(headers: Headers) -> EventID | None:
    # What is no identifier counts as absent, not as unknown.
    with contextlib.suppress(ValueError):
        return EventID.parse(headers.get(b"last-event-id", b"").decode("latin-1"))
    return None
