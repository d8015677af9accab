"""What a server allows and advises."""

from parsec.protocol.server_config import (
    OrganizationBootstrapConfig,
    ServerConfig,
    ServerConfigOk,
    ServerConfigReply,
)
from parsec.server.service.context import AnonymousServerContext


async def server_config(
    context: AnonymousServerContext,
    request: ServerConfig,  # noqa: ARG001
) -> ServerConfigReply:
    settings = context.settings
    return ServerConfigOk(
        account=settings.account_config,
        advisory_device_file_protection=list(settings.advisory_device_file_protection),
        cryptpad=settings.cryptpad,
        openbao=settings.openbao,
        organization_bootstrap=(
            OrganizationBootstrapConfig.SPONTANEOUS
            if settings.spontaneous_organization_bootstrap
            else OrganizationBootstrapConfig.WITH_BOOTSTRAP_TOKEN
        ),
    )
