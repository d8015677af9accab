"""A server without HTTP: the real services on a real database, with a clock of our own."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from parsec.crypto.entropy import system_entropy
from parsec.crypto.keys import SigningKey
from parsec.data.address import InvitationType, ServerAddr
from parsec.data.ids import AccessToken, DeviceID, UserID
from parsec.data.instant import Instant
from parsec.data.people import EmailAddress, HumanHandle, OrganizationID, UserProfile
from parsec.data.topics import Topic
from parsec.protocol.command import MergedReply
from parsec.protocol.invite import InvitationEmailSentStatus
from parsec.protocol.versions import API_VERSION, ApiVersion
from parsec.server.events import Exchange
from parsec.server.outbound.mailer import Outcome
from parsec.server.records import DeviceRecord, Event, Notification
from parsec.server.service.context import (
    AnonymousContext,
    AuthenticatedContext,
    InvitedContext,
    Server,
)
from parsec.server.settings import (
    MailFolder,
    MailSettings,
    MockedDatabase,
    Secret,
    Settings,
)
from parsec.server.store import certificate, organization, user
from parsec.server.store.engine import Engine
from parsec.server.store.key_file import KeysInMemory
from parsec.server.store.sealed_columns import opened_sealing
from parsec.server.store.sealing import Sealing
from parsec.server.store.sqlite import TemporarySqliteEngine
from tests.support import server_records
from tests.support.postgresql import SERVER, prompt_engine
from tests.support.server_records import EARLIER, NOW

ORGANIZATION = OrganizationID("Org")


@dataclass(frozen=True, kw_only=True)
class SentMail:
    kind: InvitationType
    token: AccessToken
    to: str
    greeter: HumanHandle | None


@dataclass
class MailRecorder:
    """Keeps what would be sent; says that it went as `outcome` tells."""

    sent: list[SentMail] = field(default_factory=list)
    outcome: InvitationEmailSentStatus = InvitationEmailSentStatus.SUCCESS

    async def send_invitation(
        self,
        kind: InvitationType,
        *,
        organization_id: OrganizationID,
        token: AccessToken,
        to: EmailAddress,
        greeter: HumanHandle | None = None,
    ) -> InvitationEmailSentStatus:
        self.sent.append(SentMail(kind=kind, token=token, to=to, greeter=greeter))
        return self.outcome

    async def send_totp_reset(
        self,
        *,
        organization_id: OrganizationID,
        user_id: UserID,
        token: AccessToken,
        to: EmailAddress,
    ) -> Outcome:
        raise AssertionError("nobody resets one-time codes here")


@dataclass(frozen=True, kw_only=True)
class Member:
    """A user and its only device."""

    user_id: UserID
    human_handle: HumanHandle
    device_id: DeviceID
    key: SigningKey


class World:
    """One organization; `events` are those of committed transactions."""

    def __init__(
        self, engine: Engine, settings: Settings, sealing: Sealing, keys: KeysInMemory
    ) -> None:
        self.engine = engine
        self.keys = keys
        self.mails = MailRecorder()
        self.events: list[Event] = []
        self.now = NOW
        self.server = Server(
            settings=settings,
            engine=engine,
            sealing=sealing,
            exchange=Exchange(),
            mails=self.mails,
        )
        engine.subscribe(self.events.append)

    async def add_member(self, name: str, profile: UserProfile = UserProfile.STANDARD) -> Member:
        record = server_records.user(name, profile=profile)
        key = SigningKey.generate(system_entropy)
        device = DeviceRecord(
            device_id=DeviceID.generate(system_entropy),
            user_id=record.user_id,
            verify_key=key.verify_key,
        )
        async with self.engine.transaction(write=True) as transaction:
            await user.add_user(transaction, ORGANIZATION, record, device)
        return Member(
            user_id=record.user_id,
            human_handle=record.human_handle,
            device_id=device.device_id,
            key=key,
        )

    async def change(self, member: Member, **fields: bool | UserProfile | Instant) -> None:
        """Freeze, revoke, or give another profile, as a command would have."""
        async with self.engine.transaction(write=True) as transaction:
            for name, value in fields.items():
                match name, value:
                    case "is_frozen", bool():
                        await user.set_frozen(
                            transaction, ORGANIZATION, member.user_id, frozen=value
                        )
                    case "profile", UserProfile():
                        await user.set_profile(
                            transaction, ORGANIZATION, member.user_id, value, since=NOW
                        )
                    case "revoked_on", Instant():
                        await user.revoke(
                            transaction, ORGANIZATION, member.user_id, revoked_on=value
                        )
                    case _:
                        raise AssertionError(f"nothing changes {name}")

    def device(
        self, member: Member, *, api_version: ApiVersion = API_VERSION
    ) -> AuthenticatedContext:
        """A request of a member."""
        return AuthenticatedContext(
            server=self.server,
            now=self.now,
            api_version=api_version,
            organization_id=ORGANIZATION,
            device_id=member.device_id,
        )

    def claimer(
        self, token: AccessToken, *, api_version: ApiVersion = API_VERSION
    ) -> InvitedContext:
        """A request of the holder of an invitation."""
        return InvitedContext(
            server=self.server,
            now=self.now,
            api_version=api_version,
            organization_id=ORGANIZATION,
            token=token,
        )

    def anybody(self) -> AnonymousContext:
        """A request of somebody unknown."""
        return AnonymousContext(server=self.server, now=self.now, organization_id=ORGANIZATION)

    def told(self, *members: Member) -> list[list[MergedReply]]:
        """The events that reached each of these members, in their order."""
        return [
            [
                event.content
                for event in self.events
                if isinstance(event, Notification)
                if event.recipients is None or member.user_id in event.recipients
            ]
            for member in members
        ]


@contextlib.asynccontextmanager
async def world(**settings: int) -> AsyncIterator[World]:
    """An organization without members, until the end."""
    async with _empty_engine() as engine:
        await engine.migrate()
        await _add_organization(engine)
        keys = KeysInMemory()
        sealing = await opened_sealing(engine, keys, system_entropy)
        yield World(engine, _settings(settings), sealing, keys)


@contextlib.asynccontextmanager
async def _empty_engine() -> AsyncIterator[Engine]:
    """SQLite, or PostgreSQL when the suite runs on that."""
    if SERVER is not None:
        async with prompt_engine() as postgresql:
            yield postgresql
        return
    engine = TemporarySqliteEngine()
    try:
        yield engine
    finally:
        await engine.close()


async def _add_organization(engine: Engine) -> None:
    record = msgspec.structs.replace(server_records.organization(), organization_id=ORGANIZATION)
    async with engine.transaction(write=True) as transaction:
        await organization.create(transaction, record)
        assert record.root_verify_key is not None
        await organization.bootstrap(
            transaction,
            ORGANIZATION,
            root_verify_key=record.root_verify_key,
            bootstrapped_on=EARLIER,
        )
        await certificate.set_last_timestamp(transaction, ORGANIZATION, Topic.COMMON, EARLIER)


def _settings(changes: dict[str, int]) -> Settings:
    settings = Settings(
        server_addr=ServerAddr(hostname="localhost", port=6777, use_ssl=False),
        database=MockedDatabase(),
        administration_token=Secret("s3cr3t"),
        mail=MailSettings(sender=EmailAddress("parsec@example.com"), by=MailFolder(Path("mails"))),
    )
    return msgspec.structs.replace(settings, **changes)
