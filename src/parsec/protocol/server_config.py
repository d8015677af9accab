"""What a server allows and advises, told before anybody logs in."""

import enum
from typing import ClassVar, TypeAlias

import msgspec

from parsec.protocol.command import Family, Reply, Request
from parsec.wire.msgpack import Tagged


class AccountConfig(enum.StrEnum):
    DISABLED = "DISABLED"
    ENABLED_WITH_VAULT = "ENABLED_WITH_VAULT"
    ENABLED_WITHOUT_VAULT = "ENABLED_WITHOUT_VAULT"


class OrganizationBootstrapConfig(enum.StrEnum):
    WITH_BOOTSTRAP_TOKEN = "WITH_BOOTSTRAP_TOKEN"  # noqa: S105  (a mode, no secret)
    SPONTANEOUS = "SPONTANEOUS"


class OpenBaoSecretConfigKv2(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="KV2"
):
    mount_path: str


OpenBaoSecretConfig: TypeAlias = Tagged[OpenBaoSecretConfigKv2]


class OpenBaoAuthConfig(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    mount_path: str


class OpenBaoConfigDisabled(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="DISABLED"
):
    pass


class OpenBaoConfigEnabled(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="ENABLED"
):
    auths: list[OpenBaoAuthConfig]
    secret: OpenBaoSecretConfig
    server_url: str
    transit_mount_path: str = "transit"


OpenBaoConfig: TypeAlias = OpenBaoConfigDisabled | OpenBaoConfigEnabled


class CryptPadConfigDisabled(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="DISABLED"
):
    pass


class CryptPadConfigEnabled(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="ENABLED"
):
    server_url: str


CryptPadConfig: TypeAlias = CryptPadConfigDisabled | CryptPadConfigEnabled


class ServerConfigOk(Reply, frozen=True, kw_only=True, tag="ok"):
    account: AccountConfig
    advisory_device_file_protection: list[str] = msgspec.field(default_factory=list)
    cryptpad: CryptPadConfig = CryptPadConfigDisabled()
    openbao: OpenBaoConfig
    organization_bootstrap: OrganizationBootstrapConfig


ServerConfigReply: TypeAlias = ServerConfigOk


class ServerConfig(
    Request[ServerConfigReply],
    frozen=True,
    kw_only=True,
    tag="server_config",
    forbid_unknown_fields=True,
):
    """Public configuration of the server."""

    FAMILY: ClassVar[Family] = Family.ANONYMOUS_SERVER
