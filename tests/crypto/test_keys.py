"""Keys: sizes, what they refuse, and what they never show."""

import copy
from collections.abc import Callable
from itertools import permutations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsec.crypto.errors import (
    CryptoError,
    DecryptionError,
    KeyExchangeError,
    KeySizeError,
    NonceError,
    SignatureError,
)
from parsec.crypto.keys import (
    SEALED_BOX_OVERHEAD,
    SECRET_KEY_OVERHEAD,
    SIGNATURE_SIZE,
    HashDigest,
    KeyDerivation,
    PrivateKey,
    PublicKey,
    SecretKey,
    SigningKey,
    VerifyKey,
    unverified_message,
)

SECRET_KINDS = [SigningKey, PrivateKey, SecretKey, KeyDerivation]
PUBLIC_KINDS = [VerifyKey, PublicKey, HashDigest]
ALL_KINDS = [*SECRET_KINDS, *PUBLIC_KINDS]
Kind = Callable[[bytes], object]

RAW = bytes(range(32))
ENTROPY = Random(1).randbytes
messages = st.binary(max_size=200)
seeds = st.binary(min_size=32, max_size=32)


@pytest.mark.parametrize("kind", ALL_KINDS)
@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_key_of_another_size_is_refused(kind: Kind, size: int) -> None:
    with pytest.raises(KeySizeError) as caught:
        kind(bytes(size))

    assert caught.value.found == size


def test_a_wrong_size_is_a_value_error_and_a_crypto_error() -> None:
    assert issubclass(KeySizeError, ValueError)
    assert issubclass(KeySizeError, CryptoError)


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_a_number_is_no_key(kind: Kind) -> None:
    """Python's `bytes(32)` would make 32 zeros of it."""
    with pytest.raises(TypeError):
        kind(32)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_a_key_gives_its_bytes_back(kind: Callable[[bytes], SecretKey]) -> None:
    assert bytes(kind(RAW)) == RAW


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_keys_are_equal_when_kind_and_bytes_are(kind: Kind) -> None:
    assert kind(RAW) == kind(RAW)
    assert hash(kind(RAW)) == hash(kind(RAW))
    assert kind(RAW) != kind(RAW[::-1])


def test_keys_of_two_kinds_are_never_equal() -> None:
    assert len({kind(RAW) for kind in ALL_KINDS}) == len(ALL_KINDS)
    for one, other in permutations(ALL_KINDS, 2):
        assert one(RAW) != other(RAW)


@pytest.mark.parametrize("kind", SECRET_KINDS)
def test_a_secret_key_shows_nothing_of_itself(kind: Kind) -> None:
    shown = f"{kind(RAW)!r} {kind(RAW)}"

    assert "0001" not in shown
    assert "\\x" not in shown


@pytest.mark.parametrize("kind", SECRET_KINDS)
def test_a_copy_of_a_key_is_the_key(kind: Kind) -> None:
    assert copy.deepcopy(kind(RAW)) == kind(RAW)


@pytest.mark.parametrize("kind", SECRET_KINDS)
def test_a_new_key_is_made_of_the_entropy_it_is_given(kind: type[SecretKey]) -> None:
    assert bytes(kind.generate(lambda size: RAW[:size])) == RAW


def test_a_source_that_runs_dry_makes_no_key() -> None:
    with pytest.raises(KeySizeError):
        SecretKey.generate(lambda size: bytes(size - 1))


def test_signatures_are_those_of_rfc_8032() -> None:
    """RFC 8032, section 7.1, test 2."""
    seed = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"
    key = SigningKey(bytes.fromhex(seed))

    signature = key.sign_only_signature(b"\x72")

    assert signature.hex() == (
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    assert bytes(key.verify_key).hex() == (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    )


@given(seed=seeds, message=messages)
def test_what_is_signed_verifies(seed: bytes, message: bytes) -> None:
    key = SigningKey(seed)

    signed = key.sign(message)

    assert len(signed) == len(message) + SIGNATURE_SIZE
    assert key.verify_key.verify(signed) == message
    assert unverified_message(signed) == message
    key.verify_key.verify_with_signature(key.sign_only_signature(message), message)


@given(message=messages, place=st.integers(min_value=0), bit=st.integers(0, 7))
def test_a_changed_bit_spoils_a_signature(message: bytes, place: int, bit: int) -> None:
    key = SigningKey(RAW)
    signed = bytearray(key.sign(message))
    signed[place % len(signed)] ^= 1 << bit

    with pytest.raises(SignatureError):
        key.verify_key.verify(bytes(signed))


@pytest.mark.parametrize("size", [0, 63])
def test_a_message_shorter_than_a_signature_is_refused(size: int) -> None:
    with pytest.raises(SignatureError):
        SigningKey(RAW).verify_key.verify(bytes(size))
    with pytest.raises(SignatureError):
        unverified_message(bytes(size))


def test_a_detached_signature_must_have_its_size() -> None:
    """Or bytes of the message could be taken for bytes of the signature."""
    key = SigningKey(RAW)
    signed = key.sign(b"message")

    with pytest.raises(SignatureError):
        key.verify_key.verify_with_signature(signed[:65], signed[65:])


def test_any_bytes_make_a_verify_key_that_verifies_nothing() -> None:
    signed = SigningKey(RAW).sign(b"message")

    with pytest.raises(SignatureError):
        VerifyKey(bytes(32)).verify(signed)


def test_public_keys_are_those_of_rfc_7748() -> None:
    """RFC 7748, section 6.1, Alice."""
    private = "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"

    public = PrivateKey(bytes.fromhex(private)).public_key

    assert bytes(public).hex() == (
        "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"
    )


@given(seed=seeds, message=messages)
def test_what_is_sealed_opens(seed: bytes, message: bytes) -> None:
    private = PrivateKey(seed)

    sealed = private.public_key.seal(message)

    assert len(sealed) == len(message) + SEALED_BOX_OVERHEAD
    assert private.open(sealed) == message


def test_a_box_for_somebody_else_does_not_open() -> None:
    sealed = PrivateKey(RAW).public_key.seal(b"message")

    with pytest.raises(DecryptionError):
        PrivateKey(RAW[::-1]).open(sealed)


@pytest.mark.parametrize("size", [0, 1, 47])
def test_a_sealed_box_cut_short_is_refused(size: int) -> None:
    with pytest.raises(DecryptionError):
        PrivateKey(RAW).open(bytes(size))


def test_nothing_is_sealed_for_a_key_of_small_order() -> None:
    """Everybody could open it."""
    with pytest.raises(KeyExchangeError):
        PublicKey(bytes(32)).seal(b"message")


@given(seed=seeds, plaintext=messages)
def test_what_is_encrypted_decrypts(seed: bytes, plaintext: bytes) -> None:
    key = SecretKey(seed)

    ciphertext = key.encrypt(plaintext, ENTROPY)

    assert len(ciphertext) == len(plaintext) + SECRET_KEY_OVERHEAD
    assert key.decrypt(ciphertext) == plaintext


@given(plaintext=messages, place=st.integers(min_value=0), bit=st.integers(0, 7))
def test_a_changed_bit_spoils_a_ciphertext(plaintext: bytes, place: int, bit: int) -> None:
    key = SecretKey(RAW)
    ciphertext = bytearray(key.encrypt(plaintext, ENTROPY))
    ciphertext[place % len(ciphertext)] ^= 1 << bit

    with pytest.raises(DecryptionError):
        key.decrypt(bytes(ciphertext))


def test_each_encryption_has_a_nonce_of_its_own() -> None:
    key = SecretKey(RAW)

    assert key.encrypt(b"same", ENTROPY) != key.encrypt(b"same", ENTROPY)


@pytest.mark.parametrize(("size", "error"), [(23, NonceError), (24, DecryptionError)])
def test_a_ciphertext_cut_short_is_refused(size: int, error: type[CryptoError]) -> None:
    with pytest.raises(DecryptionError) as caught:
        SecretKey(RAW).decrypt(bytes(size))

    assert type(caught.value) is error


@pytest.mark.parametrize("size", [0, 15, 17])
def test_keys_are_derived_for_uuids_only(size: int) -> None:
    with pytest.raises(ValueError, match="UUID"):
        KeyDerivation(RAW).derive_secret_key(bytes(size))


@given(first=st.binary(min_size=16, max_size=16), second=st.binary(min_size=16, max_size=16))
def test_two_uuids_never_share_a_key(first: bytes, second: bytes) -> None:
    root = KeyDerivation(RAW)

    same_key = root.derive_secret_key(first) == root.derive_secret_key(second)

    assert same_key == (first == second)


def test_digests_are_those_of_fips_180() -> None:
    digest = HashDigest.of(b"abc")

    assert digest.hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
