"""A device at work, and the polling of certificates that everything else stands on.

`client.md` 15 and 16. What a device uploaded itself is not taken into its ledger at once: it is
polled like everything else, or certificates of others that came in between would be missed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from parsec.client.dialogue import Activity, Began, Ended, Notice
from parsec.client.failure import HttpRefusal, InvalidAnswer, Offline, Refused
from parsec.client.records import ForgottenCertificates, VerifiedCertificates
from parsec.client.rules.certificates import Ledger, integrate
from parsec.client.rules.timing import GreaterTimestampOffset, greater_timestamp
from parsec.client.step import Flow, Means, call, keep, tell
from parsec.data.instant import Instant
from parsec.data.local_device import LocalDevice
from parsec.protocol.command import Request
from parsec.protocol.statuses import RequireGreaterTimestamp, TimestampOutOfBallpark

R = TypeVar("R")


_UPLOAD_LIMIT = 100
_FURTHEST_AHEAD_SECONDS = 300.0
"""What servers accept themselves (`wire.md` 2.1)."""


@dataclass
class Session:
    """A device at work: its keys, and what it has verified so far."""

    device: LocalDevice
    ledger: Ledger
    means: Means


def poll_certificates(session: Session) -> Flow[int]:
    """Fetch and verify what is new; the answer is how many certificates there were.

    Raises InvalidCertificate (a FlowError) when the server sent one that may not be believed;
    then nothing of its answer is kept.
    """
    yield from tell(Began(Activity.POLL_CERTIFICATES))
    added = yield from _poll(session)
    yield from tell(Ended(Activity.POLL_CERTIFICATES))
    return added


def poll_quietly(session: Session) -> Flow[None]:
    """The same after an upload of one's own, which has succeeded whatever becomes of the poll."""
    try:
        yield from _poll(session)
    except (Offline, HttpRefusal) as error:
        yield from tell(Notice(f"The server's confirmation could not be fetched: {error}"))


def _poll(session: Session) -> Flow[int]:
    device = session.device
    answer = yield from call(device, session.ledger.request())
    integration = integrate(session.ledger, answer)
    if integration.must_refetch:
        # The profile changed from or to OUTSIDER: the other version of everything is needed.
        yield from keep(ForgottenCertificates(device))
        session.ledger = integration.ledger
        answer = yield from call(device, session.ledger.request())
        integration = integrate(session.ledger, answer)
    for warning in integration.warnings:
        yield from tell(Notice(warning.gap.explanation))
    check_own_certificates(integration.ledger, device)
    if integration.accepted:
        yield from keep(VerifiedCertificates(device, integration.accepted))
    session.ledger = integration.ledger
    return len(integration.accepted)


def check_own_certificates(ledger: Ledger, device: LocalDevice) -> None:
    """Check that user and device are known, by the keys that we hold. Raises InvalidAnswer.

    Both came from whoever enrolled us, before there was a certificate to check them against
    (`client.md` 11.5).
    """
    own = ledger.device(device.device_id)
    if own is None:
        raise InvalidAnswer("The server does not show the certificate of this device")
    if (
        own.user_id != device.user_id
        or own.verify_key != device.signing_key.verify_key
        or ledger.public_key(device.user_id) != device.private_key.public_key
    ):
        raise InvalidAnswer(
            "The certificates of this device do not hold its keys",
            hint="whoever enrolled it may not be who they seemed: ask an administrator",
        )


def empty_ledger(device: LocalDevice) -> Ledger:
    """The ledger of a device that has seen no certificate yet."""
    return Ledger.empty(device.user_id, device.root_verify_key, device.initial_profile)


def upload(
    device: LocalDevice,
    means: Means,
    make: Callable[[Instant], Request[R]],
) -> Flow[R]:
    """Send a request with certificates, made again with a later date as often as asked.

    `make` is given the date to sign. Raises Refused when the clocks differ too much.
    """
    timestamp = means.now()
    for _ in range(_UPLOAD_LIMIT):
        reply = yield from call(device, make(timestamp))
        if isinstance(reply, TimestampOutOfBallpark):
            raise clock_differs(reply)
        if not isinstance(reply, RequireGreaterTimestamp):
            return reply
        timestamp = _later(reply.strictly_greater_than, means)
    raise InvalidAnswer("The server never accepts the date of what it is sent")


def _later(than: Instant, means: Means) -> Instant:
    # A date in the future would block everybody else until it has come: no server may ask for it.
    now = means.now()
    if than.seconds_since(now) > _FURTHEST_AHEAD_SECONDS:
        raise InvalidAnswer(
            "The server asks for a signature with a date in the future",
            hint="its clock or this machine's is wrong, or the server is dishonest",
        )
    return greater_timestamp(now, than, GreaterTimestampOffset.COMMON_CERTIFICATE)


def clock_differs(reply: TimestampOutOfBallpark) -> Refused:
    """The refusal of a server whose clock is elsewhere."""
    seconds = abs(reply.server_timestamp.seconds_since(reply.client_timestamp))
    return Refused(
        f"The clock of this machine and the server's differ by {seconds:.0f} seconds",
        hint="set the clock, then try again",
    )
