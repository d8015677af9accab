"""One-time codes: set-up, and the opaque keys that they release."""

from typing import ClassVar, TypeAlias

from parsec.crypto.keys import SecretKey
from parsec.data.ids import AccessToken, TOTPOpaqueKeyID, UserID
from parsec.protocol.command import Family, Reply, Request
from parsec.protocol.statuses import AlreadySetup, BadToken, InvalidOneTimePassword, Ok, Throttled


class TotpFetchOpaqueKeyOk(Reply, frozen=True, kw_only=True, tag="ok"):
    opaque_key: SecretKey


TotpFetchOpaqueKeyReply: TypeAlias = TotpFetchOpaqueKeyOk | InvalidOneTimePassword | Throttled


class TotpFetchOpaqueKey(
    Request[TotpFetchOpaqueKeyReply], frozen=True, kw_only=True, tag="totp_fetch_opaque_key"
):
    """Exchange a one-time password for the key that is the second protection of a device file."""

    FAMILY: ClassVar[Family] = Family.ANONYMOUS

    user_id: UserID
    opaque_key_id: TOTPOpaqueKeyID
    one_time_password: str


AnonymousTotpSetupConfirmReply: TypeAlias = Ok | InvalidOneTimePassword | BadToken


class AnonymousTotpSetupConfirm(
    Request[AnonymousTotpSetupConfirmReply], frozen=True, kw_only=True, tag="totp_setup_confirm"
):
    """End of a TOTP set-up that uses a reset token."""

    FAMILY: ClassVar[Family] = Family.ANONYMOUS

    user_id: UserID
    token: AccessToken
    one_time_password: str


class AnonymousTotpSetupGetSecretOk(Reply, frozen=True, kw_only=True, tag="ok"):
    totp_secret: bytes


AnonymousTotpSetupGetSecretReply: TypeAlias = AnonymousTotpSetupGetSecretOk | BadToken


class AnonymousTotpSetupGetSecret(
    Request[AnonymousTotpSetupGetSecretReply],
    frozen=True,
    kw_only=True,
    tag="totp_setup_get_secret",
):
    """Get the TOTP secret with a reset token."""

    FAMILY: ClassVar[Family] = Family.ANONYMOUS

    user_id: UserID
    token: AccessToken


class TotpCreateOpaqueKeyOk(Reply, frozen=True, kw_only=True, tag="ok"):
    opaque_key: SecretKey
    opaque_key_id: TOTPOpaqueKeyID


TotpCreateOpaqueKeyReply: TypeAlias = TotpCreateOpaqueKeyOk


class TotpCreateOpaqueKey(
    Request[TotpCreateOpaqueKeyReply],
    frozen=True,
    kw_only=True,
    tag="totp_create_opaque_key",
    forbid_unknown_fields=True,
):
    """Make a new key that the server will release only against a one-time password."""

    FAMILY: ClassVar[Family] = Family.AUTHENTICATED


TotpSetupConfirmReply: TypeAlias = Ok | InvalidOneTimePassword | AlreadySetup


class TotpSetupConfirm(
    Request[TotpSetupConfirmReply], frozen=True, kw_only=True, tag="totp_setup_confirm"
):
    """End of the TOTP set-up by the user itself."""

    FAMILY: ClassVar[Family] = Family.AUTHENTICATED

    one_time_password: str


class TotpSetupGetSecretOk(Reply, frozen=True, kw_only=True, tag="ok"):
    totp_secret: bytes


TotpSetupGetSecretReply: TypeAlias = TotpSetupGetSecretOk | AlreadySetup


class TotpSetupGetSecret(
    Request[TotpSetupGetSecretReply],
    frozen=True,
    kw_only=True,
    tag="totp_setup_get_secret",
    forbid_unknown_fields=True,
):
    """Get the TOTP secret to be put into an authenticator application."""

    FAMILY: ClassVar[Family] = Family.AUTHENTICATED
