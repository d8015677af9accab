"""The protected file that holds a device, one shape per protection.

`data-types.md` 10 and `client.md` 2. The fields in clear are for lists only: nothing
authenticates them, and once the file is open only the LocalDevice inside counts.
"""

from typing import Annotated, ClassVar, Literal, TypeAlias

import msgspec

from parsec.data.address import ServerAddr
from parsec.data.ids import AccountVaultItemOpaqueKeyID, DeviceID, TOTPOpaqueKeyID, UserID
from parsec.data.instant import Instant
from parsec.data.people import DeviceLabel, HumanHandle, OrganizationID
from parsec.data.record import BareRecord
from parsec.wire.msgpack import Reader

U32: TypeAlias = Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)]


class Argon2id(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="ARGON2ID"):
    """How a password becomes a key; memory in KiB."""

    memlimit_kb: U32
    opslimit: U32
    parallelism: U32
    salt: Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]


class X509Uri(msgspec.Struct, frozen=True, kw_only=True):
    """A hint where a certificate may be found."""

    id: bytes | None
    label: bytes | None
    der_issuer: bytes
    der_subject: bytes
    serial: bytes


class X509CertificateReference(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which certificate: the hash decides (`sha256-` and base64), the rest is a hint."""

    uri: X509Uri | msgspec.UnsetType = msgspec.UNSET
    hash: str


class DeviceFile(BareRecord, frozen=True, kw_only=True):
    """What every device file says in clear."""

    created_on: Instant
    protected_on: Instant
    server_url: ServerAddr
    organization_id: OrganizationID
    user_id: UserID
    device_id: DeviceID
    human_handle: HumanHandle
    device_label: DeviceLabel

    PROTECTION: ClassVar[str]


class KeyringDeviceFile(DeviceFile, frozen=True, kw_only=True, tag="keyring"):
    """The key is an entry of the operating system's keyring."""

    PROTECTION: ClassVar[str] = "keyring"

    keyring_service: str
    keyring_user: str
    ciphertext: bytes
    totp_opaque_key_id: TOTPOpaqueKeyID | None = None


class PasswordDeviceFile(DeviceFile, frozen=True, kw_only=True, tag="password"):
    """The key comes from a password."""

    PROTECTION: ClassVar[str] = "password"

    algorithm: Argon2id
    ciphertext: bytes
    totp_opaque_key_id: TOTPOpaqueKeyID | None = None


class RecoveryDeviceFile(DeviceFile, frozen=True, kw_only=True, tag="recovery"):
    """The key is a passphrase that the user keeps."""

    PROTECTION: ClassVar[str] = "recovery"

    ciphertext: bytes


class PkiDeviceFile(DeviceFile, frozen=True, kw_only=True, tag="pki"):
    """The key is encrypted for a smartcard."""

    PROTECTION: ClassVar[str] = "pki"

    certificate_ref: X509CertificateReference
    algorithm: Literal["RSAES-OAEP-SHA256"] = "RSAES-OAEP-SHA256"
    encrypted_key: bytes
    ciphertext: bytes
    totp_opaque_key_id: TOTPOpaqueKeyID | None


class AccountVaultDeviceFile(DeviceFile, frozen=True, kw_only=True, tag="account_vault"):
    """The key is in the vault of an account."""

    PROTECTION: ClassVar[str] = "account vault"

    ciphertext_key_id: AccountVaultItemOpaqueKeyID
    ciphertext: bytes
    totp_opaque_key_id: TOTPOpaqueKeyID | None = None


class OpenBaoDeviceFile(DeviceFile, frozen=True, kw_only=True, tag="openbao"):
    """The key is in the key/value store of an OpenBao server."""

    PROTECTION: ClassVar[str] = "openbao"

    ciphertext: bytes
    openbao_preferred_auth_id: str
    openbao_entity_id: str
    openbao_ciphertext_key_path: str
    totp_opaque_key_id: TOTPOpaqueKeyID | None = None


AnyDeviceFile: TypeAlias = (
    KeyringDeviceFile
    | PasswordDeviceFile
    | RecoveryDeviceFile
    | PkiDeviceFile
    | AccountVaultDeviceFile
    | OpenBaoDeviceFile
)

_KINDS: Reader[AnyDeviceFile] = Reader(AnyDeviceFile)


def load_device_file(content: bytes) -> AnyDeviceFile:
    """Read a device file of any kind. Raises MalformedError."""
    return _KINDS.load_first(content)
