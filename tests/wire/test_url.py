"""The URL and base64 parts of addresses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsec.wire.url import (
    UrlError,
    canonical_host,
    decode_payload,
    decode_segment,
    encode_payload,
    encode_segment,
    scheme_of,
    split_url,
)


def test_takes_a_url_apart() -> None:
    parts = split_url("parsec3://Foo.example:42/My%20Org?a=b+c&d&a=%C3%A9&=#e")

    assert parts.scheme == "parsec3"
    assert parts.host == "foo.example"
    assert parts.port == 42
    assert parts.path == "/My%20Org"
    assert parts.parameters == [("a", "b c"), ("d", ""), ("a", "é"), ("", "")]


@pytest.mark.parametrize(
    "url",
    [
        "parsec3:foo",
        "parsec3:/foo",
        "parsec3:///foo",
        "PARSEC3://foo",
        " \tparsec3://foo\x00\n",
        "par\nsec3:/\r/f\too",
        "parsec3://user@foo",
        "parsec3://a:b@c@foo",
        "parsec3://foo#@bar",
        "parsec3://foo?@bar",
        "parsec3://foo:",
    ],
)
def test_what_browsers_forgive_is_forgiven(url: str) -> None:
    parts = split_url(url)

    assert (parts.scheme, parts.host, parts.port, parts.path) == ("parsec3", "foo", None, "")


@pytest.mark.parametrize("url", ["", "foo", "//foo", "1a://foo", "://foo", "fé://foo"])
def test_a_url_has_a_scheme(url: str) -> None:
    with pytest.raises(UrlError):
        scheme_of(url)


@pytest.mark.parametrize(
    "url",
    [
        "parsec3:",
        "parsec3://",
        "parsec3://?a=b",
        "parsec3://:42",
        "parsec3://user@",
        "parsec3://user@:42/foo",
        "parsec3://foo:65536",
        "parsec3://foo:-1",
        "parsec3://foo:4 2",
        "parsec3://foo:42:43",
        "parsec3://foo:\uff14\uff12",
        "parsec3://foo:" + "9" * 10_000,
    ],
)
def test_a_url_has_a_host_and_may_have_a_port(url: str) -> None:
    with pytest.raises(UrlError):
        split_url(url)


@pytest.mark.parametrize(
    ("text", "port"),
    [("0", 0), ("65535", 65535), ("000000443", 443), ("0" * 5000, 0), ("0" * 5000 + "443", 443)],
    ids=lambda value: str(value)[-10:],
)
def test_reads_a_port(text: str, port: int) -> None:
    assert split_url(f"parsec3://foo:{text}").port == port


@pytest.mark.parametrize(
    "url",
    ["parsec3://good.example\\@evil.example/", "parsec3://good.example\\.evil.example"],
)
def test_a_host_that_two_programs_read_as_two_is_refused(url: str) -> None:
    with pytest.raises(UrlError):
        split_url(url)


@pytest.mark.parametrize(
    ("host", "canonical"),
    [
        ("EXAMPLE.com", "example.com"),
        ("ex%61mple.com", "example.com"),
        ("fo_o", "fo_o"),
        ("a-.example", "a-.example"),
        ("é.com", "xn--9ca.com"),
        ("%C3%A9.com", "xn--9ca.com"),
        ("É.com", "xn--9ca.com"),
        ("straße.example", "xn--strae-oqa.example"),
        ("日本語.example", "xn--wgv71a119e.example"),
        ("ｅｘａｍｐｌｅ。com", "example.com"),
        ("xn--9ca.com", "xn--9ca.com"),
        ("127.0.0.1", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("0x7f.0.0.01", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("127.0.0.1.", "127.0.0.1"),
        ("1.2.3.", "1.2.0.3"),
        ("1.example", "1.example"),
        ("[::1]", "[::1]"),
        ("[2001:DB8:0:0:0:0:0:1]", "[2001:db8::1]"),
        ("[::ffff:192.0.2.128]", "[::ffff:c000:280]"),
    ],
)
def test_each_host_has_one_form(host: str, canonical: str) -> None:
    assert canonical_host(host) == canonical
    assert canonical_host(canonical) == canonical


@pytest.mark.parametrize(
    "host",
    [
        "",
        "a b",
        "a\x00b",
        "a<b",
        "a|b",
        "a^b",
        "a%b",
        "a%2Fb",
        "a%FFb",
        "a%00b",
        "a\x7fb",
        "\u00ad",
        "\u0300a",
        "\ud800",
        "256.0.0.1",
        "1.16777216",
        "0x100000000",
        "1.2.3.4.5",
        "127.0.0.08",
        "example.1",
        "[::1",
        "[::1]a",
        "[::1%25eth0]",
        "[::1%eth0]",
        "[127.0.0.1]",
        "[]",
        "::1",
        "a" * 100_000 + "é",
    ],
)
def test_what_is_no_host_is_refused(host: str) -> None:
    with pytest.raises(UrlError):
        canonical_host(host)


@given(st.text())
def test_splitting_yields_a_canonical_host_or_an_error(text: str) -> None:
    try:
        parts = split_url(f"parsec3://{text}")
    except UrlError:
        return

    assert canonical_host(parts.host) == parts.host


@given(st.binary())
def test_payloads_read_back(payload: bytes) -> None:
    assert decode_payload(encode_payload(payload)) == payload


@given(st.text("AQgw_-9=+/ é", max_size=8))
def test_each_payload_has_one_text(text: str) -> None:
    try:
        payload = decode_payload(text)
    except UrlError:
        return

    assert encode_payload(payload) == text


# The vectors of RFC 4648, without their padding.
@pytest.mark.parametrize(
    ("payload", "text"),
    [(b"", ""), (b"f", "Zg"), (b"fo", "Zm8"), (b"foobar", "Zm9vYmFy"), (b"\xfb\xff", "-_8")],
)
def test_payloads_are_base64url_without_padding(payload: bytes, text: str) -> None:
    assert encode_payload(payload) == text
    assert decode_payload(text) == payload


@pytest.mark.parametrize("text", ["Zg==", "Z", "Zh", "+/8", "Zm8 ", "Zm8\n", "Zm9é", "Zm=8"])
def test_other_base64_is_refused(text: str) -> None:
    with pytest.raises(UrlError):
        decode_payload(text)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_path_segments_read_back(text: str) -> None:
    assert decode_segment(encode_segment(text)) == text


def test_path_segments_are_encoded_in_capitals() -> None:
    assert encode_segment("é-日_/") == "%C3%A9-%E6%97%A5_%2F"


@pytest.mark.parametrize("segment", ["%FF", "%C3", "\ud800"])
def test_path_segments_are_utf8(segment: str) -> None:
    with pytest.raises(UrlError):
        decode_segment(segment)
