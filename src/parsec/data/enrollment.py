"""What the two sides of an asynchronous enrollment send, and what the submitter keeps meanwhile.

`data-types.md` 6. Signatures of payloads travel beside them and cover the framed bytes as
transmitted: verify those first, then load.
"""

import hmac
from typing import Literal, NamedTuple, Self, TypeAlias

import msgspec

from parsec.crypto.entropy import Entropy
from parsec.crypto.keys import HashDigest, PrivateKey, PublicKey, SecretKey, SigningKey, VerifyKey
from parsec.data.address import ServerAddr
from parsec.data.device_file import X509CertificateReference
from parsec.data.ids import AsyncEnrollmentID, DeviceID, UserID
from parsec.data.instant import Instant
from parsec.data.people import DeviceLabel, HumanHandle, OrganizationID, UserProfile
from parsec.data.record import Record
from parsec.wire.msgpack import MalformedError


class AsyncEnrollmentSubmitPayload(
    Record, frozen=True, kw_only=True, tag="async_enrollment_submit_payload"
):
    """What a future user wishes."""

    verify_key: VerifyKey
    public_key: PublicKey
    requested_device_label: DeviceLabel
    requested_human_handle: HumanHandle


class AsyncEnrollmentAcceptPayload(
    Record, frozen=True, kw_only=True, tag="async_enrollment_accept_payload"
):
    """What an administrator made of it; the root verify key enters the new device here."""

    user_id: UserID
    device_id: DeviceID
    device_label: DeviceLabel
    human_handle: HumanHandle
    profile: UserProfile
    root_verify_key: VerifyKey


class PendingIdentityPki(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="PKI"):
    """The key of the pending file is encrypted for a smartcard."""

    algorithm: Literal["RSAES-OAEP-SHA256"]
    certificate_ref: X509CertificateReference
    encrypted_key: bytes


class PendingIdentityOpenBao(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="OPEN_BAO"
):
    """The key of the pending file is in the key/value store of an OpenBao server."""

    openbao_ciphertext_key_path: str
    openbao_entity_id: str
    openbao_preferred_auth_id: str


PendingIdentity: TypeAlias = PendingIdentityPki | PendingIdentityOpenBao


class PendingEnrollmentContent(
    Record,
    frozen=True,
    kw_only=True,
    tag="async_enrollment_local_pending_cleartext_content",
):
    """What a pending enrollment tells without its key."""

    server_url: ServerAddr
    organization_id: OrganizationID
    submitted_on: Instant
    enrollment_id: AsyncEnrollmentID
    requested_device_label: DeviceLabel
    requested_human_handle: HumanHandle
    identity_system: PendingIdentity


class PendingKeys(NamedTuple):
    """The keys of the device and of the user that a pending enrollment asks for."""

    signing_key: SigningKey
    private_key: PrivateKey


class PendingEnrollment(Record, frozen=True, kw_only=True, tag="async_enrollment_local_pending"):
    """The file of a submitter; its key is protected by the identity system."""

    cleartext_content: bytes
    ciphertext_cleartext_content_digest: bytes
    ciphertext_signing_key: bytes
    ciphertext_private_key: bytes

    @classmethod
    def protect(
        cls, content: PendingEnrollmentContent, keys: PendingKeys, key: SecretKey, entropy: Entropy
    ) -> Self:
        """The file of an enrollment that was just submitted."""
        cleartext = content.dump()
        return cls(
            cleartext_content=cleartext,
            ciphertext_cleartext_content_digest=key.encrypt(
                bytes(HashDigest.of(cleartext)), entropy
            ),
            ciphertext_signing_key=key.encrypt(bytes(keys.signing_key), entropy),
            ciphertext_private_key=key.encrypt(bytes(keys.private_key), entropy),
        )

    @property
    def unverified_content(self) -> PendingEnrollmentContent:
        """What the file tells without its key. Raises MalformedError."""
        return PendingEnrollmentContent.load(self.cleartext_content)

    def open(self, key: SecretKey) -> PendingKeys:
        """Check that the clear part is the one that was written, and give the keys.

        Raises DecryptionError or MalformedError.
        """
        digest = key.decrypt(self.ciphertext_cleartext_content_digest)
        if not hmac.compare_digest(digest, bytes(HashDigest.of(self.cleartext_content))):
            raise MalformedError("the clear part of a pending enrollment was changed")
        try:
            return PendingKeys(
                signing_key=SigningKey(key.decrypt(self.ciphertext_signing_key)),
                private_key=PrivateKey(key.decrypt(self.ciphertext_private_key)),
            )
        except ValueError as error:
            raise MalformedError(str(error)) from None
