"""Proof of who calls: what stands in the header `Authorization` (wire.md 2).

Loading a token proves nothing: the server looks up the key of whom it names, and verifies it.
"""

import base64
import binascii
import hmac
import re
from typing import TypeVar

import msgspec

from parsec.crypto.errors import SignatureError
from parsec.crypto.keys import SecretKey, SigningKey, VerifyKey
from parsec.data.ids import AccessToken, AccountAuthMethodID, DeviceID, Id
from parsec.data.instant import Instant

_DEVICE_PREFIX = "PARSEC-SIGN-ED25519"
_ACCOUNT_PREFIX = "PARSEC-MAC-BLAKE2B"
# Python's own notation for integers, which is the official server's.
_SECONDS = re.compile(r"[+-]?[0-9]+(?:_[0-9]+)*")
_MAX_SECONDS_DIGITS = 40

_Id = TypeVar("_Id", bound=Id)


class MalformedTokenError(ValueError):
    """This is not the text of such a token."""


class DeviceToken(msgspec.Struct, frozen=True, kw_only=True):
    """What a device signs to prove that it calls; nothing in it says that it did."""

    device_id: DeviceID
    seconds: int
    """Since the epoch; may be any number, however far."""
    signed_text: bytes
    signature: bytes


class AccountToken(msgspec.Struct, frozen=True, kw_only=True):
    """What the holder of an account authenticates to prove that they call."""

    auth_method_id: AccountAuthMethodID
    seconds: int
    authenticated_text: bytes
    mac: bytes


def device_authorization(device_id: DeviceID, key: SigningKey, *, now: Instant) -> str:
    """The header of a device's request."""
    text = f"{_DEVICE_PREFIX}.{device_id.hex()}.{now.seconds}"
    signature = base64.urlsafe_b64encode(key.sign_only_signature(text.encode()))
    return f"Bearer {text}.{signature.decode()}"


def account_authorization(
    auth_method_id: AccountAuthMethodID, mac_key: SecretKey, *, now: Instant
) -> str:
    """The header of a request by the holder of an account."""
    text = f"{_ACCOUNT_PREFIX}.{auth_method_id.hex()}.{now.seconds}"
    mac = base64.urlsafe_b64encode(mac_key.mac_512(text.encode()))
    return f"Bearer {text}.{mac.decode()}"


def invitation_authorization(token: AccessToken) -> str:
    """The header of a claimer's request."""
    return f"Bearer {token.hex()}"


def bearer_token(authorization: str) -> str:
    """The token in a header. Raises MalformedTokenError."""
    words = authorization.split()
    if len(words) != 2 or words[0].lower() != "bearer":
        raise MalformedTokenError("not a bearer token")
    return words[1]


def load_device_token(text: str) -> DeviceToken:
    """Read the token of a device. Raises MalformedTokenError."""
    device_id, seconds, signed_text, signature = _load_dated(text, _DEVICE_PREFIX, DeviceID)
    return DeviceToken(
        device_id=device_id, seconds=seconds, signed_text=signed_text, signature=signature
    )


def load_account_token(text: str) -> AccountToken:
    """Read the token of an account. Raises MalformedTokenError."""
    method, seconds, authenticated_text, mac = _load_dated(
        text, _ACCOUNT_PREFIX, AccountAuthMethodID
    )
    return AccountToken(
        auth_method_id=method, seconds=seconds, authenticated_text=authenticated_text, mac=mac
    )


def load_invitation_token(text: str) -> AccessToken:
    """Read the token of an invitation. Raises MalformedTokenError."""
    try:
        return AccessToken.parse(text)
    except ValueError as error:
        raise MalformedTokenError("not the token of an invitation") from error


def verify_device_token(token: DeviceToken, key: VerifyKey) -> None:
    """Make sure that the device signed it; its date is another matter. Raises SignatureError."""
    key.verify_with_signature(token.signature, token.signed_text)


def verify_account_token(token: AccountToken, key: SecretKey) -> None:
    """Make sure that the holder made it; its date is another matter. Raises SignatureError."""
    if not hmac.compare_digest(key.mac_512(token.authenticated_text), token.mac):
        raise SignatureError("the code is not by this key over this text")


def _load_dated(text: str, prefix: str, kind: type[_Id]) -> tuple[_Id, int, bytes, bytes]:
    """`prefix.identifier.seconds.proof`, where the proof covers all before the last dot."""
    covered, _, proof = text.rpartition(".")
    parts = covered.split(".")
    if len(parts) != 3 or parts[0] != prefix or not text.isascii():
        raise MalformedTokenError("a token of another kind")
    if len(parts[2]) > _MAX_SECONDS_DIGITS or not _SECONDS.fullmatch(parts[2]):
        raise MalformedTokenError("the date is not a number of seconds")
    try:
        # Lenient as the official server: foreign characters in the base64 are passed over.
        decoded = base64.urlsafe_b64decode(proof)
        return kind.parse(parts[1]), int(parts[2]), covered.encode(), decoded
    except (binascii.Error, ValueError) as error:
        raise MalformedTokenError("neither identifier nor base64") from error
