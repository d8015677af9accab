"""Devices: creation."""

from parsec.data.topics import Topic
from parsec.protocol.device import DeviceCreate, DeviceCreateReply
from parsec.protocol.statuses import Ok
from parsec.server.rules import device as rules
from parsec.server.rules.user import device_record
from parsec.server.service.context import AuthenticatedContext
from parsec.server.service.user import publish_common
from parsec.server.store import certificate, user


async def device_create(context: AuthenticatedContext, request: DeviceCreate) -> DeviceCreateReply:
    organization_id = context.organization_id
    async with context.writing(Topic.COMMON) as (transaction, author):
        device = rules.check_certificate(request, author, now=context.now)
        rules.check_new(
            device,
            last_common=await certificate.last_timestamp(
                transaction, organization_id, Topic.COMMON
            ),
            same_id=await user.device(transaction, organization_id, device.device_id),
        )
        await user.add_device(
            transaction, organization_id, device_record(device), created_on=device.timestamp
        )
        await certificate.add_common_certificate(
            transaction,
            organization_id,
            timestamp=device.timestamp,
            certificate=request.device_certificate,
            redacted_certificate=request.redacted_device_certificate,
        )
        publish_common(context, transaction, device.timestamp)
    return Ok()
