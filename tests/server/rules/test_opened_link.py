"""What a link is for that somebody opened in a browser."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsec.crypto.keys import VerifyKey
from parsec.data.address import (
    AsyncEnrollmentAddr,
    InvitationAddr,
    InvitationType,
    OrganizationAddr,
    OrganizationBootstrapAddr,
    PKIEnrollmentAddr,
    ServerAddr,
    TOTPResetAddr,
    WorkspacePathAddr,
)
from parsec.data.ids import AccessToken, UserID, VlobID
from parsec.data.people import OrganizationID
from parsec.server.rules.opened_link import LinkKind, opened_link

SERVER = ServerAddr(hostname="parsec.example.com")
ORGANIZATION = OrganizationID("Org")
TOKEN = AccessToken(bytes(range(16)))


def invitation(kind: InvitationType) -> InvitationAddr:
    return InvitationAddr(server=SERVER, organization_id=ORGANIZATION, type=kind, token=TOKEN)


BOOTSTRAP = OrganizationBootstrapAddr(server=SERVER, organization_id=ORGANIZATION, token=TOKEN)
RESET = TOTPResetAddr(
    server=SERVER, organization_id=ORGANIZATION, user_id=UserID(bytes(16)), token=TOKEN
)
FILE = WorkspacePathAddr(
    server=SERVER,
    organization_id=ORGANIZATION,
    workspace_id=VlobID(bytes(16)),
    key_index=1,
    encrypted_path=b"x",
)


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        (invitation(InvitationType.USER).url, LinkKind.USER_INVITATION),
        (invitation(InvitationType.DEVICE).url, LinkKind.DEVICE_INVITATION),
        (invitation(InvitationType.SHAMIR_RECOVERY).url, LinkKind.SHAMIR_RECOVERY_INVITATION),
        (BOOTSTRAP.url, LinkKind.BOOTSTRAP),
        (RESET.url, LinkKind.TOTP_RESET),
        (FILE.url, LinkKind.WORKSPACE_PATH),
        (
            AsyncEnrollmentAddr(server=SERVER, organization_id=ORGANIZATION).url,
            LinkKind.ENROLLMENT,
        ),
        (PKIEnrollmentAddr(server=SERVER, organization_id=ORGANIZATION).url, LinkKind.ENROLLMENT),
        (
            OrganizationAddr(
                server=SERVER, organization_id=ORGANIZATION, root_verify_key=VerifyKey(bytes(32))
            ).url,
            LinkKind.ADDRESS,
        ),
    ],
)
def test_a_link_tells_what_it_is_for_and_in_which_organization(url: str, kind: LinkKind) -> None:
    link = opened_link(url)

    assert (link.kind, link.organization_id) == (kind, ORGANIZATION)


def test_the_address_of_a_server_names_no_organization() -> None:
    link = opened_link(SERVER.url)

    assert (link.kind, link.organization_id) == (LinkKind.ADDRESS, None)


@pytest.mark.parametrize(
    "url",
    [
        invitation(InvitationType.USER).url[:-3],
        "parsec3://parsec.example.com/Org?a=claim_user",
        "parsec3://parsec.example.com/Org?a=of_a_later_version&p=xBA",
        "parsec3://parsec.example.com/Org?a=claim_user&a=claim_device&p=xBA",
        "parsec3://parsec.example.com/Org",
        "parsec3://parsec.example.com/Org/more?a=claim_user&p=xBA",
        "parsec3://parsec.example.com/../x",
        "https://parsec.example.com/redirect/",
        "",
    ],
)
def test_what_is_not_whole_is_unknown(url: str) -> None:
    link = opened_link(url)

    assert (link.kind, link.command) == (LinkKind.UNKNOWN, None)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        *((invitation(kind), ["invite", "claim"]) for kind in InvitationType),
        (BOOTSTRAP, ["organization", "bootstrap", "--addr"]),
        (RESET, ["totp", "reset"]),
    ],
)
def test_the_command_does_what_the_link_is_for(
    address: InvitationAddr | OrganizationBootstrapAddr | TOTPResetAddr, words: list[str]
) -> None:
    command = opened_link(address.url).command

    assert command is not None
    assert shlex.split(command) == ["parsec-cli", *words, address.http_redirection_url]


def test_there_is_no_command_for_a_file() -> None:
    assert opened_link(FILE.url).command is None


def test_a_link_does_not_show_its_token() -> None:
    assert repr(opened_link(RESET.url)) == "OpenedLink(TOTP_RESET)"


@given(st.text())
def test_no_text_is_a_failure(text: str) -> None:
    assert opened_link(f"parsec3://parsec.example.com/{text}").kind in LinkKind
