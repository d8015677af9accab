"""The passphrase of a recovery file: exact to write, patient to read."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsec.crypto.errors import KeySizeError, PassphraseError
from parsec.crypto.keys import SecretKey
from parsec.crypto.passphrase import parse_recovery_passphrase, recovery_passphrase

keys = st.binary(min_size=32, max_size=32).map(SecretKey)
# No letter of ours, whatever it looks like.
noise = st.text(st.characters(codec="utf-8", min_codepoint=0x80), max_size=3)


@given(key=keys)
def test_a_key_comes_back_from_its_passphrase(key: SecretKey) -> None:
    assert parse_recovery_passphrase(recovery_passphrase(key)) == key


@given(key=keys)
def test_a_passphrase_has_thirteen_groups_of_four(key: SecretKey) -> None:
    groups = recovery_passphrase(key).split("-")

    assert [len(group) for group in groups] == [4] * 13


@given(key=keys, between=noise)
def test_case_separators_and_foreign_characters_do_not_matter(key: SecretKey, between: str) -> None:
    typed = recovery_passphrase(key).lower().replace("-", f" {between}89=\t")

    assert parse_recovery_passphrase(typed) == key


@given(key=keys)
def test_zero_and_one_are_read_as_letters(key: SecretKey) -> None:
    typed = recovery_passphrase(key).replace("O", "0").replace("I", "1")

    assert parse_recovery_passphrase(typed) == key


@given(key=keys, missing=st.integers(0, 63))
def test_a_missing_character_is_noticed(key: SecretKey, missing: int) -> None:
    whole = recovery_passphrase(key)
    typed = whole[:missing] + whole[missing + 1 :]

    if whole[missing] == "-":
        assert parse_recovery_passphrase(typed) == key
        return
    with pytest.raises(PassphraseError):
        parse_recovery_passphrase(typed)


@pytest.mark.parametrize(("letters", "length"), [("", 0), ("A" * 48, 30), ("A" * 53, 33)])
def test_the_error_tells_how_much_was_found(letters: str, length: int) -> None:
    with pytest.raises(KeySizeError) as caught:
        parse_recovery_passphrase(letters)

    assert caught.value.found == length


def test_the_error_does_not_tell_the_passphrase() -> None:
    typed = recovery_passphrase(SecretKey(Random(1).randbytes(32)))[:-1]

    with pytest.raises(PassphraseError) as caught:
        parse_recovery_passphrase(typed)

    assert not any(group in str(caught.value) for group in typed.split("-"))
