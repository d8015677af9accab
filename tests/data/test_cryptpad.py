"""Keys of collaborative sessions. Known ones are in tests/vectors/data-payloads."""

import pytest

from parsec.crypto.errors import SignatureError
from parsec.crypto.keys import SecretKey, SigningKey
from parsec.data.cryptpad import CryptpadSessionKey
from parsec.data.ids import DeviceID, VlobID
from parsec.data.instant import Instant
from parsec.data.record import MismatchError

AUTHOR_KEY, KEY = SigningKey(bytes(32)), SecretKey(bytes(32))
AUTHOR, DOCUMENT, NOW = DeviceID(bytes(16)), VlobID(bytes(16)), Instant(0)
SESSION = CryptpadSessionKey(
    author=AUTHOR, timestamp=NOW, document_id=DOCUMENT, can_edit=True, key="secret"
)


def decrypt(
    encrypted: bytes, *, author_key: SigningKey = AUTHOR_KEY, document_id: VlobID = DOCUMENT
) -> CryptpadSessionKey:
    """The session key, as announced unless said otherwise."""
    return CryptpadSessionKey.decrypt(
        encrypted,
        key=KEY,
        author_verify_key=author_key.verify_key,
        author=AUTHOR,
        timestamp=NOW,
        document_id=document_id,
    )


def test_a_session_key_is_believed_if_signed_and_announced() -> None:
    encrypted = SESSION.encrypt(author_key=AUTHOR_KEY, key=KEY, entropy=bytes)

    assert decrypt(encrypted) == SESSION
    with pytest.raises(SignatureError):
        decrypt(encrypted, author_key=SigningKey(bytes(31) + b"x"))
    with pytest.raises(MismatchError):
        decrypt(encrypted, document_id=VlobID(bytes(15) + b"x"))
