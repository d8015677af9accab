"""Where the web address of an invitation leads."""

import pytest

from parsec.data.address import ServerAddr
from parsec.server.rules.redirect import redirect_location

SERVER = ServerAddr(hostname="parsec.example.com")
PLAIN_SERVER = ServerAddr(hostname="foo", port=4242, use_ssl=False)


def test_leads_to_the_same_path_and_query() -> None:
    location = redirect_location(SERVER, "MyOrg", "a=claim_user&p=xBA")

    assert location == "parsec3://parsec.example.com/MyOrg?a=claim_user&p=xBA"


@pytest.mark.parametrize("query", ["no_ssl=false", "no_ssl=true&no_ssl=false", "no%5Fssl=x", ""])
def test_the_server_alone_says_whether_there_is_tls(query: str) -> None:
    assert redirect_location(SERVER, "Org", query) == "parsec3://parsec.example.com/Org"
    assert redirect_location(PLAIN_SERVER, "Org", query) == "parsec3://foo:4242/Org?no_ssl=true"


def test_repeated_parameters_gather_at_the_first() -> None:
    location = redirect_location(SERVER, "Org", "a=1&b=2&a=3")

    assert location == "parsec3://parsec.example.com/Org?a=1&a=3&b=2"


@pytest.mark.parametrize("raw", ["%0D%0AEvil:%20x", "a%0Ab", "\r\nEvil: x", "%FF\u00e9"])
def test_the_location_is_one_line_of_ascii(raw: str) -> None:
    location = redirect_location(SERVER, raw, raw)

    assert location.isascii()
    assert location.isprintable()
    assert " " not in location


def test_no_path_leads_away_from_the_server() -> None:
    assert redirect_location(SERVER, "//evil.example/x", "").startswith(
        "parsec3://parsec.example.com/"
    )


def test_with_the_web_application_it_leads_there() -> None:
    location = redirect_location(SERVER, "Org", "a=b", web_app_base="https://web.example.com/")

    assert location == (
        "https://web.example.com/client/webRedirect"
        "?webRedirectUrl=parsec3%3A//parsec.example.com/Org%3Fa%3Db"
    )
