"""Which function answers which command; a command that is not listed is answered 415."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from parsec.protocol.certificate import CertificateGet
from parsec.protocol.command import Reply, Request
from parsec.protocol.device import DeviceCreate
from parsec.protocol.events import EventsListen
from parsec.protocol.greeting import (
    InviteClaimerCancelGreetingAttempt,
    InviteClaimerStartGreetingAttempt,
    InviteClaimerStep,
    InviteGreeterCancelGreetingAttempt,
    InviteGreeterStartGreetingAttempt,
    InviteGreeterStep,
)
from parsec.protocol.invite import (
    InviteCancel,
    InviteComplete,
    InviteInfo,
    InviteList,
    InviteNewDevice,
    InviteNewShamirRecovery,
    InviteNewUser,
)
from parsec.protocol.organization import OrganizationBootstrap, OrganizationInfo
from parsec.protocol.ping import AnonymousPing, AnonymousServerPing, InvitedPing, Ping
from parsec.protocol.server_config import ServerConfig
from parsec.protocol.shamir import (
    InviteShamirRecoveryReveal,
    ShamirRecoveryDelete,
    ShamirRecoverySetup,
)
from parsec.protocol.tos import TosAccept, TosGet
from parsec.protocol.totp import (
    AnonymousTotpSetupConfirm,
    AnonymousTotpSetupGetSecret,
    TotpCreateOpaqueKey,
    TotpFetchOpaqueKey,
    TotpSetupConfirm,
    TotpSetupGetSecret,
)
from parsec.protocol.user import ListFrozenUsers, UserCreate, UserRevoke, UserUpdate
from parsec.server.service import (
    certificate,
    device,
    events,
    greeting,
    invite,
    organization,
    ping,
    server_config,
    shamir,
    tos,
    totp,
    user,
)

Command: TypeAlias = Callable[[Any, Any], Awaitable[Reply]]
"""Takes the context of the request's family, and the request."""

COMMANDS: dict[type[Request[Any]], Command] = {
    AnonymousTotpSetupConfirm: totp.anonymous_totp_setup_confirm,
    AnonymousTotpSetupGetSecret: totp.anonymous_totp_setup_get_secret,
    CertificateGet: certificate.certificate_get,
    DeviceCreate: device.device_create,
    EventsListen: events.events_listen,
    InviteCancel: invite.invite_cancel,
    InviteClaimerCancelGreetingAttempt: greeting.invite_claimer_cancel_greeting_attempt,
    InviteClaimerStartGreetingAttempt: greeting.invite_claimer_start_greeting_attempt,
    InviteClaimerStep: greeting.invite_claimer_step,
    InviteComplete: invite.invite_complete,
    InviteGreeterCancelGreetingAttempt: greeting.invite_greeter_cancel_greeting_attempt,
    InviteGreeterStartGreetingAttempt: greeting.invite_greeter_start_greeting_attempt,
    InviteGreeterStep: greeting.invite_greeter_step,
    InviteInfo: invite.invite_info,
    InviteList: invite.invite_list,
    InviteNewDevice: invite.invite_new_device,
    InviteNewShamirRecovery: invite.invite_new_shamir_recovery,
    InviteNewUser: invite.invite_new_user,
    InviteShamirRecoveryReveal: shamir.invite_shamir_recovery_reveal,
    ListFrozenUsers: user.list_frozen_users,
    OrganizationBootstrap: organization.organization_bootstrap,
    OrganizationInfo: organization.organization_info,
    ServerConfig: server_config.server_config,
    ShamirRecoveryDelete: shamir.shamir_recovery_delete,
    ShamirRecoverySetup: shamir.shamir_recovery_setup,
    TosAccept: tos.tos_accept,
    TosGet: tos.tos_get,
    TotpCreateOpaqueKey: totp.totp_create_opaque_key,
    TotpFetchOpaqueKey: totp.totp_fetch_opaque_key,
    TotpSetupConfirm: totp.totp_setup_confirm,
    TotpSetupGetSecret: totp.totp_setup_get_secret,
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
