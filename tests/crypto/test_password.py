"""Keys from passwords: the parameters that are accepted, and from whom."""

import traceback

import pytest

from parsec.crypto.errors import CryptoError, PasswordParametersError, WeakPasswordParameters
from parsec.crypto.password import (
    DEFAULT_MEMLIMIT_KB,
    DEFAULT_OPSLIMIT,
    DEFAULT_PARALLELISM,
    account_salt,
    argon2id,
    check_not_weak,
)

SALT = bytes(range(16))


def cheap(password: str, *, salt: bytes = SALT) -> bytes:
    return argon2id(password, salt=salt, opslimit=1, memlimit_kb=8, parallelism=1)


def test_a_password_is_taken_as_typed() -> None:
    """Neither trimmed nor normalized: the same letter in two forms makes two keys."""
    derived = {cheap(typed) for typed in ["\u00e9", "e\u0301", "\u00e9 ", " \u00e9"]}

    assert len(derived) == 4


def test_the_salt_matters() -> None:
    assert cheap("password") != cheap("password", salt=SALT[::-1])


def test_a_nul_does_not_end_a_password() -> None:
    assert cheap("pass\0word") != cheap("pass\0wood")


@pytest.mark.parametrize(
    ("opslimit", "memlimit_kb", "parallelism"),
    [
        (0, 8, 1),
        (-1, 8, 1),
        (1, 7, 1),
        (1, 8, 0),
        (1, 8, 2),
        (2**32, 8, 1),
        (1, 2**32, 1),
        (2**70, 8, 1),
    ],
)
def test_parameters_out_of_range_are_refused(
    opslimit: int, memlimit_kb: int, parallelism: int
) -> None:
    with pytest.raises(PasswordParametersError):
        argon2id(
            "password",
            salt=SALT,
            opslimit=opslimit,
            memlimit_kb=memlimit_kb,
            parallelism=parallelism,
        )


@pytest.mark.parametrize("size", [0, 15, 17])
def test_a_salt_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(PasswordParametersError):
        cheap("password", salt=bytes(size))


def test_refusals_are_value_errors_and_crypto_errors() -> None:
    assert issubclass(PasswordParametersError, ValueError)
    assert issubclass(PasswordParametersError, CryptoError)


def test_a_password_that_is_no_text_is_refused_without_being_shown() -> None:
    """A terminal in another encoding yields such characters; Python's own error would hold it."""
    with pytest.raises(PasswordParametersError) as caught:
        cheap("hunter2\udcff")

    assert caught.value.__cause__ is None
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in "".join(traceback.format_exception_only(caught.value))


@pytest.mark.parametrize(
    ("opslimit", "memlimit_kb", "parallelism"),
    [(2, 131072, 1), (3, 131071, 1), (3, 131072, 0), (100, 8, 1)],
)
def test_a_server_may_not_ask_for_less_than_the_defaults(
    opslimit: int, memlimit_kb: int, parallelism: int
) -> None:
    with pytest.raises(WeakPasswordParameters):
        check_not_weak(opslimit=opslimit, memlimit_kb=memlimit_kb, parallelism=parallelism)


def test_a_server_may_ask_for_the_defaults_or_more() -> None:
    check_not_weak(
        opslimit=DEFAULT_OPSLIMIT,
        memlimit_kb=DEFAULT_MEMLIMIT_KB,
        parallelism=DEFAULT_PARALLELISM,
    )
    check_not_weak(opslimit=4, memlimit_kb=262144, parallelism=1)


def test_the_salt_of_an_account_depends_on_the_address_as_typed() -> None:
    assert account_salt("alice@example.com") != account_salt("Alice@example.com")
    assert len(account_salt("alice@example.com")) == 16
