"""What the steps of the two sides carry: at most one value each, which the server keeps."""

from collections.abc import Callable
from typing import assert_never

import msgspec

from parsec.crypto.keys import HashDigest, PublicKey
from parsec.protocol import greeting
from parsec.protocol.greeting import ClaimerStep, GreeterStep


class Submission(msgspec.Struct, frozen=True):
    """What a side says in a step; empty where the step carries nothing."""

    number: int
    data: bytes


def submission_of(step: GreeterStep | ClaimerStep) -> Submission:
    """The number and the content of a step of either side."""
    match step:
        case greeting.GreeterStep0WaitPeer() | greeting.ClaimerStep0WaitPeer():
            return Submission(0, bytes(step.public_key))
        case greeting.GreeterStep1GetHashedNonce():
            return Submission(1, b"")
        case greeting.ClaimerStep1SendHashedNonce():
            return Submission(1, bytes(step.hashed_nonce))
        case greeting.GreeterStep2SendNonce():
            return Submission(2, step.greeter_nonce)
        case greeting.ClaimerStep2GetNonce():
            return Submission(2, b"")
        case greeting.GreeterStep3GetNonce():
            return Submission(3, b"")
        case greeting.ClaimerStep3SendNonce():
            return Submission(3, step.claimer_nonce)
        case greeting.GreeterStep4WaitPeerTrust() | greeting.ClaimerStep4SignifyTrust():
            return Submission(4, b"")
        case greeting.GreeterStep5SignifyTrust() | greeting.ClaimerStep5WaitPeerTrust():
            return Submission(5, b"")
        case greeting.GreeterStep6GetPayload():
            return Submission(6, b"")
        case greeting.ClaimerStep6SendPayload():
            return Submission(6, step.claimer_payload)
        case greeting.GreeterStep7SendPayload():
            return Submission(7, step.greeter_payload)
        case greeting.ClaimerStep7GetPayload():
            return Submission(7, b"")
        case greeting.GreeterStep8WaitPeerAcknowledgment() | greeting.ClaimerStep8Acknowledge():
            return Submission(8, b"")
        case _:
            assert_never(step)


def greeter_step(submission: Submission) -> GreeterStep:
    """The greeter's step, as the claimer is told it."""
    return _GREETER_STEPS[submission.number](submission.data)


def claimer_step(submission: Submission) -> ClaimerStep:
    """The claimer's step, as the greeter is told it."""
    return _CLAIMER_STEPS[submission.number](submission.data)


_GREETER_STEPS: tuple[Callable[[bytes], GreeterStep], ...] = (
    lambda data: greeting.GreeterStep0WaitPeer(public_key=PublicKey(data)),
    lambda _: greeting.GreeterStep1GetHashedNonce(),
    lambda data: greeting.GreeterStep2SendNonce(greeter_nonce=data),
    lambda _: greeting.GreeterStep3GetNonce(),
    lambda _: greeting.GreeterStep4WaitPeerTrust(),
    lambda _: greeting.GreeterStep5SignifyTrust(),
    lambda _: greeting.GreeterStep6GetPayload(),
    lambda data: greeting.GreeterStep7SendPayload(greeter_payload=data),
    lambda _: greeting.GreeterStep8WaitPeerAcknowledgment(),
)

_CLAIMER_STEPS: tuple[Callable[[bytes], ClaimerStep], ...] = (
    lambda data: greeting.ClaimerStep0WaitPeer(public_key=PublicKey(data)),
    lambda data: greeting.ClaimerStep1SendHashedNonce(hashed_nonce=HashDigest(data)),
    lambda _: greeting.ClaimerStep2GetNonce(),
    lambda data: greeting.ClaimerStep3SendNonce(claimer_nonce=data),
    lambda _: greeting.ClaimerStep4SignifyTrust(),
    lambda _: greeting.ClaimerStep5WaitPeerTrust(),
    lambda data: greeting.ClaimerStep6SendPayload(claimer_payload=data),
    lambda _: greeting.ClaimerStep7GetPayload(),
    lambda _: greeting.ClaimerStep8Acknowledge(),
)
