"""Options that say where what opens and protects devices comes from; none of them is a secret."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from parsec.cli.command import Option
from parsec.cli.record import Record
from parsec.cli.values import PATH

if TYPE_CHECKING:
    from pathlib import Path

F = TypeVar("F", bound=Callable[..., None])

PRIMARIES = ("password", "keyring", "pki", "openbao")
WITH_TOTP = "+totp"
PROTECTIONS = (*PRIMARIES, *(f"{name}{WITH_TOTP}" for name in PRIMARIES))
REDIRECTS = ("loopback", "official")


class Keys(Record):
    """What the options said."""

    password_stdin: bool = False
    password_file: "Path | None" = None
    password_command: str | None = None
    new_password_file: "Path | None" = None
    totp_code: str | None = None
    totp_stdin: bool = False
    totp_command: str | None = None
    pkcs11_module: "Path | None" = None
    certificate: str | None = None
    pin_file: "Path | None" = None
    openbao_token_file: "Path | None" = None
    openbao_redirect: str = REDIRECTS[0]
    openbao_auth: str | None = None


class Wish(Record):
    """How a device should be protected; where nothing is said, the person is asked."""

    primary: str | None = None
    with_totp: bool | None = None
    """None: as it is for a device that there is, else as the server recommends."""
    ignore_advisory: bool = False
    asks_always: bool = False
    """Whether the person is asked also where the server recommends nothing."""


def option(*names: str, **settings: Any) -> Callable[[F], F]:
    """An option of a command."""
    return click.option(*names, cls=Option, **settings)


def stacked(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Several options as one."""

    def decorate(function: F) -> F:
        for decorator in reversed(options):
            function = decorator(function)
        return function

    return decorate


password_options = stacked(
    option(
        "--password-stdin", is_flag=True, help="Read each password as a line of standard input."
    ),
    option(
        "--password-file",
        type=PATH,
        metavar="FILE",
        shown_env="PARSEC_DEVICE_PASSWORD_FILE",
        help="Read the password from the first line of a file.",
    ),
    option(
        "--password-command",
        metavar="COMMAND",
        help="Read the password from the first line that a command writes.",
    ),
)

totp_options = stacked(
    option(
        "--totp-code",
        metavar="CODE",
        secret=True,
        help="The one-time code that the authenticator shows now.",
    ),
    option(
        "--totp-stdin", is_flag=True, help="Read each one-time code as a line of standard input."
    ),
    option(
        "--totp-command",
        envvar="PARSEC_TOTP_COMMAND",
        metavar="COMMAND",
        help="Read one-time codes from the first line that a command writes.",
    ),
)

pkcs11_module_option = option(
    "--pkcs11-module",
    envvar="PARSEC_PKCS11_MODULE",
    type=PATH,
    metavar="FILE",
    shown_default="the usual ones",
    help="The PKCS#11 library of the smartcard.",
)

token_options = stacked(
    pkcs11_module_option,
    option(
        "--pin-file",
        envvar="PARSEC_PIN_FILE",
        type=PATH,
        metavar="FILE",
        help="Read the PIN of the smartcard from the first line of a file.",
    ),
    option(
        "--openbao-token-file",
        envvar="PARSEC_OPENBAO_TOKEN_FILE",
        type=PATH,
        metavar="FILE",
        help="Instead of a login to OpenBao: a file with the token of one.",
    ),
    option(
        "--openbao-redirect",
        envvar="PARSEC_OPENBAO_REDIRECT",
        type=click.Choice(REDIRECTS),
        default=REDIRECTS[0],
        shown_default=REDIRECTS[0],
        help="Where a login to OpenBao ends: on this machine, or at an address to be pasted here.",
    ),
)

_UNLOCKING = stacked(password_options, totp_options, token_options)


def unlocking_options(function: F) -> F:
    """The options that open a device; `taken_keys` gathers them."""
    return _UNLOCKING(function)


ignore_advisory_option = option(
    "--ignore-advisory",
    is_flag=True,
    help="Protect the device as asked for, whatever the server recommends.",
)

certificate_options = stacked(
    option(
        "--certificate",
        metavar="HASH_PREFIX",
        help="Which certificate of the smartcard: how its SHA-256 begins, in base64.",
    ),
    option(
        "--openbao-auth",
        metavar="ID",
        help="How to log in to OpenBao, where it offers several ways.",
    ),
)

auth_option = option(
    "--auth",
    type=click.Choice(PROTECTIONS, case_sensitive=False),
    metavar="PROTECTION",
    shown_default="what the server recommends, else password",
    help="How the device is protected: password, keyring, pki (a smartcard) or openbao (single "
    "sign-on), each also with +totp (a one-time code in addition).",
)


def taken_keys(values: dict[str, Any]) -> Keys:
    """What the options of these values said; they are taken out."""
    known = Keys.__annotations__
    return Keys(**{name: values.pop(name) for name in list(values) if name in known})


def wish_of(auth: str | None, *, ignore_advisory: bool) -> Wish:
    """What `--auth` asks for."""
    if auth is None:
        return Wish(ignore_advisory=ignore_advisory)
    primary = auth.lower().removesuffix(WITH_TOTP)
    return Wish(primary=primary, with_totp=primary != auth.lower(), ignore_advisory=ignore_advisory)
