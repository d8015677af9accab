"""A real server in a thread, a liar before it, and the people of an organization on it.

All share a clock, which moves only when somebody waits: a conversation that would take minutes, or
never end, takes a moment.
"""

import asyncio
import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn

from parsec.client.dialogue import (
    ChooseAdministrator,
    ChooseProfile,
    ChooseProtection,
    ChooseRecipient,
    ChooseSASCode,
    EnterDeviceLabel,
    EnterHumanHandle,
    EnterOneTimePassword,
    OwnCode,
    RetryOffline,
    TotpSecret,
)
from parsec.client.flows.certificate import Session, empty_ledger, poll_certificates
from parsec.client.flows.invite import claim_user, greet, invite_user, retrieve_invitation
from parsec.client.flows.invite import invite_shared_recovery as invite_recovery
from parsec.client.flows.organization import bootstrap_organization
from parsec.client.flows.shamir import create_setup, no_shares, recover
from parsec.client.guards.password import PasswordGuard
from parsec.client.protection import ChosenProtection
from parsec.client.step import Call, Flow, Means, Step
from parsec.client.transport import Bounds, Http, Transport
from parsec.crypto.entropy import system_entropy
from parsec.crypto.keys import PrivateKey, PublicKey, SigningKey, VerifyKey
from parsec.crypto.totp import time_step, totp_code
from parsec.data.address import InvitationAddr, InvitationType, OrganizationBootstrapAddr
from parsec.data.instant import Instant
from parsec.data.local_device import LocalDevice
from parsec.data.people import DeviceLabel, EmailAddress, HumanHandle, UserProfile
from parsec.server.build import running_server
from parsec.server.http.app import make_app
from tests.support.flows import START, NotYet, Side
from tests.support.liar import Liar, honest
from tests.support.server_app import TOKEN, some_settings

PEER_SECONDS = 20.0
"""How long people wait for each other, on the shared clock."""

_TICKS = 2_000
_TICK_SECONDS = 0.5
_KEY_SIZE = 32
_BOUNDS = Bounds(connect_seconds=5.0, silence_seconds=10.0, total_seconds=20.0)


class SharedClock:
    """Moves a microsecond a reading, and when somebody waits; read by several threads."""

    def __init__(self) -> None:
        self._now = START
        self._lock = threading.Lock()

    def __call__(self) -> Instant:
        with self._lock:
            self._now = self._now.plus(microseconds=1)
            return self._now

    def advance(self, seconds: float) -> None:
        with self._lock:
            self._now = self._now.plus(milliseconds=round(seconds * 1000))


class RecordingEntropy:
    """Random bytes of the system, and a memory of those that became keys."""

    def __init__(self) -> None:
        self._drawn: set[bytes] = set()

    def __call__(self, size: int) -> bytes:
        drawn = system_entropy(size)
        if size == _KEY_SIZE:
            self._drawn.add(drawn)
        return drawn

    @property
    def secrets(self) -> frozenset[bytes]:
        """What must never be sent: nothing of that size but keys is drawn."""
        return frozenset(self._drawn)

    @property
    def public_keys(self) -> frozenset[PublicKey]:
        return frozenset(PrivateKey(drawn).public_key for drawn in self._drawn)

    @property
    def verify_keys(self) -> frozenset[VerifyKey]:
        return frozenset(SigningKey(drawn).verify_key for drawn in self._drawn)

    def forget(self) -> None:
        self._drawn.clear()


@dataclass
class Speaker(Side):
    """A side whose calls go over HTTP, and whose person is honest and compares codes."""

    server: Any = None
    transport: Transport | None = None
    clock: SharedClock | None = None
    name: str = ""
    peers: list["Speaker"] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.person = self.answer

    def _reply(self, step: Step) -> Any:
        if isinstance(step, Call):
            assert self.transport is not None
            return self.transport.send(step.caller, step.request)
        return super()._reply(step)

    def answer(self, question: Any) -> Any:
        match question:
            case ChooseSASCode():
                return self._heard(question)
            case ChooseAdministrator():
                return question.administrators[0].user_id
            case ChooseRecipient():
                return question.recipients[0].user_id
            case EnterDeviceLabel():
                return DeviceLabel("laptop")
            case EnterHumanHandle():
                return handle(self.name)
            case ChooseProfile():
                return UserProfile.STANDARD
            case ChooseProtection():
                return ChosenProtection(PasswordGuard("password"))
            case RetryOffline():
                return False
            case EnterOneTimePassword():
                return self._one_time_password()
        raise AssertionError(f"unexpected {question!r}")

    def _heard(self, question: ChooseSASCode) -> Any:
        codes = {
            news.code for peer in self.peers for news in peer.heard if isinstance(news, OwnCode)
        }
        if not codes and not all(peer.done for peer in self.peers):
            raise NotYet
        return next((code for code in question.choices if code in codes), None)

    def _one_time_password(self) -> str:
        assert self.clock is not None
        secrets = [news.secret for news in self.heard if isinstance(news, TotpSecret)]
        return totp_code(secrets[-1], time_step(int(self.clock()))) if secrets else "000000"


def handle(name: str) -> HumanHandle:
    return HumanHandle(EmailAddress(f"{name}@example.com"), name.capitalize())


@dataclass
class Place:
    """A server, and the liar before it."""

    liar: Liar
    clock: SharedClock
    transport: Transport
    organizations: int = 0
    entropy: RecordingEntropy = field(default_factory=RecordingEntropy)
    """Of all people; it forgets when an organization begins."""

    @property
    def means(self) -> Means:
        return Means(now=self.clock, entropy=self.entropy, timeout_seconds=PEER_SECONDS)

    def organization(self) -> "Organization":
        """A new organization, which waits for its founder."""
        self.liar.tell(honest)
        self.entropy.forget()
        self.organizations += 1
        return Organization(self, self._created(f"Org{self.organizations}"))

    def speaker(self, name: str, flow: Flow[Any]) -> Speaker:
        """Somebody's program, at its beginning."""
        return Speaker(flow, transport=self.transport, clock=self.clock, name=name)

    def converse(self, *speakers: Speaker) -> None:
        """Advance all in turn until all have ended."""
        for speaker in speakers:
            speaker.peers = [other for other in speakers if other is not speaker]
        for _ in range(_TICKS):
            alive = [speaker for speaker in speakers if not speaker.done]
            if not alive:
                return
            for speaker in alive:
                speaker.advance()
            self.clock.advance(_TICK_SECONDS)
        raise AssertionError("the conversation does not end")

    def honestly(self, name: str, flow: Flow[Any]) -> Any:
        """What comes of a flow that must succeed."""
        speaker = self.speaker(name, flow)
        self.converse(speaker)
        assert speaker.error is None, speaker.error
        return speaker.result

    def _created(self, name: str) -> OrganizationBootstrapAddr:
        connection = http.client.HTTPConnection("127.0.0.1", self.liar.upstream, timeout=10)
        connection.request(
            "POST",
            "/administration/organizations",
            json.dumps({"organization_id": name}),
            {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
        )
        created = json.loads(connection.getresponse().read())
        connection.close()
        return OrganizationBootstrapAddr.parse(created["bootstrap_url"])


@dataclass
class Organization:
    """An organization and the sessions of its people."""

    place: Place
    bootstrap_addr: OrganizationBootstrapAddr
    sessions: dict[str, Session] = field(default_factory=dict)

    def at_work(self, name: str, device: LocalDevice) -> Session:
        """Somebody's session with a device that was just made."""
        session = Session(device, empty_ledger(device), self.place.means)
        self.sessions[name] = session
        return session

    def fresh(self, name: str) -> Session:
        """The same device with nothing believed yet, to look at the truth with."""
        device = self.sessions[name].device
        return Session(device, empty_ledger(device), self.place.means)

    # --- What people do: the sides, for `converse` ---

    def founding(self) -> list[Speaker]:
        flow = bootstrap_organization(
            self.bootstrap_addr,
            self.place.means,
            human_handle=handle("alice"),
            device_label=DeviceLabel("laptop"),
        )
        return [self.place.speaker("alice", flow)]

    def joining(self, guest: str, host: str = "alice") -> list[Speaker]:
        session = self.sessions[host]
        email = handle(guest).email
        invitation = self.place.honestly(host, invite_user(session.device, email, send_email=False))
        return [
            self.place.speaker(guest, _claiming_user(invitation.addr, self.place.means)),
            self.place.speaker(host, greet(session, invitation.addr.token)),
        ]

    def polling(self, name: str) -> list[Speaker]:
        return [self.place.speaker(name, poll_certificates(self.sessions[name]))]

    def setting_up(self, author: str, *recipients: str, threshold: int) -> list[Speaker]:
        weights = {handle(name).email: 1 for name in recipients}
        flow = create_setup(self.sessions[author], recipients=weights, threshold=threshold)
        return [self.place.speaker(author, flow)]

    def recovering(self, lost: str, *recipients: str) -> list[Speaker]:
        first = self.sessions[recipients[0]]
        self.place.honestly(recipients[0], poll_certificates(first))
        email = handle(lost).email
        invitation = self.place.honestly(
            recipients[0], invite_recovery(first, email, send_email=False)
        )
        return [
            self.place.speaker(lost, _claiming_recovery(invitation.addr, self.place.means)),
            *(
                self.place.speaker(name, greet(self.sessions[name], invitation.addr.token))
                for name in recipients
            ),
        ]

    # --- All that without a lie ---

    def found(self) -> None:
        """Alice founds the organization."""
        [alice] = self.done(self.founding())
        self.at_work("alice", alice.result)

    def join(self, guest: str) -> None:
        """Alice greets a guest."""
        claimer, _ = self.done(self.joining(guest))
        self.at_work(guest, claimer.result)

    def done(self, speakers: list[Speaker]) -> list[Speaker]:
        """Let them converse, all to a good end."""
        self.place.converse(*speakers)
        for speaker in speakers:
            assert speaker.error is None, speaker.error
        return speakers


def _claiming_user(addr: InvitationAddr, means: Means) -> Flow[LocalDevice]:
    info = yield from retrieve_invitation(addr)
    assert addr.type is InvitationType.USER
    return (yield from claim_user(addr, info, means))  # type: ignore[arg-type]  # by its type


def _claiming_recovery(addr: InvitationAddr, means: Means) -> Flow[LocalDevice]:
    info = yield from retrieve_invitation(addr)
    assert addr.type is InvitationType.SHAMIR_RECOVERY
    begun = no_shares(addr, info)  # type: ignore[arg-type]  # by its type
    return (yield from recover(addr, info, begun, means))  # type: ignore[arg-type]


@contextmanager
def served() -> Iterator[Place]:
    """A server on an empty database, and a liar before it that does not lie yet."""
    clock = SharedClock()
    with Liar() as liar, running_behind(liar, clock):
        http = Http({}, _BOUNDS)
        try:
            yield Place(liar, clock, Transport(http, now=clock))
        finally:
            http.close()


@contextmanager
def running_behind(liar: Liar, clock: Callable[[], Instant]) -> Iterator[None]:
    """A server on an empty database, to which the liar forwards."""
    # asyncio lets small packets go at once only where the protocol is named.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        liar.upstream = listener.getsockname()[1]
        started, stop = threading.Event(), threading.Event()
        thread = threading.Thread(target=_serve, args=(liar, clock, listener, started, stop))
        thread.start()
        assert started.wait(20)
        yield
        stop.set()
        thread.join(20)


def _serve(
    liar: Liar,
    clock: Callable[[], Instant],
    listener: socket.socket,
    started: threading.Event,
    stop: threading.Event,
) -> None:
    async def serve() -> None:
        settings = some_settings(server_addr=liar.addr, failed_lookups=None)
        async with running_server(settings, clock=clock) as server:
            config = uvicorn.Config(
                make_app(server), log_config=None, log_level="warning", lifespan="off"
            )
            uvicorn_server = _Uvicorn(config)
            task = asyncio.create_task(uvicorn_server.serve(sockets=[listener]))
            started.set()
            await asyncio.to_thread(stop.wait)
            uvicorn_server.should_exit = True
            await task

    asyncio.run(serve())


class _Uvicorn(uvicorn.Server):
    def install_signal_handlers(self) -> None:
        """None: this is no main thread."""
