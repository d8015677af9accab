"""Tokens of devices, invitations and accounts. Known ones are in tests/vectors/wire-auth-token."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsec.crypto.errors import SignatureError
from parsec.crypto.keys import SecretKey, SigningKey
from parsec.data.ids import AccessToken, AccountAuthMethodID, DeviceID
from parsec.data.instant import Instant
from parsec.protocol.authentication import (
    MalformedTokenError,
    account_authorization,
    bearer_token,
    device_authorization,
    invitation_authorization,
    load_account_token,
    load_device_token,
    load_invitation_token,
    verify_account_token,
    verify_device_token,
)

DEVICE_ID = DeviceID(bytes(range(16)))
METHOD_ID = AccountAuthMethodID(bytes(range(16)))
SIGNING_KEY = SigningKey(bytes(32))
MAC_KEY = SecretKey(bytes(32))
NOW = Instant.from_seconds(1_700_000_000).plus(microseconds=999_999)
DEVICE_TOKEN = bearer_token(device_authorization(DEVICE_ID, SIGNING_KEY, now=NOW))
ACCOUNT_TOKEN = bearer_token(account_authorization(METHOD_ID, MAC_KEY, now=NOW))


@given(st.binary(min_size=16, max_size=16), st.integers(-(10**11), 10**11))
def test_the_token_of_a_device_says_who_calls_and_when(raw: bytes, seconds: int) -> None:
    header = device_authorization(DeviceID(raw), SIGNING_KEY, now=Instant.from_seconds(seconds))

    token = load_device_token(bearer_token(header))

    assert (token.device_id, token.seconds) == (raw, seconds)
    verify_device_token(token, SIGNING_KEY.verify_key)


@given(st.binary(min_size=16, max_size=16), st.integers(-(10**11), 10**11))
def test_the_token_of_an_account_says_who_calls_and_when(raw: bytes, seconds: int) -> None:
    method, now = AccountAuthMethodID(raw), Instant.from_seconds(seconds)

    token = load_account_token(bearer_token(account_authorization(method, MAC_KEY, now=now)))

    assert (token.auth_method_id, token.seconds) == (raw, seconds)
    verify_account_token(token, MAC_KEY)


def test_the_token_of_a_claimer_is_that_of_the_invitation() -> None:
    token = AccessToken(bytes(range(16)))

    assert load_invitation_token(bearer_token(invitation_authorization(token))) == token


def test_a_device_cannot_sign_for_another_key() -> None:
    with pytest.raises(SignatureError):
        verify_device_token(
            load_device_token(DEVICE_TOKEN), SigningKey(bytes(31) + b"x").verify_key
        )


@pytest.mark.parametrize("part", [1, 2])
def test_a_device_token_with_another_caller_or_date_is_not_believed(part: int) -> None:
    parts = DEVICE_TOKEN.split(".")
    parts[part] = parts[part].replace("0", "1")

    with pytest.raises(SignatureError):
        verify_device_token(load_device_token(".".join(parts)), SIGNING_KEY.verify_key)


@pytest.mark.parametrize("size", [0, 60, 63, 65])
def test_a_signature_of_another_length_is_not_believed(size: int) -> None:
    text = DEVICE_TOKEN.rpartition(".")[0]
    token = load_device_token(f"{text}.{'AAAA' * (size // 3)}")

    with pytest.raises(SignatureError):
        verify_device_token(token, SIGNING_KEY.verify_key)


def test_an_account_token_of_another_key_is_not_believed() -> None:
    with pytest.raises(SignatureError):
        verify_account_token(load_account_token(ACCOUNT_TOKEN), SecretKey(bytes(31) + b"x"))


def test_an_account_token_with_another_date_is_not_believed() -> None:
    token = ACCOUNT_TOKEN.replace("1700000000", "1700000001")

    with pytest.raises(SignatureError):
        verify_account_token(load_account_token(token), MAC_KEY)


@pytest.mark.parametrize("header", ["Bearer x", "bearer x", "BEARER   x", " Bearer x "])
def test_the_scheme_is_read_in_any_case_and_with_any_spaces(header: str) -> None:
    assert bearer_token(header) == "x"


@pytest.mark.parametrize("header", ["", "x", "Bearer", "Bearer ", "Basic x", "Bearer x y"])
def test_another_header_holds_no_token(header: str) -> None:
    with pytest.raises(MalformedTokenError):
        bearer_token(header)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "PARSEC-SIGN-ED25519",
        DEVICE_TOKEN.lower(),
        DEVICE_TOKEN.rpartition(".")[0],
        DEVICE_TOKEN + ".",
        DEVICE_TOKEN[:-1],
        DEVICE_TOKEN.replace(".000102", ".zz0102"),
        DEVICE_TOKEN.replace(".000102", ".0102"),
        DEVICE_TOKEN.replace(".1700000000", ".1700000000.5"),
        DEVICE_TOKEN.replace(".1700000000", ".1e9"),
        DEVICE_TOKEN.replace(".1700000000", "."),
        DEVICE_TOKEN.replace(".1700000000", "._1"),
        DEVICE_TOKEN.replace(".1700000000", ". 1"),
        DEVICE_TOKEN.replace(".1700000000", "." + "9" * 5000),
        DEVICE_TOKEN.replace(".1700000000", ".\u0661"),
        ACCOUNT_TOKEN,
    ],
)
def test_other_text_is_no_token_of_a_device(token: str) -> None:
    with pytest.raises(MalformedTokenError):
        load_device_token(token)


def test_the_token_of_a_device_is_none_of_an_account() -> None:
    with pytest.raises(MalformedTokenError):
        load_account_token(DEVICE_TOKEN)


@pytest.mark.parametrize("token", ["", "00", "00000000-0000-0000-0000-000000000000", "z" * 32])
def test_other_text_is_no_token_of_an_invitation(token: str) -> None:
    with pytest.raises(MalformedTokenError):
        load_invitation_token(token)


@given(st.text())
def test_any_text_is_a_token_or_malformed(text: str) -> None:
    for load in (bearer_token, load_device_token, load_account_token, load_invitation_token):
        try:
            load(text)
        except MalformedTokenError:
            continue
