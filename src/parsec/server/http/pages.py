"""The few pages for people who open an address of the server in a browser.

They hold no script and load nothing. What a link brings is escaped where it stands; the token in
it stands where a person needs it (in the button and the command), and nowhere else.
"""

import base64
import functools
import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from starlette.responses import HTMLResponse

from parsec.server.http.page_texts import FRAMES, LANDING, LINKS, NOT_FOUND, PageText
from parsec.server.rules.opened_link import LinkKind, opened_link
from parsec.server.settings import Language

if TYPE_CHECKING:
    from jinja2 import Environment

NEVER_KEPT: Mapping[str, str] = {
    # Links hold tokens: no cache keeps them.
    "Cache-Control": "no-store",
    "Vary": "Accept, Accept-Language",
}

_CONTENT_SECURITY = (
    "default-src 'none'; style-src '{style}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


def landing_page(language: Language) -> HTMLResponse:
    """What stands at the root."""
    return _page(LANDING[language], language)


def not_found_page(language: Language) -> HTMLResponse:
    """What stands everywhere else."""
    return _page(NOT_FOUND[language], language, status=404)


def link_page(location: str, language: Language) -> HTMLResponse:
    """What stands where a link leads to an app: opens the app, and says what to do.

    A redirection alone would leave who has no app before an empty window.
    """
    link = opened_link(location)
    text = LINKS[language][link.kind]
    if link.organization_id is not None:
        text = _about(text, link.organization_id)
    return _page(
        text,
        language,
        location=location,
        # Nothing opens by itself for a link that nobody understands.
        refresh=link.kind is not LinkKind.UNKNOWN,
        command=link.command,
    )


def _about(text: PageText, organization_id: str) -> PageText:
    def named(line: str) -> str:
        return line.replace("{organization}", organization_id)

    return PageText(
        title=named(text.title),
        lead=named(text.lead),
        steps=tuple(named(step) for step in text.steps),
        caution=named(text.caution) if text.caution else None,
    )


def _page(
    text: PageText,
    language: Language,
    *,
    status: int = 200,
    location: str | None = None,
    refresh: bool = False,
    command: str | None = None,
) -> HTMLResponse:
    style, digest = _style()
    body = (
        _environment()
        .get_template("page.html")
        .render(
            page=text,
            frame=FRAMES[language],
            language=language.value,
            style=style,
            location=location,
            refresh=refresh,
            command=command,
        )
    )
    headers = {
        "Content-Security-Policy": _CONTENT_SECURITY.format(style=f"sha256-{digest}"),
        "X-Frame-Options": "DENY",
        "Content-Language": language.value,
        **NEVER_KEPT,
    }
    return HTMLResponse(body, status_code=status, headers=headers)


@functools.cache
def _style() -> tuple[str, str]:
    """What stands in each page, and the digest by which browsers know it."""
    style = _environment().get_template("page.css").render()
    return style, base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()


@functools.cache
def _environment() -> "Environment":
    # Imported at the first page: most servers show none for long.
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    return Environment(
        loader=PackageLoader("parsec.server.http"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
    )
