"""Closing a device into its file, and opening it again.

    without a one-time code    ciphertext = secret(K)[ LocalDevice ]
    with a one-time code       ciphertext = secret(T)[ secret(K)[ LocalDevice ] ]

K is the key of the protection, which a guard gives; T the opaque key that the server releases
against a one-time code (`client.md` 2.3 and 2.4). T lies outside, so that a stolen file cannot even
be attacked by guessing passwords. What the file says in clear is authenticated by nothing: after
opening only the LocalDevice counts.

    FlowError
    ├── WrongProtection           the file is protected in another way than the guard's
    ├── KeyUnavailable            the key cannot be had
    │   └── CostlyPassword        … not within reason
    ├── CorruptedDevice           the key was right, but no device is inside
    └── AuthenticationFailed      the key (password, keyring entry …) is not the file's
        └── TOTPKeyRejected       the opaque key is not the file's
"""

from typing import Any, assert_never

from parsec.client.failure import AuthenticationFailed, FlowError
from parsec.client.protection import (
    AccountVaultFields,
    KeyringFields,
    OpenBaoFields,
    PasswordFields,
    PkiFields,
    ProtectionFields,
    RecoveryFields,
)
from parsec.crypto.entropy import Entropy
from parsec.crypto.errors import DecryptionError
from parsec.crypto.keys import SecretKey
from parsec.data.device_file import (
    AccountVaultDeviceFile,
    AnyDeviceFile,
    KeyringDeviceFile,
    OpenBaoDeviceFile,
    PasswordDeviceFile,
    PkiDeviceFile,
    RecoveryDeviceFile,
)
from parsec.data.ids import TOTPOpaqueKeyID
from parsec.data.instant import Instant
from parsec.data.local_device import LocalDevice
from parsec.wire.msgpack import MalformedError


class WrongProtection(FlowError):
    """The file is protected in another way than the one that was tried."""


class KeyUnavailable(FlowError):
    """The key of the file cannot be had."""


class CostlyPassword(KeyUnavailable):
    """Deriving the key as the file asks would take more memory or time than is reasonable."""


class CorruptedDevice(FlowError):
    """The key is right, but what it opens is no device."""


class TOTPKeyRejected(AuthenticationFailed):
    """The opaque key that the server released is not the one of this file."""


def protect(
    device: LocalDevice,
    *,
    fields: ProtectionFields,
    key: SecretKey,
    created_on: Instant,
    protected_on: Instant,
    totp: tuple[TOTPOpaqueKeyID, SecretKey] | None,
    entropy: Entropy,
) -> AnyDeviceFile:
    """The file of a device; `created_on` is kept when only the protection changes."""
    ciphertext = key.encrypt(device.dump(), entropy)
    if totp is not None:
        ciphertext = totp[1].encrypt(ciphertext, entropy)
    header = {
        "created_on": created_on,
        "protected_on": protected_on,
        "server_url": device.server_url,
        "organization_id": device.organization_id,
        "user_id": device.user_id,
        "device_id": device.device_id,
        "human_handle": device.human_handle,
        "device_label": device.device_label,
        "ciphertext": ciphertext,
    }
    return _file(header, fields, None if totp is None else totp[0])


def open_device(
    file: AnyDeviceFile, *, key: SecretKey, totp_key: SecretKey | None = None
) -> LocalDevice:
    """The device in a file.

    Raises TOTPKeyRejected, AuthenticationFailed (also when the file needs an opaque key and none
    is given) or CorruptedDevice.
    """
    ciphertext = file.ciphertext
    if totp_key is not None:
        ciphertext = _without_totp(ciphertext, totp_key)
    try:
        content = key.decrypt(ciphertext)
    except DecryptionError:
        raise AuthenticationFailed(
            f"Decryption failed: {_KEY_NAMES[type(file)]} does not open this device file",
            hint=_hint(file, totp_key),
        ) from None
    try:
        return LocalDevice.load(content)
    except MalformedError:
        # Without its cause, which may tell about the secrets inside.
        raise CorruptedDevice(
            "The device file opens, but there is no valid device inside",
            hint="restore the file from a backup",
        ) from None


def totp_opaque_key_id(file: AnyDeviceFile) -> TOTPOpaqueKeyID | None:
    """The opaque key without which the file does not open."""
    return None if isinstance(file, RecoveryDeviceFile) else file.totp_opaque_key_id


_KEY_NAMES: dict[type[AnyDeviceFile], str] = {
    PasswordDeviceFile: "the password",
    KeyringDeviceFile: "the key in the keyring",
    PkiDeviceFile: "the key of the certificate",
    AccountVaultDeviceFile: "the key of the account",
    OpenBaoDeviceFile: "the key that OpenBao holds",
    RecoveryDeviceFile: "the passphrase",
}


def _hint(file: AnyDeviceFile, totp_key: SecretKey | None) -> str:
    if totp_key is None and totp_opaque_key_id(file) is not None:
        return "this device also needs a one-time code"
    if isinstance(file, PasswordDeviceFile | RecoveryDeviceFile):
        return "check what you typed: capitals and spaces count"
    return "the key may have been replaced since, or the file was changed"


def _without_totp(ciphertext: bytes, totp_key: SecretKey) -> bytes:
    try:
        return totp_key.decrypt(ciphertext)
    except DecryptionError:
        raise TOTPKeyRejected(
            "TOTP decryption failed: the key that the server released does not open this file",
            hint="the one-time codes may have been set up for another device file",
        ) from None


def _file(
    header: dict[str, Any], fields: ProtectionFields, totp: TOTPOpaqueKeyID | None
) -> AnyDeviceFile:
    match fields:
        case PasswordFields():
            return PasswordDeviceFile(**header, algorithm=fields.algorithm, totp_opaque_key_id=totp)
        case KeyringFields():
            return KeyringDeviceFile(
                **header,
                keyring_service=fields.service,
                keyring_user=fields.user,
                totp_opaque_key_id=totp,
            )
        case PkiFields():
            return PkiDeviceFile(
                **header,
                certificate_ref=fields.certificate_ref,
                encrypted_key=fields.encrypted_key,
                totp_opaque_key_id=totp,
            )
        case OpenBaoFields():
            return OpenBaoDeviceFile(
                **header,
                openbao_preferred_auth_id=fields.preferred_auth_id,
                openbao_entity_id=fields.entity_id,
                openbao_ciphertext_key_path=fields.ciphertext_key_path,
                totp_opaque_key_id=totp,
            )
        case AccountVaultFields():
            return AccountVaultDeviceFile(
                **header, ciphertext_key_id=fields.ciphertext_key_id, totp_opaque_key_id=totp
            )
        case RecoveryFields():
            if totp is not None:
                raise ValueError("a recovery file knows no one-time codes")
            return RecoveryDeviceFile(**header)
        case _:
            assert_never(fields)
