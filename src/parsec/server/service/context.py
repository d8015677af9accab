"""What a command may use: its caller, transactions, the clock, entropy, the way out of the process.

The transactions of a context refuse by themselves what every command of its family refuses.
"""

import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType

import msgspec

from parsec.crypto.entropy import Entropy, system_entropy
from parsec.data.ids import AccessToken, DeviceID
from parsec.data.instant import Instant
from parsec.data.people import OrganizationID
from parsec.data.topics import Topic
from parsec.protocol.versions import API_VERSION, ApiVersion
from parsec.server.events import Exchange
from parsec.server.meter import Meter
from parsec.server.outbound.mail import Mails
from parsec.server.outbound.webhook import BootstrapWebhook
from parsec.server.records import Author, EventID, Invited, OrganizationRecord
from parsec.server.rules import authentication as rules
from parsec.server.rules import invite
from parsec.server.service.presence import Presence, UntoldPresence
from parsec.server.settings import Settings
from parsec.server.store import authentication, certificate, organization
from parsec.server.store.engine import Engine, Transaction
from parsec.server.store.sealing import Sealing
from parsec.server.store.stray_failures import StrayFailures


def system_clock() -> Instant:
    """The system's date."""
    return Instant(time.time_ns() // 1_000)


system_source: Entropy = system_entropy
"""The system's random bytes."""


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """What all requests share; clock and entropy of the system enter here and nowhere else."""

    settings: Settings
    engine: Engine
    sealing: Sealing
    exchange: Exchange
    presence: Presence = UntoldPresence()
    mails: Mails
    bootstrap_webhook: BootstrapWebhook | None = None
    meter: Meter = Meter()
    stray_failures: StrayFailures = msgspec.field(default_factory=StrayFailures)
    clock: Callable[[], Instant] = system_clock
    entropy: Entropy = system_source


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """One request; `now` is when it came."""

    server: Server
    now: Instant
    client_address: str = "unknown"
    api_version: ApiVersion = API_VERSION

    @property
    def settings(self) -> Settings:
        return self.server.settings

    @property
    def entropy(self) -> Entropy:
        return self.server.entropy

    @property
    def sealing(self) -> Sealing:
        return self.server.sealing

    @property
    def mails(self) -> Mails:
        return self.server.mails

    def event_id(self) -> EventID:
        """A fresh identifier for an event."""
        return EventID.generate(self.server.entropy)

    def _transaction(self, *, write: bool) -> AbstractAsyncContextManager[Transaction]:
        return self.server.engine.transaction(write=write)


class AnonymousServerContext(Context, frozen=True, kw_only=True):
    """A request that names no organization."""


class AdministrationContext(Context, frozen=True, kw_only=True):
    """A request of who holds the administration token."""

    def reading(self) -> AbstractAsyncContextManager[Transaction]:
        """A transaction that writes nothing."""
        return self._transaction(write=False)

    def writing(self) -> AbstractAsyncContextManager[Transaction]:
        """A transaction that may write."""
        return self._transaction(write=True)


class AnonymousContext(Context, frozen=True, kw_only=True):
    """A request about an organization by nobody in particular."""

    organization_id: OrganizationID

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[tuple[Transaction, OrganizationRecord]]:
        """A transaction and its organization. Raises Rejected."""
        async with self._transaction(write=False) as transaction:
            yield transaction, await self._organization(transaction)

    @contextlib.asynccontextmanager
    async def writing(
        self, *lock: Topic, share: Sequence[Topic] = ()
    ) -> AsyncIterator[tuple[Transaction, OrganizationRecord]]:
        """The same for a transaction that may write, with locks on topics."""
        async with self._transaction(write=True) as transaction:
            await _lock(transaction, self.organization_id, lock, share)
            yield transaction, await self._organization(transaction)

    @contextlib.asynccontextmanager
    async def creating(
        self, *lock: Topic
    ) -> AsyncIterator[tuple[Transaction, OrganizationRecord | None]]:
        """The same, where anybody may begin an organization that is not there yet."""
        async with self._transaction(write=True) as transaction:
            await _lock(transaction, self.organization_id, lock, ())
            found = await organization.organization(transaction, self.organization_id)
            if found is not None or not self.settings.spontaneous_organization_bootstrap:
                rules.check_organization(found)
            yield transaction, found

    async def _organization(self, transaction: Transaction) -> OrganizationRecord:
        found = await organization.organization(transaction, self.organization_id)
        return rules.check_organization(found)


class InvitedContext(Context, frozen=True, kw_only=True):
    """A request of the holder of an invitation's token."""

    organization_id: OrganizationID
    token: AccessToken

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[tuple[Transaction, Invited]]:
        """A transaction and the invitation, which still counts. Raises Rejected."""
        async with self._transaction(write=False) as transaction:
            yield transaction, await self._invited(transaction)

    @contextlib.asynccontextmanager
    async def writing(
        self, *lock: Topic, share: Sequence[Topic] = ()
    ) -> AsyncIterator[tuple[Transaction, Invited]]:
        """The same for a transaction that may write, with locks on topics and the invitation."""
        async with self._transaction(write=True) as transaction:
            await _lock(transaction, self.organization_id, lock, share)
            await transaction.lock(invitation_lock(self.organization_id, self.token))
            yield transaction, await self._invited(transaction)

    async def _invited(self, transaction: Transaction) -> Invited:
        found = await authentication.invited(transaction, self.organization_id, self.token)
        invited = rules.check_invited(found)
        lifetime = self.settings.invitation_lifetime
        invite.check_usable(invited.invitation, now=self.now, lifetime=lifetime)
        return invited


class AuthenticatedContext(Context, frozen=True, kw_only=True):
    """A request of a device."""

    organization_id: OrganizationID
    device_id: DeviceID
    despite_tos: bool = False
    """The command is one by which a user reads or accepts the terms of service."""
    author: Author | None = None
    """As the authentication of this request found it, a moment ago."""

    def reading(
        self, *, single: bool = False
    ) -> AbstractAsyncContextManager[tuple[Transaction, Author]]:
        """A transaction and its author, who may use the organization. Raises Rejected.

        A command that runs a `single` statement costs less by saying so.
        """
        return self._single(write=False) if single else self._found(write=False)

    def writing_single(self) -> AbstractAsyncContextManager[tuple[Transaction, Author]]:
        """The same for one statement that writes: it takes effect at once and holds no lock.

        The author may be revoked between the authentication and that statement, as in any
        transaction that does not lock the topic in which they would be.
        """
        return self._single(write=True)

    @contextlib.asynccontextmanager
    async def writing(
        self, *lock: Topic, share: Sequence[Topic] = ()
    ) -> AsyncIterator[tuple[Transaction, Author]]:
        """The same for a transaction that may write, with locks on topics."""
        async with self._transaction(write=True) as transaction:
            await _lock(transaction, self.organization_id, lock, share)
            yield transaction, await self._author(transaction)

    def _single(self, *, write: bool) -> AbstractAsyncContextManager[tuple[Transaction, Author]]:
        engine = self.server.engine
        if self.author is None:
            return self._found(write=write)
        return _Accompanied(engine.transaction(write=write, single=True), self.author)

    @contextlib.asynccontextmanager
    async def _found(self, *, write: bool) -> AsyncIterator[tuple[Transaction, Author]]:
        async with self._transaction(write=write) as transaction:
            yield transaction, self.author or await self._author(transaction)

    async def _author(self, transaction: Transaction) -> Author:
        found = await authentication.author(transaction, self.organization_id, self.device_id)
        return rules.check_author(found, despite_tos=self.despite_tos)


class _Accompanied(AbstractAsyncContextManager[tuple[Transaction, Author]]):
    """A transaction with an author who is known already."""

    # A class, as a generator around a transaction would cost as much as the rest of it.
    __slots__ = ("_author", "_transaction")

    def __init__(
        self, transaction: AbstractAsyncContextManager[Transaction], author: Author
    ) -> None:
        self._transaction = transaction
        self._author = author

    async def __aenter__(self) -> tuple[Transaction, Author]:
        return await self._transaction.__aenter__(), self._author

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        return await self._transaction.__aexit__(kind, error, traceback)


def invitation_lock(organization_id: OrganizationID, token: AccessToken) -> str:
    """What `Transaction.lock` is given for an invitation."""
    return f"{organization_id}/invitation/{token.hex()}"


def invitation_creation_lock(organization_id: OrganizationID) -> str:
    """What `Transaction.lock` is given before an invitation is looked for and created."""
    return f"{organization_id}/invitation"


async def _lock(
    transaction: Transaction,
    organization_id: OrganizationID,
    lock: Sequence[Topic],
    share: Sequence[Topic],
) -> None:
    # In the order of the enumeration, so that no two transactions wait for each other.
    for topic in Topic:
        if topic in lock or topic in share:
            name = certificate.topic_lock(organization_id, topic)
            await transaction.lock(name, share=topic not in lock)
