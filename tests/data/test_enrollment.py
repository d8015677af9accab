"""The file of a pending enrollment. Known ones are in tests/vectors/data-local."""

import msgspec
import pytest

from parsec.crypto.errors import DecryptionError
from parsec.crypto.keys import PrivateKey, SecretKey, SigningKey
from parsec.data.address import ServerAddr
from parsec.data.enrollment import (
    PendingEnrollment,
    PendingEnrollmentContent,
    PendingIdentityOpenBao,
    PendingKeys,
)
from parsec.data.ids import AsyncEnrollmentID
from parsec.data.instant import Instant
from parsec.data.people import DeviceLabel, HumanHandle, OrganizationID
from parsec.wire.msgpack import MalformedError

KEY = SecretKey(bytes(32))
KEYS = PendingKeys(signing_key=SigningKey(bytes(32)), private_key=PrivateKey(bytes(32)))
CONTENT = PendingEnrollmentContent(
    server_url=ServerAddr(hostname="parsec.example.com"),
    organization_id=OrganizationID("Org"),
    submitted_on=Instant(0),
    enrollment_id=AsyncEnrollmentID(bytes(16)),
    requested_device_label=DeviceLabel("laptop"),
    requested_human_handle=HumanHandle.from_wire(["bob@example.com", "Bob"]),
    identity_system=PendingIdentityOpenBao(
        openbao_ciphertext_key_path="entity/key",
        openbao_entity_id="entity",
        openbao_preferred_auth_id="HEXAGONE",
    ),
)
PENDING = PendingEnrollment.protect(CONTENT, KEYS, KEY, bytes)


def test_a_pending_enrollment_gives_its_keys_back() -> None:
    loaded = PendingEnrollment.load(PENDING.dump())

    assert loaded.unverified_content == CONTENT
    assert loaded.open(KEY) == KEYS


def test_a_pending_enrollment_of_another_key_does_not_open() -> None:
    with pytest.raises(DecryptionError):
        PENDING.open(SecretKey(bytes(31) + b"x"))


def test_a_changed_clear_part_is_noticed() -> None:
    other = msgspec.structs.replace(CONTENT, organization_id=OrganizationID("Trap"))
    changed = msgspec.structs.replace(PENDING, cleartext_content=other.dump())

    with pytest.raises(MalformedError):
        changed.open(KEY)


def test_a_key_of_another_size_is_malformed() -> None:
    broken = msgspec.structs.replace(PENDING, ciphertext_private_key=KEY.encrypt(b"short", bytes))

    with pytest.raises(MalformedError):
        broken.open(KEY)
