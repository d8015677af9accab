"""Whatever is sent to any route, the server answers, and keeps nothing of what it refused.

That is: no status of 500 and above, no error in the log, no row more in any table and nothing more
in memory after a request that was not accepted (server-core.md 20, 36).
"""

import asyncio
import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from parsec.crypto.keys import SigningKey
from parsec.data.ids import AccessToken, DeviceID
from parsec.data.people import EmailAddress
from parsec.protocol.authentication import device_authorization, invitation_authorization
from parsec.protocol.command import Family, dump_request
from parsec.protocol.families import commands
from parsec.server.http import app as application
from parsec.server.http.commands import COMMANDS, DEBUG_COMMANDS
from parsec.server.http.guesses import Guesses
from parsec.server.settings import MailFolder, MailSettings
from tests.support.asgi import Answer, request
from tests.support.mutations import ENDLESS_HEADS, changed_bytes
from tests.support.server_app import TOKEN, Device, ServerApp, server_app
from tests.support.server_calls import Codes, invite_device, invite_user, set_up_recovery
from tests.support.strategies import values

FEW = settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])
SOME = settings(FEW, max_examples=150)
MANY = settings(FEW, max_examples=250)


@dataclass(frozen=True, kw_only=True)
class Request:
    method: str
    target: str
    headers: Mapping[str, str]
    chunks: tuple[bytes, ...] = ()


class Place:
    """A server with something in each table, for all tests of this module."""

    def __init__(self, mails: Path) -> None:
        self._mails = mails
        self._runner = asyncio.Runner()
        self._stack = contextlib.AsyncExitStack()
        self._rows: dict[str, int] = {}

    def begin(self) -> None:
        self._runner.run(self._begin())

    def end(self) -> None:
        self._runner.run(self._stack.aclose())
        self._runner.close()

    async def _begin(self) -> None:
        sender = EmailAddress("parsec@example.com")
        mail = MailSettings(sender=sender, by=MailFolder(self._mails))
        made = server_app(mail=mail, spontaneous_organization_bootstrap=True)
        self.server: ServerApp = await self._stack.enter_async_context(made)
        self.alice = await self.server.bootstrap("Org")
        self.bob = await self.server.add_user(self.alice, "bob")
        await self.server.bootstrap("Second", "carol")
        await self.server.create("Waiting")
        await set_up_recovery(self.server, self.alice, self.bob)
        tokens = [await invite_user(self.server, self.alice)]
        tokens.append(await invite_device(self.server, self.bob))
        codes = Codes(server=self.server, device=self.bob)
        await codes.set_up()
        key = await codes.create_key()
        await codes.fetch(type(key)(bytes(16)), "000000")
        self.credentials = [
            f"Bearer {TOKEN}",
            *(invitation_authorization(token) for token in (*tokens, AccessToken(bytes(16)))),
            *(self._proof(device) for device in (self.alice, self.bob)),
            device_authorization(
                DeviceID(bytes(16)), SigningKey(bytes(32)), now=self.server.clock()
            ),
            device_authorization(
                self.alice.device_id, SigningKey(bytes(32)), now=self.server.clock()
            ),
            self._proof(self.bob)[:-4],
        ]

        proofs = [self._proof(self.alice), self._proof(self.bob)]
        claims = [invitation_authorization(token) for token in tokens]
        # Where each family's requests pass, so that they come to its commands.
        self.ways: list[tuple[str, list[str], Family]] = [
            ("/authenticated/Org", proofs, Family.AUTHENTICATED),
            ("/authenticated/Org/tos", proofs, Family.TOS),
            ("/invited/Org", claims, Family.INVITED),
            ("/anonymous/Org", claims, Family.ANONYMOUS),
            ("/anonymous/Waiting", claims, Family.ANONYMOUS),
            ("/anonymous_server", claims, Family.ANONYMOUS_SERVER),
        ]

    def _proof(self, device: Device) -> str:
        return device_authorization(device.device_id, device.key, now=self.server.clock())

    def send(self, one: Request) -> Answer:
        """Send a request and make sure that the server stood it."""
        with capture_logs() as log:
            answer = self._runner.run(self._send(one))
        loud = [line for line in log if line["log_level"] in ("error", "critical")]
        assert loud == []
        assert answer.status < 500, answer
        rows = self._runner.run(self._count_rows())
        if self._rows and not _is_accepted(answer):
            assert rows == self._rows
        self._rows = rows
        return answer

    async def _send(self, one: Request) -> Answer:
        app = self.server.app
        return await request(app, one.method, one.target, one.headers, *one.chunks)

    async def _count_rows(self) -> dict[str, int]:
        async with self.server.server.engine.transaction(write=False) as transaction:
            names = await transaction.rows(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND NOT name LIKE :strays",
                # They are counted to slow down who guesses, and bounded by themselves.
                strays="%stray_failure",
            )
            counts = " UNION ALL ".join(f'SELECT COUNT(*) FROM "{name}"' for (name,) in names)
            rows = await transaction.rows(counts)
        return {name: count for (name,), (count,) in zip(names, rows, strict=True)}


def _is_accepted(answer: Answer) -> bool:
    if answer.headers.get("content-type") == "application/msgpack":
        return b"\xa6status\xa2ok" in answer.body
    return answer.status == 200


def entries(thing: object) -> int:
    """How much an object remembers, in whatever collections."""
    kept = vars(thing).values()
    return sum(len(one) for one in kept if isinstance(one, (dict, list, set)))


@pytest.fixture(scope="module")
def guesses() -> Iterator[list[Guesses]]:
    """Those of the applications that are made meanwhile."""
    made: list[Guesses] = []

    def record(*how: Any, **more: Any) -> Guesses:
        made.append(Guesses(*how, **more))
        return made[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(application, "Guesses", record)
        yield made


@pytest.fixture(scope="module")
def place(guesses: list[Guesses], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    made = Place(tmp_path_factory.mktemp("mails"))
    made.begin()
    yield made
    made.end()


# --- What is sent ---

latin = st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"), max_size=40)
organizations = st.sampled_from(
    ["Org", "Waiting", "Nowhere", "%C3%89vreux", "no%20name", "%ff", "a" * 33]
)
_seldom = st.sampled_from([False] * 19 + [True])
_often = _seldom.map(lambda seldom: not seldom)
lengths = st.sampled_from(["", "0", "-1", "1e9", "1048577", "9" * 5_000, "\xb2"])


def rpc_targets() -> st.SearchStrategy[str]:
    with_organization = st.sampled_from(
        ["/anonymous/{}", "/invited/{}", "/authenticated/{}", "/authenticated/{}/tos"]
    )
    named = st.builds(str.format, with_organization, organizations)
    return named | st.sampled_from(["/anonymous_server", "/authenticated_account"])


@st.composite
def bodies(draw: st.DrawFn, family: Family) -> bytes:
    """Of a command of that family, right or nearly, or anything."""
    known = list(commands(family).values())
    answered = [kind for kind in known if kind in COMMANDS or kind in DEBUG_COMMANDS]
    usual = draw(_often)
    kinds = answered if answered and usual else known
    if not kinds or draw(_seldom):
        return draw(st.binary(max_size=64) | st.sampled_from(ENDLESS_HEADS))
    kind: Any = draw(st.sampled_from(kinds))
    body = dump_request(draw(values(kind)))
    return draw(changed_bytes(body)) if draw(_seldom) else body


@st.composite
def rpc_requests(draw: st.DrawFn, place: Place) -> Request:
    """Mostly what reaches a command, else anything."""
    if draw(_often):
        target, credentials, family = draw(st.sampled_from(place.ways))
    else:
        target, credentials = draw(rpc_targets()), place.credentials
        family = draw(st.sampled_from(Family))
    headers = {
        "Api-Version": draw(_mostly("5.5", st.sampled_from(["5.0", "6.0", "5", ""]) | latin)),
        "Content-Type": draw(_mostly("application/msgpack", latin)),
        "Authorization": draw(_mostly_one_of(credentials, latin | st.just("Bearer " + "a." * 40))),
    }
    if draw(_seldom):
        headers["Content-Length"] = draw(lengths | latin)
    body = draw(bodies(family))
    cut = draw(st.integers(0, len(body)))
    return Request(
        method=draw(_mostly("POST", st.sampled_from(["GET", "PUT", "OPTIONS"]))),
        target=target,
        headers=headers,
        chunks=(body[:cut], body[cut:]),
    )


def _mostly(value: str, others: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return _mostly_one_of([value], others)


def _mostly_one_of(usual: list[str], others: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return _seldom.flatmap(lambda seldom: others if seldom else st.sampled_from(usual))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
json_fields = st.fixed_dictionaries(
    {},
    optional={
        "organization_id": st.sampled_from(["Second", "Third", "no name", "\ud800"]) | json_values,
        "is_expired": st.just(False) | json_values,
        "user_profile_outsider_allowed": st.booleans() | json_values,
        "active_users_limit": st.sampled_from([None, 0, 3, 2**31, -1, 10**400]) | json_values,
        "realm_minimum_archiving_period_before_deletion": st.integers(-1, 2**31) | json_values,
        "tos": st.none()
        | st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=2)
        | json_values,
        "user_id": st.sampled_from(["0" * 32, "zz"]) | json_values,
        "user_email": st.sampled_from(["carol@example.com", "CAROL@example.com", "@"])
        | json_values,
        "frozen": st.booleans() | json_values,
        "send_email": st.booleans() | json_values,
    },
)
json_bodies = (json_fields | json_values).map(lambda value: json.dumps(value).encode())

ADMINISTRATION = [
    "organizations",
    "organizations/Second",
    "organizations/Nowhere",
    "organizations/no%20name",
    "organizations/%ff",
    "organizations/Second/stats",
    "organizations/Second/users",
    "organizations/Second/users?details=true",
    "organizations/Second/users/totp",
    "organizations/Second/users/freeze",
    "organizations/Second/users/reset_totp",
    "stats",
    "organizations/Second/nothing",
]
dates = st.sampled_from(
    [
        "2026-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "+262142-12-31T23:59:59Z",
        "-262143-01-01T00:00:00Z",
    ]
)


@st.composite
def administration_requests(draw: st.DrawFn) -> Request:
    path = draw(st.sampled_from(ADMINISTRATION))
    if path == "stats":
        form = draw(_mostly_one_of(["json", "csv"], latin))
        at = draw(dates | latin)
        path += f"?format={_quoted(form)}&at={_quoted(at)}"
    return Request(
        method=draw(st.sampled_from(["GET", "POST", "PATCH", "DELETE", "HEAD"])),
        target=f"/administration/{path}",
        headers={
            "Authorization": draw(_mostly(f"Bearer {TOKEN}", latin)),
            "Content-Type": draw(_mostly("application/json", latin)),
        },
        chunks=(draw(json_bodies | st.binary(max_size=40) | st.just(b"[" * 10_000)),),
    )


def _quoted(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in text.encode())


@st.composite
def other_requests(draw: st.DrawFn) -> Request:
    """To pages, the redirection, and nowhere."""
    path = draw(
        st.sampled_from(["/", "/redirect", "/redirect/", "/health", "//", "/static/", "/docs", "*"])
        | st.builds("/redirect/{}".format, latin)
        | st.builds("/{}".format, latin)
    )
    query = draw(latin)
    return Request(
        method=draw(st.sampled_from(["GET", "HEAD", "POST", "OPTIONS", "TRACE"])),
        target=f"{_ascii(path)}?{_ascii(query)}",
        headers={
            draw(st.sampled_from(["Accept", "Accept-Language", "Origin", "X-Forwarded-For"])): draw(
                st.sampled_from(["text/html", "fr;q=0.5, *;q=x", "text/html;q=1.0.0,,"]) | latin
            )
        },
    )


def _ascii(text: str) -> str:
    return "".join(
        one if one.isascii() and one.isprintable() and one not in "?# " else f"%{ord(one):02x}"
        for one in text
    )


@st.composite
def stream_requests(draw: st.DrawFn, credentials: list[str]) -> Request:
    return Request(
        method=draw(_mostly("GET", st.just("POST"))),
        target=f"/authenticated/{draw(_mostly_one_of(['Org'], organizations))}/events",
        headers={
            "Api-Version": draw(_mostly("5.5", latin)),
            "Accept": draw(_mostly("text/event-stream", latin)),
            "Authorization": draw(_mostly_one_of(credentials, latin)),
            "Last-Event-ID": draw(st.sampled_from(["0" * 32, "", "{" + "0" * 32 + "}"]) | latin),
        },
    )


# --- What comes of it ---


@MANY
@given(data=st.data())
def test_commands(place: Place, data: st.DataObject) -> None:
    place.send(data.draw(rpc_requests(place)))


def test_a_length_of_thousands_of_digits(place: Place) -> None:
    headers = {"Api-Version": "5.5", "Content-Type": "application/msgpack"}
    length = {"Content-Length": "9" * 5_000}

    answer = place.send(
        Request(method="POST", target="/anonymous_server", headers=headers | length)
    )

    assert answer.status == 413


@SOME
@given(one=administration_requests())
@example(
    Request(
        method="PATCH",
        target="/administration/organizations/Second",
        headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
        chunks=(b'{"tos": {"\\ud800": "x"}}',),
    )
)
def test_the_administration(place: Place, one: Request) -> None:
    place.send(one)


@SOME
@given(one=other_requests())
def test_pages_and_links(place: Place, one: Request) -> None:
    place.send(one)


@FEW
@given(data=st.data())
def test_event_streams(place: Place, data: st.DataObject) -> None:
    place.send(data.draw(stream_requests(place.credentials)))


def test_nothing_of_it_stays_in_memory(place: Place, guesses: list[Guesses]) -> None:
    exchange = place.server.server.exchange
    for number in range(300):
        for target in (f"/anonymous/Nowhere{number}", f"/authenticated/Nowhere{number}"):
            headers = {
                "Api-Version": "5.5",
                "Content-Type": "application/msgpack",
                "Authorization": place.credentials[6],
            }
            place.send(Request(method="POST", target=target, headers=headers, chunks=(b"\xc1",)))

    # One address asked; and events are remembered of organizations that exist.
    assert entries(guesses[0]) <= 4
    assert entries(exchange) <= 8
