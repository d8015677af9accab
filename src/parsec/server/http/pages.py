"""The few pages for people who open the server's address in a browser."""

from starlette.responses import HTMLResponse

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title></head>
<body><h1>{title}</h1><p>{text}</p></body>
</html>
"""

_SECURITY = {"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'"}


def landing_page() -> HTMLResponse:
    """What stands at the root."""
    text = "This is a Parsec server, and it runs. Use a Parsec client to reach it."
    return _page("Parsec server", text, status=200)


def not_found_page() -> HTMLResponse:
    """What stands everywhere else."""
    return _page("Not found", "There is nothing at this address.", status=404)


def _page(title: str, text: str, *, status: int) -> HTMLResponse:
    return HTMLResponse(_PAGE.format(title=title, text=text), status_code=status, headers=_SECURITY)
