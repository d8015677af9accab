"""What the values of options and arguments mean: a click type for each kind.

What a value is checked with is loaded when there is a value to check.
"""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from parsec.cli.record import Record

if TYPE_CHECKING:
    from parsec.data.people import EmailAddress

MAX_SHARES = 255
NO_LIMIT = "none"

_DURATION = r"(?P<number>[0-9]{1,9}(?:\.[0-9]{1,3})?)(?P<unit>ms|s|m|h)?"
_PERIOD = r"(?P<number>[0-9]{1,10})(?P<unit>[smhd])?"
_PERIOD_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, None: 1}
_LARGEST_SETTING = 2**31 - 1
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, None: 1.0}


class Value(click.ParamType[Any]):
    """A text that `read` turns into what it means, or refuses by a ValueError."""

    def __init__(self, name: str, read: Callable[[str], Any]) -> None:
        self.name = name
        self._read = read

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """What the value means. Raises BadParameter."""
        if not isinstance(value, str):
            return value
        try:
            return self._read(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class WeightedRecipient(Record):
    """A recipient, and its number of shares if that was given."""

    email: "EmailAddress"
    weight: int | None


def _organization(text: str) -> Any:
    from parsec.data.people import OrganizationID

    return OrganizationID(text)


def read_email(text: str) -> Any:
    """An e-mail address. Raises ValueError."""
    from parsec.data.people import EmailAddress

    try:
        return EmailAddress(text.strip())
    except ValueError as error:
        raise ValueError(f"Invalid email address: {error}") from None


def read_device_label(text: str) -> Any:
    """What a device is called. Raises ValueError."""
    from parsec.data.people import DeviceLabel

    try:
        return DeviceLabel(text.strip())
    except ValueError as error:
        raise ValueError(f"Invalid device label: {error}") from None


def read_human_label(text: str) -> str:
    """What a person is called. Raises ValueError."""
    from parsec.data.people import EmailAddress, HumanHandle

    try:
        return HumanHandle(EmailAddress("nobody@example.com"), text.strip()).label
    except ValueError as error:
        raise ValueError(f"Invalid name: {error}") from None


def read_weight(text: str) -> int:
    """How many shares. Raises ValueError."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MAX_SHARES):
        raise ValueError(f"Invalid weight: not a number from 1 to {MAX_SHARES}")
    return int(text)


def _recipient(text: str) -> WeightedRecipient:
    # A colon in an address stands within quotes only, so it never ends in a colon and a number.
    email, colon, weight = text.rpartition(":")
    if not colon:
        return WeightedRecipient(email=read_email(text), weight=None)
    return WeightedRecipient(email=read_email(email), weight=read_weight(weight))


def _threshold(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MAX_SHARES):
        raise ValueError(f"Not a number from 1 to {MAX_SHARES}")
    return int(text)


def _server(text: str) -> Any:
    from parsec.data.address import AddressError, ServerAddr

    if text.lower().startswith(("http://", "https://")):
        try:
            return ServerAddr.parse_http_url(text)
        except AddressError:
            pass  # the redirection of an address through its server's page
    return ServerAddr.parse(text)


def _server_http_url(text: str) -> Any:
    from parsec.data.address import ServerAddr

    if text.lower().startswith("parsec3:"):
        return ServerAddr.parse(text)
    return ServerAddr.parse_http_url(text)


def _bootstrap(text: str) -> Any:
    from parsec.data.address import OrganizationBootstrapAddr

    return OrganizationBootstrapAddr.parse(text)


def _invitation(text: str) -> Any:
    from parsec.data.address import InvitationAddr

    return InvitationAddr.parse(text)


def _totp_reset(text: str) -> Any:
    from parsec.data.address import TOTPResetAddr

    return TOTPResetAddr.parse(text)


def _user_id(text: str) -> Any:
    from parsec.data.ids import UserID

    return UserID.parse(text)


def _invitation_token(text: str) -> Any:
    """A token, and the kind of invitation where a link names it."""
    from parsec.data.ids import AccessToken

    if "://" in text:
        addr = _invitation(text)
        return addr.token, addr.type
    return AccessToken.parse(text), None


def read_duration(text: str) -> float:
    """Seconds, or a number with a unit: `250ms`, `30s`, `10m`, `1h`. Raises ValueError."""
    match = re.fullmatch(_DURATION, text.strip())
    if match is None or (seconds := float(match["number"]) * _UNITS[match["unit"]]) <= 0:
        raise ValueError("Not a duration such as 30s, 10m or 1h")
    return seconds


def read_period(text: str) -> int:
    """Whole seconds, or a number with a unit: `90s`, `12h`, `30d`. Raises ValueError."""
    match = re.fullmatch(_PERIOD, text.strip())
    if match is None:
        raise ValueError("Not a period such as 3600, 12h or 30d")
    seconds = int(match["number"]) * _PERIOD_UNITS[match["unit"]]
    if seconds > _LARGEST_SETTING:
        raise ValueError("That is longer than any server takes")
    return seconds


def _limit(text: str) -> Any:
    """A number, or a word that means that there is none."""
    if text.lower() == NO_LIMIT:
        return NO_LIMIT
    if not (text.isascii() and text.isdigit() and int(text[:11]) <= _LARGEST_SETTING):
        raise ValueError(f"Neither a number of members nor {NO_LIMIT}")
    return int(text)


def _user(text: str) -> Any:
    """Who is meant: by address, which has an at sign, or by ID."""
    if "@" in text:
        return read_email(text)
    try:
        return _user_id(text)
    except ValueError:
        raise ValueError("Neither an email address nor the ID of a user") from None


def answered_text(answer: object, name: str) -> str:
    """A text in what an administrator's server answered. Raises InvalidAnswer."""
    from parsec.client.failure import InvalidAnswer

    found = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(found, str):
        raise InvalidAnswer(f"The server's answer lacks {name}")
    return found


def _path(text: str) -> Any:
    # Loaded late like the rest: it takes longer than all modules of the command line.
    from pathlib import Path

    return Path(text)


def _instant(text: str) -> Any:
    from parsec.data.instant import Instant

    try:
        return Instant.parse(text)
    except ValueError as error:
        raise ValueError(f"{error}: a date looks like 2026-01-31T12:00:00Z") from None


ORGANIZATION = Value("organization", _organization)
EMAIL = Value("email", read_email)
DEVICE_LABEL = Value("label", read_device_label)
HUMAN_LABEL = Value("name", read_human_label)
RECIPIENT = Value("recipient", _recipient)
WEIGHT = Value("weight", read_weight)
THRESHOLD = Value("threshold", _threshold)
SERVER_ADDR = Value("url", _server)
SERVER_URL = Value("url", _server_http_url)
BOOTSTRAP_URL = Value("url", _bootstrap)
INVITATION_URL = Value("url", _invitation)
TOTP_RESET_URL = Value("url", _totp_reset)
USER_ID = Value("id", _user_id)
USER = Value("user", _user)
LIMIT = Value("limit", _limit)
PERIOD = Value("period", read_period)
INVITATION_TOKEN = Value("token", _invitation_token)
PATH = Value("path", _path)
DURATION = Value("duration", read_duration)
DATE = Value("date", _instant)
