"""Closing a device into its file and opening it, layer by layer."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsec.client.failure import AuthenticationFailed
from parsec.client.protection import (
    AccountVaultFields,
    KeyringFields,
    OpenBaoFields,
    PasswordFields,
    PkiFields,
    ProtectionFields,
    RecoveryFields,
)
from parsec.client.rules.device_file import (
    CorruptedDevice,
    TOTPKeyRejected,
    open_device,
    protect,
    totp_opaque_key_id,
)
from parsec.crypto.entropy import system_entropy
from parsec.crypto.keys import SecretKey
from parsec.data.device_file import (
    AnyDeviceFile,
    Argon2id,
    X509CertificateReference,
    load_device_file,
)
from parsec.data.ids import AccountVaultItemOpaqueKeyID, TOTPOpaqueKeyID
from parsec.data.instant import Instant
from parsec.data.people import DeviceLabel
from tests.support.lines import some_device

CREATED = Instant.parse("2026-01-02T03:04:05Z")
PROTECTED = Instant.parse("2026-02-03T04:05:06.000007Z")
DEVICE = some_device()
K = SecretKey(bytes(range(32)))
T = SecretKey(bytes(range(32, 64)))
TOTP_ID = TOTPOpaqueKeyID(bytes(16))
ARGON = Argon2id(memlimit_kb=131072, opslimit=3, parallelism=1, salt=bytes(16))

FIELDS: dict[str, ProtectionFields] = {
    "password": PasswordFields(ARGON),
    "keyring": KeyringFields(service="parsec", user="alice"),
    "pki": PkiFields(
        certificate_ref=X509CertificateReference(hash=f"sha256-{'A' * 43}="),
        encrypted_key=b"sealed",
    ),
    "openbao": OpenBaoFields(
        preferred_auth_id="HEXAGONE", entity_id="e", ciphertext_key_path="e/1234"
    ),
    "account_vault": AccountVaultFields(AccountVaultItemOpaqueKeyID(bytes(16))),
    "recovery": RecoveryFields(),
}


def protected(
    fields: ProtectionFields = FIELDS["password"],
    *,
    totp: tuple[TOTPOpaqueKeyID, SecretKey] | None = None,
) -> AnyDeviceFile:
    return protect(
        DEVICE,
        fields=fields,
        key=K,
        created_on=CREATED,
        protected_on=PROTECTED,
        totp=totp,
        entropy=system_entropy,
    )


@pytest.mark.parametrize("kind", FIELDS)
def test_what_was_closed_opens(kind: str) -> None:
    file = load_device_file(protected(FIELDS[kind]).dump())

    assert open_device(file, key=K) == DEVICE
    assert totp_opaque_key_id(file) is None


@pytest.mark.parametrize("kind", [kind for kind in FIELDS if kind != "recovery"])
def test_with_a_one_time_code_both_keys_are_needed(kind: str) -> None:
    file = load_device_file(protected(FIELDS[kind], totp=(TOTP_ID, T)).dump())

    assert open_device(file, key=K, totp_key=T) == DEVICE
    assert totp_opaque_key_id(file) == TOTP_ID


def test_a_recovery_file_knows_no_one_time_code() -> None:
    with pytest.raises(ValueError, match="no one-time codes"):
        protected(RecoveryFields(), totp=(TOTP_ID, T))


@pytest.mark.parametrize("kind", FIELDS)
def test_the_kind_stands_first_and_says_what_it_needs_in_clear(kind: str) -> None:
    file = protected(FIELDS[kind])

    plain = msgspec.msgpack.decode(file.dump(), ext_hook=lambda code, data: bytes(data))
    assert next(iter(plain.items())) == ("type", kind)
    assert plain["created_on"] != plain["protected_on"]


def test_the_header_repeats_who_the_device_is() -> None:
    file = protected()

    assert (file.created_on, file.protected_on) == (CREATED, PROTECTED)
    assert (file.server_url, file.organization_id) == (DEVICE.server_url, DEVICE.organization_id)
    assert (file.user_id, file.device_id) == (DEVICE.user_id, DEVICE.device_id)
    assert (file.human_handle, file.device_label) == (DEVICE.human_handle, DEVICE.device_label)


def test_nothing_secret_stands_in_clear() -> None:
    content = protected().dump()

    for secret in (DEVICE.signing_key, DEVICE.private_key, DEVICE.local_symkey, K):
        assert bytes(secret) not in content


def test_the_same_device_is_closed_differently_each_time() -> None:
    assert protected().ciphertext != protected().ciphertext


def test_another_key_does_not_open() -> None:
    with pytest.raises(AuthenticationFailed, match="Decryption failed") as raised:
        open_device(protected(), key=T)

    assert not isinstance(raised.value, TOTPKeyRejected)
    assert "check what you typed" in str(raised.value.hint)


def test_without_the_opaque_key_nothing_opens() -> None:
    file = protected(totp=(TOTP_ID, T))

    with pytest.raises(AuthenticationFailed) as raised:
        open_device(file, key=K)

    assert "one-time code" in str(raised.value.hint)


def test_a_wrong_opaque_key_is_told_apart() -> None:
    file = protected(totp=(TOTP_ID, T))

    with pytest.raises(TOTPKeyRejected):
        open_device(file, key=K, totp_key=K)


def test_the_opaque_key_is_the_outer_layer() -> None:
    file = protected(totp=(TOTP_ID, T))

    inner = T.decrypt(file.ciphertext)

    assert open_device(msgspec.structs.replace(file, ciphertext=inner), key=K) == DEVICE


def test_an_opaque_key_for_a_file_without_one_is_rejected() -> None:
    with pytest.raises(TOTPKeyRejected):
        open_device(protected(), key=K, totp_key=T)


@pytest.mark.parametrize("content", [b"", b"\x80", b"\xc1", b"not a device"])
def test_what_opens_but_is_no_device_is_corrupted(content: bytes) -> None:
    ciphertext = K.encrypt(content, system_entropy)
    file = msgspec.structs.replace(protected(), ciphertext=ciphertext)

    with pytest.raises(CorruptedDevice) as raised:
        open_device(file, key=K)

    assert not isinstance(raised.value, AuthenticationFailed)


def test_the_clear_header_does_not_count() -> None:
    forged = msgspec.structs.replace(protected(), device_label=DeviceLabel("forged"))

    assert open_device(forged, key=K).device_label == DEVICE.device_label


@given(st.data())
def test_a_changed_ciphertext_never_opens(data: st.DataObject) -> None:
    file = protected()
    bit = data.draw(st.integers(0, len(file.ciphertext) * 8 - 1))
    changed = bytearray(file.ciphertext)
    changed[bit // 8] ^= 1 << (bit % 8)

    with pytest.raises(AuthenticationFailed):
        open_device(msgspec.structs.replace(file, ciphertext=bytes(changed)), key=K)


@given(st.binary(max_size=100))
def test_any_bytes_as_ciphertext_fail_alike(ciphertext: bytes) -> None:
    file = msgspec.structs.replace(protected(), ciphertext=ciphertext)

    with pytest.raises(AuthenticationFailed):
        open_device(file, key=K)
