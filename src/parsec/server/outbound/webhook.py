"""Telling another service that an organization was bootstrapped."""

from typing import Protocol

import msgspec

from parsec.data.ids import DeviceID
from parsec.data.people import HumanHandle, OrganizationID


class BootstrappedOrganization(msgspec.Struct, frozen=True, kw_only=True):
    """What the other service is told."""

    organization_id: OrganizationID
    device_id: DeviceID
    device_label: str
    human_handle: HumanHandle


class BootstrapWebhook(Protocol):
    """Where to tell it."""

    def tell(self, organization: BootstrappedOrganization, /) -> None:
        """Send it some time; never fails, never makes the caller wait."""
