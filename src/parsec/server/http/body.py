"""Reading the body of a request, as far as it may be long, and as long as it may take."""

import asyncio
from collections.abc import Mapping
from typing import TypeAlias

from starlette.types import Receive

from parsec.server.rules.refusal import Rejected, Verdict

MAX_BODY = 1 << 20
"""Bytes of a request (wire.md 1.5)."""

BODY_SECONDS = 30.0
"""How long a request may take to come (docs/operate.md)."""

_MAX_LENGTH_DIGITS = 20

Headers: TypeAlias = Mapping[bytes, bytes]
"""By name in lower case."""


def check_declared_size(headers: Headers) -> None:
    """What a request says of its size, which costs nothing to know. Raises Rejected."""
    length = headers.get(b"content-length", b"0")
    # Python refuses to read numbers of thousands of digits.
    if not length.isdigit() or len(length) > _MAX_LENGTH_DIGITS or int(length) > MAX_BODY:
        raise Rejected(Verdict.TOO_LARGE)


async def read_body(headers: Headers, receive: Receive) -> bytes:
    """The body of a request, whole or in chunks. Raises Rejected."""
    check_declared_size(headers)
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await _read(receive)
    except TimeoutError:
        raise Rejected(Verdict.TOO_SLOW) from None


async def _read(receive: Receive) -> bytes:
    body = bytearray()
    more = True
    while more:
        message = await receive()
        # Who hangs up meanwhile gets no answer anyway.
        if message["type"] != "http.request":
            raise Rejected(Verdict.TOO_LARGE)
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > MAX_BODY:
            raise Rejected(Verdict.TOO_LARGE)
    return bytes(body)
