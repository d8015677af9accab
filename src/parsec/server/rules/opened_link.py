"""What a link is for that somebody opened in a browser, and what can be done with it."""

import enum
import shlex
from typing import assert_never

import msgspec

from parsec.data.address import (
    ActionAddr,
    AddressError,
    AsyncEnrollmentAddr,
    InvitationAddr,
    InvitationType,
    OrganizationAddr,
    OrganizationBootstrapAddr,
    PKIEnrollmentAddr,
    ServerAddr,
    TOTPResetAddr,
    WorkspacePathAddr,
    parse_action,
)
from parsec.data.people import OrganizationID


class LinkKind(enum.Enum):
    """What a person is told about a link."""

    USER_INVITATION = enum.auto()
    DEVICE_INVITATION = enum.auto()
    SHAMIR_RECOVERY_INVITATION = enum.auto()
    BOOTSTRAP = enum.auto()
    TOTP_RESET = enum.auto()
    ENROLLMENT = enum.auto()
    WORKSPACE_PATH = enum.auto()
    ADDRESS = enum.auto()
    """Of a server or an organization, without anything to do there."""
    UNKNOWN = enum.auto()
    """Cut off on its way, or of a later version."""


class OpenedLink(msgspec.Struct, frozen=True, kw_only=True):
    """A link that may hold a token: nothing of it is for a log."""

    kind: LinkKind
    organization_id: OrganizationID | None = None
    command: str | None = None
    """What to type in a terminal, where our command line can do it."""

    def __repr__(self) -> str:
        return f"OpenedLink({self.kind.name})"


def opened_link(location: str) -> OpenedLink:
    """What a parsec3 URL is for; anything that is none is an unknown link."""
    try:
        address = parse_action(location, allow_http_redirection=False)
    except AddressError:
        return _link_without_action(location)
    return OpenedLink(
        kind=_kind(address),
        organization_id=address.organization_id,
        command=_command(address),
    )


def _link_without_action(location: str) -> OpenedLink:
    try:
        ServerAddr.parse(location, allow_http_redirection=False)
        return OpenedLink(kind=LinkKind.ADDRESS)
    except AddressError:
        pass
    try:
        address = OrganizationAddr.parse(location, allow_http_redirection=False)
    except AddressError:
        return OpenedLink(kind=LinkKind.UNKNOWN)
    return OpenedLink(kind=LinkKind.ADDRESS, organization_id=address.organization_id)


_INVITATIONS = {
    InvitationType.USER: LinkKind.USER_INVITATION,
    InvitationType.DEVICE: LinkKind.DEVICE_INVITATION,
    InvitationType.SHAMIR_RECOVERY: LinkKind.SHAMIR_RECOVERY_INVITATION,
}


def _kind(address: ActionAddr) -> LinkKind:
    match address:
        case InvitationAddr():
            return _INVITATIONS[address.type]
        case OrganizationBootstrapAddr():
            return LinkKind.BOOTSTRAP
        case TOTPResetAddr():
            return LinkKind.TOTP_RESET
        case AsyncEnrollmentAddr() | PKIEnrollmentAddr():
            return LinkKind.ENROLLMENT
        case WorkspacePathAddr():
            return LinkKind.WORKSPACE_PATH
        case _:
            assert_never(address)


def _command(address: ActionAddr) -> str | None:
    match address:
        case InvitationAddr():
            words = "invite claim"
        case OrganizationBootstrapAddr():
            words = "organization bootstrap --addr"
        case TOTPResetAddr():
            words = "totp reset"
        case _:
            return None
    # Written anew from what was understood, not as it came; quoted all the same.
    return f"parsec-cli {words} {shlex.quote(address.http_redirection_url)}"
