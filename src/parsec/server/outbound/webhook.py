"""Telling another service that an organization was bootstrapped (server-core.md 17.2).

Whatever becomes of that changes no answer and delays none: it happens in the background, after the
commit. The other service may be away for a moment, so there are a few attempts; it may be slow or
say a lot, so each attempt has an end and the answer's body is not read.
"""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
import structlog

from parsec.data.ids import DeviceID
from parsec.data.people import DeviceLabel, HumanHandle, OrganizationID

if TYPE_CHECKING:
    import httpx2

_TIMEOUT_SECONDS = 10
_PAUSES_SECONDS = (1.0, 10.0, 60.0)
_GRACE_SECONDS = 5

MAX_CALLS = 100
"""How many may be on their way; where anybody may create organizations they may be many."""

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
    """Where to tell it. The URL may hold a secret: it does not get into the log."""

    def __init__(
        self,
        url: str,
        *,
        timeout: float = _TIMEOUT_SECONDS,
        pauses: Sequence[float] = _PAUSES_SECONDS,
        grace: float = _GRACE_SECONDS,
    ) -> None:
        """In seconds: how long an attempt may take, how long to wait before each further one, and
        how long `close` waits."""
        self._url = url
        self._timeout = timeout
        self._pauses = pauses
        self._grace = grace
        self._calls: dict[asyncio.Task[None], OrganizationID] = {}
        self._closing = asyncio.Event()
        self._client: httpx2.AsyncClient | None = None

    def tell(self, organization: BootstrappedOrganization) -> None:
        """Send it in the background."""
        if len(self._calls) >= MAX_CALLS:
            _log.warning("bootstrap webhook given up", organization=organization.organization_id)
            return
        call = asyncio.create_task(self._call(organization))
        self._calls[call] = organization.organization_id
        call.add_done_callback(self._forget)

    async def close(self) -> None:
        """Wait a moment for what is on its way, and give up what only waits for another attempt."""
        self._closing.set()
        if self._calls:
            _, late = await asyncio.wait(list(self._calls), timeout=self._grace)
            for call in late:
                _log.warning("bootstrap webhook given up", organization=self._calls[call])
                call.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()

    def _forget(self, call: asyncio.Task[None]) -> None:
        del self._calls[call]

    async def _call(self, organization: BootstrappedOrganization) -> None:
        for pause in (*self._pauses, None):
            if await self._attempt(organization):
                return
            if pause is None or await self._is_closed_within(pause):
                break
        _log.warning("bootstrap webhook given up", organization=organization.organization_id)

    async def _is_closed_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._closing.wait(), seconds)
        except TimeoutError:
            return False
        return True

    async def _attempt(self, organization: BootstrappedOrganization) -> bool:
        """Whether the other service was told, or would not listen another time either."""
        organization_id = organization.organization_id
        try:
            async with asyncio.timeout(self._timeout):
                status = await self._post(organization)
        except Exception as error:
            # Whatever it is, a bug included: nobody waits for this who could be told. The text
            # may hold the URL.
            _log.warning(
                "bootstrap webhook failed",
                organization=organization_id,
                error=type(error).__name__,
            )
            return False
        _log.info("bootstrap webhook", organization=organization_id, status=status)
        return not (status >= 500 or status in _LATER)

    async def _post(self, organization: BootstrappedOrganization) -> int:
        # Redirections are not followed: what is told is for this address alone.
        async with self._http().stream(
            "POST",
            self._url,
            content=organization.body,
            headers=_HEADERS,
            follow_redirects=False,
        ) as answer:
            return answer.status_code

    def _http(self) -> "httpx2.AsyncClient":
        # Few servers have a webhook, and few organizations begin.
        import httpx2

        if self._client is None:
            self._client = httpx2.AsyncClient(timeout=self._timeout)
        return self._client


_HEADERS = {"Content-Type": "application/json; charset=utf-8"}

# Request timeout, too early, too many requests.
_LATER = (408, 425, 429)
