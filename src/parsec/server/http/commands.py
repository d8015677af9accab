"""Which function answers which command; a command that is not listed is answered 415."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from parsec.protocol.certificate import CertificateGet
from parsec.protocol.command import Reply, Request
from parsec.protocol.device import DeviceCreate
from parsec.protocol.events import EventsListen
from parsec.protocol.organization import OrganizationBootstrap, OrganizationInfo
from parsec.protocol.ping import AnonymousPing, AnonymousServerPing, InvitedPing, Ping
from parsec.protocol.server_config import ServerConfig
from parsec.protocol.tos import TosAccept, TosGet
from parsec.protocol.user import ListFrozenUsers, UserCreate, UserRevoke, UserUpdate
from parsec.server.service import (
    certificate,
    device,
    events,
    organization,
    ping,
    server_config,
    tos,
    user,
)

Command: TypeAlias = Callable[[Any, Any], Awaitable[Reply]]
"""Takes the context of the request's family, and the request."""

COMMANDS: dict[type[Request[Any]], Command] = {
    CertificateGet: certificate.certificate_get,
    DeviceCreate: device.device_create,
    EventsListen: events.events_listen,
    ListFrozenUsers: user.list_frozen_users,
    OrganizationBootstrap: organization.organization_bootstrap,
    OrganizationInfo: organization.organization_info,
    ServerConfig: server_config.server_config,
    TosAccept: tos.tos_accept,
    TosGet: tos.tos_get,
    UserCreate: user.user_create,
    UserRevoke: user.user_revoke,
    UserUpdate: user.user_update,
}

DEBUG_COMMANDS: dict[type[Request[Any]], Command] = {
    AnonymousPing: ping.anonymous_ping,
    AnonymousServerPing: ping.anonymous_server_ping,
    InvitedPing: ping.invited_ping,
    Ping: ping.authenticated_ping,
}
"""Answered in debug mode only."""
