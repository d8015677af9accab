"""Where the web address of an invitation leads (server-core.md 1.8)."""

import urllib.parse

from parsec.data.address import ServerAddr


def redirect_location(
    server_addr: ServerAddr,
    raw_path: str,
    raw_query: str,
    *,
    web_app_base: str | None = None,
) -> str:
    """The parsec3 URL for a request of `/redirect/<raw_path>?<raw_query>`, both percent encoded.

    With `web_app_base` (the URL of the server's root, with a slash at the end) it is the page of
    the web application that opens that URL.
    """
    path = _rewritten_path(raw_path)
    query = _rewritten_query(raw_query, use_ssl=server_addr.use_ssl)
    location = f"parsec3://{server_addr.netloc}{path}{query}"
    if web_app_base is None:
        return location
    quoted = urllib.parse.quote_plus(location, safe="/")
    return f"{web_app_base}client/webRedirect?webRedirectUrl={quoted}"


def _rewritten_path(raw_path: str) -> str:
    path = urllib.parse.quote_plus(urllib.parse.unquote(raw_path), safe="/")
    return path if not path or path.startswith("/") else f"/{path}"


def _rewritten_query(raw_query: str, *, use_ssl: bool) -> str:
    # A name given several times keeps all its values, at the place of the first.
    values: dict[str, list[str]] = {}
    for name, value in urllib.parse.parse_qsl(raw_query, keep_blank_values=True):
        values.setdefault(name, []).append(value)
    # Whether there is TLS is the server's to say, not the link's.
    values.pop("no_ssl", None)
    if not use_ssl:
        values["no_ssl"] = ["true"]
    query = urllib.parse.urlencode(values, doseq=True)
    return f"?{query}" if query else ""
