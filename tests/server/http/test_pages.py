"""What people see who open an address of the server in a browser (server-core.md 1.7, 1.8)."""

import base64
import hashlib
import html
import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsec.data.address import (
    AsyncEnrollmentAddr,
    InvitationAddr,
    InvitationType,
    OrganizationBootstrapAddr,
    PKIEnrollmentAddr,
    ServerAddr,
    TOTPResetAddr,
    WorkspacePathAddr,
)
from parsec.data.ids import AccessToken, UserID, VlobID
from parsec.data.people import OrganizationID
from parsec.server.http.page_texts import FRAMES, LANDING, LINKS, NOT_FOUND
from parsec.server.http.pages import link_page
from parsec.server.rules.opened_link import LinkKind
from parsec.server.settings import Language
from tests.support.asgi import Answer, request
from tests.support.server_app import ServerApp, server_app

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
FRENCH = BROWSER | {"Accept-Language": "fr-FR,fr;q=0.9,en;q=0.8"}
SERVER = ServerAddr(hostname="localhost", port=6777, use_ssl=False)
ORGANIZATION = OrganizationID("Orgé")
TOKEN = AccessToken(bytes(range(16)))

LINK_OF = {
    LinkKind.USER_INVITATION: InvitationAddr(
        server=SERVER, organization_id=ORGANIZATION, type=InvitationType.USER, token=TOKEN
    ),
    LinkKind.DEVICE_INVITATION: InvitationAddr(
        server=SERVER, organization_id=ORGANIZATION, type=InvitationType.DEVICE, token=TOKEN
    ),
    LinkKind.SHAMIR_RECOVERY_INVITATION: InvitationAddr(
        server=SERVER,
        organization_id=ORGANIZATION,
        type=InvitationType.SHAMIR_RECOVERY,
        token=TOKEN,
    ),
    LinkKind.BOOTSTRAP: OrganizationBootstrapAddr(
        server=SERVER, organization_id=ORGANIZATION, token=TOKEN
    ),
    LinkKind.TOTP_RESET: TOTPResetAddr(
        server=SERVER, organization_id=ORGANIZATION, user_id=UserID(bytes(16)), token=TOKEN
    ),
    LinkKind.ENROLLMENT: AsyncEnrollmentAddr(server=SERVER, organization_id=ORGANIZATION),
    LinkKind.WORKSPACE_PATH: WorkspacePathAddr(
        server=SERVER,
        organization_id=ORGANIZATION,
        workspace_id=VlobID(bytes(16)),
        key_index=1,
        encrypted_path=b"x",
    ),
}


class Page(HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, body: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(body)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def refresh(self) -> str | None:
        """Where the page leads by itself."""
        found = [m["content"] for m in self.all("meta") if m.get("http-equiv") == "refresh"]
        return found[0] if found else None


@pytest.fixture
async def server() -> AsyncIterator[ServerApp]:
    async with server_app() as made:
        yield made


def target(kind: LinkKind) -> str:
    """Path and query of a link, as in a mail."""
    return LINK_OF[kind].http_redirection_url.removeprefix(SERVER.base_url)


async def opened(server: ServerApp, path: str, headers: dict[str, str] = BROWSER) -> Answer:
    return await request(server.app, "GET", path, headers)


@pytest.mark.parametrize("kind", LINK_OF)
async def test_a_link_opens_the_app_and_leaves_the_page_standing(
    server: ServerApp, kind: LinkKind
) -> None:
    answer = await opened(server, target(kind))

    page = Page(answer.body.decode())
    led = (await request(server.app, "GET", target(kind))).headers["location"]
    assert (answer.status, "location" in answer.headers) == (200, False)
    assert page.refresh == f"0;url={led}"
    assert [a["href"] for a in page.all("a")] == [led]


@pytest.mark.parametrize(
    ("headers", "language"), [(BROWSER, Language.EN), (FRENCH, Language.FR)], ids=["en", "fr"]
)
@pytest.mark.parametrize("kind", LINK_OF)
async def test_a_page_says_what_the_link_is_for_and_what_to_do(
    server: ServerApp, kind: LinkKind, headers: dict[str, str], language: Language
) -> None:
    answer = await opened(server, target(kind), headers)

    page, told = Page(answer.body.decode()), LINKS[language][kind]
    for line in (told.title, told.lead, *told.steps, told.caution or ""):
        assert line.replace("{organization}", ORGANIZATION) in page.text
    assert "{organization}" not in page.text
    assert FRAMES[language].nothing_happens in page.text
    assert answer.headers["content-language"] == language.value
    assert page.all("html") == [{"lang": language.value}]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (LinkKind.USER_INVITATION, "invite claim"),
        (LinkKind.DEVICE_INVITATION, "invite claim"),
        (LinkKind.SHAMIR_RECOVERY_INVITATION, "invite claim"),
        (LinkKind.BOOTSTRAP, "organization bootstrap --addr"),
        (LinkKind.TOTP_RESET, "totp reset"),
    ],
)
async def test_a_page_has_the_command_for_who_has_a_terminal(
    server: ServerApp, kind: LinkKind, words: str
) -> None:
    answer = await opened(server, target(kind))

    command = f"parsec-cli {words} '{LINK_OF[kind].http_redirection_url}'"
    assert command in Page(answer.body.decode()).text


async def test_a_token_stands_where_it_is_needed_and_nowhere_else(server: ServerApp) -> None:
    path = target(LinkKind.USER_INVITATION)
    token = path.partition("p=")[2]

    answer = await opened(server, path)

    # To open by itself, in the button, in the command.
    assert answer.body.decode().count(token) == 3
    assert [value for value in answer.headers.values() if token in value] == []


async def test_programs_are_led_on(server: ServerApp) -> None:
    path = target(LinkKind.USER_INVITATION)

    answers = [await opened(server, path, headers) for headers in ({}, {"Accept": "*/*"})]

    assert [answer.status for answer in answers] == [302, 302]
    assert [answer.body for answer in answers] == [b"", b""]
    assert all("no-store" in answer.headers["cache-control"] for answer in answers)


async def test_a_link_that_was_cut_off_opens_nothing_by_itself(server: ServerApp) -> None:
    answer = await opened(server, target(LinkKind.USER_INVITATION)[:-4])

    page = Page(answer.body.decode())
    assert (answer.status, page.refresh) == (200, None)
    assert LINKS[Language.EN][LinkKind.UNKNOWN].title in page.text
    assert "parsec-cli" not in page.text


async def test_the_address_of_the_server_opens_the_app(server: ServerApp) -> None:
    answer = await opened(server, "/redirect/")

    page = Page(answer.body.decode())
    assert page.refresh == "0;url=parsec3://localhost:6777?no_ssl=true"
    assert LINKS[Language.EN][LinkKind.ADDRESS].title in page.text


@pytest.mark.parametrize(
    ("path", "status"),
    [("/", 200), ("/redirect/", 200), ("/redirect/Org?a=x", 200), ("/nowhere", 404)],
)
async def test_no_page_is_kept_framed_or_runs_anything(
    server: ServerApp, path: str, status: int
) -> None:
    answer = await opened(server, path)

    page = Page(answer.body.decode())
    assert answer.status == status
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["vary"] == "Accept, Accept-Language"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-content-type-options"] == "nosniff"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    loading = {"script", "img", "link", "iframe", "object", "form", "base", "svg"}
    assert loading.isdisjoint(tag for tag, _ in page.elements)
    assert not any(name.startswith("on") or name == "style" for _, a in page.elements for name in a)


async def test_the_style_is_the_one_that_is_allowed(server: ServerApp) -> None:
    answer = await opened(server, "/")

    (style,) = re.findall(r"<style>(.*?)</style>", answer.body.decode(), re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("path", ["/", "/redirect/Org?a=claim_user&p=xBA", "/nowhere"])
async def test_a_head_is_answered_as_its_page(server: ServerApp, path: str) -> None:
    page = await opened(server, path)

    head = await request(server.app, "HEAD", path, BROWSER)

    # Each request has a name of its own.
    assert head.status == page.status
    assert head.headers | {"x-request-id": ""} == page.headers | {"x-request-id": ""}


@pytest.mark.parametrize(
    ("path", "texts"), [("/", LANDING), ("/nowhere", NOT_FOUND)], ids=["landing", "not-found"]
)
@pytest.mark.parametrize(
    ("headers", "language"), [(BROWSER, Language.EN), (FRENCH, Language.FR)], ids=["en", "fr"]
)
async def test_other_pages_are_in_the_language_of_the_reader(
    server: ServerApp,
    path: str,
    texts: dict[Language, object],
    headers: dict[str, str],
    language: Language,
) -> None:
    answer = await opened(server, path, headers)

    assert getattr(texts[language], "lead") in Page(answer.body.decode()).text  # noqa: B009


async def test_who_wants_neither_language_gets_the_one_of_the_server() -> None:
    async with server_app(default_language=Language.FR) as server:
        answer = await opened(server, "/", BROWSER | {"Accept-Language": "de"})

    assert answer.headers["content-language"] == "fr"


@pytest.mark.parametrize(
    "path",
    [
        '/redirect/"><script>alert(1)</script>',
        "/redirect/%22%3E%3Cscript%3Ealert(1)%3C/script%3E?a=%22%3E%3Cscript%3E",
        "/redirect/Org?a='onload='x&p=%0d%0aX-Evil:1",
        "/redirect/Org?a=claim_user;url=javascript:alert(1)",
        "/redirect//evil.example.com/",
        "/redirect/%0d%0aSet-Cookie:x=1",
    ],
)
async def test_what_stands_in_a_link_does_nothing(server: ServerApp, path: str) -> None:
    answer = await opened(server, path)

    page = Page(answer.body.decode())
    assert page.all("script") == []
    assert "set-cookie" not in answer.headers
    assert "x-evil" not in answer.headers
    for href in [a["href"] for a in page.all("a")]:
        assert href is not None
        assert href.startswith("parsec3://localhost:6777/")


@given(path=st.text(), query=st.text(), language=st.sampled_from(Language))
def test_whatever_stands_in_a_link_the_page_keeps_its_form(
    path: str, query: str, language: Language
) -> None:
    location = f"parsec3://localhost/{quote(path, errors='replace')}?{query}"

    page = Page(bytes(link_page(location, language).body).decode())

    tags = {"html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "p", "a", "ol"}
    assert {tag for tag, _ in page.elements} <= tags | {"li", "pre", "code"}
    assert [a["href"] for a in page.all("a")] == [html.unescape(html.escape(location))]


def test_each_kind_of_link_has_a_text_in_each_language() -> None:
    assert all(set(LINKS[language]) == set(LinkKind) for language in Language)


def test_a_request_to_join_of_either_sort_is_told_alike() -> None:
    old = PKIEnrollmentAddr(server=SERVER, organization_id=ORGANIZATION)

    body = bytes(link_page(old.url, Language.EN).body).decode()

    title = LINKS[Language.EN][LinkKind.ENROLLMENT].title
    assert title.replace("{organization}", ORGANIZATION) in Page(body).text
