"""Keys of accounts and their vaults. Known ones are in tests/vectors/data-payloads."""

import msgspec
import pytest

from parsec.crypto.errors import DecryptionError
from parsec.crypto.keys import KeyDerivation, PrivateKey, SecretKey, SigningKey
from parsec.data.account import (
    AccountVaultItemOpaqueKey,
    AccountVaultItemRegistrationDevice,
    AccountVaultKeyAccess,
    auth_method_id,
    auth_method_mac_key,
    auth_method_secret_key,
    load_vault_item,
    opaque_key_fingerprint,
    registration_device_fingerprint,
)
from parsec.data.address import ServerAddr
from parsec.data.greeting import InviteShamirRecoveryData
from parsec.data.ids import AccountVaultItemOpaqueKeyID, DeviceID, UserID
from parsec.data.local_device import first_device
from parsec.data.people import DeviceLabel, HumanHandle, OrganizationID, UserProfile
from parsec.data.record import MismatchError
from parsec.wire.msgpack import MalformedError

VAULT_KEY = SecretKey(bytes(32))
OTHER_KEY = SecretKey(bytes(31) + b"x")
KEY_ID = AccountVaultItemOpaqueKeyID(bytes(16))
OTHER_KEY_ID = AccountVaultItemOpaqueKeyID(bytes(15) + b"x")
OPAQUE_KEY = SecretKey(bytes(range(32)))
DEVICE = first_device(
    server_url=ServerAddr(hostname="parsec.example.com"),
    organization_id=OrganizationID("Org"),
    root_verify_key=SigningKey(bytes(32)).verify_key,
    user_id=UserID(bytes(16)),
    device_id=DeviceID(bytes(16)),
    human_handle=HumanHandle.from_wire(["alice@example.com", "Alice"]),
    device_label=DeviceLabel("laptop"),
    profile=UserProfile.ADMIN,
    signing_key=SigningKey(bytes(32)),
    private_key=PrivateKey(bytes(32)),
    entropy=bytes,
)


def test_what_follows_from_a_master_secret_are_three_different_things() -> None:
    # client-account-vault.json, "master secret #0".
    secret = KeyDerivation(
        bytes.fromhex("d002bf4b63c620c4daf50e3a123a5cd1285349ebaa3b4777e1ec86d49c72c451")
    )

    assert auth_method_id(secret).hex() == "8e07180825a5baf97e5f6a8eb58fc029"
    assert bytes(auth_method_mac_key(secret)).hex() == (
        "1fbe3d32ab3c5b0effbfedf4524692adc769c35faf62886743193fb53b3550cf"
    )
    assert bytes(auth_method_secret_key(secret)).hex() == (
        "750f2bce476d799b8f66d308b820ac26bc0983fe8865f0130158dea2a5ab2288"
    )


def test_the_vault_key_opens_with_the_key_of_a_method() -> None:
    access = AccountVaultKeyAccess(vault_key=VAULT_KEY)

    encrypted = access.encrypt(OTHER_KEY, bytes)

    assert AccountVaultKeyAccess.decrypt(encrypted, OTHER_KEY) == access
    with pytest.raises(DecryptionError):
        AccountVaultKeyAccess.decrypt(encrypted, VAULT_KEY)


def test_an_opaque_key_opens_with_the_vault_key() -> None:
    item = AccountVaultItemOpaqueKey.protect(KEY_ID, OPAQUE_KEY, VAULT_KEY, bytes)

    assert load_vault_item(item.dump()) == item
    assert item.open(VAULT_KEY) == OPAQUE_KEY
    with pytest.raises(DecryptionError):
        item.open(OTHER_KEY)


def test_an_opaque_key_under_another_identifier_is_refused() -> None:
    item = AccountVaultItemOpaqueKey.protect(KEY_ID, OPAQUE_KEY, VAULT_KEY, bytes)

    with pytest.raises(MismatchError):
        msgspec.structs.replace(item, key_id=OTHER_KEY_ID).open(VAULT_KEY)


def test_a_registration_device_opens_with_the_vault_key() -> None:
    item = AccountVaultItemRegistrationDevice.protect(DEVICE, VAULT_KEY, bytes)

    assert load_vault_item(item.dump()) == item
    assert item.open(VAULT_KEY) == DEVICE


def test_a_registration_device_of_another_user_is_refused() -> None:
    item = AccountVaultItemRegistrationDevice.protect(DEVICE, VAULT_KEY, bytes)

    with pytest.raises(MismatchError):
        msgspec.structs.replace(item, user_id=UserID(bytes(15) + b"x")).open(VAULT_KEY)
    with pytest.raises(MismatchError):
        msgspec.structs.replace(item, organization_id=OrganizationID("X")).open(VAULT_KEY)


def test_items_of_both_kinds_have_the_fingerprints_of_what_they_are_for() -> None:
    key = AccountVaultItemOpaqueKey.protect(KEY_ID, OPAQUE_KEY, VAULT_KEY, bytes)
    device = AccountVaultItemRegistrationDevice.protect(DEVICE, VAULT_KEY, bytes)

    assert key.fingerprint == opaque_key_fingerprint(KEY_ID)
    assert device.fingerprint == registration_device_fingerprint(
        DEVICE.organization_id, DEVICE.user_id
    )
    # sha256sum of REGISTRATION_DEVICE.Org. and 32 zeros.
    assert device.fingerprint.hex() == (
        "1b82dc27d77848767d12f3e93f42431450fb83359e5bc7f77fdedd5df5d7b90b"
    )


def test_another_type_is_no_item() -> None:
    with pytest.raises(MalformedError):
        load_vault_item(InviteShamirRecoveryData().dump())
