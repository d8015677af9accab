"""The dance of an invitation: two sides agree on a key that the server cannot know.

`client.md` 11. Both sides join an *attempt*, then go through nine numbered steps; a step is sent
again and again until the server answers with the peer's step of the same number.

    steps 0 to 3   keys and nonces; nobody has compared anything yet. A peer that begins again
                   cancels the attempt, and we join the next one without a word.
    step 4         the claimer has chosen the greeter's code among others
    step 5         the greeter has chosen the claimer's code among others
    steps 6 to 8   payloads, encrypted with the shared key

A wrong choice may mean somebody in the middle: the attempt is cancelled with that reason, so that
the peer learns it too, and nothing is ever sent after it. Whatever ends a conversation early
(Ctrl-C included) cancels its attempt, as long as all that follows joining it is `Joined.guarded`. A
failure to cancel is not reported on top; only a second Ctrl-C, or the end of the process, can keep
the cancellation from being sent.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from parsec.client.dialogue import Activity, Began, ChooseSASCode, Ended, OwnCode, Peer
from parsec.client.failure import (
    Cancelled,
    Conflict,
    FlowError,
    InvalidAnswer,
    NotFound,
    Offline,
    Refused,
)
from parsec.client.rules.timing import poll_gaps_ms
from parsec.client.step import Flow, Means, ask, call, tell, wait
from parsec.crypto.errors import CryptoError
from parsec.crypto.key_exchange import shared_key_as_claimer, shared_key_as_greeter
from parsec.crypto.keys import HashDigest, PrivateKey, SecretKey
from parsec.crypto.sas import NONCE_SIZE, SASCode, SASCodes, sas_choices, sas_codes
from parsec.data.address import InvitationAddr
from parsec.data.greeting import GreetingPayload
from parsec.data.ids import AccessToken, GreetingAttemptID, UserID
from parsec.data.local_device import LocalDevice
from parsec.protocol import greeting as wire
from parsec.protocol import statuses
from parsec.protocol.command import Reply
from parsec.protocol.statuses import CancelledGreetingAttemptReason as Reason
from parsec.protocol.statuses import GreeterOrClaimer
from parsec.wire.msgpack import MalformedError

T = TypeVar("T")
P = TypeVar("P", bound=GreetingPayload)

CODE_CHOICES = 3
_REJOIN_LIMIT = 8
_OFFLINE_PATIENCE_SECONDS = 30.0


class AttemptCancelled(Cancelled):
    """The attempt was cancelled, by the peer or by another run of our own side."""

    def __init__(self, origin: GreeterOrClaimer, reason: Reason, *, ours: bool) -> None:
        super().__init__(_cancellation_text(origin, reason, ours), hint=_cancellation_hint(reason))
        self.reason = reason
        self.ours = ours


class GreetingFault(Cancelled):
    """The peer, or somebody in the middle, did not play by the rules; `reason` tells the peer."""

    def __init__(self, reason: Reason, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


class WrongCode(GreetingFault):
    """The code that the person chose is not the peer's."""

    def __init__(self) -> None:
        super().__init__(
            Reason.INVALID_SAS_CODE,
            "Invalid SAS code",
            hint="somebody may be listening in between: nothing was shared, start again and "
            "compare the codes by voice",
        )


class PeerTimeout(Cancelled):
    """The peer did not show up in time."""


class InvitationEnded(Conflict):
    """The invitation was used or cancelled, and its attempts with it."""


class InvitationUsed(InvitationEnded):
    """The invitation has reached its goal."""


class GreeterUnavailable(Refused):
    """This greeter cannot greet (any more); another one may."""


class Line(Protocol):
    """One side's way to speak to its peer through the server."""

    @property
    def side(self) -> GreeterOrClaimer:
        """Whose side this is."""

    def start(self) -> Flow[GreetingAttemptID]:
        """Join the attempt that the peer joined or will join."""

    def look(self, attempt: GreetingAttemptID, step: Any) -> Flow[Any]:
        """Send a step; the answer is the peer's step of that number, None if not there yet."""

    def cancel(self, attempt: GreetingAttemptID, reason: Reason) -> Flow[None]:
        """End the attempt, telling the peer why; never fails."""


@dataclass(frozen=True)
class ClaimerLine:
    """A claimer's way to one greeter."""

    addr: InvitationAddr
    greeter: UserID
    side: GreeterOrClaimer = GreeterOrClaimer.CLAIMER

    def start(self) -> Flow[GreetingAttemptID]:
        """Join, as the claimer. Raises GreeterUnavailable."""
        reply = yield from call(
            self.addr, wire.InviteClaimerStartGreetingAttempt(greeter=self.greeter)
        )
        if isinstance(reply, wire.InviteClaimerStartGreetingAttemptOk):
            return reply.greeting_attempt
        raise _refusal(reply, self.side)

    def look(self, attempt: GreetingAttemptID, step: wire.ClaimerStep) -> Flow[Any]:
        """Send the claimer's step and look at the greeter's."""
        reply = yield from call(
            self.addr, wire.InviteClaimerStep(greeting_attempt=attempt, claimer_step=step)
        )
        if isinstance(reply, wire.InviteClaimerStepOk):
            return reply.greeter_step
        if isinstance(reply, statuses.NotReady):
            return None
        raise _refusal(reply, self.side)

    def cancel(self, attempt: GreetingAttemptID, reason: Reason) -> Flow[None]:
        """Cancel as the claimer."""
        request = wire.InviteClaimerCancelGreetingAttempt(greeting_attempt=attempt, reason=reason)
        try:
            yield from call(self.addr, request)
        except FlowError:
            return


@dataclass(frozen=True)
class GreeterLine:
    """A greeter's way to the claimer of one invitation."""

    device: LocalDevice
    token: AccessToken
    side: GreeterOrClaimer = GreeterOrClaimer.GREETER

    def start(self) -> Flow[GreetingAttemptID]:
        """Join, as the greeter."""
        reply = yield from call(
            self.device, wire.InviteGreeterStartGreetingAttempt(token=self.token)
        )
        if isinstance(reply, wire.InviteGreeterStartGreetingAttemptOk):
            return reply.greeting_attempt
        raise _refusal(reply, self.side)

    def look(self, attempt: GreetingAttemptID, step: wire.GreeterStep) -> Flow[Any]:
        """Send the greeter's step and look at the claimer's."""
        reply = yield from call(
            self.device, wire.InviteGreeterStep(greeting_attempt=attempt, greeter_step=step)
        )
        if isinstance(reply, wire.InviteGreeterStepOk):
            return reply.claimer_step
        if isinstance(reply, statuses.NotReady):
            return None
        raise _refusal(reply, self.side)

    def cancel(self, attempt: GreetingAttemptID, reason: Reason) -> Flow[None]:
        """Cancel as the greeter."""
        request = wire.InviteGreeterCancelGreetingAttempt(greeting_attempt=attempt, reason=reason)
        try:
            yield from call(self.device, request)
        except FlowError:
            return


@dataclass(frozen=True)
class Joined:
    """Both sides are there and have exchanged keys and nonces, but compared nothing yet.

    Whatever comes next is to be `guarded`, or the peer is left waiting when it is broken off.
    """

    line: Line
    attempt: GreetingAttemptID
    key: SecretKey
    codes: SASCodes = field(repr=False)
    means: Means

    def guarded(self, conversation: Flow[T]) -> Flow[T]:
        """Carry on what follows; should it fail or be broken off, the attempt is cancelled."""
        return (yield from _cancelling(self.line, self.attempt, conversation))

    def leave(self) -> Flow[None]:
        """Cancel the attempt, as nothing will follow."""
        yield from self.line.cancel(self.attempt, Reason.MANUALLY_CANCELLED)


@dataclass(frozen=True)
class Channel:
    """Both sides have compared their codes; what is encrypted with the key stays between them."""

    line: Line
    attempt: GreetingAttemptID
    key: SecretKey
    means: Means

    def exchange(self, step: Any, expected: type[T]) -> Flow[T]:
        """Send a step and wait for the peer's."""
        return (yield from _exchange(self.line, self.attempt, step, expected, self.means))

    def send_first(self, payload: GreetingPayload, kind: type[P]) -> Flow[P]:
        """As the claimer: send a payload and receive the greeter's (steps 6 and 7)."""
        ciphertext = payload.encrypt(self.key, self.means.entropy)
        yield from self.exchange(
            wire.ClaimerStep6SendPayload(claimer_payload=ciphertext), wire.GreeterStep6GetPayload
        )
        peer = yield from self.exchange(wire.ClaimerStep7GetPayload(), wire.GreeterStep7SendPayload)
        return self._decrypted(peer.greeter_payload, kind)

    def acknowledge(self) -> Flow[None]:
        """As the claimer: say that all is done, once and without waiting for an answer (step 8)."""
        try:
            yield from self.line.look(self.attempt, wire.ClaimerStep8Acknowledge())
        except FlowError:
            return  # what the greeter sent is safe already

    def receive_first(self, kind: type[P]) -> Flow[P]:
        """As the greeter: receive the claimer's payload (step 6)."""
        peer = yield from self.exchange(wire.GreeterStep6GetPayload(), wire.ClaimerStep6SendPayload)
        return self._decrypted(peer.claimer_payload, kind)

    def answer(self, payload: GreetingPayload) -> Flow[None]:
        """As the greeter: send a payload and wait until the claimer is done (steps 7 and 8)."""
        ciphertext = payload.encrypt(self.key, self.means.entropy)
        yield from self.exchange(
            wire.GreeterStep7SendPayload(greeter_payload=ciphertext), wire.ClaimerStep7GetPayload
        )
        yield from self.exchange(
            wire.GreeterStep8WaitPeerAcknowledgment(), wire.ClaimerStep8Acknowledge
        )

    def _decrypted(self, ciphertext: bytes, kind: type[P]) -> P:
        return decrypted_payload(ciphertext, self.key, kind)


def decrypted_payload(ciphertext: bytes, key: SecretKey, kind: type[P]) -> P:
    """A peer's payload, or a GreetingFault that says what was wrong with it."""
    try:
        return kind.decrypt(ciphertext, key)
    except CryptoError:
        raise GreetingFault(
            Reason.UNDECIPHERABLE_PAYLOAD, "What the peer sent cannot be decrypted"
        ) from None
    except MalformedError:
        raise GreetingFault(
            Reason.UNDESERIALIZABLE_PAYLOAD, "What the peer sent cannot be understood"
        ) from None


# --- Steps 0 to 3 ---


def join_as_claimer(line: Line, means: Means) -> Flow[Joined]:
    """Wait for the greeter and exchange keys and nonces."""
    return (yield from _rejoining(line, means, _claimer_keys))


def join_as_greeter(line: Line, means: Means) -> Flow[Joined]:
    """Wait for the claimer and exchange keys and nonces."""
    return (yield from _rejoining(line, means, _greeter_keys))


def _rejoining(
    line: Line, means: Means, keys: Callable[[Line, GreetingAttemptID, Means], Flow[Joined]]
) -> Flow[Joined]:
    deadline = means.now().plus(seconds=means.timeout_seconds)
    for _ in range(_REJOIN_LIMIT):
        attempt = yield from _started(line, means)
        try:
            return (yield from _cancelling(line, attempt, keys(line, attempt, means)))
        except AttemptCancelled as cancelled:
            if cancelled.ours or cancelled.reason is not Reason.AUTOMATICALLY_CANCELLED:
                raise
            if means.now() >= deadline:
                break
    raise PeerTimeout(
        "The peer keeps starting again",
        hint="agree on one run on each side, then start again",
    )


def _started(line: Line, means: Means) -> Flow[GreetingAttemptID]:
    # Should a start that seemed lost have arrived, the next one takes its place.
    began = means.now()
    while True:
        try:
            return (yield from line.start())
        except Offline:
            if means.now().seconds_since(began) > _OFFLINE_PATIENCE_SECONDS:
                raise
            yield from wait(means.polling_ms / 1000)


def _claimer_keys(line: Line, attempt: GreetingAttemptID, means: Means) -> Flow[Joined]:
    private = PrivateKey.generate(means.entropy)
    hello = wire.ClaimerStep0WaitPeer(public_key=private.public_key)
    peer = yield from _exchange(line, attempt, hello, wire.GreeterStep0WaitPeer, means)
    key = _shared(shared_key_as_claimer, private, peer.public_key)

    nonce = means.entropy(NONCE_SIZE)
    promise = wire.ClaimerStep1SendHashedNonce(hashed_nonce=HashDigest.of(nonce))
    yield from _exchange(line, attempt, promise, wire.GreeterStep1GetHashedNonce, means)
    theirs = yield from _exchange(
        line, attempt, wire.ClaimerStep2GetNonce(), wire.GreeterStep2SendNonce, means
    )
    codes = _codes(key, claimer_nonce=nonce, greeter_nonce=theirs.greeter_nonce)
    reveal = wire.ClaimerStep3SendNonce(claimer_nonce=nonce)
    yield from _exchange(line, attempt, reveal, wire.GreeterStep3GetNonce, means)
    return Joined(line, attempt, key, codes, means)


def _greeter_keys(line: Line, attempt: GreetingAttemptID, means: Means) -> Flow[Joined]:
    private = PrivateKey.generate(means.entropy)
    hello = wire.GreeterStep0WaitPeer(public_key=private.public_key)
    peer = yield from _exchange(line, attempt, hello, wire.ClaimerStep0WaitPeer, means)
    key = _shared(shared_key_as_greeter, private, peer.public_key)

    promise = yield from _exchange(
        line, attempt, wire.GreeterStep1GetHashedNonce(), wire.ClaimerStep1SendHashedNonce, means
    )
    nonce = means.entropy(NONCE_SIZE)
    ours = wire.GreeterStep2SendNonce(greeter_nonce=nonce)
    yield from _exchange(line, attempt, ours, wire.ClaimerStep2GetNonce, means)
    theirs = yield from _exchange(
        line, attempt, wire.GreeterStep3GetNonce(), wire.ClaimerStep3SendNonce, means
    )
    check_nonce(theirs.claimer_nonce, promise.hashed_nonce)
    codes = _codes(key, claimer_nonce=theirs.claimer_nonce, greeter_nonce=nonce)
    return Joined(line, attempt, key, codes, means)


def check_nonce(nonce: bytes, promised: HashDigest) -> None:
    """Check that the claimer reveals the nonce it promised. Raises GreetingFault."""
    if HashDigest.of(nonce) != promised:
        raise GreetingFault(
            Reason.INVALID_NONCE_HASH,
            "The claimer changed its mind about a number it had promised",
            hint="somebody may be listening in between: start again",
        )


# --- Steps 4 and 5 ---


def trust_as_claimer(joined: Joined) -> Flow[Channel]:
    """Compare both codes, as the claimer: choose the greeter's, then show one's own.

    To be `Joined.guarded`, together with what follows.
    """
    line, attempt, means = joined.line, joined.attempt, joined.means
    yield from _choose(Peer.GREETER, joined.codes.greeter, means)
    yield from _exchange(
        line, attempt, wire.ClaimerStep4SignifyTrust(), wire.GreeterStep4WaitPeerTrust, means
    )
    # Not before: who knows both codes before choosing could play both sides.
    yield from tell(OwnCode(Peer.GREETER, joined.codes.claimer))
    yield from tell(Began(Activity.WAIT_GREETER))
    yield from _exchange(
        line, attempt, wire.ClaimerStep5WaitPeerTrust(), wire.GreeterStep5SignifyTrust, means
    )
    yield from tell(Ended(Activity.WAIT_GREETER))
    return Channel(line, attempt, joined.key, means)


def trust_as_greeter(joined: Joined) -> Flow[Channel]:
    """Compare both codes, as the greeter: show one's own, then choose the claimer's.

    To be `Joined.guarded`, together with what follows.
    """
    line, attempt, means = joined.line, joined.attempt, joined.means
    yield from tell(OwnCode(Peer.CLAIMER, joined.codes.greeter))
    yield from tell(Began(Activity.WAIT_CLAIMER))
    yield from _exchange(
        line, attempt, wire.GreeterStep4WaitPeerTrust(), wire.ClaimerStep4SignifyTrust, means
    )
    yield from tell(Ended(Activity.WAIT_CLAIMER))
    yield from _choose(Peer.CLAIMER, joined.codes.claimer, means)
    yield from _exchange(
        line, attempt, wire.GreeterStep5SignifyTrust(), wire.ClaimerStep5WaitPeerTrust, means
    )
    return Channel(line, attempt, joined.key, means)


def _choose(peer: Peer, real: SASCode, means: Means) -> Flow[None]:
    choices = sas_choices(real, CODE_CHOICES, means.entropy)
    chosen = yield from ask(ChooseSASCode(peer, tuple(choices)))
    if chosen != real:
        raise WrongCode


# --- What both sides share ---


def _exchange(
    line: Line, attempt: GreetingAttemptID, step: Any, expected: type[T], means: Means
) -> Flow[T]:
    """Send a step until the peer's is there. Raises PeerTimeout."""
    deadline = means.now().plus(seconds=means.timeout_seconds)
    last_answer = means.now()
    started = last_answer
    for gap in poll_gaps_ms(means.polling_ms):
        passed = means.now().seconds_since(started)
        if gap / 1000 > passed:
            yield from wait(gap / 1000 - passed)
        started = means.now()
        try:
            found = yield from line.look(attempt, step)
        except Offline:
            # Sending the same step again is harmless, so a short outage need not end the dance.
            if started.seconds_since(last_answer) > _OFFLINE_PATIENCE_SECONDS:
                raise
            continue
        last_answer = started
        if found is not None:
            return _expect(found, expected)
        if started >= deadline:
            break
    raise PeerTimeout(
        "The peer did not answer in time",
        hint="agree on a moment with the peer, then start again (--timeout sets how long to wait)",
    )


def _expect(found: object, expected: type[T]) -> T:
    if not isinstance(found, expected):
        raise InvalidAnswer("The server answered with another step than the one asked for")
    return found


def _cancelling(line: Line, attempt: GreetingAttemptID, conversation: Flow[T]) -> Flow[T]:
    try:
        return (yield from conversation)
    except (AttemptCancelled, GreeterUnavailable, InvitationEnded):
        raise  # there is no attempt left to cancel
    except GreetingFault as fault:
        yield from _cancel(line, attempt, fault.reason)
        raise
    except (Exception, KeyboardInterrupt):
        # Whatever it is, a bug included: the peer must not be left waiting.
        yield from _cancel(line, attempt, Reason.MANUALLY_CANCELLED)
        raise


def _cancel(line: Line, attempt: GreetingAttemptID, reason: Reason) -> Flow[None]:
    try:
        yield from line.cancel(attempt, reason)
    except KeyboardInterrupt:
        # What was broken off is just what has to be said before we leave.
        yield from line.cancel(attempt, reason)
        raise


def _shared(compute: Callable[..., SecretKey], private: PrivateKey, peer: object) -> SecretKey:
    try:
        return compute(private, peer)
    except CryptoError:
        raise GreetingFault(
            Reason.INCONSISTENT_PAYLOAD,
            "The peer's public key would give away the conversation",
            hint="somebody may be listening in between: start again",
        ) from None


def _codes(key: SecretKey, *, claimer_nonce: bytes, greeter_nonce: bytes) -> SASCodes:
    try:
        return sas_codes(key, claimer_nonce=claimer_nonce, greeter_nonce=greeter_nonce)
    except CryptoError:
        raise GreetingFault(
            Reason.INCONSISTENT_PAYLOAD, "The peer sent a number of the wrong size"
        ) from None


def _refusal(reply: Reply, side: GreeterOrClaimer) -> FlowError:
    """What a reply other than ok means for the person."""
    match reply:
        case statuses.GreetingAttemptCancelled(origin=origin, reason=reason):
            return AttemptCancelled(origin, reason, ours=origin is side)
        case statuses.InvitationNotFound():
            return NotFound("Invitation not found")
        case statuses.InvitationCompleted():
            return InvitationUsed("Invitation already used")
        case statuses.InvitationCancelled():
            return InvitationEnded("Invitation cancelled")
        case statuses.GreeterNotFound():
            return GreeterUnavailable("The greeter is not a member of the organization")
        case statuses.GreeterRevoked():
            return GreeterUnavailable("The greeter was revoked")
        case statuses.GreeterNotAllowed():
            return GreeterUnavailable("The greeter is not allowed to greet for this invitation")
        case statuses.AuthorNotAllowed():
            return Refused("You are not allowed to greet for this invitation")
        case _:
            return InvalidAnswer(
                "The server lost track of the conversation",
                hint="start again on both sides",
            )


def _cancellation_text(origin: GreeterOrClaimer, reason: Reason, ours: bool) -> str:
    who = origin.value.lower()
    if ours and reason is Reason.AUTOMATICALLY_CANCELLED:
        return f"The {who} started again elsewhere"
    if ours:
        return f"The {who} cancelled elsewhere"
    return {
        Reason.INVALID_SAS_CODE: f"The {who} did not recognize your code",
        Reason.MANUALLY_CANCELLED: f"The {who} cancelled",
        Reason.AUTOMATICALLY_CANCELLED: f"The {who} started again",
    }.get(reason, f"The {who} cancelled ({reason.value.lower().replace('_', ' ')})")


def _cancellation_hint(reason: Reason) -> str:
    if reason in (Reason.MANUALLY_CANCELLED, Reason.AUTOMATICALLY_CANCELLED):
        return "start again on both sides"
    return "somebody may be listening in between: nothing was shared, start again on both sides"
