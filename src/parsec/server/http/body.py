"""Reading the body of a request, as far as it may be long."""

from collections.abc import Mapping
from typing import TypeAlias

from starlette.types import Receive

from parsec.server.rules.refusal import Rejected, Verdict

MAX_BODY = 1 << 20
"""Bytes of a request (wire.md 1.5)."""

Headers: TypeAlias = Mapping[bytes, bytes]
"""By name in lower case."""


async def read_body(headers: Headers, receive: Receive) -> bytes:
    """The body of a request, whole or in chunks. Raises Rejected."""
    length = headers.get(b"content-length", b"0")
    if not length.isdigit() or int(length) > MAX_BODY:
        raise Rejected(Verdict.TOO_LARGE)
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
