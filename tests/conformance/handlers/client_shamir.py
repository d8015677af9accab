"""Shared recoveries: whole set-ups with all secrets known, share data, status, parameters."""

from itertools import combinations, islice
from typing import Any

import msgspec

from parsec.client.rules.ledger import ShamirSetup
from parsec.client.rules.shamir import (
    AuthorAmongRecipients,
    SetupRefused,
    ThresholdBiggerThanSumOfShares,
    TooManyShares,
    check_shares,
    setup_status,
)
from parsec.crypto.errors import DecryptionError, SignatureError
from parsec.crypto.keys import PrivateKey, SecretKey, VerifyKey
from parsec.crypto.shamir import ShamirShare, join
from parsec.data.certificates import (
    ShamirRecoveryBriefCertificate,
    ShamirRecoveryDeletionCertificate,
    ShamirRecoveryShareCertificate,
)
from parsec.data.ids import DeviceID, Id, UserID
from parsec.data.instant import Instant
from parsec.data.local_device import LocalDevice
from parsec.data.recovery import ShamirRecoveryShareData, join_secret
from parsec.wire.msgpack import MalformedError
from tests.conformance.registry import Vector, handles


@handles("client-shamir-recovery")
def shared_recovery(vector: Vector, document: dict[str, Any]) -> None:
    if "status_of" in vector:
        _check_status(vector)
    elif "validate_setup" in vector:
        _check_parameters(vector)
    elif "share_data" in vector:
        _check_share_data(vector)
    else:
        _check_whole_setup(vector)


def _check_status(vector: Vector) -> None:
    names = list(vector["per_recipient_shares"])
    ids = {name: UserID(number.to_bytes(16, "big")) for number, name in enumerate(names)}
    deleted = vector["deleted"]
    setup = ShamirSetup(
        user_id=UserID(b"a" * 16),
        created_on=Instant(0),
        created_by=DeviceID(b"a" * 16),
        threshold=vector["threshold"],
        per_recipient_shares={ids[name]: n for name, n in vector["per_recipient_shares"].items()},
        deleted_on=Instant(1) if deleted else None,
        deleted_by=DeviceID(b"a" * 16) if deleted else None,
    )

    status = setup_status(setup, {ids[name] for name in vector["revoked"]})

    assert status.state.replace("-", "_") == vector["expected"]["status"]


_REFUSALS = {
    AuthorAmongRecipients: "author among recipients",
    ThresholdBiggerThanSumOfShares: "threshold bigger than sum of shares",
    TooManyShares: "too many shares",
}


def _check_parameters(vector: Vector) -> None:
    ids = [UserID(number.to_bytes(16, "big")) for number in range(len(vector["weights"]) + 1)]
    recipients = ids[:-1]
    author = recipients[0] if vector["author_among_recipients"] else ids[-1]
    weights = dict(zip(recipients, vector["weights"], strict=True))

    refusal: str | None = None
    try:
        check_shares(author, weights, vector["threshold"])
    except SetupRefused as error:
        refusal = _REFUSALS[type(error)]

    assert refusal == vector["expected"].get("error")


def _check_share_data(vector: Vector) -> None:
    try:
        data = ShamirRecoveryShareData.open(
            bytes.fromhex(vector["ciphered_share_hex"]),
            recipient_key=PrivateKey(bytes.fromhex(vector["recipient_private_key_hex"])),
            author_verify_key=VerifyKey(bytes.fromhex(vector["author_verify_key_hex"])),
            author=DeviceID.parse(vector["expected_author"]),
            timestamp=Instant(vector["expected_timestamp"]["us"]),
        )
    except SignatureError:
        assert vector["expected"] == {"error": "signature"}
    except DecryptionError:
        assert vector["expected"] == {"error": "decryption"}
    except MalformedError:
        assert vector["expected"]["error"] not in ("signature", "decryption")
    else:
        assert vector["expected"] == {"weighted_share_hex": _hex(data.weighted_share)}


def _check_whole_setup(vector: Vector) -> None:
    verify_key = VerifyKey(bytes.fromhex(vector["author"]["verify_key_hex"]))
    brief = ShamirRecoveryBriefCertificate.load_signed(
        bytes.fromhex(vector["brief_certificate_hex"]), verify_key
    )
    _check_brief(vector, brief)
    _check_deletion(vector, brief, verify_key)
    shares = [_opened(recipient, brief, verify_key) for recipient in vector["recipients"]]
    for chosen in _sufficient(shares, brief.threshold):
        _check_joined(vector, [share for some in chosen for share in some], brief.threshold)
    _check_recovery_device(vector)


def _check_brief(vector: Vector, brief: ShamirRecoveryBriefCertificate) -> None:
    assert brief.user_id.hex() == vector["author"]["user_id"]
    assert brief.author.hex() == vector["author"]["device_id"]
    assert brief.timestamp == vector["timestamp"]["us"]
    assert brief.threshold == vector["threshold"]
    assert brief.per_recipient_shares == {
        UserID.parse(recipient["user_id"]): recipient["weight"]
        for recipient in vector["recipients"]
    }


def _check_deletion(
    vector: Vector, brief: ShamirRecoveryBriefCertificate, verify_key: VerifyKey
) -> None:
    deletion = ShamirRecoveryDeletionCertificate.load_signed(
        bytes.fromhex(vector["deletion_certificate_hex"]), verify_key
    )
    assert deletion.setup_to_delete_user_id == brief.user_id
    assert deletion.setup_to_delete_timestamp == brief.timestamp
    assert deletion.share_recipients == brief.per_recipient_shares.keys()


def _opened(
    recipient: dict[str, Any], brief: ShamirRecoveryBriefCertificate, verify_key: VerifyKey
) -> list[ShamirShare]:
    certificate = ShamirRecoveryShareCertificate.load_signed(
        bytes.fromhex(recipient["share_certificate_hex"]), verify_key
    )
    assert certificate.recipient.hex() == recipient["user_id"]
    assert certificate.timestamp == brief.timestamp
    data = ShamirRecoveryShareData.open(
        certificate.ciphered_share,
        recipient_key=PrivateKey(bytes.fromhex(recipient["private_key_hex"])),
        author_verify_key=verify_key,
        author=brief.author,
        timestamp=brief.timestamp,
    )
    assert _hex(data.weighted_share) == recipient["expected_weighted_share_hex"]
    return data.weighted_share


def _sufficient(
    shares: list[list[ShamirShare]], threshold: int
) -> list[tuple[list[ShamirShare], ...]]:
    """Choices of recipients who together hold enough."""
    choices = (
        chosen
        for count in range(len(shares), 0, -1)
        for chosen in combinations(shares, count)
        if sum(map(len, chosen)) >= threshold
    )
    # All recipients first, then fewer; their number grows too fast to try every choice.
    return list(islice(choices, 100))


def _check_joined(vector: Vector, shares: list[ShamirShare], threshold: int) -> None:
    expected = vector["expected"]
    assert join(shares, threshold=threshold).hex() == expected["secret_bytes_hex"]
    secret = join_secret(shares, threshold=threshold)
    assert bytes(secret.data_key).hex() == expected["data_key_hex"]
    assert secret.reveal_token.hex() == expected["reveal_token_hex"]


def _check_recovery_device(vector: Vector) -> None:
    key = SecretKey(bytes.fromhex(vector["expected"]["data_key_hex"]))
    device = LocalDevice.load(key.decrypt(bytes.fromhex(vector["ciphered_data_hex"])))
    found = {name: _json(value) for name, value in msgspec.structs.asdict(device).items()}
    found |= {
        "type": "local_device",
        "server_url": device.server_url.url,
        "human_handle": [device.human_handle.email, device.human_handle.label],
    }
    assert found == vector["expected"]["recovery_device"]


def _json(value: object) -> object:
    if isinstance(value, Id):
        return {"uuid": value.hex()}
    if hasattr(value, "__bytes__"):
        return {"hex": bytes(value).hex()}
    return str(value)


def _hex(shares: list[ShamirShare]) -> list[str]:
    return [bytes(share).hex() for share in shares]
