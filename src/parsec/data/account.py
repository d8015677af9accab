"""Accounts: what follows from a master secret, and what the vault of an account keeps.

`data-types.md` 8 and `wire.md` 6.4.
"""

from typing import Self, TypeAlias

from parsec.crypto.entropy import Entropy
from parsec.crypto.keys import HashDigest, KeyDerivation, SecretKey
from parsec.data.ids import AccountAuthMethodID, AccountVaultItemOpaqueKeyID, UserID
from parsec.data.local_device import LocalDevice
from parsec.data.people import OrganizationID
from parsec.data.record import MismatchError, Record, load_content
from parsec.wire.frame import load_frame
from parsec.wire.msgpack import Reader

# The uses of a master secret (wire.md 6.4).
_METHOD_ID_USE = bytes(16)
_MAC_KEY_USE = b"\x11" * 16
_SECRET_KEY_USE = b"\x22" * 16


def auth_method_id(master_secret: KeyDerivation) -> AccountAuthMethodID:
    """What names the method towards the server."""
    return AccountAuthMethodID(master_secret.derive_uuid(_METHOD_ID_USE))


def auth_method_mac_key(master_secret: KeyDerivation) -> SecretKey:
    """What proves to the server who calls; the server knows it too."""
    return master_secret.derive_secret_key(_MAC_KEY_USE)


def auth_method_secret_key(master_secret: KeyDerivation) -> SecretKey:
    """What opens the access to the vault key; the server does not know it."""
    return master_secret.derive_secret_key(_SECRET_KEY_USE)


class AccountVaultKeyAccess(Record, frozen=True, kw_only=True, tag="account_vault_key_access"):
    """The key of a vault, for one authentication method."""

    vault_key: SecretKey

    def encrypt(self, key: SecretKey, entropy: Entropy) -> bytes:
        """The access as the server keeps it; `key` is the secret key of the method."""
        return key.encrypt(self.dump(), entropy)

    @classmethod
    def decrypt(cls, encrypted: bytes, key: SecretKey) -> Self:
        """Open and read. Raises DecryptionError or MalformedError."""
        return cls.load(key.decrypt(encrypted))


class AccountVaultItemOpaqueKeyEncryptedData(
    Record, frozen=True, kw_only=True, tag="account_vault_item_opaque_key_encrypted_data"
):
    """The hidden part of an opaque key."""

    key_id: AccountVaultItemOpaqueKeyID
    key: SecretKey


class AccountVaultItemOpaqueKey(
    Record, frozen=True, kw_only=True, tag="account_vault_item_opaque_key"
):
    """A key in the vault, which protects a device file."""

    key_id: AccountVaultItemOpaqueKeyID
    encrypted_data: bytes

    @classmethod
    def protect(
        cls,
        key_id: AccountVaultItemOpaqueKeyID,
        key: SecretKey,
        vault_key: SecretKey,
        entropy: Entropy,
    ) -> Self:
        """The item of a new key."""
        hidden = AccountVaultItemOpaqueKeyEncryptedData(key_id=key_id, key=key)
        return cls(key_id=key_id, encrypted_data=vault_key.encrypt(hidden.dump(), entropy))

    def open(self, vault_key: SecretKey) -> SecretKey:
        """The key. Raises DecryptionError or MalformedError, also for one of another item."""
        content = vault_key.decrypt(self.encrypted_data)
        hidden = AccountVaultItemOpaqueKeyEncryptedData.load(content)
        return hidden.expect(key_id=self.key_id).key

    @property
    def fingerprint(self) -> HashDigest:
        """Under which the server keeps the item."""
        return opaque_key_fingerprint(self.key_id)


class AccountVaultItemRegistrationDevice(
    Record, frozen=True, kw_only=True, tag="account_vault_item_registration_device"
):
    """A device in the vault, which lets a new machine of the account create its own."""

    organization_id: OrganizationID
    user_id: UserID
    encrypted_data: bytes

    @classmethod
    def protect(cls, device: LocalDevice, vault_key: SecretKey, entropy: Entropy) -> Self:
        """The item of a new device."""
        return cls(
            organization_id=device.organization_id,
            user_id=device.user_id,
            encrypted_data=vault_key.encrypt(device.dump(), entropy),
        )

    def open(self, vault_key: SecretKey) -> LocalDevice:
        """The device. Raises DecryptionError or MalformedError, also for one of another item."""
        device = LocalDevice.load(vault_key.decrypt(self.encrypted_data))
        if (device.organization_id, device.user_id) != (self.organization_id, self.user_id):
            raise MismatchError("a registration device of another user than its item says")
        return device

    @property
    def fingerprint(self) -> HashDigest:
        """Under which the server keeps the item."""
        return registration_device_fingerprint(self.organization_id, self.user_id)


AccountVaultItem: TypeAlias = AccountVaultItemOpaqueKey | AccountVaultItemRegistrationDevice

_ITEM: Reader[AccountVaultItem] = Reader(AccountVaultItem)


def load_vault_item(frame: bytes) -> AccountVaultItem:
    """Read an item of either kind.

    Raises MalformedError; whoever lists a vault passes over items that this version cannot read.
    """
    return load_content(_ITEM, load_frame(frame))


def opaque_key_fingerprint(key_id: AccountVaultItemOpaqueKeyID) -> HashDigest:
    """Under which the server keeps the item of a key."""
    return HashDigest.of(f"OPAQUE_KEY.{key_id.hex()}".encode())


def registration_device_fingerprint(organization_id: OrganizationID, user_id: UserID) -> HashDigest:
    """Under which the server keeps the item of a registration device."""
    return HashDigest.of(f"REGISTRATION_DEVICE.{organization_id}.{user_id.hex()}".encode())
