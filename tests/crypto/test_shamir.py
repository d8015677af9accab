"""Splitting and joining secrets, held against a naive implementation of the field."""

from collections.abc import Callable
from itertools import combinations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsec.crypto.errors import CryptoError
from parsec.crypto.shamir import (
    MAX_SHARES,
    InconsistentShares,
    NotEnoughShares,
    ShamirError,
    ShamirShare,
    ShareCountError,
    evaluate,
    gf_divide,
    gf_multiply,
    join,
    split,
)

secrets = st.binary(min_size=1, max_size=40)
elements = st.integers(0, 255)
seeds = st.integers(0, 1 << 32)


def naive_product(a: int, b: int) -> int:
    """Schoolbook multiplication of polynomials over GF(2), then division by 0x11d."""
    product = 0
    for bit in range(8):
        if b >> bit & 1:
            product ^= a << bit
    for bit in range(15, 7, -1):
        if product >> bit & 1:
            product ^= 0x11D << (bit - 8)
    return product


def naive_value(coefficients: list[int], x: int) -> int:
    """The polynomial, constant term first, at x."""
    value, power = 0, 1
    for coefficient in coefficients:
        value ^= naive_product(coefficient, power)
        power = naive_product(power, x)
    return value


@given(a=elements, b=elements)
def test_the_product_is_that_of_the_definition(a: int, b: int) -> None:
    assert gf_multiply(a, b) == naive_product(a, b)


@given(a=elements, b=st.integers(1, 255))
def test_division_undoes_multiplication(a: int, b: int) -> None:
    assert gf_divide(gf_multiply(a, b), b) == a


def test_nothing_is_divided_by_zero() -> None:
    with pytest.raises(ZeroDivisionError):
        gf_divide(1, 0)


@given(
    rows=st.integers(1, 12).flatmap(
        lambda size: st.lists(st.binary(min_size=size, max_size=size), min_size=1, max_size=9)
    ),
    share_count=st.sampled_from([1, 2, 7, MAX_SHARES]),
)
def test_all_lanes_hold_the_values_of_their_polynomials(
    rows: list[bytes], share_count: int
) -> None:
    secret, *coefficients = rows

    shares = evaluate(secret, coefficients, shares=share_count)

    expected = [
        bytes([x, *(naive_value(list(column), x) for column in zip(*rows, strict=True))])
        for x in range(1, share_count + 1)
    ]
    assert shares == expected


@given(data=st.data(), secret=secrets, seed=seeds)
def test_any_threshold_of_the_shares_joins(data: st.DataObject, secret: bytes, seed: int) -> None:
    total = data.draw(st.integers(1, 20))
    threshold = data.draw(st.integers(1, total))
    shares = split(secret, threshold=threshold, shares=total, entropy=Random(seed).randbytes)

    some = data.draw(st.permutations(shares))[: data.draw(st.integers(threshold, total))]

    assert join(some, threshold=threshold) == secret


@pytest.mark.parametrize("subset", list(combinations(range(5), 3)))
def test_each_subset_of_three_out_of_five_joins(subset: tuple[int, ...]) -> None:
    shares = split(b"secret", threshold=3, shares=5, entropy=Random(3).randbytes)

    assert join([shares[number] for number in subset], threshold=3) == b"secret"


@given(data=st.data(), secret=secrets, seed=seeds)
def test_fewer_shares_than_the_threshold_do_not_join(
    data: st.DataObject, secret: bytes, seed: int
) -> None:
    total = data.draw(st.integers(1, 20))
    threshold = data.draw(st.integers(1, total))
    shares = split(secret, threshold=threshold, shares=total, entropy=Random(seed).randbytes)

    with pytest.raises(NotEnoughShares):
        join(shares[: threshold - 1], threshold=threshold)


def test_the_largest_split_joins() -> None:
    secret = Random(1).randbytes(113)
    shares = split(secret, threshold=255, shares=255, entropy=Random(2).randbytes)

    assert [share.x for share in shares] == list(range(1, 256))
    assert join(reversed(shares), threshold=255) == secret


def test_one_share_less_than_the_threshold_says_nothing() -> None:
    """For each secret there are coefficients that give the very same share."""
    [share] = {
        evaluate(bytes([secret]), [bytes([0xA5 ^ secret])], shares=1)[0] for secret in range(256)
    }

    assert share == b"\x01\xa5"


def test_a_share_given_twice_counts_once() -> None:
    shares = split(b"secret", threshold=2, shares=3, entropy=Random(1).randbytes)

    assert join([shares[0], shares[0], shares[2]], threshold=2) == b"secret"
    with pytest.raises(NotEnoughShares):
        join([shares[0], shares[0]], threshold=2)


def test_two_different_shares_with_one_x_are_refused() -> None:
    shares = split(b"secret", threshold=2, shares=3, entropy=Random(1).randbytes)
    forged = ShamirShare(bytes([shares[0].x]) + bytes(6))

    with pytest.raises(InconsistentShares):
        join([*shares, forged], threshold=2)


def test_a_share_at_zero_is_the_secret() -> None:
    """So says the arithmetic; who must not believe such a share refuses it before."""
    shares = split(b"secret", threshold=2, shares=2, entropy=Random(1).randbytes)

    assert join([shares[0], ShamirShare(b"\x00forged")], threshold=2) == b"forged"


def test_shares_of_different_lengths_are_refused() -> None:
    shares = [ShamirShare(b"\x01ab"), ShamirShare(b"\x02abc")]

    with pytest.raises(InconsistentShares):
        join(shares, threshold=2)


def test_a_wrong_share_gives_a_wrong_secret() -> None:
    """The joining has no check of its own: the secret must bring one."""
    shares = split(b"secret", threshold=2, shares=2, entropy=Random(1).randbytes)
    wrong = ShamirShare(shares[0][:-1] + bytes([shares[0][-1] ^ 1]))

    joined = join([wrong, shares[1]], threshold=2)

    assert joined[:-1] == b"secre"
    assert joined[-1:] != b"t"


@pytest.mark.parametrize(("threshold", "total"), [(0, 3), (4, 3), (1, 256), (1, 0), (-1, 3)])
def test_a_split_out_of_range_is_refused(threshold: int, total: int) -> None:
    with pytest.raises(ShareCountError):
        split(b"secret", threshold=threshold, shares=total, entropy=Random(1).randbytes)


@pytest.mark.parametrize("threshold", [0, -1])
def test_a_threshold_below_one_never_joins(threshold: int) -> None:
    with pytest.raises(NotEnoughShares):
        join([ShamirShare(b"\x01a")], threshold=threshold)


def test_an_empty_secret_is_refused() -> None:
    """Its shares would be too short to be shares."""
    with pytest.raises(ValueError, match="nothing"):
        split(b"", threshold=1, shares=1, entropy=Random(1).randbytes)


def test_a_source_that_runs_dry_makes_no_shares() -> None:
    with pytest.raises(ValueError, match="as long as"):
        split(b"secret", threshold=2, shares=2, entropy=lambda size: bytes(size - 1))


@pytest.mark.parametrize("raw", [b"", b"\x01"])
def test_fewer_than_two_bytes_are_no_share(raw: bytes) -> None:
    with pytest.raises(ValueError, match="share"):
        ShamirShare(raw)


@pytest.mark.parametrize("show", [repr, str, "{}".format])
def test_a_share_shows_its_number_at_most(show: Callable[[object], str]) -> None:
    shown = show(ShamirShare(b"\x07secret"))

    assert "7" in shown
    assert "secret" not in shown


@pytest.mark.parametrize("error", [NotEnoughShares, InconsistentShares, ShareCountError])
def test_all_refusals_are_of_one_family(error: type[Exception]) -> None:
    assert issubclass(error, ShamirError)
    assert issubclass(ShamirError, CryptoError)
