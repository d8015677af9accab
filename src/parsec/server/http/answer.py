"""Raw answers of ASGI."""

from collections.abc import Sequence
from typing import TypeAlias

import msgspec
from starlette.types import Send

from parsec.protocol.versions import API_VERSION
from parsec.server.rules.refusal import Rejected, Verdict

RawHeaders: TypeAlias = Sequence[tuple[bytes, bytes]]

API_VERSION_HEADER = (b"api-version", str(API_VERSION).encode())
CLOSE_HEADER = (b"connection", b"close")
_SUPPORTED_HEADER = (b"supported-api-versions", str(API_VERSION).encode())
_JSON_HEADER = (b"content-type", b"application/json")


async def send_answer(send: Send, status: int, headers: RawHeaders, body: bytes) -> None:
    """Send a whole answer."""
    length = (b"content-length", str(len(body)).encode())
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [*headers, length],
        }
    )
    await send({"type": "http.response.body", "body": body})


async def send_detail(send: Send, status: int, detail: str, headers: RawHeaders = ()) -> None:
    """Send an error that is not one of a command."""
    body = msgspec.json.encode({"detail": detail})
    await send_answer(send, status, (_JSON_HEADER, *headers), body)


async def send_rejection(send: Send, rejected: Rejected) -> None:
    """Send what refuses a request below its command."""
    verdict = rejected.verdict
    headers = [*_version_headers(verdict), *retry_headers(rejected.retry_after)]
    await send_detail(send, verdict.status, rejected.detail, headers)


def retry_headers(seconds: int | None) -> RawHeaders:
    """When to come again, if anything is known of it."""
    return ((b"retry-after", str(seconds).encode()),) if seconds is not None else ()


def _version_headers(verdict: Verdict) -> RawHeaders:
    match verdict:
        case Verdict.BAD_VERSION:
            return (_SUPPORTED_HEADER,)
        # As the official server, which measures a body before it knows about versions.
        case Verdict.TOO_LARGE:
            return ()
        case _:
            return (API_VERSION_HEADER,)
