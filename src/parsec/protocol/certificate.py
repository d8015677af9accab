"""Fetching certificates."""

from typing import ClassVar, TypeAlias

from parsec.data.ids import VlobID
from parsec.data.instant import Instant
from parsec.protocol.command import Family, Reply, Request


class CertificateGetOk(Reply, frozen=True, kw_only=True, tag="ok"):
    common_certificates: list[bytes]
    realm_certificates: dict[VlobID, list[bytes]]
    sequester_certificates: list[bytes]
    shamir_recovery_certificates: list[bytes]


CertificateGetReply: TypeAlias = CertificateGetOk


class CertificateGet(
    Request[CertificateGetReply], frozen=True, kw_only=True, tag="certificate_get"
):
    """Fetch certificates that are newer than what the client has, per topic."""

    FAMILY: ClassVar[Family] = Family.AUTHENTICATED

    common_after: Instant | None
    sequester_after: Instant | None
    shamir_recovery_after: Instant | None
    realm_after: dict[VlobID, Instant]
