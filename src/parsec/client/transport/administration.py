"""Speaks the administration interface of a server: JSON, with the administration token."""

from collections.abc import Callable, Mapping
from typing import TypeAlias
from urllib.parse import urlencode

import msgspec

from parsec.client.failure import FlowError, HttpRefusal, InvalidAnswer
from parsec.client.transport.http import Answer, Http
from parsec.client.transport.refusals import detail, refusal
from parsec.data.address import ServerAddr
from parsec.data.instant import Instant
from parsec.wire.url import encode_segment

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

_ANSWER_LIMIT = 64 * 1024 * 1024


class AdminTransport:
    """One server's administration interface, for whoever has its token."""

    def __init__(
        self, http: Http, server: ServerAddr, token: str, *, now: Callable[[], Instant]
    ) -> None:
        """Raises FlowError for a token that no header can carry."""
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            raise FlowError("The administration token is empty or holds a forbidden character")
        self._http = http
        self._server = server
        self._token = token
        self._now = now

    def get(self, *path: str, query: Mapping[str, str] | None = None) -> Json:
        """What is at `/administration/<path>`.

        Raises Offline, HttpRefusal with the server's own words, or InvalidAnswer.
        """
        return self._json(self._exchange("GET", path, query=query))

    def get_text(self, *path: str, query: Mapping[str, str] | None = None) -> str:
        """The same where the answer is a text (CSV), line ends and all."""
        answer = self._exchange("GET", path, query=query)
        try:
            return _body(answer).decode()
        except UnicodeDecodeError:
            raise self._unreadable() from None

    def post(self, *path: str, body: Mapping[str, Json]) -> Json:
        """What comes of posting `body`. Raises as `get` does."""
        return self._json(self._exchange("POST", path, body=body))

    def patch(self, *path: str, body: Mapping[str, Json]) -> Json:
        """What comes of patching with `body`. Raises as `get` does."""
        return self._json(self._exchange("PATCH", path, body=body))

    def __repr__(self) -> str:
        return f"AdminTransport({self._server!r}, …)"

    def _exchange(
        self,
        method: str,
        path: tuple[str, ...],
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Json] | None = None,
    ) -> Answer:
        route = "/".join(("/administration", *map(encode_segment, path)))
        headers = {"Authorization": f"Bearer {self._token}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        answer = self._http.exchange(
            self._server,
            method,
            f"{route}?{urlencode(query)}" if query else route,
            headers=headers,
            body=None if body is None else msgspec.json.encode(body),
            limit=_ANSWER_LIMIT,
        )
        if answer.status != 200:
            raise self._refusal(answer)
        return answer

    def _refusal(self, answer: Answer) -> FlowError:
        if answer.status == 403:
            return HttpRefusal(
                403,
                detail(answer) or "Bad authorization token",
                hint="check the administration token",
            )
        if answer.status in (400, 404, 405, 409, 422):
            found = detail(answer) or f"The server refused (HTTP {answer.status})"
            return HttpRefusal(answer.status, found)
        return refusal(answer, netloc=self._server.netloc, now=self._now())

    def _json(self, answer: Answer) -> Json:
        if answer.media_type != "application/json":
            raise self._unreadable()
        try:
            value: Json = msgspec.json.decode(_body(answer))
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            raise self._unreadable() from None
        return value

    def _unreadable(self) -> InvalidAnswer:
        return InvalidAnswer(
            f"What answers at {self._server.netloc} is no Parsec server",
            hint="check the address, and whether a proxy or a login page is in between",
        )


def _body(answer: Answer) -> bytes:
    assert answer.body is not None  # of status 200, so not too long
    return answer.body
