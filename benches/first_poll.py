"""What believing an organization's certificates costs, next to libsodium's part of it.

Both are measured in turn, so that a busy machine slows both, and compared by their medians.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import nacl.bindings

from parsec.client.rules.certificates import Ledger, integrate
from parsec.client.storage import CertificateStore
from parsec.crypto.entropy import system_entropy
from parsec.crypto.keys import PrivateKey, SigningKey
from parsec.data.address import ServerAddr
from parsec.data.certificates import (
    DeviceCertificate,
    DevicePurpose,
    RevokedUserCertificate,
    UserCertificate,
)
from parsec.data.ids import DeviceID, UserID
from parsec.data.instant import Instant
from parsec.data.local_device import LocalDevice, first_device
from parsec.data.people import DeviceLabel, EmailAddress, HumanHandle, OrganizationID, UserProfile
from parsec.protocol.certificate import CertificateGet, CertificateGetOk
from parsec.protocol.command import dump_reply, load_reply


class Organization:
    """Users with two devices each, some of them revoked, all made by one administrator."""

    def __init__(self, users: int) -> None:
        self.root_key = SigningKey(os.urandom(32))
        self.signed: list[bytes] = []
        self.verify_keys: list[bytes] = []
        self._now = 1_700_000_000_000_000
        self.device = self._administrator()
        for number in range(1, users):
            self._user(number)

    @property
    def answer(self) -> CertificateGetOk:
        return CertificateGetOk(
            common_certificates=self.signed,
            sequester_certificates=[],
            shamir_recovery_certificates=[],
            realm_certificates={},
        )

    def empty_ledger(self) -> Ledger:
        return Ledger.empty(
            self.device.user_id, self.device.root_verify_key, self.device.initial_profile
        )

    def _administrator(self) -> LocalDevice:
        device = first_device(
            server_url=ServerAddr(hostname="localhost"),
            organization_id=OrganizationID("Bench"),
            root_verify_key=self.root_key.verify_key,
            user_id=UserID.generate(system_entropy),
            device_id=DeviceID.generate(system_entropy),
            human_handle=HumanHandle(EmailAddress("admin@example.com"), "Administrator"),
            device_label=DeviceLabel("desktop"),
            profile=UserProfile.ADMIN,
            signing_key=SigningKey.generate(system_entropy),
            private_key=PrivateKey.generate(system_entropy),
            entropy=system_entropy,
        )
        self._sign_user(
            None,
            self.root_key,
            device.user_id,
            device.device_id,
            device.human_handle,
            device.signing_key,
            UserProfile.ADMIN,
        )
        return device

    def _user(self, number: int) -> None:
        user_id = UserID.generate(system_entropy)
        device_id = DeviceID.generate(system_entropy)
        device_key = SigningKey.generate(system_entropy)
        handle = HumanHandle(EmailAddress(f"person{number}@example.com"), f"Person Nr. {number}")
        author, key = self.device.device_id, self.device.signing_key
        self._sign_user(author, key, user_id, device_id, handle, device_key, UserProfile.STANDARD)
        further = DeviceID.generate(system_entropy)
        further_key = SigningKey.generate(system_entropy)
        self._sign_device(device_id, device_key, user_id, further, further_key, self._later())
        if number % 10 == 0:
            certificate = RevokedUserCertificate(
                author=author, timestamp=self._later(), user_id=user_id
            )
            self._add(certificate.sign(key), key)

    def _sign_user(
        self,
        author: DeviceID | None,
        key: SigningKey,
        user_id: UserID,
        device_id: DeviceID,
        handle: HumanHandle,
        device_key: SigningKey,
        profile: UserProfile,
    ) -> None:
        now = self._later()
        certificate = UserCertificate(
            author=author,
            timestamp=now,
            user_id=user_id,
            human_handle=handle,
            public_key=PrivateKey.generate(system_entropy).public_key,
            profile=profile,
        )
        self._add(certificate.sign(key), key)
        self._sign_device(author, key, user_id, device_id, device_key, now)

    def _sign_device(
        self,
        author: DeviceID | None,
        key: SigningKey,
        user_id: UserID,
        device_id: DeviceID,
        device_key: SigningKey,
        now: Instant,
    ) -> None:
        certificate = DeviceCertificate(
            purpose=DevicePurpose.STANDARD,
            author=author,
            timestamp=now,
            user_id=user_id,
            device_id=device_id,
            device_label=DeviceLabel("laptop"),
            verify_key=device_key.verify_key,
        )
        self._add(certificate.sign(key), key)

    def _add(self, signed: bytes, key: SigningKey) -> None:
        self.signed.append(signed)
        self.verify_keys.append(bytes(key.verify_key))

    def _later(self) -> Instant:
        self._now += 1_000_000
        return Instant(self._now)


def measure(organization: Organization, rounds: int) -> dict[str, float]:
    """The median of each contestant, who all run in each round."""
    empty, answer = organization.empty_ledger(), organization.answer
    pairs = list(zip(organization.signed, organization.verify_keys, strict=True))
    reply = dump_reply(answer)
    accepted = integrate(empty, answer).accepted
    device = organization.device

    def libsodium() -> None:
        verify = nacl.bindings.crypto_sign_open
        for signed, key in pairs:
            verify(signed, key)

    def integrated() -> None:
        integrate(empty, answer)

    def whole_poll() -> None:
        read = load_reply(CertificateGet, reply)
        assert isinstance(read, CertificateGetOk)
        integration = integrate(empty, read)
        with fresh_store() as store:
            store.append(integration.accepted, system_entropy)

    def restored() -> None:
        with filled_store() as store:
            Ledger.restore(
                device.user_id, device.root_verify_key, device.initial_profile, store.load()
            )

    with tempfile.TemporaryDirectory() as folder:
        filled = Path(folder) / "filled"

        def filled_store() -> CertificateStore:
            return CertificateStore.open(filled, device)

        def fresh_store() -> CertificateStore:
            return CertificateStore.open(Path(tempfile.mkdtemp(dir=folder)), device)

        with filled_store() as store:
            store.append(accepted, system_entropy)
        contestants = [libsodium, integrated, whole_poll, restored]
        times: dict[str, list[float]] = {contestant.__name__: [] for contestant in contestants}
        for _ in range(rounds):
            for contestant in contestants:
                times[contestant.__name__].append(_seconds(contestant))
    return {name: statistics.median(some) for name, some in times.items()}


def _seconds(contestant: Callable[[], None]) -> float:
    start = time.perf_counter()
    contestant()
    return time.perf_counter() - start
