"""Addresses of all kinds, in both their forms, between our types and the official ones."""

import itertools
from collections.abc import Iterator
from typing import Any, TypeAlias

import pytest

from parsec.crypto.keys import VerifyKey
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
ORGANIZATIONS = [
    OrganizationID(text) for text in ("CoolOrg", "My-Org_1", "Ünïon", "組織", "o" * 32)
]


def _addresses() -> Iterator[AnyAddr]:
    source = Examples(1)
    yield from SERVERS
    for server, organization in itertools.product(SERVERS, ORGANIZATIONS):
        scope: dict[str, Any] = {"server": server, "organization_id": organization}
        token = source.of(AccessToken)
        yield OrganizationAddr(root_verify_key=source.of(VerifyKey), **scope)
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


@pytest.mark.parametrize("form", ["url", "http_redirection_url"])
def test_the_official_types_read_our_addresses(official_types: Official, form: str) -> None:
    addresses = list(_addresses())

    answers = official_types.answers(
        _reading(type(each), getattr(each, form)) for each in addresses
    )

    assert [answer.value for answer in answers] == list(map(address_picture, addresses))


@pytest.mark.parametrize("form", [0, 1])
def test_we_read_official_addresses(official_types: Official, form: int) -> None:
    addresses = [each for each in _addresses() if type(each) not in READ_ONLY]

    built = official_types.answers(map(_building, addresses))

    urls = [answer.value[3][form] for answer in built]
    ours = [_parse(type(each), url) for each, url in zip(addresses, urls, strict=True)]
    assert ours == addresses
    assert [address_picture(each)[3] for each in addresses] == [each.value[3] for each in built]


def test_addresses_that_name_an_action_are_told_apart_as_by_the_official_types(
    official_types: Official,
) -> None:
    addresses = [
        each for each in _addresses() if not isinstance(each, ServerAddr | OrganizationAddr)
    ]

    answers = official_types.answers(
        ("load_address", "ParsecActionAddr", each.url, True) for each in addresses
    )

    assert [answer.value for answer in answers] == list(map(address_picture, addresses))
    assert [parse_action(each.url) for each in addresses] == addresses


def test_a_redirection_is_an_address_only_where_one_is_asked_for(
    official_types: Official,
) -> None:
    url = SERVERS[0].http_redirection_url

    assert not official_types.answer("load_address", "ParsecAddr", url, False).accepted
    with pytest.raises(AddressError):
        ServerAddr.parse(url, allow_http_redirection=False)


NASTY = (
    *("", "/", "//", "/../", ".", "..", "\\", "%2F", "%2e", "%00", "%20", "%", "%zz", "%FF"),
    *("\0", "\t", "\n", " ", "\x1f", "\x7f", "\x80", "\xa0", "\ufeff", "+", "#", "?", "&", "="),
    *("@", "u:p@", ":", ":0", ":080", ":65536", "[", "]", "_", "-", "~", "|", "^", "<", '"', "'"),
    *("`", "{", "*", "!", "$", "(", ";", ",", "A", "AA", "==", "é", "ü", "ß", "\u0301", "%C3%A9"),
    *("①", "\u200d", "\u3002", "xn--", "0x7f", "1e3", "&no_ssl=true", "&no_ssl=", "&no_ssl=FALSE"),
    *("&no%5Fssl=true", "?no_ssl=true", "&a=x", "&p=", "&p=wA", "&A=claim_user"),
)
# Leniencies of the official parser that deceive people about where a link leads, or that nobody
# needs: slashes written backwards, segments that cancel others, empty segments and labels.
OFFICIAL_ALONE = {"\\", "/../", ".", "..", "%2e", "/", "//", "\u3002"}
# Punycode is looked up as it is written: whether it decodes is for the name server to say.
OURS_ALONE = {"xn--"}

SCOPE: dict[str, Any] = {"server": SERVERS[1], "organization_id": ORGANIZATIONS[1]}
TOKEN = AccessToken(bytes(16))
FUZZED: list[AnyAddr] = [
    SERVERS[0],
    SERVERS[1],
    OrganizationAddr(root_verify_key=VerifyKey(bytes(32)), **SCOPE),
    OrganizationBootstrapAddr(token=None, **SCOPE),
    InvitationAddr(type=InvitationType.USER, token=TOKEN, **SCOPE),
    WorkspacePathAddr(
        workspace_id=VlobID(bytes(16)), key_index=1, encrypted_path=b"\0\xff", **SCOPE
    ),
    AsyncEnrollmentAddr(**SCOPE),
    TOTPResetAddr(user_id=UserID(bytes(16)), token=TOKEN, **SCOPE),
]


@pytest.mark.parametrize("form", ["url", "http_redirection_url"])
@pytest.mark.parametrize("address", FUZZED, ids=lambda each: type(each).__name__)
def test_nasty_addresses_are_read_and_refused_as_by_the_official_types(
    official_types: Official, address: AnyAddr, form: str
) -> None:
    kind, urls = type(address), list(_spoiled(getattr(address, form)))

    answers = official_types.answers(_reading(kind, url) for _, url in urls)

    ours = [_picture_of_url(kind, url) for _, url in urls]
    official = [answer.outcome if answer.accepted else None for answer in answers]
    assert not [
        (url, mine, theirs)
        for (nasty, url), mine, theirs in zip(urls, ours, official, strict=True)
        if mine != theirs
        if not (mine is None and nasty in OFFICIAL_ALONE)
        if not (theirs is None and nasty in OURS_ALONE)
    ]


def _spoiled(url: str) -> Iterator[tuple[str, str]]:
    """The URL with each nasty text put before each character, and in its place."""
    for at, nasty in itertools.product(range(len(url) + 1), NASTY):
        yield nasty, url[:at] + nasty + url[at:]
        yield nasty, url[:at] + nasty + url[at + 1 :]


def _reading(kind: type[AnyAddr], url: str) -> Job:
    name = "ParsecActionAddr" if kind in READ_ONLY else OFFICIAL_NAMES[kind]
    return "load_address", name, url, True


def _building(address: AnyAddr) -> Job:
    name, server, fields, _ = address_picture(address)
    return "build_address", name, server, fields


def _parse(kind: type[AnyAddr], url: str) -> AnyAddr:
    return parse_action(url) if kind in READ_ONLY else kind.parse(url)


def _picture_of_url(kind: type[AnyAddr], url: str) -> Picture:
    try:
        return address_picture(_parse(kind, url))
    except AddressError:
        return None


def address_picture(address: AnyAddr) -> Picture:
    """The kind of an address, its server, what else it says, and both its forms."""
    server = address if isinstance(address, ServerAddr) else address.server
    return (
        OFFICIAL_NAMES[type(address)],
        (server.hostname, server.port, server.use_ssl, server.http_url),
        {} if isinstance(address, ServerAddr) else _fields(address),
        (address.url, address.http_redirection_url),
    )


def _fields(address: OrganizationAddr | ActionAddr) -> dict[str, Picture]:
    names = set(address.__struct_fields__) - {"server"}
    fields = {name: picture(getattr(address, name)) for name in names}
    if isinstance(address, InvitationAddr):
        fields["invitation_type"] = fields.pop("type")
    return fields
