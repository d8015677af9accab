"""What a flow may ask of the world, and the typed helpers that ask it.

A flow is a generator: it yields a step, the world carries the step out, and sends back what came of
it. It never prompts, sleeps, prints, opens a file or a socket, reads the clock or draws random
bytes, so the same flow serves a terminal, a page and a test.

    answer = yield from call(device, InviteList())      # a reply, or a CallFailed is thrown in
    label = yield from ask(DeviceLabelQuestion())        # what the person answered
    yield from tell(Started("Recovering device"))        # the person is told
    yield from keep(shares)                              # survives a restart
    device = yield from recall(BegunFirstDevices(…))    # what earlier runs kept, or None
    yield from wait(0.25)                                # seconds
"""

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

import msgspec

from parsec.client.failure import InvalidAnswer
from parsec.crypto.entropy import Entropy
from parsec.data.address import (
    InvitationAddr,
    OrganizationAddr,
    OrganizationBootstrapAddr,
    ServerAddr,
    TOTPResetAddr,
)
from parsec.data.device_file import DeviceFile
from parsec.data.instant import Instant
from parsec.data.local_device import LocalDevice

if TYPE_CHECKING:
    from parsec.protocol.command import Request

R = TypeVar("R")
T = TypeVar("T")


class Call(msgspec.Struct, frozen=True):
    """Send a request; the answer is its reply."""

    caller: "Caller"
    request: "Request[Any]"


class Ask(msgspec.Struct, Generic[T], frozen=True):
    """Ask the person; the answer is theirs."""

    question: "Question[T]"


class Tell(msgspec.Struct, frozen=True):
    """Tell the person; there is no answer."""

    news: "News"


class Keep(msgspec.Struct, frozen=True):
    """Write down what a later run could not get again; there is no answer."""

    record: object


class Recall(msgspec.Struct, Generic[T], frozen=True):
    """Look for what an earlier run kept; the answer is it, None where there is nothing."""

    wanted: "Wanted[T]"


class Wait(msgspec.Struct, frozen=True):
    """Let that many seconds pass; there is no answer."""

    seconds: float


Step: TypeAlias = Call | Ask[Any] | Tell | Keep | Recall[Any] | Wait
Flow: TypeAlias = Generator[Step, Any, T]


Caller: TypeAlias = (
    LocalDevice
    | DeviceFile
    | InvitationAddr
    | OrganizationAddr
    | OrganizationBootstrapAddr
    | TOTPResetAddr
    | ServerAddr
)
"""Who calls decides the route and the proof: a device, a claimer, or nobody in particular."""


class Question(Generic[T]):
    """Something that only the person knows; each kind says what an answer looks like."""


class Wanted(Generic[T]):
    """Something that an earlier run may have kept; each kind says by what it is known."""


class News:
    """Something that the person should know; each kind holds the facts, not the wording."""


class Means(msgspec.Struct, frozen=True):
    """What a flow needs from the world without asking each time: the clock and randomness."""

    now: Callable[[], Instant]
    entropy: Entropy
    polling_ms: float = 1000.0
    """Base of the interval between two looks at what a peer did."""
    timeout_seconds: float = 600.0
    """How long a peer is waited for."""


def call(caller: Caller, request: "Request[R]") -> Flow[R]:
    """Send a request and receive its reply.

    Raises Offline, HttpRefusal, or InvalidAnswer (an unreadable reply or an unknown status).
    """
    # Commands that ask no server do without the protocol.
    from parsec.protocol.command import UnknownStatus

    reply: R | UnknownStatus = yield Call(caller, request)
    if isinstance(reply, UnknownStatus):
        raise InvalidAnswer(
            f"Unexpected answer from the server: {reply.status!r}",
            hint="the server may be newer than this program",
        )
    return reply


def ask(question: Question[T]) -> Flow[T]:
    """Ask the person and receive the answer."""
    answer: T = yield Ask(question)
    return answer


def tell(news: News) -> Flow[None]:
    """Tell the person."""
    yield Tell(news)


def keep(record: object) -> Flow[None]:
    """Write down what a later run could not get again."""
    yield Keep(record)


def recall(wanted: Wanted[T]) -> Flow[T | None]:
    """Look for what an earlier run kept."""
    found: T | None = yield Recall(wanted)
    return found


def wait(seconds: float) -> Flow[None]:
    """Let time pass."""
    yield Wait(seconds)
