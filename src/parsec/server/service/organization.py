"""Organizations: their begin, and what they weigh."""

from parsec.data.topics import Topic
from parsec.protocol.organization import (
    OrganizationBootstrap,
    OrganizationBootstrapReply,
    OrganizationInfo,
    OrganizationInfoOk,
    OrganizationInfoReply,
)
from parsec.protocol.statuses import Ok
from parsec.server.outbound.webhook import BootstrappedOrganization
from parsec.server.records import OrganizationRecord
from parsec.server.rules import organization as rules
from parsec.server.rules.organization import Bootstrap
from parsec.server.service.context import AnonymousContext, AuthenticatedContext
from parsec.server.store import certificate, organization, user
from parsec.server.store.engine import Transaction


async def organization_info(
    context: AuthenticatedContext,
    request: OrganizationInfo,  # noqa: ARG001
) -> OrganizationInfoReply:
    async with context.reading(single=True):
        # There are neither blocks nor vlobs yet.
        return OrganizationInfoOk(total_block_bytes=0, total_metadata_bytes=0)


async def organization_bootstrap(
    context: AnonymousContext, request: OrganizationBootstrap
) -> OrganizationBootstrapReply:
    async with context.creating(Topic.COMMON, Topic.SEQUESTER) as (transaction, found):
        waiting = found or _spontaneous_organization(context)
        bootstrap = rules.check_bootstrap(request, waiting, now=context.now)
        if found is None:
            await organization.create(transaction, waiting)
        await _begin(context, transaction, request, bootstrap)
    _tell_webhook(context, bootstrap)
    return Ok()


def _spontaneous_organization(context: AnonymousContext) -> OrganizationRecord:
    return rules.new_organization(
        context.organization_id,
        context.settings.initial_organization,
        bootstrap_token=None,
        now=context.now,
    )


async def _begin(
    context: AnonymousContext,
    transaction: Transaction,
    request: OrganizationBootstrap,
    bootstrap: Bootstrap,
) -> None:
    organization_id, first = context.organization_id, bootstrap.first
    await organization.bootstrap(
        transaction,
        organization_id,
        root_verify_key=request.root_verify_key,
        bootstrapped_on=context.now,
    )
    await user.add_user(transaction, organization_id, first.user_record, first.device_record)
    await certificate.add_user_certificates(
        transaction,
        organization_id,
        timestamp=first.timestamp,
        user=(request.user_certificate, request.redacted_user_certificate),
        device=(request.device_certificate, request.redacted_device_certificate),
    )
    if request.sequester_authority_certificate is not None:
        await certificate.add_sequester_certificate(
            transaction,
            organization_id,
            timestamp=first.timestamp,
            certificate=request.sequester_authority_certificate,
        )


def _tell_webhook(context: AnonymousContext, bootstrap: Bootstrap) -> None:
    webhook, first = context.server.bootstrap_webhook, bootstrap.first
    if webhook is not None:
        webhook.tell(
            BootstrappedOrganization(
                organization_id=context.organization_id,
                device_id=first.device.device_id,
                device_label=first.device.shown_label,
                human_handle=first.user.shown_handle,
            )
        )
