"""Splits a secret among shares of which a threshold joins it again.

A. Shamir, "How to share a secret" (1979), over GF(2^8) with the polynomial 0x11d, which is not the
one of AES: each byte of the secret is the constant term of a polynomial of its own, and share
number x holds the values of all of them at x. See docs/protocol/cryptography.md.

How secrets stay out of the timing: bytes are the lanes of one big integer, and a whole row of
lanes is doubled, masked and added (xor) at once, with the carries folded back by arithmetic. Only x
coordinates and the weights that follow from them, which are public, choose what is added and index
tables. Python's integers drop leading zeros and would so show rows that begin with them: every
integer made of secrets therefore carries set bits of its own in front.
"""

import hmac
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, reduce
from operator import xor
from typing import Self

from parsec.crypto.entropy import Entropy
from parsec.crypto.errors import (
    InconsistentShares,
    NotEnoughShares,
    ShamirError,
    ShareCountError,
)

__all__ = [
    "MAX_SHARES",
    "InconsistentShares",
    "NotEnoughShares",
    "ShamirError",
    "ShamirShare",
    "ShareCountError",
    "evaluate",
    "gf_divide",
    "gf_multiply",
    "join",
    "split",
]

MAX_SHARES = 255
"""The x coordinates of shares: all elements of the field but 0, where the secret is."""

_POLYNOMIAL = 0x11D
_GENERATOR = 2
_ORDER = 255


class ShamirShare(bytes):
    """The x coordinate, then one byte for each byte of the secret; under 2 bytes a ValueError."""

    __slots__ = ()

    def __new__(cls, raw: bytes) -> Self:
        if len(raw) < 2:
            raise ValueError(f"a share of {len(raw)} bytes")
        return super().__new__(cls, raw)

    @property
    def x(self) -> int:
        return self[0]

    @property
    def ys(self) -> bytes:
        return self[1:]

    def __repr__(self) -> str:
        return f"ShamirShare(x={self.x}, …)"

    __str__ = __repr__


def split(secret: bytes, *, threshold: int, shares: int, entropy: Entropy) -> list[ShamirShare]:
    """Shares number 1, 2, 3, …, any `threshold` of which join the secret.

    Raises ShareCountError.
    """
    if not secret:
        raise ValueError("there is nothing to split")
    if not 1 <= threshold <= shares <= MAX_SHARES:
        raise ShareCountError(f"no split into {shares} shares with threshold {threshold}")
    coefficients = [entropy(len(secret)) for _ in range(threshold - 1)]
    return [ShamirShare(raw) for raw in evaluate(secret, coefficients, shares=shares)]


def evaluate(secret: bytes, coefficients: Sequence[bytes], *, shares: int) -> list[bytes]:
    """The shares' bytes for given coefficients, that of x first, each as long as the secret."""
    rows = [secret, *coefficients]
    if any(len(row) != len(secret) for row in rows):
        raise ValueError("each row of coefficients is as long as the secret")
    doubled = _doubled_rows(rows)
    return [
        bytes([x]) + _combination(doubled, _powers(x, len(rows)), len(secret))
        for x in range(1, shares + 1)
    ]


def join(shares: Iterable[ShamirShare], *, threshold: int) -> bytes:
    """The secret; wrong shares among enough ones give wrong bytes, which only the caller can tell.

    Raises NotEnoughShares, InconsistentShares.
    """
    given = list(shares)
    if len({len(share) for share in given}) > 1:
        raise InconsistentShares("the shares have different lengths")
    by_x = {share.x: share for share in given}
    if not 1 <= threshold <= len(by_x):
        raise NotEnoughShares(f"{len(by_x)} different shares, {threshold} are needed")
    for share in given:
        # A share given twice would cancel itself; it was dropped above if it was the same one.
        if not hmac.compare_digest(by_x[share.x], share):
            raise InconsistentShares(f"two different shares number {share.x}")
    rows = [share.ys for share in by_x.values()]
    return _combination(_doubled_rows(rows), _weights_at_zero(list(by_x)), len(rows[0]))


def gf_multiply(a: int, b: int) -> int:
    """The product of two public elements of the field; never to be called with a secret."""
    logs, powers = _tables()
    return powers[(logs[a] + logs[b]) % _ORDER] if a and b else 0


def gf_divide(a: int, b: int) -> int:
    """The quotient of two public elements of the field; never to be called with a secret.

    Raises ZeroDivisionError.
    """
    if b == 0:
        raise ZeroDivisionError("division by zero in GF(2^8)")
    logs, powers = _tables()
    return powers[(logs[a] - logs[b]) % _ORDER] if a else 0


def _doubled_rows(rows: Sequence[bytes]) -> list[list[int]]:
    """For each row its products with 1, 2, 4, … 128, lane by lane."""
    size = len(rows[0])
    doublings = list(_doublings(b"".join(rows)))
    starts = range(0, size * len(rows), size) if size else [0] * len(rows)
    return [
        [int.from_bytes(b"\x01" + lanes[start : start + size], "big") for lanes in doublings]
        for start in starts
    ]


def _doublings(packed: bytes) -> Iterator[bytes]:
    size = len(packed) + 1
    lanes = int.from_bytes(b"\xc0" + packed, "big")
    top_bits = int.from_bytes(b"\x80" * size, "big")
    # A lane in front with two set bits: one leads the carries, the other what remains of the lanes.
    guard = 0xC0 << 8 * len(packed)
    for _ in range(8):
        lanes |= guard
        yield lanes.to_bytes(size, "big")[1:]
        carries = lanes & top_bits
        # The product stays within its lane: the polynomial's low part has five bits.
        lanes = ((lanes ^ carries) << 1) ^ ((carries >> 7) * (_POLYNOMIAL & 0xFF))


def _combination(doubled: Sequence[Sequence[int]], factors: Iterable[int], size: int) -> bytes:
    """The sum of all rows, each times its public factor."""
    bits = _bits()
    terms = [row[bit] for row, factor in zip(doubled, factors, strict=True) for bit in bits[factor]]
    # Two lanes in front: the rows' own, whose sum may vanish, and one that no row touches.
    total = reduce(xor, terms, 1 << 8 * (size + 1))
    return total.to_bytes(size + 2, "big")[2:]


def _powers(x: int, count: int) -> list[int]:
    powers = [1]
    for _ in range(count - 1):
        powers.append(gf_multiply(powers[-1], x))
    return powers


def _weights_at_zero(xs: Sequence[int]) -> list[int]:
    """For each x the product over all others of other / (other - x): Lagrange's weights at 0."""
    if 0 in xs:
        # Such a share is the secret itself; whoever must not believe it refuses it before.
        return [int(x == 0) for x in xs]
    logs, powers = _tables()
    numerator = sum(logs[x] for x in xs)
    denominators = (logs[x] + sum(logs[x ^ other] for other in xs if other != x) for x in xs)
    return [powers[(numerator - denominator) % _ORDER] for denominator in denominators]


@cache
def _tables() -> tuple[list[int], list[int]]:
    """Logarithms (that of 0 is never used) and powers of the generator."""
    logs, powers = [0] * 256, [0] * _ORDER
    element = 1
    for exponent in range(_ORDER):
        logs[element], powers[exponent] = exponent, element
        element *= _GENERATOR
        element ^= _POLYNOMIAL if element > 0xFF else 0
    return logs, powers


@cache
def _bits() -> list[list[int]]:
    """For each element of the field the numbers of its set bits."""
    return [[bit for bit in range(8) if element >> bit & 1] for element in range(256)]
