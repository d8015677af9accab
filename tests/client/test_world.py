"""The world carries out the steps of flows, with real files and a server of raw bytes."""

import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from parsec.client.dialogue import ChooseProtection, EnterDeviceLabel, Notice
from parsec.client.failure import AuthenticationFailed, Offline
from parsec.client.files import Directories, StorageFailed
from parsec.client.guards.password import PasswordGuard
from parsec.client.protection import ChosenProtection, RecoveryFields
from parsec.client.records import (
    EarlierShares,
    ForgottenCertificates,
    GatheredShares,
    NewDevice,
    RecoveryDone,
    VerifiedCertificates,
)
from parsec.client.recoveries import Recoveries
from parsec.client.rules.device_file import KeyUnavailable
from parsec.client.step import (
    Ask,
    Call,
    Flow,
    Keep,
    News,
    Question,
    Recall,
    Tell,
    Wait,
    ask,
    call,
    keep,
    tell,
    wait,
)
from parsec.client.transport import http as http_module
from parsec.client.transport.http import Bounds
from parsec.client.world import World, system_now
from parsec.crypto.entropy import Entropy, system_entropy
from parsec.crypto.keys import SecretKey
from parsec.crypto.shamir import ShamirShare
from parsec.data.device_file import AnyDeviceFile, PasswordDeviceFile
from parsec.data.ids import TOTPOpaqueKeyID, UserID
from parsec.data.instant import Instant
from parsec.data.local_device import LocalDevice
from parsec.data.people import DeviceLabel
from parsec.data.topics import Topic, TopicCertificate
from parsec.protocol.invite import InviteList, InviteListOk
from parsec.wire.msgpack import dump
from tests.support import certificates
from tests.support.lines import some_device
from tests.support.raw_server import RawServer, http, says, silent

NOW = Instant.parse("2026-01-02T03:04:05Z")
LATER = Instant.parse("2026-02-02T03:04:05Z")


@dataclass
class Recorder:
    """A person who answers as told and remembers what was said."""

    answers: Callable[[Question[Any]], Any] = lambda question: None
    heard: list[News] = field(default_factory=list)

    def answer(self, question: Question[Any]) -> Any:
        return self.answers(question)

    def hear(self, news: News) -> None:
        self.heard.append(news)

    @property
    def notices(self) -> list[str]:
        return [news.text for news in self.heard if isinstance(news, Notice)]


@dataclass
class Clock:
    """Says what it was set to; sleeping moves nothing."""

    now: Instant = NOW
    slept: list[float] = field(default_factory=list)


class PlainGuard:
    """A guard without cost, which counts how often it made a key."""

    def __init__(self) -> None:
        self.made = 0

    def new(self, entropy: Entropy) -> tuple[SecretKey, RecoveryFields]:
        self.made += 1
        return SecretKey(bytes(32)), RecoveryFields()

    def key(self, file: AnyDeviceFile) -> SecretKey:
        return SecretKey(bytes(32))


@pytest.fixture
def person() -> Recorder:
    return Recorder()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def places(tmp_path: Path) -> Directories:
    return Directories(config=tmp_path / "config", data=tmp_path / "data")


def world_of(person: Recorder, places: Directories, clock: Clock) -> World:
    return World(person, places=places, environ={}, now=lambda: clock.now, sleep=clock.slept.append)


@pytest.fixture
def world(person: Recorder, places: Directories, clock: Clock) -> Iterator[World]:
    with world_of(person, places, clock) as assembled:
        yield assembled


# --- Steps ---


def test_a_call_goes_to_the_server(world: World) -> None:
    with RawServer([says(http(body=dump({"status": "ok", "invitations": []})))]) as server:
        caller = msgspec.structs.replace(some_device(), server_url=server.addr)
        reply = world.carry_out(Call(caller, InviteList()))

    assert reply == InviteListOk(invitations=[])


def test_a_question_goes_to_the_person(world: World, person: Recorder) -> None:
    person.answers = lambda question: DeviceLabel("laptop")

    assert world.carry_out(Ask(EnterDeviceLabel())) == DeviceLabel("laptop")


def test_news_go_to_the_person(world: World, person: Recorder) -> None:
    world.carry_out(Tell(Notice("look")))

    assert person.heard == [Notice("look")]


def test_waiting_is_sleeping(world: World, clock: Clock) -> None:
    world.carry_out(Wait(0.25))

    assert clock.slept == [0.25]


def test_a_flow_runs_to_its_result(world: World, person: Recorder) -> None:
    def flow() -> Flow[str]:
        label = yield from ask(EnterDeviceLabel())
        yield from keep(NewDevice(some_device(), PlainGuard()))
        return str(label)

    person.answers = lambda question: DeviceLabel("laptop")

    assert world.run(flow()) == "laptop"
    assert len(world.devices()) == 1


def test_what_nobody_keeps_is_a_bug(world: World) -> None:
    with pytest.raises(TypeError, match="str"):
        world.carry_out(Keep("anything"))


def test_flows_get_the_clock_and_the_polling_interval(person: Recorder) -> None:
    places = Directories(config=Path("/c"), data=Path("/d"))
    environ = {"_PARSEC_INVITE_POLLING_THROTTLE_MS": "50"}
    with World(person, places=places, environ=environ, now=lambda: NOW) as world:
        assert world.means.now() == NOW
        assert world.means.polling_ms == 50


@pytest.mark.parametrize("text", ["", "soon", "-1", "²"])
def test_a_polling_interval_that_is_none_does_not_count(person: Recorder, text: str) -> None:
    places = Directories(config=Path("/c"), data=Path("/d"))
    environ = {"_PARSEC_INVITE_POLLING_THROTTLE_MS": text}
    with World(person, places=places, environ=environ) as world:
        assert world.means.polling_ms == 1000


def test_the_clock_of_this_machine_moves_on() -> None:
    assert system_now() <= system_now()


# --- Devices ---


def test_a_new_device_is_saved_with_its_protection(world: World) -> None:
    device = some_device()
    guard = PasswordGuard("P@ssw0rd.")

    world.carry_out(Keep(NewDevice(device, guard)))

    (found,) = world.devices()
    assert isinstance(found.file, PasswordDeviceFile)
    assert (found.file.created_on, found.file.protected_on) == (NOW, NOW)
    assert world.unlock(found, guard) == device


def test_a_wrong_password_opens_nothing(world: World) -> None:
    world.carry_out(Keep(NewDevice(some_device(), PasswordGuard("P@ssw0rd."))))

    with pytest.raises(AuthenticationFailed):
        world.unlock(world.devices()[0], PasswordGuard("P@ssw0rd"))


def test_a_device_protected_again_stays_the_same_one(world: World, clock: Clock) -> None:
    device = some_device()
    world.carry_out(Keep(NewDevice(device, PlainGuard())))
    (found,) = world.devices()
    guard, totp_key = PasswordGuard("P@ssw0rd."), SecretKey(bytes(range(32)))
    clock.now = LATER

    world.protect_again(found, device, guard, totp=(TOTPOpaqueKeyID(bytes(16)), totp_key))

    (again,) = world.devices()
    assert again.path == found.path
    assert (again.file.created_on, again.file.protected_on) == (NOW, LATER)
    assert world.unlock(again, guard, totp_key=totp_key) == device


def test_a_forgotten_device_is_gone(world: World) -> None:
    device = some_device()
    world.carry_out(Keep(NewDevice(device, PlainGuard())))
    world.session(device)

    world.forget(world.devices()[0])

    assert world.devices() == []
    assert not world.places.data_of(device.device_id).exists()


def test_the_lock_of_a_device_is_taken(world: World) -> None:
    heard: list[str] = []
    device_id = some_device().device_id

    with world.using(
        device_id, waiting=lambda: heard.append("waiting"), accessed=lambda: heard.append("free")
    ):
        assert (world.places.config / "in_use_devices" / device_id.hex()).exists()

    assert heard == []


# --- What could keep a new device from being saved shows before it is registered ---


def test_the_key_is_made_when_the_protection_is_chosen(world: World, person: Recorder) -> None:
    guard = PlainGuard()
    person.answers = lambda question: ChosenProtection(guard)

    chosen = world.carry_out(Ask(ChooseProtection()))
    made_when_chosen = guard.made
    assert isinstance(chosen, ChosenProtection)
    world.carry_out(Keep(NewDevice(some_device(), chosen.guard)))

    assert (made_when_chosen, guard.made) == (1, 1)


def test_a_key_that_cannot_be_made_fails_the_choice(world: World, person: Recorder) -> None:
    class Locked(PlainGuard):
        """A keyring that nobody unlocks."""

        def new(self, entropy: Entropy) -> tuple[SecretKey, RecoveryFields]:
            raise KeyUnavailable("the keyring is locked")

    person.answers = lambda question: ChosenProtection(Locked())

    with pytest.raises(KeyUnavailable):
        world.carry_out(Ask(ChooseProtection()))


def test_nobody_is_asked_for_a_protection_that_cannot_be_saved(
    world: World, person: Recorder, places: Directories
) -> None:
    asked: list[Question[Any]] = []
    person.answers = asked.append
    places.config.write_bytes(b"a file where the folder should be")

    with pytest.raises(StorageFailed):
        world.carry_out(Ask(ChooseProtection()))
    assert asked == []


# --- Certificates ---


def alice() -> LocalDevice:
    return msgspec.structs.replace(
        some_device(),
        user_id=certificates.user_id("alice"),
        root_verify_key=certificates.signing_key(None).verify_key,
    )


def batch() -> list[TopicCertificate]:
    return [TopicCertificate(Topic.COMMON, signed) for signed in certificates.five_people()]


def test_a_new_device_has_verified_nothing(world: World) -> None:
    session = world.session(alice())

    assert session.ledger.is_empty
    assert session.means is world.means


def test_verified_certificates_are_there_in_the_next_run(
    world: World, person: Recorder, places: Directories, clock: Clock
) -> None:
    device = alice()
    world.session(device)
    world.carry_out(Keep(VerifiedCertificates(device, batch())))

    with world_of(person, places, clock) as next_world:
        ledger = next_world.session(device).ledger

    assert not ledger.is_empty
    assert person.notices == []


def test_certificates_may_be_kept_before_anything_was_loaded(
    world: World, person: Recorder, places: Directories, clock: Clock
) -> None:
    device = alice()
    with world_of(person, places, clock) as earlier:
        earlier.carry_out(Keep(VerifiedCertificates(device, batch()[:2])))

    world.carry_out(Keep(VerifiedCertificates(device, batch()[2:])))

    assert person.notices == []
    assert not world.session(device).ledger.is_empty


def test_forgotten_certificates_are_gone(world: World) -> None:
    device = alice()
    world.carry_out(Keep(VerifiedCertificates(device, batch())))

    world.carry_out(Keep(ForgottenCertificates(device)))

    assert world.session(device).ledger.is_empty


def test_certificates_can_be_forgotten_without_their_device(world: World) -> None:
    device = alice()
    world.carry_out(Keep(VerifiedCertificates(device, batch())))

    world.forget_certificates(device.device_id)

    assert world.session(device).ledger.is_empty


def test_certificates_that_came_from_elsewhere_meanwhile_only_give_a_notice(
    world: World, person: Recorder, places: Directories, clock: Clock
) -> None:
    device = alice()
    world.session(device)
    with world_of(person, places, clock) as other:
        other.carry_out(Keep(VerifiedCertificates(device, batch())))

    world.carry_out(Keep(VerifiedCertificates(device, batch())))

    assert len(person.notices) == 1
    assert "cannot be stored" in person.notices[0]


# --- Interruptions ---


class BrokenOff(Exception):
    """A KeyboardInterrupt for pytest, which would end at a real one."""


def test_a_signal_in_the_midst_of_a_flow_arrives_at_its_next_step(
    world: World, clock: Clock
) -> None:
    def flow() -> Flow[str]:
        yield from tell(Notice("It begins"))
        signal.raise_signal(signal.SIGINT)
        try:
            yield from wait(1)
        except KeyboardInterrupt:
            return "left"
        return "never told"

    before = signal.getsignal(signal.SIGINT)

    assert world.run(flow()) == "left"
    assert clock.slept == []
    assert signal.getsignal(signal.SIGINT) is before


def test_an_interrupted_person_is_not_kept_waiting_by_a_silent_server(
    world: World, person: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def leave(question: Question[Any]) -> Any:
        raise KeyboardInterrupt

    def flow(caller: LocalDevice) -> Flow[None]:
        try:
            yield from ask(EnterDeviceLabel())
        except KeyboardInterrupt:
            with pytest.raises(Offline, match=r"within 0\.1 seconds"):
                yield from call(caller, InviteList())
            raise BrokenOff from None

    person.answers = leave
    monkeypatch.setattr(http_module, "_HURRIED", Bounds(total_seconds=0.1))
    monkeypatch.setattr(world._http, "_bounds", Bounds(total_seconds=0.2))

    with RawServer([silent()]) as server:
        caller = msgspec.structs.replace(some_device(), server_url=server.addr)
        with pytest.raises(BrokenOff):
            world.run(flow(caller))
        with pytest.raises(Offline, match=r"within 0\.2 seconds"):
            world.run(call(caller, InviteList()))


# --- Gathered shares ---


NO_SHARES = GatheredShares(
    server=some_device().server_url,
    organization_id=some_device().organization_id,
    user_id=UserID(bytes(16)),
    setup_created_on=NOW,
    shares={},
)
GATHERED = NO_SHARES.with_shares({UserID(b"c" * 16): [ShamirShare(b"\x01secret")]})
EARLIER = Recall(EarlierShares(NO_SHARES))


def test_a_recovery_begins_with_nothing(world: World, person: Recorder) -> None:
    assert world.carry_out(EARLIER) is None
    assert person.heard == []


def test_gathered_shares_are_there_in_the_next_run(world: World) -> None:
    world.carry_out(Keep(GATHERED))

    assert world.carry_out(EARLIER) == GATHERED


def test_shares_of_another_set_up_are_not_used(world: World, person: Recorder) -> None:
    world.carry_out(Keep(GATHERED))
    beginning = msgspec.structs.replace(NO_SHARES, setup_created_on=LATER)

    assert world.carry_out(Recall(EarlierShares(beginning))) is None
    assert "another shared recovery" in person.notices[0]


def test_damaged_shares_are_not_used(world: World, person: Recorder, places: Directories) -> None:
    world.carry_out(Keep(GATHERED))
    (places.config / "recoveries" / f"{GATHERED.user_id.hex()}.key").write_bytes(b"damage")

    assert world.carry_out(EARLIER) is None
    assert "cannot be used" in person.notices[0]


def test_what_is_no_record_of_shares_is_not_used(
    world: World, person: Recorder, places: Directories
) -> None:
    recoveries = Recoveries(places, system_entropy)
    recoveries.save_recovery(GATHERED.user_id, b"something else")

    assert world.carry_out(EARLIER) is None
    assert "cannot be used" in person.notices[0]


def test_shares_that_cannot_be_kept_do_not_stop_the_recovery(
    world: World, person: Recorder, places: Directories
) -> None:
    places.config.write_bytes(b"a file where the folder should be")

    world.carry_out(Keep(GATHERED))

    assert "cannot be kept" in person.notices[0]


def test_after_the_recovery_the_shares_are_gone(world: World, places: Directories) -> None:
    world.carry_out(Keep(GATHERED))

    world.carry_out(Keep(RecoveryDone(GATHERED.user_id)))

    assert list((places.config / "recoveries").iterdir()) == []
    assert world.carry_out(EARLIER) is None


# --- Servers ---


def test_the_administration_of_a_server_is_reached(world: World) -> None:
    with RawServer([says(http(body=b"{}", content_type="application/json"))]) as server:
        found = world.administration(server.addr, "s3cr3t").get("stats")

    assert found == {}
    assert server.received[0].headers["authorization"] == "Bearer s3cr3t"
