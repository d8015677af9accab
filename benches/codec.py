"""What our messages cost to read and to write, next to plain dictionaries of the `msgpack` package.

Ours come typed and checked, theirs as they are. Both are measured in turn, so that a busy machine
slows both, and compared by their medians.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import msgpack  # type: ignore[import-untyped]

from benches.report import Report
from parsec.crypto.keys import PublicKey, SigningKey
from parsec.data.certificates import UserCertificate
from parsec.data.ids import AccessToken, DeviceID, GreetingAttemptID, UserID, VlobID
from parsec.data.instant import Instant
from parsec.data.people import EmailAddress, HumanHandle, UserProfile
from parsec.protocol.certificate import CertificateGet, CertificateGetOk
from parsec.protocol.command import Family, dump_reply, dump_request, load_reply
from parsec.protocol.families import load_request
from parsec.protocol.greeting import GreeterStep0WaitPeer, InviteGreeterStep
from parsec.protocol.invite import (
    InvitationCreatedByUser,
    InvitationStatus,
    InviteList,
    InviteListItemUser,
    InviteListOk,
)
from parsec.protocol.vlob import VlobReadBatch, VlobReadBatchOk
from parsec.wire.msgpack import dump, reader

NOW = Instant(1_700_000_000_000_000)
USER, DEVICE, REALM = UserID(bytes(16)), DeviceID(bytes(16)), VlobID(bytes(16))
ALICE = HumanHandle(EmailAddress("alice@example.com"), "Alice")
KEY = PublicKey(bytes(range(32)))


class Subject(NamedTuple):
    """Something to read and to write."""

    name: str
    encoded: bytes
    load: Callable[[bytes], Any]
    dump: Callable[[Any], bytes]


def measure(*, quick: bool) -> Report:
    report = Report(
        "Messages, read and written once", ["message", "ours µs", "msgpack µs", "ratio"]
    )
    for subject in subjects():
        mine, plain = medians(subject, 5 if quick else 15)
        report.add(subject.name, f"{mine * 1e6:.1f}", f"{plain * 1e6:.1f}", f"{mine / plain:.2f}×")
    return report


def subjects() -> list[Subject]:
    """Messages as they are sent all day, small and large."""
    return [
        request(
            "request: step of a greeting",
            InviteGreeterStep(
                greeting_attempt=GreetingAttemptID(bytes(16)),
                greeter_step=GreeterStep0WaitPeer(public_key=KEY),
            ),
        ),
        reply("reply: 10 invitations", InviteList, InviteListOk(invitations=[invitation()] * 10)),
        reply("reply: 104 certificates", CertificateGet, certificates()),
        reply("reply: 100 manifests", VlobReadBatch, manifests()),
        Subject("user certificate", dump(certificate()), reader(UserCertificate).load, dump),
    ]


def request(name: str, message: InviteGreeterStep) -> Subject:
    return Subject(
        name,
        dump_request(message),
        lambda body: load_request(Family.AUTHENTICATED, body),
        dump_request,
    )


def reply(name: str, kind: type[Any], message: Any) -> Subject:
    return Subject(name, dump_reply(message), lambda body: load_reply(kind, body), dump_reply)


def invitation() -> InviteListItemUser:
    return InviteListItemUser(
        claimer_email=EmailAddress("bob@example.com"),
        created_by=InvitationCreatedByUser(human_handle=ALICE, user_id=USER),
        created_on=NOW,
        status=InvitationStatus.PENDING,
        token=AccessToken(bytes(16)),
    )


def certificates() -> CertificateGetOk:
    signed = certificate().sign(SigningKey(bytes(32)))
    return CertificateGetOk(
        common_certificates=[signed] * 104,
        realm_certificates={},
        sequester_certificates=[],
        shamir_recovery_certificates=[],
    )


def manifests() -> VlobReadBatchOk:
    item = (REALM, 1, DEVICE, 1, NOW, bytes(500))
    return VlobReadBatchOk(
        items=[item] * 100,
        needed_common_certificate_timestamp=NOW,
        needed_realm_certificate_timestamp=NOW,
    )


def certificate() -> UserCertificate:
    return UserCertificate(
        author=DEVICE,
        timestamp=NOW,
        user_id=USER,
        human_handle=ALICE,
        public_key=KEY,
        profile=UserProfile.STANDARD,
    )


def medians(subject: Subject, rounds: int) -> tuple[float, float]:
    """Seconds that ours take, and theirs."""

    def ours() -> None:
        subject.dump(subject.load(subject.encoded))

    def theirs() -> None:
        msgpack.packb(msgpack.unpackb(subject.encoded, strict_map_key=False))

    repetitions = max(1, int(0.02 / once(ours, 3)))
    samples = [(once(ours, repetitions), once(theirs, repetitions)) for _ in range(rounds)]
    mine, plain = (statistics.median(column) for column in zip(*samples, strict=True))
    return mine, plain


def once(action: Callable[[], None], repetitions: int) -> float:
    """Seconds that the action takes, on average over some repetitions."""
    start = time.perf_counter()
    for _ in range(repetitions):
        action()
    return (time.perf_counter() - start) / repetitions
