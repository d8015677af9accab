"""How a device file is protected: what it keeps in clear for that, and who knows the key."""

from dataclasses import dataclass
from typing import Protocol, TypeAlias

import msgspec

from parsec.crypto.entropy import Entropy
from parsec.crypto.keys import SecretKey
from parsec.data.device_file import AnyDeviceFile, Argon2id, X509CertificateReference
from parsec.data.ids import AccountVaultItemOpaqueKeyID


class PasswordFields(msgspec.Struct, frozen=True):
    """The key comes from a password."""

    algorithm: Argon2id


class KeyringFields(msgspec.Struct, frozen=True, kw_only=True):
    """The key is an entry of the operating system's keyring."""

    service: str
    user: str


class PkiFields(msgspec.Struct, frozen=True, kw_only=True):
    """The key is encrypted for a smartcard."""

    certificate_ref: X509CertificateReference
    encrypted_key: bytes


class OpenBaoFields(msgspec.Struct, frozen=True, kw_only=True):
    """The key is in the key/value store of an OpenBao server."""

    preferred_auth_id: str
    entity_id: str
    ciphertext_key_path: str


class AccountVaultFields(msgspec.Struct, frozen=True):
    """The key is in the vault of an account."""

    ciphertext_key_id: AccountVaultItemOpaqueKeyID


class RecoveryFields(msgspec.Struct, frozen=True):
    """The key is a passphrase that the user keeps; nothing in clear leads to it."""


ProtectionFields: TypeAlias = (
    PasswordFields | KeyringFields | PkiFields | OpenBaoFields | AccountVaultFields | RecoveryFields
)


class Guard(Protocol):
    """One way to protect device files; the one-time-code layer is outside it."""

    def new(self, entropy: Entropy) -> tuple[SecretKey, ProtectionFields]:
        """A key for a file that is about to be written, and what the file says in clear about it.

        Raises FlowError where the key cannot be kept.
        """

    def key(self, file: AnyDeviceFile) -> SecretKey:
        """The key of an existing file.

        Raises WrongProtection for a file of another kind, AuthenticationFailed or another FlowError
        where the key cannot be had. A wrong key shows only when the file is opened with it.
        """


@dataclass(frozen=True)
class ChosenProtection:
    """How somebody wants a device to be protected."""

    guard: Guard
    with_totp: bool = False
