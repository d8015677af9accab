"""Assembles transport, files, stores, clock and person, and carries out the steps of flows.

The one place of the client that reads the clock and draws random bytes.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar, assert_never

from parsec.client.dialogue import ChooseProtection, Notice
from parsec.client.drive import drive
from parsec.client.failure import AuthenticationFailed, Conflict, FlowError, NotFound
from parsec.client.files import (
    Directories,
    FoundDevice,
    StorageFailed,
    begun_devices,
    directories,
    drop_begun_device,
    ensure_writable,
    forget_device,
    in_use,
    list_devices,
    save_begun_device,
    save_device_file,
    settle_begun_device,
)
from parsec.client.flows.certificate import Session
from parsec.client.gathered import Gathered
from parsec.client.guards import Guard, PreparedGuard
from parsec.client.guards.keyring import KeyringKeyPlace, KeyringUnavailable
from parsec.client.interruption import Interruptions
from parsec.client.protection import ChosenProtection
from parsec.client.records import (
    BegunDevice,
    BegunFirstDevices,
    DroppedDevice,
    EarlierShares,
    ForgottenCertificates,
    GatheredShares,
    NewDevice,
    ProtectedAgain,
    RecoveryDone,
    RecoverySaves,
    VerifiedCertificates,
)
from parsec.client.recoveries import Recoveries, RecoveryDamaged
from parsec.client.rules.certificates import Ledger
from parsec.client.rules.device_file import open_device, protect
from parsec.client.rules.timing import DEFAULT_POLL_BASE_MS
from parsec.client.step import (
    Ask,
    Call,
    Flow,
    Keep,
    Means,
    News,
    Question,
    Recall,
    Step,
    Tell,
    Wait,
    Wanted,
)
from parsec.client.storage import (
    CertificateStore,
    ChangedMeanwhile,
    StorageUnavailable,
    forget_certificates,
)
from parsec.client.transport import AdminTransport, Http, Transport
from parsec.crypto.entropy import Entropy, system_entropy
from parsec.crypto.errors import CryptoError
from parsec.crypto.keys import SecretKey
from parsec.data.address import ServerAddr
from parsec.data.device_file import AnyDeviceFile
from parsec.data.ids import DeviceID, TOTPOpaqueKeyID
from parsec.data.instant import Instant
from parsec.data.local_device import LocalDevice
from parsec.data.people import OrganizationID
from parsec.wire.msgpack import MalformedError

T = TypeVar("T")

_POLLING_VARIABLE = "_PARSEC_INVITE_POLLING_THROTTLE_MS"


def system_now() -> Instant:
    """What the clock of this machine says."""
    return Instant(time.time_ns() // 1_000)


class Person(Protocol):
    """Whoever sits in front of the program, or the script that stands in."""

    def answer(self, question: Question[T]) -> T:
        """The answer to a question.

        Raises FlowError where there is none to be had, KeyboardInterrupt where the person leaves.
        """

    def hear(self, news: News) -> None:
        """Take note."""


class World:
    """Everything outside the flows. To be closed, or used as a context manager."""

    def __init__(
        self,
        person: Person,
        *,
        places: Directories | None = None,
        environ: Mapping[str, str] = os.environ,
        now: Callable[[], Instant] = system_now,
        entropy: Entropy = system_entropy,
        sleep: Callable[[float], None] = time.sleep,
        peer_timeout_seconds: float = 600.0,
    ) -> None:
        self.places = places or directories(environ)
        self.means = Means(
            now=now,
            entropy=entropy,
            polling_ms=_polling_ms(environ),
            timeout_seconds=peer_timeout_seconds,
        )
        self._person = person
        self._sleep = sleep
        self._http = Http(environ)
        self._transport = Transport(self._http, now=now)
        recoveries = Recoveries(
            self.places, entropy, lambda folder: KeyringKeyPlace(folder, entropy)
        )
        self._gathered = Gathered(recoveries, person.hear)
        self._stores: dict[DeviceID, CertificateStore] = {}

    # --- Flows ---

    def run(self, flow: Flow[T]) -> T:
        """The result of a flow. Raises FlowError or KeyboardInterrupt."""
        with Interruptions() as interruptions:
            try:
                return drive(flow, partial(self._carry_out_interruptibly, interruptions))
            finally:
                self._http.is_hurried = False

    def carry_out(self, step: Step) -> object:
        """What comes of one step. Raises FlowError or KeyboardInterrupt."""
        match step:
            case Call():
                return self._transport.send(step.caller, step.request)
            case Ask():
                return self._ask(step.question)
            case Tell():
                self._person.hear(step.news)
            case Wait():
                self._sleep(step.seconds)
            case Keep():
                self._keep(step.record)
            case Recall():
                return self._recall(step.wanted)
            case _:
                assert_never(step)
        return None

    def _carry_out_interruptibly(self, interruptions: Interruptions, step: Step) -> object:
        try:
            return interruptions.step(self.carry_out, step)
        except KeyboardInterrupt:
            # What the flow may still have to cancel must not take a minute.
            self._http.is_hurried = True
            raise

    # --- Devices ---

    def devices(self) -> list[FoundDevice]:
        """The device files of this machine."""
        return list_devices(self.places)

    @contextmanager
    def using(
        self, device_id: DeviceID, *, waiting: Callable[[], None], accessed: Callable[[], None]
    ) -> Iterator[None]:
        """Keep other processes from a device meanwhile; see `files.in_use`."""
        with in_use(self.places, device_id, waiting=waiting, accessed=accessed):
            yield

    def again(self, found: FoundDevice) -> FoundDevice:
        """The device file as it is now, which another process may have changed meanwhile.

        Raises NotFound.
        """
        for each in self.devices():
            if each.file.device_id == found.file.device_id:
                return each
        raise NotFound("The device is gone: another process has deleted it meanwhile")

    def unlock(
        self, found: FoundDevice, guard: Guard, *, totp_key: SecretKey | None = None
    ) -> LocalDevice:
        """The device in a file. Raises FlowError (AuthenticationFailed for a wrong password)."""
        return open_device(found.file, key=guard.key(found.file), totp_key=totp_key)

    def protect_again(
        self,
        found: FoundDevice,
        device: LocalDevice,
        guard: Guard,
        *,
        totp: tuple[TOTPOpaqueKeyID, SecretKey] | None,
    ) -> None:
        """Replace a device file by one with other contents or another protection."""
        self._save(device, guard, totp, replaced=found)

    def forget(self, found: FoundDevice) -> None:
        """Delete a device file and what the device stored. Raises StorageFailed."""
        self._close_store(found.file.device_id)
        forget_device(self.places, found)

    # --- What earlier runs kept ---

    def session(self, device: LocalDevice) -> Session:
        """A device at work, with what it has verified so far. Raises FlowError."""
        self._close_store(device.device_id)
        store = CertificateStore.open(self.places.data, device)
        self._stores[device.device_id] = store
        try:
            ledger = Ledger.restore(
                device.user_id, device.root_verify_key, device.initial_profile, store.load()
            )
        except (MalformedError, CryptoError, LookupError) as error:
            raise FlowError(
                "The stored certificates are not of this device",
                hint="forget them all; the next poll fetches everything again",
            ) from error
        self._gathered.drop_used(device)
        return Session(device=device, ledger=ledger, means=self.means)

    def forget_certificates(self, device_id: DeviceID) -> None:
        """Delete a device's certificates, damaged or not; the next poll fetches all again."""
        self._close_store(device_id)
        forget_certificates(self.places.data, device_id)

    # --- Servers ---

    def administration(self, server: ServerAddr, token: str) -> AdminTransport:
        """The administration interface of a server."""
        return AdminTransport(self._http, server, token, now=self.means.now)

    def close(self) -> None:
        """Close connections and stores."""
        self._http.close()
        for device_id in list(self._stores):
            self._close_store(device_id)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _ask(self, question: Question[Any]) -> object:
        if not isinstance(question, ChooseProtection):
            return self._person.answer(question)
        # What is asked for is about to be registered with the server: whatever could keep its file
        # from being written must show now.
        ensure_writable(self.places)
        chosen = self._person.answer(question)
        prepared = PreparedGuard(chosen.guard, self.means.entropy)
        return ChosenProtection(prepared, with_totp=chosen.with_totp)

    def _keep(self, record: object) -> None:
        match record:
            case BegunDevice():
                file = self._protected(record.device, record.guard, None, replaced=None)
                save_begun_device(self.places, file)
            case DroppedDevice():
                drop_begun_device(self.places, record.device_id)
            case NewDevice():
                self._keep_new(record)
            case ProtectedAgain():
                self._replace(record)
            case VerifiedCertificates():
                self._append(record)
            case ForgottenCertificates():
                self._opened_store(record.device).clear()
            case GatheredShares():
                with self._only_noticed("The gathered shares cannot be kept for a later run"):
                    self._gathered.add(record)
            case RecoverySaves():
                with self._only_noticed("It cannot be written down how far the recovery is"):
                    self._gathered.note_saving(record)
            case RecoveryDone():
                with self._only_noticed("The gathered shares cannot be deleted"):
                    self._gathered.forget(record.user_id)
            case _:
                raise TypeError(f"nobody keeps a {type(record).__name__}")

    def _recall(self, wanted: Wanted[Any]) -> object:
        match wanted:
            case BegunFirstDevices():
                return self._begun_first_devices(wanted)
            case EarlierShares():
                return self._earlier_shares(wanted.beginning)
            case _:
                raise TypeError(f"nobody keeps what a {type(wanted).__name__} asks for")

    def _begun_first_devices(self, wanted: BegunFirstDevices) -> tuple[LocalDevice, ...]:
        opened, fault = [], None
        for found in self._begun(wanted.server, wanted.organization_id):
            if found.file.device_id != wanted.other_than:
                try:
                    opened.append(self.unlock(found, wanted.guard))
                except FlowError as error:
                    fault = error
        if fault is not None and not opened:
            raise AuthenticationFailed(
                f"An earlier run began this organization, and its device does not open: {fault}",
                hint="give the protection and the password that were given then",
            ) from fault
        return tuple(opened)

    def _earlier_shares(self, beginning: GatheredShares) -> GatheredShares | None:
        kept = self._gathered.of_same_setup(beginning)
        if kept is not None:
            self._check_not_saved(kept)
        return kept

    def _begun(self, server: ServerAddr, organization_id: OrganizationID) -> list[FoundDevice]:
        return [
            found
            for found in begun_devices(self.places)
            if (found.file.server_url, found.file.organization_id) == (server, organization_id)
        ]

    def _keep_new(self, record: NewDevice) -> None:
        device = record.device
        if not settle_begun_device(self.places, device.device_id):
            self._save(device, record.guard, record.totp, replaced=None)
            return
        # There is one first device: what else began for the organization came to nothing.
        for found in self._begun(device.server_url, device.organization_id):
            drop_begun_device(self.places, found.file.device_id)

    def _replace(self, record: ProtectedAgain) -> None:
        own = (found for found in self.devices() if found.file.device_id == record.device.device_id)
        replaced = next(own, None)
        self._save(record.device, record.guard, record.totp, replaced=replaced)

    def _save(
        self,
        device: LocalDevice,
        guard: Guard,
        totp: tuple[TOTPOpaqueKeyID, SecretKey] | None,
        *,
        replaced: FoundDevice | None,
    ) -> None:
        file = self._protected(device, guard, totp, replaced=replaced)
        if replaced is not None:
            _prove(file, device, guard, totp)
        save_device_file(self.places, file, path=replaced.path if replaced else None)

    def _protected(
        self,
        device: LocalDevice,
        guard: Guard,
        totp: tuple[TOTPOpaqueKeyID, SecretKey] | None,
        *,
        replaced: FoundDevice | None,
    ) -> AnyDeviceFile:
        key, fields = guard.new(self.means.entropy)
        now = self.means.now()
        return protect(
            device,
            fields=fields,
            key=key,
            created_on=replaced.file.created_on if replaced else now,
            protected_on=now,
            totp=totp,
            entropy=self.means.entropy,
        )

    def _check_not_saved(self, kept: GatheredShares) -> None:
        for found in self.devices():
            if found.file.device_id == kept.device_id:
                name = found.file.device_id.hex()
                raise Conflict(
                    f"An earlier run got this account back: its device {name} is on this machine",
                    hint="use it; or, if it does not open, delete it with `device forget-local` "
                    "and run the same command again",
                )

    def _append(self, record: VerifiedCertificates) -> None:
        # A cache: what is not stored is polled again.
        with self._only_noticed("The certificates cannot be stored"):
            self._opened_store(record.device).append(record.batch, self.means.entropy)

    @contextmanager
    def _only_noticed(self, what: str) -> Iterator[None]:
        """Failures that need not end the conversation are told instead."""
        try:
            yield
        except (
            StorageFailed,
            StorageUnavailable,
            ChangedMeanwhile,
            KeyringUnavailable,
            RecoveryDamaged,
            MalformedError,
        ) as error:
            self._person.hear(Notice(f"{what}: {error}"))

    def _opened_store(self, device: LocalDevice) -> CertificateStore:
        store = self._stores.get(device.device_id)
        if store is None:
            store = CertificateStore.open(self.places.data, device)
            self._stores[device.device_id] = store
            store.load()
        return store

    def _close_store(self, device_id: DeviceID) -> None:
        store = self._stores.pop(device_id, None)
        if store is not None:
            store.close()


def _prove(
    file: AnyDeviceFile,
    device: LocalDevice,
    guard: Guard,
    totp: tuple[TOTPOpaqueKeyID, SecretKey] | None,
) -> None:
    """Open a file again before it replaces one that is known to open. Raises FlowError."""
    opened = open_device(file, key=guard.key(file), totp_key=totp[1] if totp else None)
    if opened.dump() != device.dump():
        raise FlowError(
            "The new device file does not open as it should", hint="the old one was kept"
        )


def _polling_ms(environ: Mapping[str, str]) -> float:
    text = environ.get(_POLLING_VARIABLE, "")
    return float(text) if text.isdecimal() and text.isascii() else float(DEFAULT_POLL_BASE_MS)
