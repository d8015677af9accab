"""When a device may be added (server-core.md 6.3)."""

from typing import Any

import msgspec
import pytest

from parsec.crypto.keys import SigningKey
from parsec.data.certificates import DeviceCertificate, DevicePurpose
from parsec.data.ids import DeviceID
from parsec.data.people import DeviceLabel
from parsec.protocol import statuses
from parsec.protocol.command import Reply
from parsec.protocol.device import DeviceCreate
from parsec.server.rules.device import check_certificate, check_new
from parsec.server.rules.refusal import Refused
from tests.support.server_records import EARLIER, NOW, author, user

KEY = SigningKey(bytes(range(32)))
BOB = author(user("bob"), KEY)
NEW = DeviceCertificate(
    purpose=DevicePurpose.STANDARD,
    author=BOB.device.device_id,
    timestamp=NOW,
    user_id=BOB.user.user_id,
    device_id=DeviceID(b"\7" * 16),
    device_label=DeviceLabel("phone"),
    verify_key=SigningKey(bytes(32)).verify_key,
)
REDACTED = msgspec.structs.replace(NEW, device_label=None)


def checked(
    full: DeviceCertificate = NEW, redacted: DeviceCertificate = REDACTED, key: SigningKey = KEY
) -> DeviceCertificate:
    request = DeviceCreate(
        device_certificate=full.sign(key), redacted_device_certificate=redacted.sign(key)
    )
    return check_certificate(request, BOB, now=NOW)


def both(**fields: Any) -> tuple[DeviceCertificate, DeviceCertificate]:
    replace = msgspec.structs.replace
    return replace(NEW, **fields), replace(REDACTED, **fields)


def refusal(*arguments: Any, **more: Any) -> Reply:
    with pytest.raises(Refused) as refused:
        checked(*arguments, **more)
    return refused.value.reply


def test_a_user_adds_a_device() -> None:
    assert checked() == NEW


def test_a_device_for_somebody_else_is_refused() -> None:
    assert refusal(*both(user_id=user().user_id)) == statuses.InvalidCertificate()


def test_the_author_is_the_device_that_calls() -> None:
    assert refusal(*both(author=DeviceID(bytes(16)))) == statuses.InvalidCertificate()


def test_a_forged_signature_is_refused() -> None:
    assert refusal(key=SigningKey(bytes(32))) == statuses.InvalidCertificate()


def test_the_date_is_checked_before_the_user() -> None:
    fields = {"user_id": user().user_id, "timestamp": NOW.plus(seconds=-320)}

    assert isinstance(refusal(*both(**fields)), statuses.TimestampOutOfBallpark)


def test_both_versions_must_be_what_they_say() -> None:
    replies = [refusal(NEW, NEW), refusal(REDACTED, REDACTED)]

    assert replies == [statuses.InvalidCertificate()] * 2


def test_an_earlier_date_is_told_before_a_taken_identifier() -> None:
    with pytest.raises(Refused) as refused:
        check_new(NEW, last_common=NOW, same_id=BOB.device)

    assert refused.value.reply == statuses.RequireGreaterTimestamp(strictly_greater_than=NOW)


def test_a_taken_identifier_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        check_new(NEW, last_common=EARLIER, same_id=BOB.device)

    assert refused.value.reply == statuses.DeviceAlreadyExists()


def test_what_fits_is_accepted() -> None:
    check_new(NEW, last_common=EARLIER, same_id=None)
