"""Short codes: their form, how they are computed, and what is shown beside the real one."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsec.crypto.errors import DataSizeError
from parsec.crypto.keys import SecretKey
from parsec.crypto.sas import ALPHABET, NONCE_SIZE, SASCode, sas_choices, sas_codes

codes = st.integers(0, (1 << 20) - 1).map(SASCode.from_int)
seeds = st.integers(0, 1 << 32)
nonces = st.binary(min_size=NONCE_SIZE, max_size=NONCE_SIZE)
KEY = SecretKey(bytes(32))


def test_the_alphabet_has_no_look_alikes() -> None:
    assert len(set(ALPHABET)) == 32
    assert not set("IO01") & set(ALPHABET)


@pytest.mark.parametrize("text", ["", "AAA", "AAAAA", "aaaa", "AAA0", "AAAI", "AAAÉ", " AAA"])
def test_any_other_text_is_no_code(text: str) -> None:
    with pytest.raises(ValueError, match="a code has"):
        SASCode(text)


@pytest.mark.parametrize("value", [-1, 1 << 20])
def test_an_integer_beyond_20_bits_is_no_code(value: int) -> None:
    with pytest.raises(ValueError, match="20 bits"):
        SASCode.from_int(value)


@given(first=st.integers(0, (1 << 20) - 1), second=st.integers(0, (1 << 20) - 1))
def test_different_integers_have_different_codes(first: int, second: int) -> None:
    same_code = SASCode.from_int(first) == SASCode.from_int(second)

    assert same_code == (first == second)


@given(claimer_nonce=nonces, greeter_nonce=nonces)
def test_each_side_has_a_code_of_its_own(claimer_nonce: bytes, greeter_nonce: bytes) -> None:
    """Of the first 40 bits of the keyed BLAKE2b the claimer has the lower half."""
    both = sas_codes(KEY, claimer_nonce=claimer_nonce, greeter_nonce=greeter_nonce)

    mac = hashlib.blake2b(claimer_nonce + greeter_nonce, key=bytes(KEY), digest_size=64).digest()
    bits = int.from_bytes(mac[:5], "big")
    assert both.claimer == SASCode.from_int(bits & 0xFFFFF)
    assert both.greeter == SASCode.from_int(bits >> 20)


@pytest.mark.parametrize(("claimer", "greeter"), [(63, 65), (64, 0), (0, 64)])
def test_nonces_of_another_size_are_refused(claimer: int, greeter: int) -> None:
    """Else a liar could move the border between the two."""
    with pytest.raises(DataSizeError):
        sas_codes(KEY, claimer_nonce=bytes(claimer), greeter_nonce=bytes(greeter))


@given(real=codes, count=st.integers(1, 30), seed=seeds)
def test_choices_are_different_and_hold_the_real_code(real: SASCode, count: int, seed: int) -> None:
    choices = sas_choices(real, count, Random(seed).randbytes)

    assert len(choices) == count
    assert len(set(choices)) == count
    assert real in choices


@given(real=codes, byte=st.integers(0, 255))
def test_choices_are_different_with_the_worst_entropy(real: SASCode, byte: int) -> None:
    choices = sas_choices(real, 4, lambda size: bytes([byte]) * size)

    assert len({*choices, real}) == 4


def test_the_real_code_is_in_each_place_equally_often() -> None:
    entropy = Random(0).randbytes
    real = SASCode("AU2D")

    places = Counter(sas_choices(real, 4, entropy).index(real) for _ in range(4000))

    # Six standard deviations around 1000, with a seed that never changes.
    assert all(abs(count - 1000) < 165 for count in places.values())


def test_the_other_codes_are_uniform() -> None:
    entropy = Random(0).randbytes
    real = SASCode("AAAA")

    letters: Counter[str] = Counter()
    for _ in range(2000):
        letters.update(code[0] for code in sas_choices(real, 3, entropy) if code != real)

    assert set(letters) == set(ALPHABET)
    assert all(abs(count - 125) < 70 for count in letters.values())


def test_a_code_already_taken_is_passed_over() -> None:
    """Drawing the numbers 0, then 0 again beside the real code 0 gives the codes 1 and 2."""
    draws: Iterator[int] = iter([0, 0, 0])

    choices = sas_choices(SASCode.from_int(0), 3, lambda size: next(draws).to_bytes(size, "big"))

    assert choices == [SASCode.from_int(value) for value in (0, 1, 2)]


def test_no_choice_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="0 codes"):
        sas_choices(SASCode("AAAA"), 0, Random(0).randbytes)
