"""The key that greeter and claimer share."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsec.crypto.errors import KeyExchangeError
from parsec.crypto.key_exchange import shared_key_as_claimer, shared_key_as_greeter
from parsec.crypto.keys import PrivateKey, PublicKey

private_keys = st.binary(min_size=32, max_size=32).map(PrivateKey)

# The points of small order of Curve25519 (D. J. Bernstein, https://cr.yp.to/ecdh.html).
SMALL_ORDER = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
]


@given(greeter=private_keys, claimer=private_keys)
def test_both_sides_compute_the_same_key(greeter: PrivateKey, claimer: PrivateKey) -> None:
    as_greeter = shared_key_as_greeter(greeter, claimer.public_key)
    as_claimer = shared_key_as_claimer(claimer, greeter.public_key)

    assert as_greeter == as_claimer


def test_the_roles_are_part_of_the_key() -> None:
    """Two sides that both take the greeter's part do not understand each other."""
    one, other = PrivateKey(bytes(32)), PrivateKey(bytes(range(32)))

    as_greeter = shared_key_as_greeter(one, other.public_key)

    assert as_greeter != shared_key_as_greeter(other, one.public_key)


@pytest.mark.parametrize("point", SMALL_ORDER)
def test_a_greeter_refuses_a_point_of_small_order(point: str) -> None:
    with pytest.raises(KeyExchangeError):
        shared_key_as_greeter(PrivateKey(bytes(32)), PublicKey(bytes.fromhex(point)))


@pytest.mark.parametrize("point", SMALL_ORDER)
def test_a_claimer_refuses_a_point_of_small_order(point: str) -> None:
    with pytest.raises(KeyExchangeError):
        shared_key_as_claimer(PrivateKey(bytes(32)), PublicKey(bytes.fromhex(point)))
