"""Vectors of the sharing of secrets: field, shares, and the recovery secret that is shared."""

from typing import Any

import msgspec

from parsec.crypto.shamir import ShamirShare, evaluate, gf_divide, gf_multiply, join
from parsec.wire.frame import load_frame
from tests.conformance.handlers.crypto_refusals import refused
from tests.conformance.registry import Vector, handles


@handles("shamir-field")
def check_field(vector: Vector, document: dict[str, Any]) -> None:
    a, b = vector["a"], vector["b"]
    assert a ^ b == vector["sum"]
    assert gf_multiply(a, b) == vector["product"]
    if "quotient" in vector:
        assert gf_divide(a, b) == vector["quotient"]


@handles("shamir-shares")
def check_shares(vector: Vector, document: dict[str, Any]) -> None:
    match vector["operation"]:
        case "split":
            # Here a byte's coefficients are written from the highest degree down.
            ascending = [bytes.fromhex(text)[::-1] for text in vector["coefficients_hex"]]
            _check_split(vector, ascending, vector["shares"], vector["shares_hex"])
        case "recover" if "error" in vector:
            _check_refused_join(vector, vector["error"])
        case "recover":
            assert _joined(vector).hex() == vector["secret_hex"]
        case "load_share":
            _check_loading(vector["share_hex"], vector)
        case operation:
            raise AssertionError(f"unknown operation {operation}")


@handles("client-shamir")
def check_client_shares(vector: Vector, document: dict[str, Any]) -> None:
    expected = vector["expected"]
    if "share_hex" in vector:
        _check_loading(vector["share_hex"], expected)
    elif "secret_hex" in vector:
        ascending = [bytes.fromhex(text) for text in vector["coefficients_hex"]]
        _check_split(vector, ascending, vector["share_count"], expected["shares_hex"])
    elif "error" in expected:
        _check_refused_join(vector, expected["error"])
    elif "secret_hex" in expected:
        assert _joined(vector).hex() == expected["secret_hex"]
    else:
        _check_recovery_secret(_joined(vector), expected)


def _check_split(
    vector: Vector, coefficients: list[bytes], share_count: int, expected: list[str]
) -> None:
    secret, threshold = bytes.fromhex(vector["secret_hex"]), vector["threshold"]
    assert all(len(of_byte) == threshold - 1 for of_byte in coefficients)
    by_degree = [
        bytes(of_byte[degree] for of_byte in coefficients) for degree in range(threshold - 1)
    ]
    shares = evaluate(secret, by_degree, shares=share_count)
    assert [share.hex() for share in shares] == expected


def _check_refused_join(vector: Vector, error: str) -> None:
    with refused(error):
        secret = _joined(vector)
        # No error of the joining: then the secret must betray the wrong share.
        assert vector.get("as_recovery_secret"), "joined, an error was expected"
        _recovery_secret(secret)


def _check_recovery_secret(secret: bytes, expected: Vector) -> None:
    fields = _recovery_secret(secret)
    assert secret.hex() == expected["secret_bytes_hex"]
    assert fields["data_key"].hex() == expected["data_key_hex"]
    assert fields["reveal_token"].hex() == expected["reveal_token_hex"]


def _recovery_secret(secret: bytes) -> dict[str, Any]:
    return msgspec.msgpack.decode(load_frame(secret), type=dict[str, Any])


def _check_loading(share: str, expected: Vector) -> None:
    if not expected["valid"]:
        with refused("not a share"):
            ShamirShare(bytes.fromhex(share))
        return
    loaded = ShamirShare(bytes.fromhex(share))
    assert loaded.x == expected.get("x", loaded.x)
    assert bytes([loaded.x]) + loaded.ys == bytes.fromhex(share)


def _joined(vector: Vector) -> bytes:
    shares = [ShamirShare(bytes.fromhex(text)) for text in vector["shares_hex"]]
    return join(shares, threshold=vector["threshold"])
