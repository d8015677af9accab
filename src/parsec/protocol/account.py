"""Accounts of the server and their vaults."""

from typing import ClassVar, TypeAlias

import msgspec

from parsec.crypto.keys import HashDigest, SecretKey
from parsec.data.address import InvitationType
from parsec.data.ids import AccessToken, AccountAuthMethodID, UserID
from parsec.data.instant import Instant
from parsec.data.people import (
    EmailAddress,
    HumanHandle,
    OrganizationID,
    UserProfile,
    ValidationCode,
)
from parsec.protocol.command import U32, U64, Family, Reply, Request
from parsec.protocol.statuses import (
    AuthMethodAlreadyDisabled,
    AuthMethodIdAlreadyExists,
    AuthMethodNotFound,
    EmailRecipientRefused,
    EmailSendingRateLimited,
    EmailServerUnavailable,
    FingerprintAlreadyExists,
    InvalidValidationCode,
    ItemsMismatch,
    NewAuthMethodIdAlreadyExists,
    Ok,
    SelfDisableNotAllowed,
    SendValidationEmailRequired,
)
from parsec.wire.msgpack import Tagged


class AccountCreateStep0CheckCode(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="step", tag="NUMBER_0_CHECK_CODE"
):
    email: EmailAddress
    validation_code: ValidationCode


class UntrustedPasswordAlgorithmArgon2id(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="ARGON2ID"
):
    memlimit_kb: U32
    opslimit: U32
    parallelism: U32


UntrustedPasswordAlgorithm: TypeAlias = Tagged[UntrustedPasswordAlgorithmArgon2id]


class AccountCreateStep1Create(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="step", tag="NUMBER_1_CREATE"
):
    auth_method_id: AccountAuthMethodID
    auth_method_mac_key: SecretKey
    auth_method_password_algorithm: UntrustedPasswordAlgorithm | None
    human_handle: HumanHandle
    validation_code: ValidationCode
    vault_key_access: bytes


AccountCreateStep: TypeAlias = AccountCreateStep0CheckCode | AccountCreateStep1Create


AccountCreateProceedReply: TypeAlias = (
    Ok | InvalidValidationCode | SendValidationEmailRequired | AuthMethodIdAlreadyExists
)


class AccountCreateProceed(
    Request[AccountCreateProceedReply], frozen=True, kw_only=True, tag="account_create_proceed"
):
    """Second half of creating an account: check the emailed code."""

    FAMILY: ClassVar[Family] = Family.ANONYMOUS_SERVER

    account_create_step: AccountCreateStep


AccountCreateSendValidationEmailReply: TypeAlias = (
    Ok | EmailServerUnavailable | EmailRecipientRefused | EmailSendingRateLimited
)


class AccountCreateSendValidationEmail(
    Request[AccountCreateSendValidationEmailReply],
    frozen=True,
    kw_only=True,
    tag="account_create_send_validation_email",
):
    """First half of creating an account: send a code by email."""

    FAMILY: ClassVar[Family] = Family.ANONYMOUS_SERVER

    email: EmailAddress


AccountRecoverProceedReply: TypeAlias = (
    Ok | InvalidValidationCode | SendValidationEmailRequired | AuthMethodIdAlreadyExists
)


class AccountRecoverProceed(
    Request[AccountRecoverProceedReply], frozen=True, kw_only=True, tag="account_recover_proceed"
):
    """Second half of recovering an account."""

    FAMILY: ClassVar[Family] = Family.ANONYMOUS_SERVER

    email: EmailAddress
    validation_code: ValidationCode
    new_vault_key_access: bytes
    new_auth_method_password_algorithm: UntrustedPasswordAlgorithm | None
    new_auth_method_mac_key: SecretKey
    new_auth_method_id: AccountAuthMethodID


AccountRecoverSendValidationEmailReply: TypeAlias = (
    Ok | EmailServerUnavailable | EmailRecipientRefused | EmailSendingRateLimited
)


class AccountRecoverSendValidationEmail(
    Request[AccountRecoverSendValidationEmailReply],
    frozen=True,
    kw_only=True,
    tag="account_recover_send_validation_email",
):
    """First half of recovering an account: send a code by email."""

    FAMILY: ClassVar[Family] = Family.ANONYMOUS_SERVER

    email: EmailAddress


class AuthMethodPasswordGetAlgorithmOk(Reply, frozen=True, kw_only=True, tag="ok"):
    password_algorithm: UntrustedPasswordAlgorithm


AuthMethodPasswordGetAlgorithmReply: TypeAlias = AuthMethodPasswordGetAlgorithmOk


class AuthMethodPasswordGetAlgorithm(
    Request[AuthMethodPasswordGetAlgorithmReply],
    frozen=True,
    kw_only=True,
    tag="auth_method_password_get_algorithm",
):
    """Get the password derivation parameters of an account."""

    FAMILY: ClassVar[Family] = Family.ANONYMOUS_SERVER

    email: EmailAddress


AccountDeleteProceedReply: TypeAlias = Ok | InvalidValidationCode | SendValidationEmailRequired


class AccountDeleteProceed(
    Request[AccountDeleteProceedReply], frozen=True, kw_only=True, tag="account_delete_proceed"
):
    """Second half of deleting the account."""

    FAMILY: ClassVar[Family] = Family.AUTHENTICATED_ACCOUNT

    validation_code: ValidationCode


AccountDeleteSendValidationEmailReply: TypeAlias = (
    Ok | EmailServerUnavailable | EmailRecipientRefused | EmailSendingRateLimited
)


class AccountDeleteSendValidationEmail(
    Request[AccountDeleteSendValidationEmailReply],
    frozen=True,
    kw_only=True,
    tag="account_delete_send_validation_email",
    forbid_unknown_fields=True,
):
    """First half of deleting the account: send a code to its address."""

    FAMILY: ClassVar[Family] = Family.AUTHENTICATED_ACCOUNT


class AccountInfoOk(Reply, frozen=True, kw_only=True, tag="ok"):
    human_handle: HumanHandle


AccountInfoReply: TypeAlias = AccountInfoOk


class AccountInfo(
    Request[AccountInfoReply],
    frozen=True,
    kw_only=True,
    tag="account_info",
    forbid_unknown_fields=True,
):
    """Who the account is for."""

    FAMILY: ClassVar[Family] = Family.AUTHENTICATED_ACCOUNT


AuthMethodCreateReply: TypeAlias = Ok | AuthMethodIdAlreadyExists


class AuthMethodCreate(
    Request[AuthMethodCreateReply], frozen=True, kw_only=True, tag="auth_method_create"
):
    """Add an authentication method to the current vault."""

    FAMILY: ClassVar[Family] = Family.AUTHENTICATED_ACCOUNT

    auth_method_password_algorithm: UntrustedPasswordAlgorithm | None
    auth_method_mac_key: SecretKey
    auth_method_id: AccountAuthMethodID
    vault_key_access: bytes


AuthMethodDisableReply: TypeAlias = (
    Ok | AuthMethodNotFound | AuthMethodAlreadyDisabled | SelfDisableNotAllowed
)


class AuthMethodDisable(
    Request[AuthMethodDisableReply], frozen=True, kw_only=True, tag="auth_method_disable"
):
    """Disable an authentication method."""

    FAMILY: ClassVar[Family] = Family.AUTHENTICATED_ACCOUNT

    auth_method_id: AccountAuthMethodID


class AuthMethod(msgspec.Struct, frozen=True, kw_only=True):
    auth_method_id: AccountAuthMethodID
    created_by_ip: str
    created_by_user_agent: str
    created_on: Instant
    password_algorithm: UntrustedPasswordAlgorithm | None
    vault_key_access: bytes


class AuthMethodListOk(Reply, frozen=True, kw_only=True, tag="ok"):
    items: list[AuthMethod]


AuthMethodListReply: TypeAlias = AuthMethodListOk


class AuthMethodList(
    Request[AuthMethodListReply],
    frozen=True,
    kw_only=True,
    tag="auth_method_list",
    forbid_unknown_fields=True,
):
    """List active authentication methods, oldest first."""

    FAMILY: ClassVar[Family] = Family.AUTHENTICATED_ACCOUNT


class InviteSelfListOk(Reply, frozen=True, kw_only=True, tag="ok"):
    invitations: list[tuple[OrganizationID, AccessToken, InvitationType]]


InviteSelfListReply: TypeAlias = InviteSelfListOk


class InviteSelfList(
    Request[InviteSelfListReply],
    frozen=True,
    kw_only=True,
    tag="invite_self_list",
    forbid_unknown_fields=True,
):
    """Invitations, in all organizations, for the account's email."""

    FAMILY: ClassVar[Family] = Family.AUTHENTICATED_ACCOUNT


class OrganizationConfig(msgspec.Struct, frozen=True, kw_only=True):
    active_users_limit: U64 | None = None
    is_expired: bool
    user_profile_outsider_allowed: bool


class ActiveUser(msgspec.Struct, frozen=True, kw_only=True):
    created_on: Instant
    current_profile: UserProfile
    is_frozen: bool
    organization_config: OrganizationConfig
    organization_id: OrganizationID
    user_id: UserID


class RevokedUser(msgspec.Struct, frozen=True, kw_only=True):
    created_on: Instant
    current_profile: UserProfile
    organization_id: OrganizationID
    revoked_on: Instant
    user_id: UserID


class OrganizationSelfListOk(Reply, frozen=True, kw_only=True, tag="ok"):
    active: list[ActiveUser]
    revoked: list[RevokedUser]


OrganizationSelfListReply: TypeAlias = OrganizationSelfListOk


class OrganizationSelfList(
    Request[OrganizationSelfListReply],
    frozen=True,
    kw_only=True,
    tag="organization_self_list",
    forbid_unknown_fields=True,
):
    """Organizations in which a user has the account's email."""

    FAMILY: ClassVar[Family] = Family.AUTHENTICATED_ACCOUNT


class VaultItemListOk(Reply, frozen=True, kw_only=True, tag="ok"):
    items: dict[HashDigest, bytes]
    key_access: bytes


VaultItemListReply: TypeAlias = VaultItemListOk


class VaultItemList(
    Request[VaultItemListReply],
    frozen=True,
    kw_only=True,
    tag="vault_item_list",
    forbid_unknown_fields=True,
):
    """Content of the current vault."""

    FAMILY: ClassVar[Family] = Family.AUTHENTICATED_ACCOUNT


class VaultItemRecoveryAuthMethod(msgspec.Struct, frozen=True, kw_only=True):
    auth_method_id: AccountAuthMethodID
    created_by_ip: str
    created_by_user_agent: str
    created_on: Instant
    disabled_on: Instant | None
    password_algorithm: UntrustedPasswordAlgorithm | None
    vault_key_access: bytes


class VaultItemRecoveryVault(msgspec.Struct, frozen=True, kw_only=True):
    auth_methods: list[VaultItemRecoveryAuthMethod]
    vault_items: dict[HashDigest, bytes]


class VaultItemRecoveryListOk(Reply, frozen=True, kw_only=True, tag="ok"):
    current_vault: VaultItemRecoveryVault
    previous_vaults: list[VaultItemRecoveryVault]


VaultItemRecoveryListReply: TypeAlias = VaultItemRecoveryListOk


class VaultItemRecoveryList(
    Request[VaultItemRecoveryListReply],
    frozen=True,
    kw_only=True,
    tag="vault_item_recovery_list",
    forbid_unknown_fields=True,
):
    """Current and former vaults with all their authentication methods."""

    FAMILY: ClassVar[Family] = Family.AUTHENTICATED_ACCOUNT


VaultItemUploadReply: TypeAlias = Ok | FingerprintAlreadyExists


class VaultItemUpload(
    Request[VaultItemUploadReply], frozen=True, kw_only=True, tag="vault_item_upload"
):
    """Add an item to the current vault."""

    FAMILY: ClassVar[Family] = Family.AUTHENTICATED_ACCOUNT

    item_fingerprint: HashDigest
    item: bytes


VaultKeyRotationReply: TypeAlias = Ok | ItemsMismatch | NewAuthMethodIdAlreadyExists


class VaultKeyRotation(
    Request[VaultKeyRotationReply], frozen=True, kw_only=True, tag="vault_key_rotation"
):
    """Replace the vault by one with a new key."""

    FAMILY: ClassVar[Family] = Family.AUTHENTICATED_ACCOUNT

    new_auth_method_id: AccountAuthMethodID
    new_auth_method_mac_key: SecretKey
    new_auth_method_password_algorithm: UntrustedPasswordAlgorithm | None
    new_vault_key_access: bytes
    items: dict[HashDigest, bytes]
