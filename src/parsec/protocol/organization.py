"""Bootstrapping an organization, and what it weighs."""

from typing import ClassVar, TypeAlias

from parsec.crypto.keys import VerifyKey
from parsec.data.ids import AccessToken
from parsec.protocol.command import U64, Family, Reply, Request
from parsec.protocol.statuses import (
    InvalidBootstrapToken,
    InvalidCertificate,
    Ok,
    OrganizationAlreadyBootstrapped,
    TimestampOutOfBallpark,
)

OrganizationBootstrapReply: TypeAlias = (
    Ok
    | InvalidCertificate
    | OrganizationAlreadyBootstrapped
    | InvalidBootstrapToken
    | TimestampOutOfBallpark
)


class OrganizationBootstrap(
    Request[OrganizationBootstrapReply], frozen=True, kw_only=True, tag="organization_bootstrap"
):
    """Give an organization its root key, first user and first device."""

    FAMILY: ClassVar[Family] = Family.ANONYMOUS

    bootstrap_token: AccessToken | None
    root_verify_key: VerifyKey
    user_certificate: bytes
    device_certificate: bytes
    redacted_user_certificate: bytes
    redacted_device_certificate: bytes
    sequester_authority_certificate: bytes | None


class OrganizationInfoOk(Reply, frozen=True, kw_only=True, tag="ok"):
    total_block_bytes: U64
    total_metadata_bytes: U64


OrganizationInfoReply: TypeAlias = OrganizationInfoOk


class OrganizationInfo(
    Request[OrganizationInfoReply],
    frozen=True,
    kw_only=True,
    tag="organization_info",
    forbid_unknown_fields=True,
):
    """Size of the organization's data."""

    FAMILY: ClassVar[Family] = Family.AUTHENTICATED
