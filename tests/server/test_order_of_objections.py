"""Of several things that are wrong with a request of the administration, the first one is told.

The order is that of server-core.md 16: the token, the form of the body, the organization, who is
meant, and what that user is.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.asgi import Answer, request
from tests.support.server_app import TOKEN, Device, ServerApp, server_app


@dataclass
class Try:
    """A request about a user that is right until something is done wrong."""

    server: ServerApp
    alice: Device
    bob: Device
    action: str
    organization: str
    token: str = TOKEN
    content_type: str = "application/json"

    def __post_init__(self) -> None:
        self.user: dict[str, Any] = {"user_id": self.bob.user_id.hex()}
        self.rest: dict[str, Any] = {"frozen": True} if self.action == "freeze" else {}

    async def send(self) -> Answer:
        target = f"/administration/organizations/{self.organization}/users/{self.action}"
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": self.content_type}
        body = json.dumps(self.user | self.rest).encode()
        return await request(self.server.app, "POST", target, headers, body)


Wrong = Callable[[Try], Awaitable[None] | None]


def token(one: Try) -> None:
    one.token = "another"


def content_type(one: Try) -> None:
    one.content_type = "text/plain"


def name_of_organization(one: Try) -> None:
    one.organization = "no%20name"


def unknown_organization(one: Try) -> None:
    one.organization = "Nowhere"


async def not_bootstrapped(one: Try) -> None:
    await one.server.create("Waiting")
    one.organization = "Waiting"


def nobody_named(one: Try) -> None:
    one.user = {}


def named_twice(one: Try) -> None:
    one.user = {"user_id": one.bob.user_id.hex(), "user_email": "bob@example.com"}


def unknown_user(one: Try) -> None:
    if len(one.user) == 1:
        one.user = {"user_id": "0" * 32}


async def revoked(one: Try) -> None:
    await one.server.revoke(one.alice, one.bob.user_id)


ORDER: Sequence[tuple[Wrong, int, str]] = [
    (token, 403, "Bad authorization token"),
    (content_type, 422, ""),
    (name_of_organization, 404, "Invalid organization ID"),
    (unknown_organization, 404, "Organization not found"),
    (not_bootstrapped, 404, "Organization not found"),
    (nobody_named, 400, "Missing either `user_id` or `user_email` field"),
    (named_twice, 400, "Both `user_id` and `user_email` fields are provided"),
    (unknown_user, 404, "User not found"),
    (revoked, 404, "User has been revoked"),
]


@pytest.fixture
async def server() -> AsyncIterator[ServerApp]:
    async with server_app(failed_lookups=None) as made:
        yield made


async def told(server: ServerApp, action: str, *wrongs: Wrong) -> tuple[int, str]:
    organization = "-".join(wrong.__name__ for wrong in wrongs)[:32]
    alice = await server.bootstrap(organization)
    bob = await server.add_user(alice, "bob")
    one = Try(server=server, alice=alice, bob=bob, action=action, organization=organization)
    for wrong in wrongs:
        done = wrong(one)
        if done is not None:
            await done
    answer = await one.send()
    detail = answer.json["detail"]
    return answer.status, detail if isinstance(detail, str) else ""


@pytest.mark.parametrize("action", ["freeze", "reset_totp"])
@pytest.mark.parametrize("number", range(len(ORDER)), ids=lambda number: ORDER[number][0].__name__)
async def test_the_first_objection_is_told_whatever_the_others_are(
    server: ServerApp, action: str, number: int
) -> None:
    first, *expected = ORDER[number]
    alone = await told(server, action, first)

    besides = {
        # What is done last wins where both change the same part of the request.
        second.__name__: await told(server, action, second, first)
        for second, _, _ in ORDER[number + 1 :]
    }

    assert alone == tuple(expected)
    assert besides == dict.fromkeys(besides, tuple(expected))
