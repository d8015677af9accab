"""Addresses of all kinds, in both their forms, between our types and the official ones."""

import itertools
import random
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pytest

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
from parsec.data.ids import AccessToken, UserID, VlobID
from parsec.data.people import OrganizationID
from tests.interop.examples import Examples
from tests.interop.peer import Job, Official
from tests.interop.pictures import Picture, picture

AnyAddr: TypeAlias = ServerAddr | OrganizationAddr | ActionAddr

OFFICIAL_NAMES: dict[type[Any], str] = {
    ServerAddr: "ParsecAddr",
    OrganizationAddr: "ParsecOrganizationAddr",
    OrganizationBootstrapAddr: "ParsecOrganizationBootstrapAddr",
    InvitationAddr: "ParsecInvitationAddr",
    WorkspacePathAddr: "ParsecWorkspacePathAddr",
    PKIEnrollmentAddr: "ParsecPkiEnrollmentAddr",
    AsyncEnrollmentAddr: "ParsecAsyncEnrollmentAddr",
    TOTPResetAddr: "ParsecTOTPResetAddr",
}
# The official module has no constructor of this kind: it comes out of reading an action alone.
READ_ONLY = {AsyncEnrollmentAddr}

SERVERS = [
    ServerAddr(hostname=hostname, port=port, use_ssl=use_ssl)
    for hostname, port, use_ssl in [
        ("parsec.example.com", None, True),
        ("localhost", 6777, False),
        ("127.0.0.1", 80, False),
        ("127.0.0.1", 80, True),
        ("[::1]", 443, True),
        ("[2001:db8::1]", 443, False),
        ("xn--bcher-kva.example", 1, True),
        ("a", 65535, True),
    ]
]
ORGANIZATIONS = [OrganizationID(text) for text in ("CoolOrg", "My-Org_1", "Ünïon", "組織", "o" * 32)]


def _addresses() -> Iterator[AnyAddr]:
    source = Examples(1)
    yield from SERVERS
    for server, organization in itertools.product(SERVERS, ORGANIZATIONS):
        scope: dict[str, Any] = {"server": server, "organization_id": organization}
        token = source.of(AccessToken)
        yield OrganizationAddr(root_verify_key=source.of(VERIFY_KEY), **scope)
        yield OrganizationBootstrapAddr(token=token, **scope)
        yield OrganizationBootstrapAddr(token=None, **scope)
        for kind in InvitationType:
            yield InvitationAddr(type=kind, token=token, **scope)
        for index, path in ((0, b""), (1, bytes(range(256))), (2**64 - 1, b"\x80")):
            yield WorkspacePathAddr(
                workspace_id=source.of(VlobID), key_index=index, encrypted_path=path, **scope
            )
        yield PKIEnrollmentAddr(**scope)
        yield AsyncEnrollmentAddr(**scope)
        yield TOTPResetAddr(user_id=source.of(UserID), token=token, **scope)
