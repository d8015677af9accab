"""Greeting attempts: the steps of claimer and greeter."""

from typing import ClassVar, TypeAlias

import msgspec

from parsec.crypto.keys import HashDigest, PublicKey
from parsec.data.ids import AccessToken, GreetingAttemptID, UserID
from parsec.protocol.command import Family, Reply, Request
from parsec.protocol.statuses import (
    AuthorNotAllowed,
    CancelledGreetingAttemptReason,
    GreeterNotAllowed,
    GreeterNotFound,
    GreeterRevoked,
    GreetingAttemptAlreadyCancelled,
    GreetingAttemptCancelled,
    GreetingAttemptNotFound,
    GreetingAttemptNotJoined,
    InvitationCancelled,
    InvitationCompleted,
    InvitationNotFound,
    NotReady,
    Ok,
    StepMismatch,
    StepTooAdvanced,
)

InviteClaimerCancelGreetingAttemptReply: TypeAlias = (
    Ok
    | GreeterRevoked
    | GreeterNotAllowed
    | GreetingAttemptNotFound
    | GreetingAttemptNotJoined
    | GreetingAttemptAlreadyCancelled
)


class InviteClaimerCancelGreetingAttempt(
    Request[InviteClaimerCancelGreetingAttemptReply],
    frozen=True,
    kw_only=True,
    tag="invite_claimer_cancel_greeting_attempt",
):
    """Claimer aborts a greeting attempt."""

    FAMILY: ClassVar[Family] = Family.INVITED

    greeting_attempt: GreetingAttemptID
    reason: CancelledGreetingAttemptReason


class InviteClaimerStartGreetingAttemptOk(Reply, frozen=True, kw_only=True, tag="ok"):
    greeting_attempt: GreetingAttemptID


InviteClaimerStartGreetingAttemptReply: TypeAlias = (
    InviteClaimerStartGreetingAttemptOk | GreeterNotFound | GreeterRevoked | GreeterNotAllowed
)


class InviteClaimerStartGreetingAttempt(
    Request[InviteClaimerStartGreetingAttemptReply],
    frozen=True,
    kw_only=True,
    tag="invite_claimer_start_greeting_attempt",
):
    """Claimer chooses a greeter and joins an attempt with it."""

    FAMILY: ClassVar[Family] = Family.INVITED

    greeter: UserID


class GreeterStep0WaitPeer(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="step", tag="NUMBER_0_WAIT_PEER"
):
    public_key: PublicKey


class GreeterStep1GetHashedNonce(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="step", tag="NUMBER_1_GET_HASHED_NONCE"
):
    pass


class GreeterStep2SendNonce(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="step", tag="NUMBER_2_SEND_NONCE"
):
    greeter_nonce: bytes


class GreeterStep3GetNonce(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="step", tag="NUMBER_3_GET_NONCE"
):
    pass


class GreeterStep4WaitPeerTrust(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="step", tag="NUMBER_4_WAIT_PEER_TRUST"
):
    pass


class GreeterStep5SignifyTrust(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="step", tag="5"
):
    pass


class GreeterStep6GetPayload(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="step", tag="NUMBER_6_GET_PAYLOAD"
):
    pass


class GreeterStep7SendPayload(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="step", tag="NUMBER_7_SEND_PAYLOAD"
):
    greeter_payload: bytes


class GreeterStep8WaitPeerAcknowledgment(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="step",
    tag="NUMBER_8_WAIT_PEER_ACKNOWLEDGMENT",
):
    pass


GreeterStep: TypeAlias = (
    GreeterStep0WaitPeer
    | GreeterStep1GetHashedNonce
    | GreeterStep2SendNonce
    | GreeterStep3GetNonce
    | GreeterStep4WaitPeerTrust
    | GreeterStep5SignifyTrust
    | GreeterStep6GetPayload
    | GreeterStep7SendPayload
    | GreeterStep8WaitPeerAcknowledgment
)


class ClaimerStep0WaitPeer(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="step", tag="NUMBER_0_WAIT_PEER"
):
    public_key: PublicKey


class ClaimerStep1SendHashedNonce(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="step", tag="NUMBER_1_SEND_HASHED_NONCE"
):
    hashed_nonce: HashDigest


class ClaimerStep2GetNonce(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="step", tag="NUMBER_2_GET_NONCE"
):
    pass


class ClaimerStep3SendNonce(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="step", tag="NUMBER_3_SEND_NONCE"
):
    claimer_nonce: bytes


class ClaimerStep4SignifyTrust(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="step", tag="NUMBER_4_SIGNIFY_TRUST"
):
    pass


class ClaimerStep5WaitPeerTrust(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="step", tag="NUMBER_5_WAIT_PEER_TRUST"
):
    pass


class ClaimerStep6SendPayload(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="step", tag="NUMBER_6_SEND_PAYLOAD"
):
    claimer_payload: bytes


class ClaimerStep7GetPayload(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="step", tag="NUMBER_7_GET_PAYLOAD"
):
    pass


class ClaimerStep8Acknowledge(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="step", tag="NUMBER_8_ACKNOWLEDGE"
):
    pass


ClaimerStep: TypeAlias = (
    ClaimerStep0WaitPeer
    | ClaimerStep1SendHashedNonce
    | ClaimerStep2GetNonce
    | ClaimerStep3SendNonce
    | ClaimerStep4SignifyTrust
    | ClaimerStep5WaitPeerTrust
    | ClaimerStep6SendPayload
    | ClaimerStep7GetPayload
    | ClaimerStep8Acknowledge
)


class InviteClaimerStepOk(Reply, frozen=True, kw_only=True, tag="ok"):
    greeter_step: GreeterStep


InviteClaimerStepReply: TypeAlias = (
    InviteClaimerStepOk
    | NotReady
    | GreeterRevoked
    | GreeterNotAllowed
    | GreetingAttemptNotFound
    | GreetingAttemptNotJoined
    | GreetingAttemptCancelled
    | StepTooAdvanced
    | StepMismatch
)


class InviteClaimerStep(
    Request[InviteClaimerStepReply], frozen=True, kw_only=True, tag="invite_claimer_step"
):
    """Claimer submits its part of one step and gets the greeter's part of the same step."""

    FAMILY: ClassVar[Family] = Family.INVITED

    greeting_attempt: GreetingAttemptID
    claimer_step: ClaimerStep


InviteGreeterCancelGreetingAttemptReply: TypeAlias = (
    Ok
    | InvitationCompleted
    | InvitationCancelled
    | AuthorNotAllowed
    | GreetingAttemptNotFound
    | GreetingAttemptNotJoined
    | GreetingAttemptAlreadyCancelled
)


class InviteGreeterCancelGreetingAttempt(
    Request[InviteGreeterCancelGreetingAttemptReply],
    frozen=True,
    kw_only=True,
    tag="invite_greeter_cancel_greeting_attempt",
):
    """Greeter aborts a greeting attempt."""

    FAMILY: ClassVar[Family] = Family.AUTHENTICATED

    greeting_attempt: GreetingAttemptID
    reason: CancelledGreetingAttemptReason


class InviteGreeterStartGreetingAttemptOk(Reply, frozen=True, kw_only=True, tag="ok"):
    greeting_attempt: GreetingAttemptID


InviteGreeterStartGreetingAttemptReply: TypeAlias = (
    InviteGreeterStartGreetingAttemptOk
    | InvitationNotFound
    | InvitationCompleted
    | InvitationCancelled
    | AuthorNotAllowed
)


class InviteGreeterStartGreetingAttempt(
    Request[InviteGreeterStartGreetingAttemptReply],
    frozen=True,
    kw_only=True,
    tag="invite_greeter_start_greeting_attempt",
):
    """Greeter joins an attempt for an invitation."""

    FAMILY: ClassVar[Family] = Family.AUTHENTICATED

    token: AccessToken


class InviteGreeterStepOk(Reply, frozen=True, kw_only=True, tag="ok"):
    claimer_step: ClaimerStep


InviteGreeterStepReply: TypeAlias = (
    InviteGreeterStepOk
    | NotReady
    | InvitationCompleted
    | InvitationCancelled
    | AuthorNotAllowed
    | GreetingAttemptNotFound
    | GreetingAttemptNotJoined
    | GreetingAttemptCancelled
    | StepTooAdvanced
    | StepMismatch
)


class InviteGreeterStep(
    Request[InviteGreeterStepReply], frozen=True, kw_only=True, tag="invite_greeter_step"
):
    """Greeter submits its part of one step and gets the claimer's part of the same step."""

    FAMILY: ClassVar[Family] = Family.AUTHENTICATED

    greeting_attempt: GreetingAttemptID
    greeter_step: GreeterStep
