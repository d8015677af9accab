"""What every certificate that a client submits must fulfil."""

from typing import TypeVar

import msgspec

from parsec.crypto.errors import CryptoError
from parsec.crypto.keys import VerifyKey
from parsec.data.certificates import Certificate, DeviceCertificate, UserCertificate
from parsec.data.ids import DeviceID
from parsec.protocol.command import Reply
from parsec.protocol.statuses import InvalidCertificate
from parsec.server.rules.refusal import Refused
from parsec.wire.msgpack import MalformedError

C = TypeVar("C", bound=Certificate)


class Signer(msgspec.Struct, frozen=True, kw_only=True):
    """Who must have signed; without device it is the root of the organization."""

    device_id: DeviceID | None
    key: VerifyKey


def load_signed(
    kind: type[C],
    signed: bytes,
    signer: Signer,
    *,
    refusal: Reply = InvalidCertificate(),  # noqa: B008  (immutable)
) -> C:
    """Verify and read a certificate, which must name its signer as author. Raises Refused.

    A signer's other devices do not count, not even those of the same user.
    """
    try:
        certificate = kind.load_signed(signed, signer.key)
    except (CryptoError, MalformedError) as error:
        raise Refused(refusal, f"{kind.__name__}: {error}") from error
    # Those of the sequester topic have no author: only the root signs them.
    if getattr(certificate, "author", None) != signer.device_id:
        raise Refused(refusal, f"{kind.__name__} of another author")
    return certificate


def check_redacted_user(full: UserCertificate, redacted: UserCertificate) -> None:
    """Make sure that only the second lacks the human handle, and nothing else. Raises Refused."""
    if full.human_handle is None:
        raise Refused(InvalidCertificate(), "the full user certificate is redacted")
    if msgspec.structs.replace(full, human_handle=None) != redacted:
        raise Refused(InvalidCertificate(), "the redacted user certificate differs")


def check_redacted_device(full: DeviceCertificate, redacted: DeviceCertificate) -> None:
    """Make sure that only the second lacks the label, and nothing else. Raises Refused."""
    if full.device_label is None:
        raise Refused(InvalidCertificate(), "the full device certificate is redacted")
    if msgspec.structs.replace(full, device_label=None) != redacted:
        raise Refused(InvalidCertificate(), "the redacted device certificate differs")
