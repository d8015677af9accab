"""The key of a collaborative session, as members of a realm hand it to each other.

`data-types.md` 12.
"""

from typing import Self

from parsec.crypto.entropy import Entropy
from parsec.crypto.keys import SecretKey, SigningKey, VerifyKey
from parsec.data.ids import DeviceID, VlobID
from parsec.data.instant import Instant
from parsec.data.record import Record


class CryptpadSessionKey(Record, frozen=True, kw_only=True, tag="cryptpad_session_key"):
    """The key to edit or to view a document, base64 of 18 or of 32 bytes."""

    author: DeviceID
    timestamp: Instant
    document_id: VlobID
    can_edit: bool
    key: str

    def encrypt(self, *, author_key: SigningKey, key: SecretKey, entropy: Entropy) -> bytes:
        """The session key as it travels; `key` is that of the document's manifest."""
        return key.encrypt(author_key.sign(self.dump()), entropy)

    @classmethod
    def decrypt(
        cls,
        encrypted: bytes,
        *,
        key: SecretKey,
        author_verify_key: VerifyKey,
        author: DeviceID,
        timestamp: Instant,
        document_id: VlobID,
    ) -> Self:
        """Open, verify, read and compare with what the server announced.

        Raises DecryptionError, SignatureError or MalformedError.
        """
        session = cls.load(author_verify_key.verify(key.decrypt(encrypted)))
        return session.expect(author=author, timestamp=timestamp, document_id=document_id)
