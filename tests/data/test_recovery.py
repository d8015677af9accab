"""What a shared recovery splits and joins. Known secrets are in tests/vectors/shamir-*."""

from collections.abc import Sequence

import pytest

from parsec.crypto.errors import DecryptionError, NotEnoughShares, SignatureError
from parsec.crypto.keys import PrivateKey, SecretKey, SigningKey
from parsec.crypto.shamir import ShamirShare
from parsec.data.ids import AccessToken, DeviceID, UserID
from parsec.data.instant import Instant
from parsec.data.record import MismatchError
from parsec.data.recovery import (
    CorruptedSecretError,
    ShamirRecoverySecret,
    ShamirRecoveryShareData,
    deal_shares,
    join_secret,
    wrong_recipients,
)
from parsec.wire.msgpack import MalformedError

SECRET = ShamirRecoverySecret(data_key=SecretKey(bytes(32)), reveal_token=AccessToken(bytes(16)))
ALICE, BOB, CARL = (UserID(bytes(15) + bytes([number])) for number in (1, 2, 3))
AUTHOR, AUTHOR_KEY, NOW = DeviceID(bytes(16)), SigningKey(bytes(32)), Instant(0)
RECIPIENT_KEY = PrivateKey(bytes(31) + b"\x01")


def counting_entropy(size: int) -> bytes:
    """Bytes that differ from each other."""
    return bytes(number % 251 + 1 for number in range(size))


def dealt(threshold: int, **weights: int) -> dict[UserID, list[ShamirShare]]:
    """The shares of Alice, Bob and Carl."""
    users = {"alice": ALICE, "bob": BOB, "carl": CARL}
    return deal_shares(
        SECRET,
        threshold=threshold,
        weights={users[name]: weight for name, weight in weights.items()},
        entropy=counting_entropy,
    )


def spoiled(shares: Sequence[ShamirShare]) -> list[ShamirShare]:
    """Shares of the same numbers with other content."""
    return [ShamirShare(share[:1] + bytes(byte ^ 1 for byte in share[1:])) for share in shares]


def test_shares_are_dealt_in_a_row_by_weight() -> None:
    shares = dealt(2, alice=2, bob=1, carl=3)

    assert [share.x for share in shares[ALICE]] == [1, 2]
    assert [share.x for share in shares[BOB]] == [3]
    assert [share.x for share in shares[CARL]] == [4, 5, 6]


def test_enough_shares_join_the_secret() -> None:
    shares = dealt(3, alice=2, bob=1, carl=1)

    assert join_secret([*shares[ALICE], *shares[CARL]], threshold=3) == SECRET


def test_a_share_that_is_given_twice_counts_once() -> None:
    shares = dealt(2, alice=1, bob=1)

    assert join_secret([*shares[ALICE], *shares[ALICE], *shares[BOB]], threshold=2) == SECRET
    with pytest.raises(NotEnoughShares):
        join_secret([*shares[ALICE], *shares[ALICE]], threshold=2)


def test_a_wrong_share_is_noticed() -> None:
    shares = dealt(2, alice=1, bob=1)

    with pytest.raises(CorruptedSecretError):
        join_secret([*shares[ALICE], *spoiled(shares[BOB])], threshold=2)


def test_two_different_shares_of_one_number_are_noticed() -> None:
    shares = dealt(2, alice=1, bob=1)

    with pytest.raises(CorruptedSecretError):
        join_secret([*shares[ALICE], *shares[BOB], *spoiled(shares[BOB])], threshold=2)


def test_a_share_at_zero_would_be_the_secret_itself_and_is_refused() -> None:
    forged = ShamirShare(b"\x00" + SECRET.dump())

    with pytest.raises(CorruptedSecretError):
        join_secret([forged], threshold=1)


def test_spare_shares_name_who_gave_wrong_ones() -> None:
    shares: dict[UserID, list[ShamirShare]] = dealt(2, alice=1, bob=1, carl=1)
    shares[BOB] = spoiled(shares[BOB])

    assert wrong_recipients(shares, threshold=2) == [BOB]


def test_without_spare_shares_nobody_can_be_named() -> None:
    shares = dealt(2, alice=1, bob=1)
    shares[BOB] = spoiled(shares[BOB])

    assert wrong_recipients(shares, threshold=2) == []


def sealed() -> tuple[bytes, ShamirRecoveryShareData]:
    """Shares for a recipient."""
    data = ShamirRecoveryShareData(
        author=AUTHOR, timestamp=NOW, weighted_share=[ShamirShare(b"\x01\x02")]
    )
    return data.seal(author_key=AUTHOR_KEY, recipient=RECIPIENT_KEY.public_key), data


def open_share(
    ciphered: bytes,
    *,
    key: PrivateKey = RECIPIENT_KEY,
    author_key: SigningKey = AUTHOR_KEY,
    author: DeviceID = AUTHOR,
    timestamp: Instant = NOW,
) -> ShamirRecoveryShareData:
    """Shares, opened by their recipient unless said otherwise."""
    return ShamirRecoveryShareData.open(
        ciphered,
        recipient_key=key,
        author_verify_key=author_key.verify_key,
        author=author,
        timestamp=timestamp,
    )


def test_a_recipient_opens_its_shares() -> None:
    ciphered, data = sealed()

    assert open_share(ciphered) == data


def test_nobody_else_opens_them() -> None:
    with pytest.raises(DecryptionError):
        open_share(sealed()[0], key=PrivateKey(bytes(31) + b"\x02"))


def test_shares_by_somebody_else_are_not_believed() -> None:
    with pytest.raises(SignatureError):
        open_share(sealed()[0], author_key=SigningKey(bytes(31) + b"x"))


def test_shares_cannot_be_passed_off_as_those_of_another_certificate() -> None:
    with pytest.raises(MismatchError):
        open_share(sealed()[0], timestamp=Instant(1))
    with pytest.raises(MismatchError):
        open_share(sealed()[0], author=DeviceID(bytes(15) + b"\x01"))


def test_more_shares_than_there_can_be_are_malformed() -> None:
    def load(count: int) -> ShamirRecoveryShareData:
        shares = [ShamirShare(b"\x01\x02")] * count
        data = ShamirRecoveryShareData(author=AUTHOR, timestamp=NOW, weighted_share=shares)
        return ShamirRecoveryShareData.load(data.dump())

    assert len(load(255).weighted_share) == 255
    with pytest.raises(MalformedError):
        load(256)
