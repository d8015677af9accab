"""Telling another service that an organization was bootstrapped (server-core.md 17.2)."""

import asyncio

import msgspec
import structlog

from parsec.data.ids import DeviceID
from parsec.data.people import DeviceLabel, HumanHandle, OrganizationID

_TIMEOUT_SECONDS = 10

_log = structlog.get_logger()


class BootstrappedOrganization(msgspec.Struct, frozen=True, kw_only=True):
    """What the other service is told."""

    organization_id: OrganizationID
    device_id: DeviceID
    device_label: DeviceLabel
    human_handle: HumanHandle

    @property
    def body(self) -> bytes:
        """The JSON that it is sent."""
        return msgspec.json.encode(
            {
                "organization_id": str(self.organization_id),
                "device_id": self.device_id.hex(),
                "device_label": str(self.device_label),
                "human_email": str(self.human_handle.email),
                "human_label": self.human_handle.label,
            }
        )


class BootstrapWebhook:
    """Where to tell it; whatever becomes of that changes nothing here."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._calls: set[asyncio.Task[None]] = set()

    def tell(self, organization: BootstrappedOrganization) -> None:
        """Send it in the background."""
        call = asyncio.create_task(self._post(organization))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)

    async def close(self) -> None:
        """Wait for what is still on its way."""
        while self._calls:
            await asyncio.wait(self._calls)

    async def _post(self, organization: BootstrappedOrganization) -> None:
        # Few servers have a webhook, and few organizations begin.
        import httpx2

        headers = {"Content-Type": "application/json; charset=utf-8"}
        try:
            async with httpx2.AsyncClient(timeout=_TIMEOUT_SECONDS) as client:
                answer = await client.post(self._url, content=organization.body, headers=headers)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            _log.warning(
                "bootstrap webhook failed",
                organization=organization.organization_id,
                error=type(error).__name__,
            )
            return
        _log.info(
            "bootstrap webhook",
            organization=organization.organization_id,
            status=answer.status_code,
        )
