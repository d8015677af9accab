"""Targets: addresses of every kind, and the web links that lead to them."""

import shlex
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from parsec.crypto.keys import VerifyKey
from parsec.data.address import (
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
from parsec.server.http.pages import link_page
from parsec.server.rules.opened_link import LinkKind, opened_link
from parsec.server.rules.redirect import redirect_location
from parsec.server.settings import Language
from parsec.wire.url import UrlError, decode_payload, encode_payload, split_url
from tests.support.decoders import seeds
from tests.support.decoders.markup import shape
from tests.support.decoders.target import Form, Target, text_of

_KINDS: Sequence[Any] = (
    ServerAddr,
    OrganizationAddr,
    OrganizationBootstrapAddr,
    InvitationAddr,
    WorkspacePathAddr,
    AsyncEnrollmentAddr,
    PKIEnrollmentAddr,
    TOTPResetAddr,
)


def check_addresses(data: bytes) -> None:
    """An address of any kind, in both of its forms."""
    text = text_of(data)
    for parse in (*(kind.parse for kind in _KINDS), parse_action):
        try:
            address = parse(text)
        except AddressError:
            continue
        for form in (address.url, address.http_redirection_url):
            assert form.isascii()
            assert form.isprintable()
            assert " " not in form
            again = parse(form)
            assert again == address
            assert again.url == address.url
        assert parse(address.url, allow_http_redirection=False) == address
    try:
        server = ServerAddr.parse_http_url(text)
    except AddressError:
        return
    assert ServerAddr.parse_http_url(server.http_url) == server


def check_urls(data: bytes) -> None:
    """The parts of a URL, and base64url."""
    text = text_of(data)
    try:
        parts = split_url(text)
    except UrlError:
        pass
    else:
        assert parts.host
        assert parts.port is None or 0 <= parts.port <= 65_535
    try:
        payload = decode_payload(text)
    except UrlError:
        return
    assert encode_payload(payload) == text


_SERVERS = (
    ServerAddr(hostname="parsec.example.com"),
    ServerAddr(hostname="[::1]", port=6777, use_ssl=False),
)


def check_links(data: bytes) -> None:
    """A link on the server's page: nobody is led elsewhere, whatever stands in it."""
    path, _, query = data.decode("latin-1").partition("?")
    for server in _SERVERS:
        location = redirect_location(server, path, query)
        start = f"parsec3://{server.netloc}"
        assert location.startswith(start)
        assert location[len(start) : len(start) + 1] in ("", "/", "?")
        assert location.isascii()
        assert location.isprintable()
        assert " " not in location
        link = opened_link(location)
        if link.command is not None:
            name, *words = shlex.split(link.command)
            assert name == "parsec-cli"
            assert len(words) in (3, 4)
        web = redirect_location(server, path, query, web_app_base="https://app.example.com/")
        assert web.startswith("https://app.example.com/client/webRedirect?webRedirectUrl=parsec3")
        _check_page(location)


def _check_page(location: str) -> None:
    link = opened_link(location)
    plain = _plain_pages()[link.kind, link.organization_id is None]
    assert _shape_of_page(location) == plain, "the link made a tag"


@cache
def _plain_pages() -> Mapping[tuple[LinkKind, bool], object]:
    """What the page of each kind of link is built of, whether or not it names an organization."""
    server, organization_id = _SERVERS[0], OrganizationID("Org")
    invitations = [
        InvitationAddr(
            server=server, organization_id=organization_id, type=kind, token=AccessToken(bytes(16))
        )
        for kind in InvitationType
    ]
    key, ids = VerifyKey(bytes(32)), UserID(bytes(16))
    named: Sequence[Any] = [
        *invitations,
        server,
        OrganizationAddr(server=server, organization_id=organization_id, root_verify_key=key),
        OrganizationBootstrapAddr(server=server, organization_id=organization_id, token=None),
        AsyncEnrollmentAddr(server=server, organization_id=organization_id),
        WorkspacePathAddr(
            server=server,
            organization_id=organization_id,
            workspace_id=VlobID(bytes(16)),
            key_index=1,
            encrypted_path=b"path",
        ),
        TOTPResetAddr(
            server=server,
            organization_id=organization_id,
            user_id=ids,
            token=AccessToken(bytes(16)),
        ),
    ]
    locations = [*(address.url for address in named), "parsec3://nobody/knows/this"]
    links = [(location, opened_link(location)) for location in locations]
    return {
        (link.kind, link.organization_id is None): _shape_of_page(location)
        for location, link in links
    }


def _shape_of_page(location: str) -> object:
    return shape(bytes(link_page(location, Language.EN).body).decode())


def _addresses() -> list[bytes]:
    return seeds.from_text("addr-parse", "url")


def _links() -> list[bytes]:
    found = [
        vector["inputs"]["raw_path_and_query"].removeprefix("/redirect/").encode("latin-1")
        for vector in seeds.document("server-redirect")["redirect"]
    ]
    return [*found, b"Org?a=claim_user&p=xBAAAAAAAAAAAAAAAAAAAAAA"]


TARGETS = (
    Target("addresses", Form.TEXT, check_addresses, _addresses),
    Target("urls", Form.TEXT, check_urls, _addresses),
    Target("links", Form.TEXT, check_links, _links),
)
