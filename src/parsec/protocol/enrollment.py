"""Asynchronous enrollment."""

import enum
from typing import ClassVar, Literal, TypeAlias

import msgspec

from parsec.data.ids import AsyncEnrollmentID
from parsec.data.instant import Instant
from parsec.protocol.command import Family, MergedReply, Reply, Request
from parsec.protocol.statuses import (
    ActiveUsersLimitReached,
    AuthorNotAllowed,
    EmailAlreadyEnrolled,
    EmailAlreadySubmitted,
    EnrollmentNoLongerAvailable,
    EnrollmentNotFound,
    HumanHandleAlreadyTaken,
    IdAlreadyUsed,
    InvalidAcceptPayload,
    InvalidAcceptPayloadSignature,
    InvalidCertificate,
    InvalidDerX509Certificate,
    InvalidSubmitPayload,
    InvalidSubmitPayloadSignature,
    InvalidX509Trustchain,
    Ok,
    RequireGreaterTimestamp,
    SubmitAndAcceptIdentitySystemsMismatch,
    TimestampOutOfBallpark,
    UserAlreadyExists,
)

AsyncEnrollmentCancelReply: TypeAlias = Ok | EnrollmentNotFound | EnrollmentNoLongerAvailable


class AsyncEnrollmentCancel(
    Request[AsyncEnrollmentCancelReply], frozen=True, kw_only=True, tag="async_enrollment_cancel"
):
    """Submitter withdraws an enrollment request (knowing its ID is enough)."""

    FAMILY: ClassVar[Family] = Family.ANONYMOUS

    enrollment_id: AsyncEnrollmentID


class PkiSignatureAlgorithm(enum.StrEnum):
    RSASSA_PSS_SHA256 = "RSASSA-PSS-SHA256"


class AcceptPayloadSignaturePki(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="PKI"
):
    accepter_der_x509_certificate: bytes
    algorithm: PkiSignatureAlgorithm
    intermediate_der_x509_certificates: list[bytes]
    signature: bytes


class AcceptPayloadSignatureOpenBao(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="OPEN_BAO"
):
    accepter_openbao_entity_id: str
    signature: str


AcceptPayloadSignature: TypeAlias = AcceptPayloadSignaturePki | AcceptPayloadSignatureOpenBao


class AsyncEnrollmentInfoOkSubmitted(MergedReply, frozen=True, kw_only=True, tag="ok"):
    MERGED_BY: ClassVar[str] = "enrollment_status"

    enrollment_status: Literal["SUBMITTED"] = "SUBMITTED"
    submitted_on: Instant


class AsyncEnrollmentInfoOkRejected(MergedReply, frozen=True, kw_only=True, tag="ok"):
    MERGED_BY: ClassVar[str] = "enrollment_status"

    enrollment_status: Literal["REJECTED"] = "REJECTED"
    rejected_on: Instant
    submitted_on: Instant


class AsyncEnrollmentInfoOkCancelled(MergedReply, frozen=True, kw_only=True, tag="ok"):
    MERGED_BY: ClassVar[str] = "enrollment_status"

    enrollment_status: Literal["CANCELLED"] = "CANCELLED"
    cancelled_on: Instant
    submitted_on: Instant


class AsyncEnrollmentInfoOkAccepted(MergedReply, frozen=True, kw_only=True, tag="ok"):
    MERGED_BY: ClassVar[str] = "enrollment_status"

    enrollment_status: Literal["ACCEPTED"] = "ACCEPTED"
    accept_payload: bytes
    accept_payload_signature: AcceptPayloadSignature
    accepted_on: Instant
    submitted_on: Instant


AsyncEnrollmentInfoReply: TypeAlias = (
    AsyncEnrollmentInfoOkSubmitted
    | AsyncEnrollmentInfoOkRejected
    | AsyncEnrollmentInfoOkCancelled
    | AsyncEnrollmentInfoOkAccepted
    | EnrollmentNotFound
)


class AsyncEnrollmentInfo(
    Request[AsyncEnrollmentInfoReply], frozen=True, kw_only=True, tag="async_enrollment_info"
):
    """Submitter asks for the state of its enrollment."""

    FAMILY: ClassVar[Family] = Family.ANONYMOUS

    enrollment_id: AsyncEnrollmentID


class SubmitPayloadSignaturePki(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="PKI"
):
    algorithm: PkiSignatureAlgorithm
    intermediate_der_x509_certificates: list[bytes]
    signature: bytes
    submitter_der_x509_certificate: bytes


class SubmitPayloadSignatureOpenBao(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="OPEN_BAO"
):
    signature: str
    submitter_openbao_entity_id: str


SubmitPayloadSignature: TypeAlias = SubmitPayloadSignaturePki | SubmitPayloadSignatureOpenBao


class AsyncEnrollmentSubmitOk(Reply, frozen=True, kw_only=True, tag="ok"):
    submitted_on: Instant


AsyncEnrollmentSubmitReply: TypeAlias = (
    AsyncEnrollmentSubmitOk
    | EmailAlreadySubmitted
    | EmailAlreadyEnrolled
    | IdAlreadyUsed
    | InvalidSubmitPayload
    | InvalidSubmitPayloadSignature
    | InvalidDerX509Certificate
    | InvalidX509Trustchain
)


class AsyncEnrollmentSubmit(
    Request[AsyncEnrollmentSubmitReply], frozen=True, kw_only=True, tag="async_enrollment_submit"
):
    """Ask to be enrolled, the identity being proved by an external system."""

    FAMILY: ClassVar[Family] = Family.ANONYMOUS

    enrollment_id: AsyncEnrollmentID
    force: bool
    submit_payload: bytes
    submit_payload_signature: SubmitPayloadSignature


class EmailSentStatus(enum.StrEnum):
    SUCCESS = "SUCCESS"
    SERVER_UNAVAILABLE = "SERVER_UNAVAILABLE"
    RECIPIENT_REFUSED = "RECIPIENT_REFUSED"


class AsyncEnrollmentAcceptOk(Reply, frozen=True, kw_only=True, tag="ok"):
    email_sent: EmailSentStatus = EmailSentStatus.SUCCESS


AsyncEnrollmentAcceptReply: TypeAlias = (
    AsyncEnrollmentAcceptOk
    | AuthorNotAllowed
    | InvalidCertificate
    | InvalidAcceptPayload
    | InvalidAcceptPayloadSignature
    | SubmitAndAcceptIdentitySystemsMismatch
    | InvalidDerX509Certificate
    | InvalidX509Trustchain
    | EnrollmentNotFound
    | EnrollmentNoLongerAvailable
    | ActiveUsersLimitReached
    | UserAlreadyExists
    | HumanHandleAlreadyTaken
    | TimestampOutOfBallpark
    | RequireGreaterTimestamp
)


class AsyncEnrollmentAccept(
    Request[AsyncEnrollmentAcceptReply], frozen=True, kw_only=True, tag="async_enrollment_accept"
):
    """Administrator accepts an enrollment."""

    FAMILY: ClassVar[Family] = Family.AUTHENTICATED

    enrollment_id: AsyncEnrollmentID
    submitter_user_certificate: bytes
    submitter_device_certificate: bytes
    submitter_redacted_user_certificate: bytes
    submitter_redacted_device_certificate: bytes
    accept_payload: bytes
    accept_payload_signature: AcceptPayloadSignature
    send_email: bool = False


class Enrollment(msgspec.Struct, frozen=True, kw_only=True):
    enrollment_id: AsyncEnrollmentID
    submit_payload: bytes
    submit_payload_signature: SubmitPayloadSignature
    submitted_on: Instant


class AsyncEnrollmentListOk(Reply, frozen=True, kw_only=True, tag="ok"):
    enrollments: list[Enrollment]


AsyncEnrollmentListReply: TypeAlias = AsyncEnrollmentListOk | AuthorNotAllowed


class AsyncEnrollmentList(
    Request[AsyncEnrollmentListReply],
    frozen=True,
    kw_only=True,
    tag="async_enrollment_list",
    forbid_unknown_fields=True,
):
    """List pending enrollments, oldest first."""

    FAMILY: ClassVar[Family] = Family.AUTHENTICATED


AsyncEnrollmentRejectReply: TypeAlias = (
    Ok | AuthorNotAllowed | EnrollmentNotFound | EnrollmentNoLongerAvailable
)


class AsyncEnrollmentReject(
    Request[AsyncEnrollmentRejectReply], frozen=True, kw_only=True, tag="async_enrollment_reject"
):
    """Administrator refuses an enrollment."""

    FAMILY: ClassVar[Family] = Family.AUTHENTICATED

    enrollment_id: AsyncEnrollmentID
