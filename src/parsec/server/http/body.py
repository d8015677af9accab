"""Reading the body of a request, as far as it may be long.

The connection knows how long it may take (`command.connection`).
"""

from collections.abc import Mapping
from typing import TypeAlias

from starlette.types import Receive

from parsec.server.rules.refusal import Rejected, Verdict

MAX_BODY = 1 << 20
"""Bytes of a request (wire.md 1.5)."""

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
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            # Whoever hung up, or was too slow: there is nobody left to answer.
            raise Rejected(Verdict.INCOMPLETE)
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > MAX_BODY:
            raise Rejected(Verdict.TOO_LARGE)
    return bytes(body)
