"""Replies that mean the same in several commands, or carry nothing but their status."""

import enum

from parsec.data.ids import SequesterServiceID
from parsec.data.instant import Instant
from parsec.protocol.command import Reply


class CancelledGreetingAttemptReason(enum.StrEnum):
    MANUALLY_CANCELLED = "MANUALLY_CANCELLED"
    INVALID_NONCE_HASH = "INVALID_NONCE_HASH"
    INVALID_SAS_CODE = "INVALID_SAS_CODE"
    UNDECIPHERABLE_PAYLOAD = "UNDECIPHERABLE_PAYLOAD"
    UNDESERIALIZABLE_PAYLOAD = "UNDESERIALIZABLE_PAYLOAD"
    INCONSISTENT_PAYLOAD = "INCONSISTENT_PAYLOAD"
    AUTOMATICALLY_CANCELLED = "AUTOMATICALLY_CANCELLED"


class AccessNotAvailableForAuthor(
    Reply, frozen=True, kw_only=True, tag="access_not_available_for_author"
):
    pass


class ActiveOwnerAlreadyExists(Reply, frozen=True, kw_only=True, tag="active_owner_already_exists"):
    last_realm_certificate_timestamp: Instant


class ActiveUsersLimitReached(Reply, frozen=True, kw_only=True, tag="active_users_limit_reached"):
    pass


class AlreadySetup(Reply, frozen=True, kw_only=True, tag="already_setup"):
    pass


class ArchivingPeriodTooShort(Reply, frozen=True, kw_only=True, tag="archiving_period_too_short"):
    pass


class AuthMethodAlreadyDisabled(
    Reply, frozen=True, kw_only=True, tag="auth_method_already_disabled"
):
    pass


class AuthMethodIdAlreadyExists(
    Reply, frozen=True, kw_only=True, tag="auth_method_id_already_exists"
):
    pass


class AuthMethodNotFound(Reply, frozen=True, kw_only=True, tag="auth_method_not_found"):
    pass


class AuthorIsOutsider(Reply, frozen=True, kw_only=True, tag="author_is_outsider"):
    pass


class AuthorNotAllowed(Reply, frozen=True, kw_only=True, tag="author_not_allowed"):
    pass


class BadInvitationType(Reply, frozen=True, kw_only=True, tag="bad_invitation_type"):
    pass


class BadKeyIndex(Reply, frozen=True, kw_only=True, tag="bad_key_index"):
    last_realm_certificate_timestamp: Instant


class BadKeyIndexUnstamped(Reply, frozen=True, kw_only=True, tag="bad_key_index"):
    pass


class BadRevealToken(Reply, frozen=True, kw_only=True, tag="bad_reveal_token"):
    pass


class BadToken(Reply, frozen=True, kw_only=True, tag="bad_token"):
    pass


class BadVlobVersion(Reply, frozen=True, kw_only=True, tag="bad_vlob_version"):
    pass


class BlockAlreadyExists(Reply, frozen=True, kw_only=True, tag="block_already_exists"):
    pass


class BlockNotFound(Reply, frozen=True, kw_only=True, tag="block_not_found"):
    pass


class ClaimerEmailAlreadyEnrolled(
    Reply, frozen=True, kw_only=True, tag="claimer_email_already_enrolled"
):
    pass


class CryptpadUnavailable(Reply, frozen=True, kw_only=True, tag="cryptpad_unavailable"):
    pass


class DeviceAlreadyExists(Reply, frozen=True, kw_only=True, tag="device_already_exists"):
    pass


class EmailAlreadyEnrolled(Reply, frozen=True, kw_only=True, tag="email_already_enrolled"):
    pass


class EmailAlreadySubmitted(Reply, frozen=True, kw_only=True, tag="email_already_submitted"):
    submitted_on: Instant


class EmailRecipientRefused(Reply, frozen=True, kw_only=True, tag="email_recipient_refused"):
    pass


class EmailSendingRateLimited(Reply, frozen=True, kw_only=True, tag="email_sending_rate_limited"):
    wait_until: Instant


class EmailServerUnavailable(Reply, frozen=True, kw_only=True, tag="email_server_unavailable"):
    pass


class EnrollmentNoLongerAvailable(
    Reply, frozen=True, kw_only=True, tag="enrollment_no_longer_available"
):
    pass


class EnrollmentNotFound(Reply, frozen=True, kw_only=True, tag="enrollment_not_found"):
    pass


class FingerprintAlreadyExists(Reply, frozen=True, kw_only=True, tag="fingerprint_already_exists"):
    pass


class GreeterNotAllowed(Reply, frozen=True, kw_only=True, tag="greeter_not_allowed"):
    pass


class GreeterNotFound(Reply, frozen=True, kw_only=True, tag="greeter_not_found"):
    pass


class GreeterRevoked(Reply, frozen=True, kw_only=True, tag="greeter_revoked"):
    pass


class GreeterOrClaimer(enum.StrEnum):
    GREETER = "GREETER"
    CLAIMER = "CLAIMER"


class GreetingAttemptAlreadyCancelled(
    Reply, frozen=True, kw_only=True, tag="greeting_attempt_already_cancelled"
):
    origin: GreeterOrClaimer
    reason: CancelledGreetingAttemptReason
    timestamp: Instant


class GreetingAttemptCancelled(Reply, frozen=True, kw_only=True, tag="greeting_attempt_cancelled"):
    origin: GreeterOrClaimer
    reason: CancelledGreetingAttemptReason
    timestamp: Instant


class GreetingAttemptNotFound(Reply, frozen=True, kw_only=True, tag="greeting_attempt_not_found"):
    pass


class GreetingAttemptNotJoined(Reply, frozen=True, kw_only=True, tag="greeting_attempt_not_joined"):
    pass


class HumanHandleAlreadyTaken(Reply, frozen=True, kw_only=True, tag="human_handle_already_taken"):
    pass


class IdAlreadyUsed(Reply, frozen=True, kw_only=True, tag="id_already_used"):
    pass


class InitialNameAlreadyExists(Reply, frozen=True, kw_only=True, tag="initial_name_already_exists"):
    last_realm_certificate_timestamp: Instant


class InvalidAcceptPayload(Reply, frozen=True, kw_only=True, tag="invalid_accept_payload"):
    pass


class InvalidAcceptPayloadSignature(
    Reply, frozen=True, kw_only=True, tag="invalid_accept_payload_signature"
):
    pass


class InvalidBootstrapToken(Reply, frozen=True, kw_only=True, tag="invalid_bootstrap_token"):
    pass


class InvalidCertificate(Reply, frozen=True, kw_only=True, tag="invalid_certificate"):
    pass


class InvalidCertificateAuthorIncludedAsRecipient(
    Reply, frozen=True, kw_only=True, tag="invalid_certificate_author_included_as_recipient"
):
    pass


class InvalidCertificateBriefCorrupted(
    Reply, frozen=True, kw_only=True, tag="invalid_certificate_brief_corrupted"
):
    pass


class InvalidCertificateCorrupted(
    Reply, frozen=True, kw_only=True, tag="invalid_certificate_corrupted"
):
    pass


class InvalidCertificateDuplicateShareForRecipient(
    Reply, frozen=True, kw_only=True, tag="invalid_certificate_duplicate_share_for_recipient"
):
    pass


class InvalidCertificateMissingShareForRecipient(
    Reply, frozen=True, kw_only=True, tag="invalid_certificate_missing_share_for_recipient"
):
    pass


class InvalidCertificateShareCorrupted(
    Reply, frozen=True, kw_only=True, tag="invalid_certificate_share_corrupted"
):
    pass


class InvalidCertificateShareInconsistentTimestamp(
    Reply, frozen=True, kw_only=True, tag="invalid_certificate_share_inconsistent_timestamp"
):
    pass


class InvalidCertificateShareRecipientNotInBrief(
    Reply, frozen=True, kw_only=True, tag="invalid_certificate_share_recipient_not_in_brief"
):
    pass


class InvalidCertificateUserIdMustBeSelf(
    Reply, frozen=True, kw_only=True, tag="invalid_certificate_user_id_must_be_self"
):
    pass


class InvalidDerX509Certificate(
    Reply, frozen=True, kw_only=True, tag="invalid_der_x509_certificate"
):
    pass


class InvalidOneTimePassword(Reply, frozen=True, kw_only=True, tag="invalid_one_time_password"):
    pass


class InvalidScwsServiceChallengeSignature(
    Reply, frozen=True, kw_only=True, tag="invalid_scws_service_challenge_signature"
):
    pass


class InvalidSubmitPayload(Reply, frozen=True, kw_only=True, tag="invalid_submit_payload"):
    pass


class InvalidSubmitPayloadSignature(
    Reply, frozen=True, kw_only=True, tag="invalid_submit_payload_signature"
):
    pass


class InvalidValidationCode(Reply, frozen=True, kw_only=True, tag="invalid_validation_code"):
    pass


class InvalidWebApplicationChallengePayload(
    Reply, frozen=True, kw_only=True, tag="invalid_web_application_challenge_payload"
):
    pass


class InvalidX509Trustchain(Reply, frozen=True, kw_only=True, tag="invalid_x509_trustchain"):
    pass


class InvitationAlreadyCancelled(
    Reply, frozen=True, kw_only=True, tag="invitation_already_cancelled"
):
    pass


class InvitationAlreadyCompleted(
    Reply, frozen=True, kw_only=True, tag="invitation_already_completed"
):
    pass


class InvitationCancelled(Reply, frozen=True, kw_only=True, tag="invitation_cancelled"):
    pass


class InvitationCompleted(Reply, frozen=True, kw_only=True, tag="invitation_completed"):
    pass


class InvitationNotFound(Reply, frozen=True, kw_only=True, tag="invitation_not_found"):
    pass


class ItemsMismatch(Reply, frozen=True, kw_only=True, tag="items_mismatch"):
    pass


class NewAuthMethodIdAlreadyExists(
    Reply, frozen=True, kw_only=True, tag="new_auth_method_id_already_exists"
):
    pass


class NoTos(Reply, frozen=True, kw_only=True, tag="no_tos"):
    pass


class NotAvailable(Reply, frozen=True, kw_only=True, tag="not_available"):
    pass


class NotReady(Reply, frozen=True, kw_only=True, tag="not_ready"):
    pass


class Ok(Reply, frozen=True, kw_only=True, tag="ok"):
    pass


class OrganizationAlreadyBootstrapped(
    Reply, frozen=True, kw_only=True, tag="organization_already_bootstrapped"
):
    pass


class OrganizationNotSequestered(
    Reply, frozen=True, kw_only=True, tag="organization_not_sequestered"
):
    pass


class ParticipantMismatch(Reply, frozen=True, kw_only=True, tag="participant_mismatch"):
    last_realm_certificate_timestamp: Instant


class RealmAlreadyExists(Reply, frozen=True, kw_only=True, tag="realm_already_exists"):
    last_realm_certificate_timestamp: Instant


class RealmArchived(Reply, frozen=True, kw_only=True, tag="realm_archived"):
    pass


class RealmDeleted(Reply, frozen=True, kw_only=True, tag="realm_deleted"):
    pass


class RealmNotFound(Reply, frozen=True, kw_only=True, tag="realm_not_found"):
    pass


class RecipientAlreadyUnshared(Reply, frozen=True, kw_only=True, tag="recipient_already_unshared"):
    last_realm_certificate_timestamp: Instant


class RecipientNotFound(Reply, frozen=True, kw_only=True, tag="recipient_not_found"):
    pass


class RecipientRevoked(Reply, frozen=True, kw_only=True, tag="recipient_revoked"):
    pass


class RecipientsMismatch(Reply, frozen=True, kw_only=True, tag="recipients_mismatch"):
    pass


class RejectedBySequesterService(
    Reply, frozen=True, kw_only=True, tag="rejected_by_sequester_service"
):
    reason: str | None
    service_id: SequesterServiceID


class RequireGreaterTimestamp(Reply, frozen=True, kw_only=True, tag="require_greater_timestamp"):
    strictly_greater_than: Instant


class RevokedRecipient(Reply, frozen=True, kw_only=True, tag="revoked_recipient"):
    last_common_certificate_timestamp: Instant


class RoleAlreadyGranted(Reply, frozen=True, kw_only=True, tag="role_already_granted"):
    last_realm_certificate_timestamp: Instant


class RoleIncompatibleWithOutsider(
    Reply, frozen=True, kw_only=True, tag="role_incompatible_with_outsider"
):
    pass


class SelfDisableNotAllowed(Reply, frozen=True, kw_only=True, tag="self_disable_not_allowed"):
    pass


class SendValidationEmailRequired(
    Reply, frozen=True, kw_only=True, tag="send_validation_email_required"
):
    pass


class SequesterServiceMismatch(Reply, frozen=True, kw_only=True, tag="sequester_service_mismatch"):
    last_sequester_certificate_timestamp: Instant


class SequesterServiceUnavailable(
    Reply, frozen=True, kw_only=True, tag="sequester_service_unavailable"
):
    service_id: SequesterServiceID


class ShamirRecoveryAlreadyDeleted(
    Reply, frozen=True, kw_only=True, tag="shamir_recovery_already_deleted"
):
    last_shamir_certificate_timestamp: Instant


class ShamirRecoveryAlreadyExists(
    Reply, frozen=True, kw_only=True, tag="shamir_recovery_already_exists"
):
    last_shamir_certificate_timestamp: Instant


class ShamirRecoveryNotFound(Reply, frozen=True, kw_only=True, tag="shamir_recovery_not_found"):
    pass


class StepMismatch(Reply, frozen=True, kw_only=True, tag="step_mismatch"):
    pass


class StepTooAdvanced(Reply, frozen=True, kw_only=True, tag="step_too_advanced"):
    pass


class StoreUnavailable(Reply, frozen=True, kw_only=True, tag="store_unavailable"):
    pass


class SubmitAndAcceptIdentitySystemsMismatch(
    Reply, frozen=True, kw_only=True, tag="submit_and_accept_identity_systems_mismatch"
):
    pass


class Throttled(Reply, frozen=True, kw_only=True, tag="throttled"):
    wait_until: Instant


class TimestampOutOfBallpark(Reply, frozen=True, kw_only=True, tag="timestamp_out_of_ballpark"):
    ballpark_client_early_offset: float
    ballpark_client_late_offset: float
    client_timestamp: Instant
    server_timestamp: Instant


class TooManyElements(Reply, frozen=True, kw_only=True, tag="too_many_elements"):
    pass


class TosMismatch(Reply, frozen=True, kw_only=True, tag="tos_mismatch"):
    pass


class UnknownScwsServiceChallengeKeyId(
    Reply, frozen=True, kw_only=True, tag="unknown_scws_service_challenge_key_id"
):
    pass


class UserAlreadyExists(Reply, frozen=True, kw_only=True, tag="user_already_exists"):
    pass


class UserAlreadyRevoked(Reply, frozen=True, kw_only=True, tag="user_already_revoked"):
    last_common_certificate_timestamp: Instant


class UserNoChanges(Reply, frozen=True, kw_only=True, tag="user_no_changes"):
    pass


class UserNotFound(Reply, frozen=True, kw_only=True, tag="user_not_found"):
    pass


class UserRevoked(Reply, frozen=True, kw_only=True, tag="user_revoked"):
    pass


class VlobAlreadyExists(Reply, frozen=True, kw_only=True, tag="vlob_already_exists"):
    pass


class VlobNotFound(Reply, frozen=True, kw_only=True, tag="vlob_not_found"):
    pass
