"""OAEP undone in software: what OpenSSL padded opens, and what it refuses is refused."""

import base64
import hashlib
import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from hypothesis import given
from hypothesis import strategies as st

from parsec.crypto.errors import DecryptionError
from parsec.crypto.oaep import unpad_oaep

VECTORS = Path(__file__).parent.parent / "vectors"
WRAPPINGS: list[dict[str, Any]] = [
    vector
    for vector in json.loads((VECTORS / "client-pki.json").read_text())["vectors"]
    if "encrypted_key_b64" in vector
]
OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
SIZE = 256
LARGEST_MESSAGE = SIZE - 2 * 32 - 2


def private_key(pem: str) -> rsa.RSAPrivateKey:
    key = serialization.load_pem_private_key(pem.encode(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


KEY = private_key(WRAPPINGS[0]["rsa_private_key_pem"])
"""Of 2048 bits."""


def bare_rsa(key: rsa.RSAPrivateKey, ciphertext: bytes) -> bytes:
    """What a smartcard gives back."""
    numbers = key.private_numbers()
    message = pow(int.from_bytes(ciphertext, "big"), numbers.d, numbers.public_numbers.n)
    return message.to_bytes(key.key_size // 8, "big")


def mask(seed: bytes, size: int) -> bytes:
    """MGF1, written a second time."""
    stream = b""
    while len(stream) < size:
        stream += hashlib.sha256(seed + (len(stream) // 32).to_bytes(4, "big")).digest()
    return stream[:size]


def xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def padded(data: bytes, first: int = 0, seed: bytes = bytes(range(32))) -> bytes:
    """A block around any data, well formed or not."""
    masked = xor(data, mask(seed, len(data)))
    return bytes([first]) + xor(seed, mask(masked, 32)) + masked


def verdict_of_openssl(block: bytes) -> bytes | None:
    numbers = KEY.public_key().public_numbers()
    ciphertext = pow(int.from_bytes(block, "big"), numbers.e, numbers.n)
    try:
        return KEY.decrypt(ciphertext.to_bytes(SIZE, "big"), OAEP)
    except ValueError:
        return None


def our_verdict(block: bytes) -> bytes | None:
    try:
        return unpad_oaep(block)
    except DecryptionError:
        return None


@pytest.mark.parametrize("vector", WRAPPINGS, ids=lambda vector: vector["description"])
def test_keys_that_the_official_client_wrapped_open(vector: dict[str, Any]) -> None:
    wrapped = base64.b64decode(vector["encrypted_key_b64"])

    block = bare_rsa(private_key(vector["rsa_private_key_pem"]), wrapped)

    assert unpad_oaep(block).hex() == vector["expected"]["key_hex"]


@given(st.binary(max_size=LARGEST_MESSAGE))
def test_what_openssl_padded_opens(message: bytes) -> None:
    block = bare_rsa(KEY, KEY.public_key().encrypt(message, OAEP))

    assert unpad_oaep(block) == message


LABEL = hashlib.sha256(b"").digest()
WELL_FORMED = LABEL + bytes(158) + b"\1" + bytes(range(32))


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(padded(WELL_FORMED), id="well formed"),
        pytest.param(padded(LABEL + b"\1" + b"m" * LARGEST_MESSAGE), id="largest"),
        pytest.param(padded(LABEL + bytes(LARGEST_MESSAGE) + b"\1"), id="empty"),
        pytest.param(padded(LABEL + b"\1\1" + bytes(189)), id="one in the message"),
        pytest.param(padded(WELL_FORMED, first=1), id="first byte"),
        pytest.param(padded(bytes(32) + WELL_FORMED[32:]), id="no label"),
        pytest.param(padded(hashlib.sha256(b"other").digest() + WELL_FORMED[32:]), id="label"),
        pytest.param(padded(LABEL + bytes(191)), id="no end of padding"),
        pytest.param(padded(LABEL + bytes(9) + b"\2" + bytes(180) + b"\1"), id="padding"),
        pytest.param(padded(LABEL + b"\xff" + bytes(189) + b"\1"), id="first of padding"),
        pytest.param(padded(LABEL + b"\0" * 190 + b"\x81"), id="last of padding"),
        pytest.param(bytes(SIZE), id="zeros"),
    ],
)
def test_the_verdict_is_that_of_openssl(block: bytes) -> None:
    assert our_verdict(block) == verdict_of_openssl(block)


@given(st.binary(min_size=191, max_size=191), st.booleans())
def test_the_verdict_on_any_padding_is_that_of_openssl(rest: bytes, zeros_first: bool) -> None:
    block = padded(LABEL + (bytes(100) + rest[100:] if zeros_first else rest))

    assert our_verdict(block) == verdict_of_openssl(block)


@given(st.integers(0, SIZE * 8 - 9))
def test_one_changed_bit_is_refused(bit: int) -> None:
    """Not in the first byte, with which the block may be no number below the modulus."""
    block = (int.from_bytes(padded(WELL_FORMED), "big") ^ 1 << bit).to_bytes(SIZE, "big")

    assert our_verdict(block) is None
    assert verdict_of_openssl(block) is None


@pytest.mark.parametrize("size", [0, 1, 32, 33, 65])
def test_a_block_without_room_is_refused(size: int) -> None:
    with pytest.raises(DecryptionError):
        unpad_oaep(bytes(size))


def test_all_refusals_look_alike() -> None:
    """Else whoever may ask learns the message (Manger)."""
    blocks = [
        bytes(8),
        Random(1).randbytes(SIZE),
        padded(WELL_FORMED, first=1),
        padded(bytes(32) + WELL_FORMED[32:]),
        padded(LABEL + bytes(191)),
    ]

    texts = set()
    for block in blocks:
        with pytest.raises(DecryptionError) as raised:
            unpad_oaep(block)
        texts.add((type(raised.value), str(raised.value), raised.value.__cause__))

    assert len(texts) == 1
