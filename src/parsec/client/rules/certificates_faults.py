"""What can be wrong with a certificate: names for programs, explanations for people.

`client.md` 15.3 to 15.6 for the faults, 15.8 for what is only strange.
"""

import enum

import msgspec

from parsec.client.failure import InvalidAnswer
from parsec.data.ids import VlobID
from parsec.data.topics import TopicID


class Fault(enum.StrEnum):
    """Why a certificate is refused."""

    CORRUPTED = "Corrupted"
    NON_EXISTING_AUTHOR = "NonExistingAuthor"
    OLDER_THAN_AUTHOR = "OlderThanAuthor"
    REVOKED_AUTHOR = "RevokedAuthor"
    AUTHOR_NOT_ADMIN = "AuthorNotAdmin"
    INVALID_TIMESTAMP = "InvalidTimestamp"
    NON_EXISTING_RELATED_USER = "NonExistingRelatedUser"
    OLDER_THAN_RELATED_USER = "OlderThanRelatedUser"
    RELATED_USER_ALREADY_REVOKED = "RelatedUserAlreadyRevoked"
    CONTENT_ALREADY_EXISTS = "ContentAlreadyExists"
    SELF_SIGNED = "SelfSigned"
    ROOT_SIGNATURE_OUT_OF_BOOTSTRAP = "RootSignatureOutOfBootstrap"
    ROOT_SIGNATURE_TIMESTAMP_MISMATCH = "RootSignatureTimestampMismatch"
    USER_FIRST_DEVICE_AUTHOR_MISMATCH = "UserFirstDeviceAuthorMismatch"
    USER_FIRST_DEVICE_TIMESTAMP_MISMATCH = "UserFirstDeviceTimestampMismatch"
    REALM_FIRST_CERTIFICATE_MUST_BE_ROLE = "RealmFirstCertificateMustBeRole"
    REALM_FIRST_ROLE_MUST_BE_SELF_SIGNED = "RealmFirstRoleMustBeSelfSigned"
    REALM_FIRST_ROLE_MUST_BE_OWNER = "RealmFirstRoleMustBeOwner"
    REALM_SELF_PROMOTION_ROLE_MUST_BE_OWNER = "RealmSelfPromotionRoleMustBeOwner"
    REALM_SELF_PROMOTION_HIGHER_ACTIVE_ROLE = "RealmSelfPromotionHigherActiveRoleAlreadyExists"
    REALM_AUTHOR_HAS_NO_ROLE = "RealmAuthorHasNoRole"
    REALM_AUTHOR_NOT_OWNER = "RealmAuthorNotOwner"
    REALM_AUTHOR_NOT_OWNER_OR_MANAGER = "RealmAuthorNotOwnerOrManager"
    REALM_OUTSIDER_CANNOT_BE_OWNER_OR_MANAGER = "RealmOutsiderCannotBeOwnerOrManager"
    SHAMIR_NOT_ABOUT_SELF = "ShamirRecoveryNotAboutSelf"
    SHAMIR_SELF_AMONG_RECIPIENTS = "ShamirRecoverySelfAmongRecipients"
    SHAMIR_UNRELATED_TO_US = "ShamirRecoveryUnrelatedToUs"
    SHAMIR_ALREADY_SETUP = "ShamirRecoveryAlreadySetup"
    SHAMIR_MISSING_BRIEF = "ShamirRecoveryMissingBriefCertificate"
    SHAMIR_MISSING_SHARE = "ShamirRecoveryMissingShare"
    SHAMIR_DELETION_NOT_OF_LAST_SETUP = "ShamirRecoveryDeletionMustReferenceLastSetup"
    SHAMIR_ALREADY_DELETED = "ShamirRecoveryAlreadyDeleted"
    SHAMIR_DELETION_RECIPIENTS_MISMATCH = "ShamirRecoveryDeletionRecipientsMismatch"
    SEQUESTER_AUTHORITY_MUST_BE_FIRST = "SequesterAuthorityMustBeFirst"
    SEQUESTER_SERVICE_ALREADY_REVOKED = "RelatedSequesterServiceAlreadyRevoked"

    @property
    def explanation(self) -> str:
        """What is wrong, for a person."""
        return _EXPLANATIONS[self]


class Gap(enum.StrEnum):
    """What is strange, but in no official rule: an old organization may hold it."""

    ROLE_BY_REVOKED_AUTHOR = "RoleByRevokedAuthor"
    KEY_INDEX_NOT_NEXT = "KeyIndexNotNext"
    SECOND_FIRST_DEVICE = "SecondFirstDevice"
    UNKNOWN_SERVICE_REVOKED = "UnknownServiceRevoked"
    USER_WITHOUT_DEVICE = "UserWithoutDevice"
    EMAIL_ALREADY_USED = "EmailAlreadyUsed"
    SETUP_AFTER_REVOCATION = "SetupAfterRevocation"

    @property
    def explanation(self) -> str:
        """What is strange, for a person."""
        return _STRANGE[self]


class Warned(msgspec.Struct, frozen=True):
    """Something strange, and the certificate at which it showed."""

    gap: Gap
    topic: TopicID
    index: int


class Unacceptable(Exception):
    """A rule refuses the certificate at hand; whoever knows its place tells the person."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.value)
        self.fault = fault


class InvalidCertificate(InvalidAnswer):
    """The server delivered a certificate that nobody may believe: nothing of its answer counts."""

    def __init__(self, fault: Fault, topic: TopicID, index: int) -> None:
        super().__init__(
            f"The server sent an invalid certificate ({place(topic, index)}: {fault}):"
            f" {fault.explanation}",
            hint="nothing of the server's answer was kept; show this message to an administrator"
            " of the organization, for the server may be faulty or dishonest",
        )
        self.fault = fault
        self.topic = topic
        self.index = index


def place(topic: TopicID, index: int) -> str:
    """Where in an answer a certificate stood, for a person who counts from one."""
    group = f"realm {topic}" if isinstance(topic, VlobID) else f"topic {topic}"
    return f"{group}, certificate {index + 1}"


_EXPLANATIONS = {
    Fault.CORRUPTED: "it cannot be read, or its signature is not by its author",
    Fault.NON_EXISTING_AUTHOR: "its author is unknown",
    Fault.OLDER_THAN_AUTHOR: "it is older than its author",
    Fault.REVOKED_AUTHOR: "its author had been revoked",
    Fault.AUTHOR_NOT_ADMIN: "its author was no administrator",
    Fault.INVALID_TIMESTAMP: "it is not later than the one before it",
    Fault.NON_EXISTING_RELATED_USER: "it is about an unknown user",
    Fault.OLDER_THAN_RELATED_USER: "it is older than the user it is about",
    Fault.RELATED_USER_ALREADY_REVOKED: "it is about a user who had been revoked",
    Fault.CONTENT_ALREADY_EXISTS: "it says what was already so",
    Fault.SELF_SIGNED: "its author may not decide about itself",
    Fault.ROOT_SIGNATURE_OUT_OF_BOOTSTRAP: "only the first user is signed by the root key",
    Fault.ROOT_SIGNATURE_TIMESTAMP_MISMATCH: (
        "the first user and the sequester authority are not of the same time"
    ),
    Fault.USER_FIRST_DEVICE_AUTHOR_MISMATCH: "user and first device have different authors",
    Fault.USER_FIRST_DEVICE_TIMESTAMP_MISMATCH: "user and first device are not of the same time",
    Fault.REALM_FIRST_CERTIFICATE_MUST_BE_ROLE: "nobody has a role in this realm yet",
    Fault.REALM_FIRST_ROLE_MUST_BE_SELF_SIGNED: "the first role is not its creator's",
    Fault.REALM_FIRST_ROLE_MUST_BE_OWNER: "the realm's creator is not its owner",
    Fault.REALM_SELF_PROMOTION_ROLE_MUST_BE_OWNER: (
        "its author gives itself another role than owner"
    ),
    Fault.REALM_SELF_PROMOTION_HIGHER_ACTIVE_ROLE: (
        "its author makes itself owner although a member with a higher role is active"
    ),
    Fault.REALM_AUTHOR_HAS_NO_ROLE: "its author has no role in this realm",
    Fault.REALM_AUTHOR_NOT_OWNER: "its author is no owner of this realm",
    Fault.REALM_AUTHOR_NOT_OWNER_OR_MANAGER: "its author is no owner or manager of this realm",
    Fault.REALM_OUTSIDER_CANNOT_BE_OWNER_OR_MANAGER: (
        "an external user cannot be owner or manager of a realm"
    ),
    Fault.SHAMIR_NOT_ABOUT_SELF: "it is about the shared recovery of another user than its author",
    Fault.SHAMIR_SELF_AMONG_RECIPIENTS: "its author is among the recipients",
    Fault.SHAMIR_UNRELATED_TO_US: "it is about a shared recovery that does not concern this user",
    Fault.SHAMIR_ALREADY_SETUP: "its author has an active shared recovery already",
    Fault.SHAMIR_MISSING_BRIEF: "the shared recovery to which these shares belong is missing",
    Fault.SHAMIR_MISSING_SHARE: "the shares that this user should hold are missing",
    Fault.SHAMIR_DELETION_NOT_OF_LAST_SETUP: "it deletes another shared recovery than the last one",
    Fault.SHAMIR_ALREADY_DELETED: "the shared recovery is deleted already",
    Fault.SHAMIR_DELETION_RECIPIENTS_MISMATCH: (
        "it names other recipients than the shared recovery it deletes"
    ),
    Fault.SEQUESTER_AUTHORITY_MUST_BE_FIRST: (
        "a sequester authority can only come before everything else"
    ),
    Fault.SEQUESTER_SERVICE_ALREADY_REVOKED: "the sequester service is revoked already",
}

_STRANGE = {
    Gap.ROLE_BY_REVOKED_AUTHOR: "a role was given by a user who had been revoked",
    Gap.KEY_INDEX_NOT_NEXT: "the keys of a realm are not numbered in a row",
    Gap.SECOND_FIRST_DEVICE: "a user has two first devices",
    Gap.UNKNOWN_SERVICE_REVOKED: "an unknown sequester service was revoked",
    Gap.USER_WITHOUT_DEVICE: "a user was added without a device",
    Gap.EMAIL_ALREADY_USED: "two active users have the same e-mail address",
    Gap.SETUP_AFTER_REVOCATION: (
        "a shared recovery was set up after its author or a recipient had been revoked"
    ),
}
