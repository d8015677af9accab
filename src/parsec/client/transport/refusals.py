"""What an HTTP status other than 200 means to a person (`client.md` 16.5, `wire.md` 1.4)."""

from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime

import msgspec

from parsec.client.failure import FlowError, HttpRefusal, InvalidAnswer, Offline
from parsec.client.transport.http import Answer
from parsec.data.instant import Instant
from parsec.data.peer_text import terminal_safe
from parsec.protocol.versions import API_VERSION, ApiVersion

_LONGEST_DETAIL = 200
_PLAUSIBLE_DRIFT = 60
"""Seconds; with less, no server would object, so its header `Date` is not of its clock."""

_REFUSALS: dict[int, tuple[str, str | None]] = {
    401: (
        "The server saw no proof of who calls",
        "a proxy in between may drop the header Authorization",
    ),
    403: ("Bad authentication", "the server does not know who calls, or not by this key"),
    404: ("Organization not found", "check the address"),
    406: ("The server would not answer in the format asked for", None),
    410: ("Invitation already used or deleted", "ask for a new invitation"),
    415: ("The server does not know this command", "it may be older than this program"),
    429: ("The server is asked too often", "wait a minute, then try again"),
    460: ("The organization has expired", "its administrator has to ask for its renewal"),
    461: ("This user has been revoked", None),
    462: ("This user is frozen", "the administrator of the server has to unfreeze the user"),
    463: (
        "The terms of service must be accepted first",
        "see them with: parsec-cli tos list, accept them with: parsec-cli tos accept",
    ),
    464: ("The organization allows no such client", None),
}
"""Message and hint; the server's own words are added where they say more."""

_STANDARD_DETAILS = frozenset(
    {
        "missing authentication info",
        "bad authentication info",
        "organization not found",
        "bad accept type",
        "invitation already used or deleted",
        "bad content type or invalid body or unknown command",
        "unprocessable entity",
        "organization expired",
        "user revoked",
        "user frozen",
        "user must accept tos",
        "web client not allowed by organization config",
        "token expired",
        "not found",
    }
)
"""What every server says of these statuses, which our own messages say already."""


def refusal(answer: Answer, *, netloc: str, now: Instant) -> FlowError:
    """The error to raise for an answer whose status is not 200."""
    match answer.status:
        case 503:
            return Offline(
                f"Server {netloc} cannot answer for the moment (HTTP 503)", hint="try again later"
            )
        case 502 | 504:
            return Offline(
                f"Server {netloc} is out of reach: a proxy answered {answer.status}",
                hint="try again later",
            )
        case 422:
            return _incompatible(answer)
        case 498:
            return _clocks_differ(answer, now)
        case 410:
            return _gone(answer)
        case status if status in _REFUSALS:
            message, hint = _REFUSALS[status]
            return HttpRefusal(status, _with_detail(message, answer), hint=hint)
        case _:
            return _unexpected(answer, netloc)


def _gone(answer: Answer) -> HttpRefusal:
    message, hint = _REFUSALS[410]
    told = _with_detail(message, answer)
    if told == message:
        # An official server gives no cause, so the person learns which there may be.
        hint = (
            "it was used or cancelled; or the shared recovery was deleted or replaced meanwhile, "
            "or its user revoked: ask for a new invitation"
        )
    return HttpRefusal(410, told, hint=hint)


def detail(answer: Answer) -> str | None:
    """The server's own words about a failure, when they are short and readable."""
    if answer.body is None or answer.media_type != "application/json":
        return None
    try:
        found = _DETAIL.decode(answer.body).detail
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    text = found if isinstance(found, str) else "; ".join(issue.msg for issue in found)
    if not text.strip() or len(text) > _LONGEST_DETAIL:
        return None
    return terminal_safe(text)


class _Issue(msgspec.Struct):
    msg: str


class _Failure(msgspec.Struct):
    detail: str | list[_Issue]


_DETAIL = msgspec.json.Decoder(_Failure)


def _with_detail(message: str, answer: Answer) -> str:
    found = detail(answer)
    if found is None or found.lower() in _STANDARD_DETAILS:
        return message
    if found.startswith(message):
        return found
    return f"{message}: {found}"


def _incompatible(answer: Answer) -> HttpRefusal:
    supported = ", ".join(_versions(answer.headers)) or "another version"
    return HttpRefusal(
        422,
        f"The server speaks {supported} of the Parsec API, this program {API_VERSION}",
        hint="update whichever of the two is older",
    )


def _versions(headers: Mapping[str, str]) -> Iterator[str]:
    # What does not parse is passed over, as official clients do.
    for text in headers.get("supported-api-versions", "")[:_LONGEST_DETAIL].split(";"):
        try:
            yield str(ApiVersion.parse(text.strip()))
        except ValueError:
            continue


def _clocks_differ(answer: Answer, now: Instant) -> HttpRefusal:
    ahead = _seconds_ahead(answer.headers, now)
    if ahead is None or abs(ahead) < _PLAUSIBLE_DRIFT:
        message = "The clock of this machine and the server's differ too much"
    elif ahead > 0:
        message = f"The clock of this machine is {ahead} seconds ahead of the server's"
    else:
        message = f"The clock of this machine is {-ahead} seconds behind the server's"
    return HttpRefusal(498, message, hint="set the clock of this machine, then try again")


def _seconds_ahead(headers: Mapping[str, str], now: Instant) -> int | None:
    """By how many seconds this machine's clock is ahead of the server's, if that is told."""
    try:
        moment = parsedate_to_datetime(headers.get("date", ""))
        return now.seconds - int(moment.timestamp())
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _unexpected(answer: Answer, netloc: str) -> InvalidAnswer:
    if 300 <= answer.status < 400:
        place = terminal_safe(answer.headers.get("location", "elsewhere"))
        return InvalidAnswer(
            f"Server {netloc} sends on to {place}, which no Parsec server does",
            hint="check the address, and whether it needs TLS",
        )
    if answer.status >= 500:
        return InvalidAnswer(
            f"Server {netloc} failed (HTTP {answer.status})",
            hint="its log tells why",
        )
    message = _with_detail(f"Server {netloc} answered HTTP {answer.status}", answer)
    return InvalidAnswer(message, hint="check that there is a Parsec server at this address")
