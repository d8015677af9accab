"""Kills servers at each write point of each command, and looks at what is left.

A program of its own, which reads the names of commands and writes what was found, a line each: it
forks, and must have neither threads nor open databases when it does. Clock and entropy are made
up, and so are the same whenever a command is carried out: what people see afterwards is either
exactly what they would see of a server that was not killed, or what they saw before.
"""

import asyncio
import base64
import contextlib
import hashlib
import json
import logging
import os
import shutil
import signal
import sys
import traceback
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from parsec.crypto.entropy import system_entropy
from parsec.data.instant import Instant
from parsec.data.people import OrganizationID
from parsec.protocol.certificate import CertificateGet
from parsec.protocol.command import dump_request, load_reply
from parsec.protocol.events import EventsListen, PingedEvent
from parsec.protocol.invite import InviteInfo, InviteList, InviteListOk
from parsec.protocol.ping import Ping
from parsec.protocol.tos import TosGet
from parsec.protocol.user import ListFrozenUsers
from parsec.server.build import make_keys, running_server
from parsec.server.command.rotation import forget_old_keys, rotate
from parsec.server.http.app import make_app
from parsec.server.settings import Database, PostgresqlDatabase, Secret, Settings, SqliteDatabase
from parsec.server.store.engine import Engine
from parsec.server.store.event_memory import last_event_id
from parsec.server.store.key_file import KeyFile
from parsec.server.store.migrations import known_migrations
from parsec.server.store.tables import Table, tables
from tests.support import newcomers, server_app, server_calls
from tests.support.asgi import request, stream
from tests.support.mortal import FATE, make_mortal, mortal_app
from tests.support.postgresql import named, run_on_server, url_with
from tests.support.server_app import BEGIN, Clock, ServerApp, some_settings
from tests.survival.commands import COMMANDS, Command, Play

_FENCE = "the last event that is looked at"
_SEALED = ("secret", "opaque_key")
# Where processes tell each other something; what clients are told of it is looked at.
_APART = ("remembered_event", "presence")


class Chance:
    """Bytes that are the same from one mark on."""

    def __init__(self) -> None:
        self.drawn = 0

    def __call__(self, count: int, /) -> bytes:
        self.drawn += 1
        return hashlib.shake_128(b"%d" % self.drawn).digest(count)


@dataclass(frozen=True)
class View:
    """What people see of an organization."""

    state: tuple[str, ...]
    told: tuple[str, ...]
    """The events that those who come back are told."""


class Theatre:
    """One database, where each killing has an organization of its own."""

    def __init__(self, settings: Settings, name: str) -> None:
        self.settings = settings
        self.name = name
        """That of the connections to PostgreSQL."""
        self.clock = Clock(BEGIN)
        self.chance = Chance()
        self.organizations = 0
        self.views = 0
        self.tables = [
            table for table in tables(known_migrations()) if "organization_id" in table.columns
        ]
        for module in (newcomers, server_app, server_calls):
            module.system_entropy = self.chance  # type: ignore[attr-defined]

    @contextlib.asynccontextmanager
    async def server(self) -> AsyncIterator[ServerApp]:
        opened = running_server(self.settings, clock=self.clock, entropy=self.chance)
        async with opened as server:
            yield ServerApp(server, mortal_app(make_app(server)), self.clock)

    def fresh(self, server: ServerApp) -> Play:
        """Another organization, whose name is as long as all."""
        self.organizations += 1
        self.rewind((BEGIN, 1_000_000))
        return Play(organization=f"Org{self.organizations:05}", server=server)

    @property
    def mark(self) -> tuple[Instant, int]:
        return self.clock.now, self.chance.drawn

    def rewind(self, mark: tuple[Instant, int]) -> None:
        self.clock.now, self.chance.drawn = mark


@dataclass(kw_only=True)
class Scene:
    """A play that waits for its command."""

    play: Play
    mark: tuple[Instant, int]
    last: Any
    """The event from which its people come back."""


async def prepared(theatre: Theatre, command: Command, server: ServerApp) -> Scene:
    play = theatre.fresh(server)
    await command.prepare(play)
    is_told = False
    for device in play.people.values():
        # An event from which everybody may come back; who is not in yet is refused.
        answer = await server.send(device, Ping(ping="the first"))
        is_told |= answer.status == 200
    async with server.server.engine.transaction(write=False) as transaction:
        last = await last_event_id(transaction, OrganizationID(play.organization))
    assert last is not None or not is_told
    return Scene(play=play, mark=theatre.mark, last=last)


# --- One command ---


def findings(theatre: Theatre, command: Command) -> tuple[int, list[str]]:
    """At how many write points a server was killed, and what was wrong."""
    problems: list[str] = []

    async def begin() -> tuple[Scene, View]:
        async with theatre.server() as server:
            scene = await prepared(theatre, command, server)
            before = await view(theatre, scene)
            return scene, before

    scene, before = asyncio.run(begin())
    told, points = attempt(theatre, command, scene, None)
    if told != command.told:
        return 0, [f"the answer is {told!r}, expected {command.told!r}"]

    async def end() -> tuple[View, Scene]:
        async with theatre.server() as server:
            scene.play.server = server
            return await view(theatre, scene), await prepared(theatre, command, server)

    after, scene = asyncio.run(end())
    if any("missed_events" in one for one in after.told):
        return 0, ["what happened is not remembered"]
    if before == after:
        return 0, ["the command does nothing that is seen"]
    for point in range(1, points + 2):
        told, _ = attempt(theatre, command, scene, point)

        async def look(told: str | None, scene: Scene) -> tuple[list[str], Scene]:
            async with theatre.server() as server:
                scene.play.server = server
                found = await wrong(theatre, command, scene, told, before, after)
                return found, await prepared(theatre, command, server)

        found, scene = asyncio.run(look(told, scene))
        problems += [f"killed at {point} of {points}: {one}" for one in found]
    return points, problems


async def wrong(
    theatre: Theatre, command: Command, scene: Scene, told: str | None, before: View, after: View
) -> list[str]:
    """What must not be, after a command that was killed unless it told something."""
    found = []
    engine = scene.play.server.server.engine
    found += await damage(theatre, engine)
    seen = await view(theatre, scene)
    if told is not None and seen != after:
        found.append(f"acknowledged and lost: {_difference(seen, after)}")
    if seen not in (before, after):
        found.append(f"half: {_difference(seen, after)} and {_difference(seen, before)}")
    is_there = seen == after
    theatre.rewind(scene.mark)
    if is_there and command.changes_again:
        # What a server names by chance it names otherwise.
        theatre.chance.drawn += 500_000_000
    again = await command.act(scene.play)
    expected = command.again if is_there else command.told
    if again != expected:
        found.append(f"the repeat is told {again!r} instead of {expected!r}")
    repeated = await view(theatre, scene)
    if not is_there and repeated != after:
        found.append(f"the repeat did something else: {_difference(repeated, after)}")
    if is_there and not command.changes_again and repeated.state != after.state:
        found.append(f"the repeat changed something: {_difference(repeated, after)}")
    if command.prove is not None:
        await command.prove(scene.play)
    return found + await damage(theatre, engine)


def attempt(
    theatre: Theatre, command: Command, scene: Scene, point: int | None
) -> tuple[str | None, int]:
    """The answer's status, if the server lived to give it, and how many points it passed."""

    async def act() -> str:
        async with theatre.server() as server:
            scene.play.server = server
            theatre.rewind(scene.mark)
            FATE.begin(point)
            return await command.act(scene.play)

    return in_a_process(act)


def in_a_process(act: Callable[[], Coroutine[Any, Any, str]]) -> tuple[str | None, int]:
    """What a process told before it ended or was killed, and how many points it passed."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.close(reading)
            told = json.dumps([asyncio.run(act()), FATE.passed])
            os.write(writing, told.encode())
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        content = pipe.read()
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        assert not content
        return None, 0
    assert status == 0, "the server ended by itself"
    told, passed = json.loads(content)
    return told, passed


# --- What people see ---


async def view(theatre: Theatre, scene: Scene) -> View:
    """Nothing but the fence is written, and clock and chance are as before."""
    play, mark = scene.play, theatre.mark
    # No two events of an organization have the same name.
    theatre.views += 1
    theatre.chance.drawn = theatre.views * 1_000_000_000
    await _settled(theatre, play.server.server.engine)
    state = [
        *[line async for line in _seen_by_administration(play)],
        *[line async for line in _seen_by_people(play)],
        *[line async for line in _rows(theatre.tables, play)],
    ]
    told = [line async for line in _told(scene)]
    theatre.rewind(mark)
    return View(
        tuple(line.replace(play.organization, "Org") for line in state),
        tuple(line.replace(play.organization, "Org") for line in told),
    )


async def _settled(theatre: Theatre, engine: Engine) -> None:
    """The database has noticed who is dead, which takes PostgreSQL a moment."""
    if not isinstance(theatre.settings.database, PostgresqlDatabase):
        return
    others = (
        "SELECT count(*) FROM pg_stat_activity "
        f"WHERE application_name = '{theatre.name}' AND xact_start IS NOT NULL "
        "AND pid <> pg_backend_pid()"
    )
    left = 1
    while left:
        async with engine.transaction(write=False) as transaction:
            ((left,),) = await transaction.rows(others)


async def _seen_by_administration(play: Play) -> AsyncIterator[str]:
    for path in ("", "/users?details=true", "/users/totp", "/stats"):
        answer = await play.server.admin("GET", f"organizations/{play.organization}{path}")
        yield f"administration{path}: {answer.status} {answer.body.decode()}"


async def _seen_by_people(play: Play) -> AsyncIterator[str]:
    for name, device in play.people.items():
        for command in (_EVERYTHING, InviteList(), ListFrozenUsers()):
            answer = await play.server.send(device, command)
            yield f"{name}: {answer.status} {answer.body!r}"
            if answer.status == 200 and isinstance(command, InviteList):
                listed = load_reply(InviteList, answer.body)
                assert isinstance(listed, InviteListOk)
                for one in listed.invitations:
                    info = await server_calls.invited(
                        play.server, one.token, InviteInfo(), play.organization
                    )
                    yield f"claimer: {info.status} {info.body!r}"
        target = f"/authenticated/{play.organization}/tos"
        headers = play.server.headers(device)
        tos = await request(play.server.app, "POST", target, headers, dump_request(TosGet()))
        yield f"{name}: {tos.status} {tos.body!r}"


_EVERYTHING = CertificateGet(
    common_after=None, sequester_after=None, shamir_recovery_after=None, realm_after={}
)


async def _rows(found: list[Table], play: Play) -> AsyncIterator[str]:
    """All that the database holds of an organization, as far as it may be compared."""
    async with play.server.server.engine.transaction(write=False) as transaction:
        for table in found:
            if table.name in _APART:
                continue
            columns = ", ".join(
                f"{column} IS NOT NULL" if column in _SEALED else f'"{column}"'
                for column in table.columns
            )
            sql = f'SELECT {columns} FROM "{table.name}" WHERE organization_id = :organization'
            rows = await transaction.rows(sql, organization=play.organization)
            for text in sorted(repr([_plain(value) for value in row]) for row in rows):
                yield f"{table.name}: {text}"


def _plain(value: object) -> object:
    """The same from either database."""
    return bytes(value) if isinstance(value, memoryview) else value


async def _told(scene: Scene) -> AsyncIterator[str]:
    """What who comes back is told, up to a fence."""
    play = scene.play
    for name, device in play.people.items():
        headers = play.server.headers(device) | {"Accept": "text/event-stream"}
        del headers["Content-Type"]
        if scene.last is not None:
            headers["Last-Event-ID"] = scene.last.hex()
        target = f"/authenticated/{play.organization}/events"
        async with stream(play.server.app, target, headers) as (answer, events):
            if answer.status != 200:
                yield f"{name}: {answer.status}"
                continue
            fence = f"{_FENCE} {name}"
            await events.next()  # the configuration
            await play.server.reply(device, Ping(ping=fence))
            is_over = False
            while not is_over:
                for frame in (await events.next()).split(b"\n\n")[:-1]:
                    content = _content(frame)
                    is_over |= content == PingedEvent(ping=fence)
                    if not (isinstance(content, PingedEvent) and _FENCE in content.ping):
                        yield f"{name}: {frame!r}"


def _content(frame: bytes) -> object:
    data = frame.split(b"\n")[0]
    if not data.startswith(b"data:"):
        return None
    return load_reply(EventsListen, base64.b64decode(data.removeprefix(b"data:")))


def _difference(seen: View, expected: View) -> str:
    more = [
        one for one in (*seen.state, *seen.told) if one not in (*expected.state, *expected.told)
    ]
    less = [
        one for one in (*expected.state, *expected.told) if one not in (*seen.state, *seen.told)
    ]
    return f"{more[:2]} instead of {less[:2]}"


# --- What a database must always be ---


async def damage(theatre: Theatre, engine: Engine) -> list[str]:
    """What is wrong with the database itself."""
    async with engine.transaction(write=False) as transaction:
        if isinstance(theatre.settings.database, SqliteDatabase):
            verdict = [tuple(row) for row in await transaction.rows("PRAGMA integrity_check")]
            strays = [tuple(row) for row in await transaction.rows("PRAGMA foreign_key_check")]
            return [f"damaged: {verdict} {strays}"] if verdict != [("ok",)] or strays else []
        ((last, most, count, remembered),) = await transaction.rows(_COUNTER)
        is_whole = last == most == count and remembered <= last
    return [] if is_whole else [f"events {last}, {most}, {count}, {remembered}"]


_COUNTER = """
SELECT last, coalesce(max(number), 0), count(number),
    (SELECT coalesce(max(number), 0) FROM remembered_event)
FROM event_counter LEFT JOIN event ON true GROUP BY last"""


# --- Long works ---


def first_start(theatres: "Theatres") -> tuple[int, list[str]]:
    """Who begins with nothing is killed; the next one begins all the same."""
    problems: list[str] = []
    point, points = 0, 0
    while point <= points:
        with theatres.another() as theatre:

            async def begin(theatre: Theatre = theatre, point: int = point) -> str:
                FATE.begin(point or None)
                async with theatre.server():
                    return "begun"

            async def go_on(theatre: Theatre = theatre) -> list[str]:
                async with theatre.server() as server:
                    await server.bootstrap("Org00000")
                    return await damage(theatre, server.server.engine)

            _, passed = in_a_process(begin)
            points = points if point else passed
            problems += _tried(go_on, f"killed at {point} of {points}")
        point += 1
    return points, problems


def rotation(theatres: "Theatres") -> tuple[int, list[str]]:
    """Who passes the secrets to another server key is killed: all stay readable, and it is done."""
    problems: list[str] = []
    point, points = 0, 0
    command = COMMANDS["totp_fetch_opaque_key"]
    with theatres.another() as theatre:
        settings = theatre.settings
        keys = make_keys(settings)
        assert isinstance(keys, KeyFile)

        async def turn() -> str:
            await rotate(settings.database, keys, system_entropy)
            await forget_old_keys(settings.database, keys, system_entropy)
            return "turned"

        async def begin() -> Scene:
            async with theatre.server() as server:
                return await prepared(theatre, command, server)

        scene = asyncio.run(begin())
        while point <= points:

            async def killed(point: int = point) -> str:
                FATE.begin(point or None)
                return await turn()

            async def prove() -> list[str]:
                async with theatre.server() as server:
                    scene.play.server = server
                    assert command.prove is not None
                    await command.prove(scene.play)
                    # Beside the server, which reads the keys again.
                    await turn()
                    await command.prove(scene.play)
                return []

            _, passed = in_a_process(killed)
            points = points if point else passed
            problems += _tried(prove, f"killed at {point} of {points}")
            point += 1
    return points, problems


def _tried(act: Callable[[], Coroutine[Any, Any, list[str]]], when: str) -> list[str]:
    try:
        return [f"{when}: {one}" for one in asyncio.run(act())]
    except Exception:
        return [f"{when}: {traceback.format_exc()}"]


# --- The program ---


class Theatres:
    """Databases of one kind, each in a folder of its own."""

    def __init__(self, folder: Path, kind: str) -> None:
        self._folder = folder
        self._kind = kind
        self._count = 0

    @contextlib.contextmanager
    def another(self) -> Iterator[Theatre]:
        """An empty database, until the end."""
        self._count += 1
        folder = self._folder / f"{self._count}"
        folder.mkdir()
        with contextlib.ExitStack() as stack:
            name = ""
            database: Database = SqliteDatabase(folder / "parsec.sqlite")
            if self._kind == "postgresql":
                url, name = named(stack.enter_context(_place()))
                database = PostgresqlDatabase(url=Secret(url), min_connections=2, max_connections=4)
            settings = some_settings(
                database=database,
                server_key_file=folder / "server.key",
                spontaneous_organization_bootstrap=True,
                failed_lookups=None,
            )
            yield Theatre(settings, name)
        shutil.rmtree(folder)


@contextlib.contextmanager
def _place() -> Iterator[str]:
    """As `postgresql.new_place`, with no event loop between its begin and its end."""
    name = f"parsec_{system_entropy(8).hex()}"
    asyncio.run(run_on_server(f"CREATE SCHEMA {name}"))
    try:
        yield url_with(search_path=name)
    finally:
        asyncio.run(run_on_server(f"DROP SCHEMA {name} CASCADE"))


WORKS: Mapping[str, Callable[[Theatres], tuple[int, list[str]]]] = {
    "the first start": first_start,
    "rotate-key": rotation,
}


def main() -> None:
    """`kill_points.py FOLDER sqlite|postgresql`: names come on standard input."""
    folder, kind = sys.argv[1:]
    # What the product prints is not what is asked for.
    results = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    make_mortal()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    theatres = Theatres(Path(folder), kind)
    with theatres.another() as theatre:
        for line in sys.stdin:
            name = line.strip()
            try:
                if name in WORKS:
                    result = WORKS[name](theatres)
                else:
                    result = findings(theatre, COMMANDS[name])
            except Exception:
                result = 0, [traceback.format_exc()]
            print(json.dumps(result), file=results, flush=True)


if __name__ == "__main__":
    main()
