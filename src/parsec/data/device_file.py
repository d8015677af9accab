"""The protected file that holds a device, one shape per protection.

`data-types.md` 10 and `client.md` 2. The fields in clear are for lists only: nothing
authenticates them, and once the file is open only the LocalDevice inside counts.
"""

from typing import Annotated, ClassVar, Literal, TypeAlias, get_args

import msgspec

from parsec.data.address import ServerAddr
from parsec.data.ids import AccountVaultItemOpaqueKeyID, DeviceID, TOTPOpaqueKeyID, UserID
from parsec.data.instant import Instant
from parsec.data.people import DeviceLabel, LocalHumanHandle, OrganizationID
from parsec.data.record import BareRecord, load_map
from parsec.wire.msgpack import Reader, Tagged, dump

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


X509CertificateHash: TypeAlias = Annotated[
    str, msgspec.Meta(pattern="^[sS][hH][aA]256-[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$")
]
"""The name of the hash in any case, and base64 of the 32 bytes."""


class X509CertificateReference(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Which certificate: the hash alone decides, the rest is a hint."""

    uri: X509Uri | msgspec.UnsetType = msgspec.UNSET
    hash: X509CertificateHash

    @property
    def digest(self) -> str:
        """The hash without its name, in base64."""
        return self.hash.partition("-")[2]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, X509CertificateReference) and self.digest == other.digest

    # A Struct has its own, which would compare everything.
    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self.digest)


class DeviceFile(BareRecord, frozen=True, kw_only=True):
    """What every device file says in clear."""

    created_on: Instant
    protected_on: Instant
    server_url: ServerAddr
    organization_id: OrganizationID
    user_id: UserID
    device_id: DeviceID
    human_handle: LocalHumanHandle
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

    algorithm: Tagged[Argon2id]
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
    if content[:1] in _ARRAY_HEADS:
        content = _named(content, {_tag(kind): kind for kind in get_args(AnyDeviceFile)})
    return load_map(_KINDS, content)


# --- Files of the betas of release 3.0 ---
#
# Those are arrays: the type, then the values in the order of the fields. So is the password
# algorithm inside.

_ARRAY_HEADS = {bytes([head]) for head in (*range(0x90, 0xA0), 0xDC, 0xDD)}
_VALUES: Reader[list[msgspec.Raw]] = Reader(list[msgspec.Raw])
_TEXT: Reader[str] = Reader(str)


def _named(content: bytes, kinds: dict[str, type[msgspec.Struct]]) -> bytes:
    """The map that says what an array of values says. Raises MalformedError."""
    tag, *values = _VALUES.load_first(content) or [msgspec.Raw()]
    kind = kinds.get(_TEXT.load(bytes(tag)))
    names = () if kind is None else kind.__struct_encode_fields__
    fields = {"type": tag, **dict(zip(names, values, strict=False))}
    if bytes(fields.get("algorithm", b""))[:1] in _ARRAY_HEADS:
        algorithm = _named(bytes(fields["algorithm"]), {_tag(Argon2id): Argon2id})
        fields["algorithm"] = msgspec.Raw(algorithm)
    return dump(fields)


def _tag(kind: type[msgspec.Struct]) -> str:
    return str(kind.__struct_config__.tag)
