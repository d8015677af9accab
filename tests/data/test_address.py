"""Server, organization, invitation and recovery addresses."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from parsec.wire.msgpack import MalformedError, dump, reader

SECRET = AccessToken(bytes.fromhex("5ec2e75ec2e75ec2e75ec2e75ec2e75e"))
SECRET_IN_A_URL = "XsLnXsLnXsLnXsLnXsLnXg"
SERVER = ServerAddr(hostname="foo")
ORGANIZATION = OrganizationID("MyOrg")

SIXTEEN_BYTES = st.binary(min_size=16, max_size=16)
TOKENS = SIXTEEN_BYTES.map(AccessToken)
SERVERS = st.builds(
    ServerAddr,
    hostname=st.sampled_from(["foo", "127.0.0.1", "[::1]", "xn--9ca.com", "a.example.com"]),
    port=st.none() | st.integers(0, 65_535),
    use_ssl=st.booleans(),
)
WHERE = {
    "server": SERVERS,
    "organization_id": st.sampled_from(["MyOrg", "é-日_", "e\u0301", "\U0001f130"]).map(
        OrganizationID
    ),
}
ORGANIZATIONS = st.builds(
    OrganizationAddr,
    **WHERE,
    root_verify_key=st.binary(min_size=32, max_size=32).map(VerifyKey),
)
ACTIONS: st.SearchStrategy[ActionAddr] = st.one_of(
    st.builds(OrganizationBootstrapAddr, **WHERE, token=st.none() | TOKENS),
    st.builds(InvitationAddr, **WHERE, type=st.sampled_from(InvitationType), token=TOKENS),
    st.builds(
        WorkspacePathAddr,
        **WHERE,
        workspace_id=SIXTEEN_BYTES.map(VlobID),
        key_index=st.integers(0, 2**64 - 1),
        encrypted_path=st.binary(max_size=100),
    ),
    st.builds(AsyncEnrollmentAddr, **WHERE),
    st.builds(PKIEnrollmentAddr, **WHERE),
    st.builds(TOTPResetAddr, **WHERE, user_id=SIXTEEN_BYTES.map(UserID), token=TOKENS),
)


@given(st.one_of(SERVERS, ORGANIZATIONS, ACTIONS))
def test_both_forms_read_back(address: Any) -> None:
    parse = type(address).parse

    assert parse(address.url) == address
    assert parse(address.url, allow_http_redirection=False) == address
    assert parse(address.http_redirection_url) == address


@given(ACTIONS)
def test_an_action_tells_its_kind(address: ActionAddr) -> None:
    assert parse_action(address.url) == address
    assert parse_action(address.http_redirection_url) == address


@given(SERVERS)
def test_the_form_of_local_files_reads_back(server: ServerAddr) -> None:
    assert ServerAddr.parse_http_url(server.http_url) == server
    assert reader(ServerAddr).load(dump(server)) == server


@given(st.text())
def test_any_text_is_an_address_or_an_address_error(text: str) -> None:
    for url in (text, f"parsec3://foo/{text}", f"https://foo/redirect/MyOrg?a=claim_user&p={text}"):
        try:
            parse_action(url)
        except AddressError:
            continue


def test_servers_are_equal_by_what_they_say() -> None:
    same = ServerAddr(hostname="FOO", port=443)

    assert same == SERVER
    assert hash(same) == hash(SERVER)
    assert ServerAddr(hostname="foo", use_ssl=False) != SERVER
    assert ServerAddr(hostname="foo", port=80) != SERVER


@pytest.mark.parametrize(
    ("server", "base_url"),
    [
        (SERVER, "https://foo"),
        (ServerAddr(hostname="foo", port=80), "https://foo:80"),
        (ServerAddr(hostname="foo", port=80, use_ssl=False), "http://foo"),
        (ServerAddr(hostname="[::1]", port=6777, use_ssl=False), "http://[::1]:6777"),
    ],
)
def test_requests_go_to_the_base_url(server: ServerAddr, base_url: str) -> None:
    assert server.base_url == base_url


def test_a_server_travels_as_its_http_url() -> None:
    assert dump(SERVER) == b"\xac" + b"https://foo/"


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("https://foo", SERVER),
        ("https://foo:443/", SERVER),
        ("http://foo/?no_ssl=false&no_ssl=x", ServerAddr(hostname="foo", use_ssl=False)),
        ("https://saas-v3.parsec.cloud/", ServerAddr(hostname="app.parsec.cloud")),
    ],
)
def test_reads_the_form_of_local_files(url: str, server: ServerAddr) -> None:
    assert ServerAddr.parse_http_url(url) == server


@pytest.mark.parametrize("path", ["/Org", "/Org/more", "/redirect"])
def test_the_address_of_a_server_has_no_path(path: str) -> None:
    with pytest.raises(AddressError) as caught:
        ServerAddr.parse(f"parsec3://foo{path}")

    assert caught.value.code == "unexpected_path"


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("parsec3://foo", "no_such_scheme"),
        ("ftp://foo/", "no_such_scheme"),
        ("https://", "invalid_url"),
        ("https://foo/bar", "unexpected_path"),
        ("https://foo/redirect", "unexpected_path"),
    ],
)
def test_local_files_hold_no_other_form(url: str, code: str) -> None:
    with pytest.raises(AddressError) as refusal:
        ServerAddr.parse_http_url(url)

    assert refusal.value.code == code


@pytest.mark.parametrize("encoded", [b"\xa3foo", b"\xc0", b"\xadparsec3://foo", b"\x81\xa1a\x01"])
def test_nothing_else_is_a_server_in_a_local_file(encoded: bytes) -> None:
    with pytest.raises(MalformedError):
        reader(ServerAddr).load(encoded)


@pytest.mark.parametrize(("hostname", "port"), [("", 1), ("a b", 1), ("a/b", 1), ("a", 65_536)])
def test_refuses_to_build_what_is_no_server(hostname: str, port: int) -> None:
    with pytest.raises(AddressError) as refusal:
        ServerAddr(hostname=hostname, port=port)

    assert refusal.value.code == "invalid_url"


@pytest.mark.parametrize(
    ("url", "code", "param"),
    [
        ("parsec3://foo?no_ssl=x&a=path", "invalid_param", "no_ssl"),
        ("parsec3://foo/a/b?a=claim_user&a=claim_user", "invalid_organization_id", None),
        ("parsec3://foo/MyOrg?a=claim_user&a=claim_user&p=!", "duplicate_param", "a"),
        ("parsec3://foo/MyOrg?a=path&p=!", "invalid_param", "a"),
        ("parsec3://foo/MyOrg?a=claim_user&p=!&p=!", "duplicate_param", "p"),
        ("parsec3://foo/MyOrg?a=claim_user", "missing_param", "p"),
    ],
)
def test_the_first_fault_is_told(url: str, code: str, param: str | None) -> None:
    with pytest.raises(AddressError) as refusal:
        InvitationAddr.parse(url)

    assert (refusal.value.code, refusal.value.param) == (code, param)


@pytest.mark.parametrize(
    "path",
    ["", "/", "/MyOrg/", "//MyOrg", "/a%2Fb", "/%FF", "/My Org", "/MyOrg%00", "/" + "x" * 33],
)
def test_the_path_is_an_organization(path: str) -> None:
    with pytest.raises(AddressError) as refusal:
        PKIEnrollmentAddr.parse(f"parsec3://foo{path}?a=pki_enrollment")

    assert refusal.value.code == "invalid_organization_id"


@pytest.mark.parametrize(
    "url",
    [
        "https://foo/MyOrg?a=pki_enrollment",
        "https://foo/redirects/MyOrg?a=pki_enrollment",
        "https://foo/%72edirect/MyOrg?a=pki_enrollment",
    ],
)
def test_a_web_address_that_is_no_redirection_is_told_as_such(url: str) -> None:
    with pytest.raises(AddressError) as refusal:
        PKIEnrollmentAddr.parse(url)

    assert refusal.value.code == "no_such_scheme"
    assert isinstance(refusal.value.__cause__, AddressError)
    assert refusal.value.__cause__.code == "not_a_redirection"


def test_a_redirection_may_be_disallowed() -> None:
    with pytest.raises(AddressError) as refusal:
        PKIEnrollmentAddr.parse(
            "https://foo/redirect/MyOrg?a=pki_enrollment", allow_http_redirection=False
        )

    assert refusal.value.code == "no_such_scheme"


def test_a_known_action_with_a_bad_payload_counts_as_a_bad_action() -> None:
    with pytest.raises(AddressError) as refusal:
        parse_action("parsec3://foo/MyOrg?a=claim_user&p=wA")

    assert (refusal.value.code, refusal.value.param) == ("invalid_param", "a")


def test_bytes_after_the_payload_are_ignored() -> None:
    url = f"parsec3://foo/MyOrg?a=claim_user&p=xBAAAQIDBAUGBwgJCgsMDQ4P{'_' * 4}"

    assert InvitationAddr.parse(url).token.hex() == "000102030405060708090a0b0c0d0e0f"


@pytest.mark.parametrize(
    "address",
    [
        OrganizationBootstrapAddr(server=SERVER, organization_id=ORGANIZATION, token=SECRET),
        InvitationAddr(
            server=SERVER, organization_id=ORGANIZATION, type=InvitationType.USER, token=SECRET
        ),
        TOTPResetAddr(
            server=SERVER, organization_id=ORGANIZATION, user_id=UserID(bytes(16)), token=SECRET
        ),
    ],
    ids=lambda address: type(address).__name__,
)
def test_tokens_are_shown_by_urls_only(address: ActionAddr) -> None:
    shown = f"{address} {address!r}"

    assert SECRET.hex() not in shown
    assert SECRET_IN_A_URL not in shown
    assert "\\x" not in shown


@pytest.mark.parametrize(
    "url",
    [
        f"parsec3://foo/MyOrg?a=claim_user&p={SECRET_IN_A_URL}",
        f"parsec3://foo/MyOrg?a=claim_user&p={SECRET_IN_A_URL}==",
        f"parsec3://foo/MyOrg/?a=claim_user&p={SECRET_IN_A_URL}",
        f"https://foo/MyOrg?a=claim_user&p={SECRET_IN_A_URL}",
        f"parsec3://foo:x/MyOrg?a=claim_user&p={SECRET_IN_A_URL}",
        f"foo/MyOrg?a=claim_user&p={SECRET_IN_A_URL}",
    ],
)
def test_refusals_do_not_repeat_the_address(url: str) -> None:
    with pytest.raises(AddressError) as refusal:
        parse_action(url)

    causes = [refusal.value, refusal.value.__cause__, refusal.value.__context__]
    assert not any(SECRET_IN_A_URL in str(cause) for cause in causes)
