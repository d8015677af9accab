"""The URL and base64 parts of addresses, as plain strings and bytes (wire.md 5.1).

The rules are those of the WHATWG URL standard for schemes with a host, less the leniencies that
only serve to deceive: backslashes as slashes and dot segments in paths.
"""

import re
import urllib.parse
from collections.abc import Sequence

import msgspec


class UrlError(ValueError):
    """This is not a URL, or its host or port is not one."""


class UrlParts(msgspec.Struct, frozen=True):
    """A URL without user name, password and fragment."""

    scheme: str
    host: str
    port: int | None
    path: str
    """Still percent encoded, and empty or with its first slash."""
    parameters: Sequence[tuple[str, str]]
    """Decoded, in order, also those without a value."""


def scheme_of(url: str) -> str:
    """The scheme in lower case. Raises UrlError when there is none."""
    return _scheme_and_rest(url)[0]


def split_url(url: str) -> UrlParts:
    """Take a URL apart, its host in the one form that is compared and written. Raises UrlError."""
    scheme, rest = _scheme_and_rest(url)
    # Any number of slashes stands before the host, also none.
    before_fragment = rest.lstrip("/").partition("#")[0]
    before_query, _, query = before_fragment.partition("?")
    authority, slash, path = before_query.partition("/")
    if "\\" in authority:
        # Browsers end the host here, other programs do not: two readers would see two hosts.
        raise UrlError("the host of this URL holds a backslash")
    host, port = _host_and_port(authority.rpartition("@")[2])
    return UrlParts(scheme, canonical_host(host), port, slash + path, _read_form(query))


def canonical_host(host: str) -> str:
    """A host in lower case, names in punycode, IPv6 in brackets. Raises UrlError."""
    if host.startswith("["):
        return _ipv6_host(host)
    name = _ascii_name(_decode_host(host))
    if not name or not _FORBIDDEN_IN_HOST.isdisjoint(name):
        raise UrlError("this URL has no host, or one with a bad character")
    return _ipv4_host(name) if _ends_in_a_number(name) else name


def decode_segment(segment: str) -> str:
    """Percent decode a part of a path. Raises UrlError when that is no UTF-8."""
    try:
        return urllib.parse.unquote_to_bytes(segment).decode()
    except UnicodeError:
        raise UrlError("this path is not UTF-8") from None


def encode_segment(text: str) -> str:
    """Percent encode a part of a path, in capitals, slashes too."""
    return urllib.parse.quote(text, safe="")


def decode_payload(text: str) -> bytes:
    """Read base64url as it is written: no padding, unused bits zero. Raises UrlError."""
    if not re.fullmatch(r"[A-Za-z0-9_-]*", text) or len(text) % 4 == 1:
        raise UrlError("this is not base64url")
    import base64

    payload = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if encode_payload(payload) != text:
        raise UrlError("the last character of this base64url holds bits that nobody reads")
    return payload


def encode_payload(payload: bytes) -> str:
    """Write base64url without padding."""
    import base64

    return base64.urlsafe_b64encode(payload).decode("ascii").rstrip("=")


# Sets, as expressions would take longer to compile than all that a short command has to read.
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_IN_SCHEME = frozenset(f"{_LETTERS}{_LETTERS.upper()}0123456789+.-")
_CONTROLS_AND_SPACE = "".join(map(chr, range(0x21)))
_DROPPED_ANYWHERE = str.maketrans("", "", "\t\n\r")
_FORBIDDEN_IN_HOST = frozenset(_CONTROLS_AND_SPACE + "#%/:<>?@[\\]^|\x7f")
_MAX_PORT = 65_535


def _scheme_and_rest(url: str) -> tuple[str, str]:
    cleaned = url.strip(_CONTROLS_AND_SPACE).translate(_DROPPED_ANYWHERE)
    scheme, colon, rest = cleaned.partition(":")
    if not (colon and scheme[:1].isalpha() and _IN_SCHEME.issuperset(scheme)):
        raise UrlError("a URL begins with a scheme, such as parsec3://")
    return scheme.lower(), rest


def _host_and_port(text: str) -> tuple[str, int | None]:
    # The colons inside the brackets of IPv6 do not announce a port.
    bracketed, bracket, after = text.partition("]") if text.startswith("[") else ("", "", text)
    host, _, port = after.partition(":")
    # Python refuses to read numbers of thousands of digits, zeros at their start too.
    significant = port.lstrip("0")
    is_number = not port or (port.isascii() and port.isdigit())
    if not is_number or len(significant) > len(str(_MAX_PORT)):
        raise UrlError("the port of this URL is not a number")
    number = int(significant or "0") if port else None
    if number is not None and number > _MAX_PORT:
        raise UrlError(f"the port of this URL exceeds {_MAX_PORT}")
    return bracketed + bracket + host, number


def _read_form(query: str) -> Sequence[tuple[str, str]]:
    return urllib.parse.parse_qsl(query, keep_blank_values=True)


def _decode_host(host: str) -> str:
    try:
        return decode_segment(host)
    except UrlError:
        raise UrlError("the host of this URL is not UTF-8") from None


def _ascii_name(name: str) -> str:
    if name.isascii():
        return name.lower()
    # Loaded for the few that need it: its tables are large.
    import idna

    try:
        return idna.encode(name, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        raise UrlError("the host of this URL is not a domain name") from None


def _ipv6_host(host: str) -> str:
    try:
        import ipaddress  # seldom needed, and large

        address = ipaddress.IPv6Address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        raise UrlError("the host of this URL is not an IPv6 address") from None
    if not host.endswith("]") or address.scope_id is not None:
        raise UrlError("the host of this URL is not an IPv6 address")
    mapped = address.ipv4_mapped
    if mapped is not None:
        # Python versions differ in how they write these.
        high, low = divmod(int(mapped), 1 << 16)
        return f"[::ffff:{high:x}:{low:x}]"
    return f"[{address.compressed}]"


def _ends_in_a_number(name: str) -> bool:
    last = name.removesuffix(".").rpartition(".")[2]
    return last.isdigit() or _ipv4_number(last) is not None


def _ipv4_host(name: str) -> str:
    """Read the forms of old: fewer than four parts, octal and hexadecimal ones."""
    numbers = [_ipv4_number(part) for part in name.removesuffix(".").split(".")]
    parts = [number for number in numbers if number is not None]
    if len(parts) < len(numbers) or len(parts) > 4 or any(part > 255 for part in parts[:-1]):
        raise UrlError("the host of this URL is not an IPv4 address")
    missing = 4 - len(parts)
    if parts[-1] >= 256 ** (missing + 1):
        raise UrlError("the host of this URL is not an IPv4 address")
    value = sum(part << 8 * (3 - place) for place, part in enumerate(parts[:-1])) + parts[-1]
    import ipaddress

    return str(ipaddress.IPv4Address(value))


def _ipv4_number(text: str) -> int | None:
    if not text[:1].isdigit():
        return None
    if hexadecimal := re.fullmatch(r"0x([0-9a-f]{0,16})", text):
        return int(hexadecimal[1] or "0", 16)
    if octal := re.fullmatch(r"0([0-7]{0,16})", text):
        return int(octal[1] or "0", 8)
    return int(text) if re.fullmatch(r"[1-9][0-9]{0,15}", text) else None
