"""What a shared recovery splits and joins, and how a recipient's shares are wrapped.

`data-types.md` 7 and `wire.md` 6.8.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Self

import msgspec

from parsec.crypto.entropy import Entropy
from parsec.crypto.errors import ShamirError
from parsec.crypto.keys import PrivateKey, PublicKey, SecretKey, SigningKey, VerifyKey
from parsec.crypto.shamir import ShamirShare, join, split
from parsec.data.ids import AccessToken, DeviceID, UserID
from parsec.data.instant import Instant
from parsec.data.record import Record
from parsec.wire.msgpack import MalformedError


class CorruptedSecretError(ValueError):
    """At least one of the joined shares is wrong."""


class ShamirRecoverySecret(Record, frozen=True, kw_only=True, tag="shamir_recovery_secret"):
    """What opens a recovery: the key of the recovery device, and the token that releases it."""

    data_key: SecretKey
    reveal_token: AccessToken


class ShamirRecoveryShareData(Record, frozen=True, kw_only=True, tag="shamir_recovery_share_data"):
    """The shares of one recipient, as signed by the author and sealed for the recipient."""

    author: DeviceID
    timestamp: Instant
    weighted_share: Annotated[list[ShamirShare], msgspec.Meta(max_length=255)]

    def seal(self, *, author_key: SigningKey, recipient: PublicKey) -> bytes:
        """The `ciphered_share` of a share certificate."""
        return recipient.seal(author_key.sign(self.dump()))

    @classmethod
    def open(
        cls,
        ciphered_share: bytes,
        *,
        recipient_key: PrivateKey,
        author_verify_key: VerifyKey,
        author: DeviceID,
        timestamp: Instant,
    ) -> Self:
        """Open one's own shares. Raises DecryptionError, SignatureError or MalformedError.

        Author and timestamp must be those of the certificate around, so that nobody passes off
        another user's shares as their own.
        """
        data = cls.load(author_verify_key.verify(recipient_key.open(ciphered_share)))
        return data.expect(author=author, timestamp=timestamp)


def deal_shares(
    secret: ShamirRecoverySecret,
    *,
    threshold: int,
    weights: Mapping[UserID, int],
    entropy: Entropy,
) -> dict[UserID, list[ShamirShare]]:
    """Split the secret and deal the shares in a row, to each recipient as many as its weight."""
    shares = iter(
        split(secret.dump(), threshold=threshold, shares=sum(weights.values()), entropy=entropy)
    )
    return {
        recipient: [next(shares) for _ in range(weight)] for recipient, weight in weights.items()
    }


def join_secret(shares: Iterable[ShamirShare], *, threshold: int) -> ShamirRecoverySecret:
    """Join shares of different recipients.

    Raises CorruptedSecretError when they do not give a secret, among others for a share at x = 0
    and for two different shares at one x; NotEnoughShares when there are too few.
    """
    distinct = set(shares)
    xs = [share.x for share in distinct]
    if 0 in xs or len(set(xs)) != len(xs):
        raise CorruptedSecretError("a share is wrong")
    try:
        return ShamirRecoverySecret.load(join(sorted(distinct), threshold=threshold))
    except MalformedError:
        raise CorruptedSecretError("a share is wrong") from None


def wrong_recipients(
    shares: Mapping[UserID, Iterable[ShamirShare]], *, threshold: int
) -> list[UserID]:
    """Recipients without whose shares the secret can be joined, when there are spare shares."""
    return [suspect for suspect in shares if _joins_without(suspect, shares, threshold)]


def _joins_without(
    suspect: UserID, shares: Mapping[UserID, Iterable[ShamirShare]], threshold: int
) -> bool:
    others = [share for user, some in shares.items() if user != suspect for share in some]
    try:
        join_secret(others, threshold=threshold)
    except (CorruptedSecretError, ShamirError):
        return False
    return True
