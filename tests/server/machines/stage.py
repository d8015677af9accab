"""Where machines play: one database, two servers on it, and an organization for each story.

On SQLite the two servers share the engine, as two requests of one process do. On PostgreSQL each
has an engine of its own, as two processes have.
"""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Iterator, Sequence
from typing import Any, ClassVar, Generic, Protocol, TypeVar, cast

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from parsec.crypto.entropy import system_entropy
from parsec.crypto.keys import SigningKey
from parsec.data.certificates import RevokedUserCertificate
from parsec.data.ids import AccessToken, DeviceID, UserID
from parsec.data.instant import Instant
from parsec.data.people import EmailAddress, HumanHandle, OrganizationID, UserProfile
from parsec.data.topics import Topic
from parsec.protocol.command import Reply, reply_status
from parsec.protocol.user import UserRevoke
from parsec.server.events import Exchange
from parsec.server.records import DeviceRecord, UserRecord
from parsec.server.rules.administration import Objected
from parsec.server.rules.refusal import Refused, Rejected
from parsec.server.service import administration
from parsec.server.service import user as user_service
from parsec.server.service.context import (
    AdministrationContext,
    AnonymousContext,
    AuthenticatedContext,
    InvitedContext,
    Server,
)
from parsec.server.store import certificate, organization, user
from parsec.server.store.engine import Engine
from parsec.server.store.key_file import KeysInMemory
from parsec.server.store.postgresql import PostgresqlEngine
from parsec.server.store.sealed_columns import opened_sealing
from parsec.server.store.sealing import Sealing
from parsec.server.store.sqlite import TemporarySqliteEngine
from tests.server.machines.model_people import People, Person
from tests.server.machines.serial import Asked, Told, expected, followed, told
from tests.support import server_records
from tests.support.postgresql import SERVER, new_place, some_database
from tests.support.server_app import some_settings
from tests.support.server_records import EARLIER, NOW
from tests.support.server_world import MailRecorder, Member

T = TypeVar("T")

SECOND = 1_000_000
SERVERS = st.sampled_from([0, 1])
ADAM_OR_BOB = st.sampled_from(["Adam", "Bob"])

ON_SQLITE = pytest.mark.skipif(
    SERVER is not None, reason="what a machine notices is the same on every engine"
)

_PATIENCE_S = 30
_organizations = itertools.count(1)


class Stage:
    """A database that is there for all stories of a test."""

    def __init__(self, runner: asyncio.Runner, engines: Sequence[tuple[Engine, Sealing]]) -> None:
        self._runner = runner
        self.engines = engines

    def run(self, awaited: Awaitable[T]) -> T:
        """Requests that wait for each other for ever are a failure like any other."""
        return self._runner.run(_in_time(awaited))


async def _in_time(awaited: Awaitable[T]) -> T:
    async with asyncio.timeout(_PATIENCE_S):
        return await awaited


@contextlib.contextmanager
def open_stage() -> Iterator[Stage]:
    """A stage, until the end."""
    with asyncio.Runner() as runner:
        opened = _engines()
        engines = runner.run(opened.__aenter__())
        try:
            yield Stage(runner, engines)
        finally:
            runner.run(opened.__aexit__(None, None, None))


@contextlib.asynccontextmanager
async def _engines() -> AsyncIterator[Sequence[tuple[Engine, Sealing]]]:
    async with contextlib.AsyncExitStack() as stack:
        one: Engine
        other: Engine
        if SERVER is None:
            one = other = TemporarySqliteEngine()
            stack.push_async_callback(one.close)
        else:
            database = some_database(await stack.enter_async_context(new_place()))
            one, other = PostgresqlEngine(database), PostgresqlEngine(database)
            stack.push_async_callback(one.close)
            stack.push_async_callback(other.close)
        await one.migrate()
        keys = KeysInMemory()
        yield [
            (engine, await opened_sealing(engine, keys, system_entropy)) for engine in (one, other)
        ]


class Story:
    """An organization, those who are in it, and what time it is; asked through either server."""

    def __init__(self, stage: Stage, **changes: Any) -> None:
        self.stage = stage
        self.organization_id = OrganizationID(f"Org{next(_organizations)}")
        self.now: Instant = NOW
        self.skews = [0, 0]
        self._profiles = itertools.count(1)
        self.members: dict[str, Member] = {}
        self.servers = [
            Server(
                settings=some_settings(**changes),
                engine=engine,
                sealing=sealing,
                exchange=Exchange(),
                mails=MailRecorder(),
            )
            for engine, sealing in stage.engines
        ]
        stage.run(self._begin())

    async def _begin(self) -> None:
        record = msgspec.structs.replace(
            server_records.organization(), organization_id=self.organization_id
        )
        assert record.root_verify_key is not None
        async with self.servers[0].engine.transaction(write=True) as transaction:
            await organization.create(transaction, record)
            await organization.bootstrap(
                transaction,
                self.organization_id,
                root_verify_key=record.root_verify_key,
                bootstrapped_on=EARLIER,
            )
            await certificate.set_last_timestamp(
                transaction, self.organization_id, Topic.COMMON, EARLIER
            )

    def add(self, person: Person) -> None:
        """A member and its device."""
        self.stage.run(self._add(person))

    async def _add(self, person: Person) -> None:
        record = UserRecord(
            user_id=UserID.generate(system_entropy),
            human_handle=HumanHandle(EmailAddress(person.email), person.name),
            profile=UserProfile(person.profile),
            created_on=EARLIER,
            revoked_on=None,
            is_frozen=False,
            tos_accepted_on=None,
        )
        key = SigningKey.generate(system_entropy)
        device = DeviceRecord(
            device_id=DeviceID.generate(system_entropy),
            user_id=record.user_id,
            verify_key=key.verify_key,
        )
        async with self.servers[0].engine.transaction(write=True) as transaction:
            await user.add_user(transaction, self.organization_id, record, device)
        self.members[person.name] = Member(
            user_id=record.user_id,
            human_handle=record.human_handle,
            device_id=device.device_id,
            key=key,
        )

    def name_of(self, user_id: UserID) -> str:
        """Who that is."""
        return next(name for name, one in self.members.items() if one.user_id == user_id)

    # --- Those who ask ---

    def at(self, server: int) -> Instant:
        """What a server takes for the date."""
        return self.now.plus(microseconds=self.skews[server])

    def device(self, name: str, server: int) -> AuthenticatedContext:
        return AuthenticatedContext(
            server=self.servers[server],
            now=self.at(server),
            organization_id=self.organization_id,
            device_id=self.members[name].device_id,
        )

    def claimer(self, token: AccessToken, server: int) -> InvitedContext:
        return InvitedContext(
            server=self.servers[server],
            now=self.at(server),
            organization_id=self.organization_id,
            token=token,
        )

    def anybody(self, server: int) -> AnonymousContext:
        return AnonymousContext(
            server=self.servers[server],
            now=self.at(server),
            organization_id=self.organization_id,
        )

    def administration(self, server: int) -> AdministrationContext:
        return AdministrationContext(server=self.servers[server], now=self.at(server))

    # --- What changes people ---

    async def freeze(self, name: str, server: int, *, frozen: bool) -> Told:
        try:
            await administration.freeze_user(
                self.administration(server),
                self.organization_id,
                user_id=self.members[name].user_id,
                user_email=None,
                frozen=frozen,
            )
        except Objected as objected:
            return told(objected.objection.name.lower())
        return told("ok")

    async def give_profile(self, name: str, profile: str) -> None:
        """As a certificate would, without one."""
        async with self.servers[0].engine.transaction(write=True) as transaction:
            await transaction.lock(certificate.topic_lock(self.organization_id, Topic.COMMON))
            await user.set_profile(
                transaction,
                self.organization_id,
                self.members[name].user_id,
                UserProfile(profile),
                since=EARLIER.plus(microseconds=next(self._profiles)),
            )

    async def revoke(self, author: str, name: str, server: int) -> Reply:
        member = self.members[author]
        revocation = RevokedUserCertificate(
            author=member.device_id,
            timestamp=self.at(server),
            user_id=self.members[name].user_id,
        )
        return await user_service.user_revoke(
            self.device(author, server),
            UserRevoke(revoked_user_certificate=revocation.sign(member.key)),
        )


async def answer(command: Awaitable[Reply]) -> Told:
    """What the caller is told, accepted or refused; whatever else comes is a failure."""
    try:
        reply = await command
    except Refused as refused:
        reply = refused.reply
    except Rejected as rejected:
        return told(f"{rejected.verdict.status}")
    fields = {name: getattr(reply, name) for name in reply.__struct_fields__}
    return told(reply_status(type(reply)), **fields)


async def together(*awaited: Awaitable[Told]) -> Sequence[Told]:
    """Sent at once."""
    return await asyncio.gather(*awaited)


# --- Machines ---


class Peopled(Protocol):
    """What every model has."""

    people: People


P = TypeVar("P", bound=Peopled)


class Play(RuleBasedStateMachine, Generic[P]):
    """A machine that asks the servers, and models one of which must agree.

    No strategy rests on what was told: requests that are sent at once may get other answers when
    the same story is played again.
    """

    SETTINGS: ClassVar[dict[str, int]] = {}

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.story = Story(stage, **self.SETTINGS)
        people = [
            Person("Adam", "adam@example.com", "ADMIN"),
            Person("Alice", "alice@example.com", "ADMIN"),
            Person("Bob", "bob@example.com"),
            Person("Oscar", "oscar@example.com", "OUTSIDER"),
        ]
        for person in people:
            self.story.add(person)
        self.models = [
            self.first_model(People({one.name: one for one in people}, last_common=EARLIER))
        ]

    def first_model(self, people: People) -> P:
        """Of an organization in which nothing happened."""
        raise NotImplementedError

    @property
    def model(self) -> P:
        """One that agrees with all that was told."""
        return self.models[0]

    def ask(self, *asked: Asked[P]) -> Sequence[Told]:
        """Send requests at once, and go on with the models that suit the answers."""
        answers = self.story.stage.run(together(*(one.send() for one in asked)))
        following = followed(self.models, asked, answers)
        assert following, expected(self.models, asked, answers)
        self.models = following
        return answers

    # --- Time ---

    @rule(seconds=st.sampled_from([0.000001, 1, 1, 2, 30, 90, 600]))
    def time_passes(self, seconds: float) -> None:
        self.story.now = self.story.now.plus(seconds=seconds)

    @rule(skew=st.sampled_from([-3 * SECOND, -SECOND, -1, 0, 1, 2 * SECOND]))
    def clocks_differ(self, skew: int) -> None:
        self.story.skews[1] = skew

    # --- People, of whom Alice stays as she is ---

    @rule(name=ADAM_OR_BOB, server=SERVERS)
    def freeze(self, name: str, server: int) -> None:
        self.ask(self.freezing(name, server))

    @rule(name=ADAM_OR_BOB, server=SERVERS)
    def thaw(self, name: str, server: int) -> None:
        self.ask(self.freezing(name, server, frozen=False))

    @rule(
        name=ADAM_OR_BOB,
        server=SERVERS,
        is_meant=st.sampled_from([False, False, False, False, True]),
    )
    def revoke(self, name: str, server: int, is_meant: bool) -> None:
        if is_meant:
            self.ask(self.revoking(name, server))

    @rule(name=ADAM_OR_BOB, profile=st.sampled_from(["ADMIN", "ADMIN", "STANDARD"]))
    def give_profile(self, name: str, profile: str) -> None:
        self.story.stage.run(self.story.give_profile(name, profile))
        for model in self.models:
            model.people.by_name[name].profile = profile

    def freezing(self, name: str, server: int, *, frozen: bool = True) -> Asked[P]:
        return Asked(
            ("freeze", name, frozen),
            lambda model, _: model.people.freeze(name, frozen=frozen),
            lambda: self.story.freeze(name, server, frozen=frozen),
        )

    def revoking(self, name: str, server: int) -> Asked[P]:
        at = self.story.at(server)
        return Asked(
            ("revoke", name, at),
            lambda model, _: model.people.revoke("Alice", name, at),
            lambda: answer(self.story.revoke("Alice", name, server)),
        )


def play(machine: type[Play[Any]], stage: Stage, *, stories: int, steps: int) -> None:
    """Always the same stories. Raises the failure of the first that fails."""
    # Where two processes race, a shorter story would have to fail by chance again.
    phases = [Phase.generate] if SERVER is not None else [Phase.generate, Phase.shrink]
    _play(machine, stage, max_examples=stories, stateful_step_count=steps, phases=phases)


def notices(
    machine: type[Play[Any]], stage: Stage, *, by: type[Exception] = AssertionError
) -> bool:
    """Whether one of some stories fails a model; the shortest such is not searched for.

    By default another failure than that of a model is none of the machine's doing, and is raised.
    """
    is_noticed = False
    try:
        _play(
            machine,
            stage,
            max_examples=40,
            stateful_step_count=30,
            phases=[Phase.generate],
            report_multiple_bugs=False,
        )
    # Also where the story ends otherwise when it is played again.
    except* by:
        is_noticed = True
    return is_noticed


def _play(machine: type[Play[Any]], stage: Stage, **more: Any) -> None:
    run_state_machine_as_test(
        cast("type[Play[Any]]", lambda: machine(stage)),
        settings=settings(
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
            **more,
        ),
    )
