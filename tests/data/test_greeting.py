"""What the two sides of an invitation tell each other. See tests/vectors/data-payloads."""

import pytest

from parsec.crypto.errors import DecryptionError
from parsec.crypto.keys import SecretKey, SigningKey
from parsec.data.greeting import InviteDeviceData, InviteShamirRecoveryData
from parsec.data.people import DeviceLabel
from parsec.wire.msgpack import MalformedError

KEY = SecretKey(bytes(32))
WISH = InviteDeviceData(
    requested_device_label=DeviceLabel("phone"), verify_key=SigningKey(bytes(32)).verify_key
)


def test_a_payload_opens_with_the_shared_key() -> None:
    encrypted = WISH.encrypt(KEY, bytes)

    assert InviteDeviceData.decrypt(encrypted, KEY) == WISH
    with pytest.raises(DecryptionError):
        InviteDeviceData.decrypt(encrypted, SecretKey(bytes(31) + b"x"))


def test_a_payload_of_another_kind_is_malformed() -> None:
    encrypted = InviteShamirRecoveryData().encrypt(KEY, bytes)

    with pytest.raises(MalformedError):
        InviteDeviceData.decrypt(encrypted, KEY)
