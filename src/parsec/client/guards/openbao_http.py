"""Carries exchanges with an OpenBao server over HTTP."""

from typing import TypeVar

from parsec.client.rules.openbao import Exchange, OpenBaoAnswer
from parsec.client.transport import Bounds, Http

T = TypeVar("T")

# The five seconds of client.md 5.2; the total bounds a server that answers byte by byte.
_BOUNDS = Bounds(connect_seconds=5.0, silence_seconds=5.0, total_seconds=15.0)
_ANSWER_LIMIT = 1024 * 1024


def carry_out(http: Http, exchange: Exchange[T]) -> T:
    """What comes of an exchange. Raises FlowError."""
    try:
        request = next(exchange)
        while True:
            answer = http.exchange_url(
                request.method,
                request.url,
                headers=request.headers,
                body=request.body,
                limit=_ANSWER_LIMIT,
                bounds=_BOUNDS,
            )
            request = exchange.send(OpenBaoAnswer(status=answer.status, body=answer.body))
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        exchange.close()
