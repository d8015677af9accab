"""Options that several commands take, gathered for the commands as what they are for."""

import functools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import click
from click.core import ParameterSource

from parsec.cli.command import console_of
from parsec.cli.console import Console
from parsec.cli.keys import (
    Keys,
    Wish,
    auth_option,
    certificate_options,
    ignore_advisory_option,
    option,
    stacked,
    taken_keys,
    unlocking_options,
    wish_of,
)
from parsec.cli.record import Record
from parsec.cli.values import DURATION, ORGANIZATION, PATH, SERVER_ADDR

if TYPE_CHECKING:
    from pathlib import Path

    from parsec.cli.desk import Desk
    from parsec.cli.passwords import Passwords
    from parsec.cli.person import Answers
    from parsec.client.files import Directories
    from parsec.client.flows.certificate import Session
    from parsec.client.transport import AdminTransport
    from parsec.data.address import ServerAddr

P = ParamSpec("P")
F = TypeVar("F", bound=Callable[..., None])

DEFAULT_TIMEOUT = "10m"


def with_console(function: Callable[Concatenate[Console, P], None]) -> Callable[P, None]:
    """Give the command its console first."""

    @functools.wraps(function)
    def command(*args: P.args, **kwargs: P.kwargs) -> None:
        function(console_of(click.get_current_context()), *args, **kwargs)

    return command


# --- Devices ---


class Local(Record):
    """Where the devices of this machine are, and where what opens and protects them comes from."""

    console: Console
    config_dir: "Path | None"
    data_dir: "Path | None"
    keys: Keys = Keys()
    wish: Wish = Wish()

    @property
    def places(self) -> "Directories":
        """The folders."""
        from parsec.client.files import directories

        return directories(os.environ, config_dir=self.config_dir, data_dir=self.data_dir)

    @property
    def passwords(self) -> "Passwords":
        """The sources of passwords."""
        from parsec.cli.passwords import Passwords

        keys = self.keys
        return Passwords(
            self.console,
            keys.password_stdin,
            keys.password_file,
            keys.password_command,
            keys.new_password_file,
        )

    @contextmanager
    def desk(self, answers: "Answers | None" = None, *, timeout: float = 600.0) -> Iterator["Desk"]:
        """A desk to work at, which asks what the answers do not answer."""
        from parsec.cli.desk import open_desk
        from parsec.cli.person import Answers

        with open_desk(self, answers or Answers(), timeout) as desk:
            yield desk


class Acting(Local):
    """The same for a command that acts as a device."""

    device: str | None = None

    @contextmanager
    def session(
        self, answers: "Answers | None" = None, *, timeout: float = 600.0
    ) -> Iterator[tuple["Desk", "Session"]]:
        """The device at work, and the desk it works at. Raises FlowError."""
        with self.desk(answers, timeout=timeout) as desk, desk.acting(self.device) as session:
            yield desk, session


_CONFIG_DIR = option(
    "-c",
    "--config-dir",
    envvar="PARSEC_CONFIG_DIR",
    type=PATH,
    metavar="DIR",
    shown_default="parsec3/libparsec in the platform's folder",
    help="Where device files are kept.",
)


def _data_dir(*names: str) -> Callable[[F], F]:
    return option(
        *names,
        "--data-dir",
        envvar="PARSEC_DATA_DIR",
        type=PATH,
        metavar="DIR",
        shown_default="parsec3 in the platform's folder",
        help="Where devices keep what they know.",
    )


_DEVICE = option(
    "-d",
    "--device",
    envvar="PARSEC_DEVICE_ID",
    metavar="ID",
    shown_default="the only one",
    help="The device to act as: the first digits of its ID, as `device list` shows them.",
)


def acting_options(function: Callable[Concatenate[Acting, P], None]) -> Callable[..., None]:
    """The options of a command that acts as a device."""

    @stacked(_DEVICE, _CONFIG_DIR, _data_dir(), unlocking_options)
    @functools.wraps(function)
    def command(
        device: str | None,
        config_dir: "Path | None",
        data_dir: "Path | None",
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> None:
        keys = taken_keys(kwargs)
        console = console_of(click.get_current_context())
        acting = Acting(
            console=console, config_dir=config_dir, data_dir=data_dir, keys=keys, device=device
        )
        function(acting, *args, **kwargs)

    return command


def protecting_options(function: Callable[..., None]) -> Callable[..., None]:
    """The options of a command that acts as a device, and protects it anew."""

    @stacked(auth_option, ignore_advisory_option, certificate_options)
    @functools.wraps(function)
    def command(acting: Acting, /, **values: Any) -> None:
        wish = wish_of(values.pop("auth"), ignore_advisory=values.pop("ignore_advisory"))
        function(acting.but(wish=wish), **values)

    return acting_options(command)


def new_device_options(
    *data_dir_names: str,
) -> Callable[[Callable[Concatenate[Local, P], None]], Callable[..., None]]:
    """The options of a command that makes a device."""

    def decorate(function: Callable[Concatenate[Local, P], None]) -> Callable[..., None]:
        @stacked(
            _CONFIG_DIR,
            _data_dir(*data_dir_names),
            auth_option,
            _USE_KEYRING,
            ignore_advisory_option,
            certificate_options,
            unlocking_options,
        )
        @functools.wraps(function)
        def command(
            config_dir: "Path | None",
            data_dir: "Path | None",
            auth: str | None,
            use_keyring: bool,
            ignore_advisory: bool,
            *args: P.args,
            **kwargs: P.kwargs,
        ) -> None:
            keys = taken_keys(kwargs)
            if use_keyring:
                _check_only_keyring(auth, keys)
                auth = "keyring"
            local = Local(
                console=console_of(click.get_current_context()),
                config_dir=config_dir,
                data_dir=data_dir,
                keys=keys,
                wish=wish_of(auth, ignore_advisory=ignore_advisory),
            )
            function(local, *args, **kwargs)

        return command

    return decorate


def _check_only_keyring(auth: str | None, keys: Keys) -> None:
    if keys.password_stdin:
        raise click.UsageError("--use-keyring and --password-stdin exclude each other")
    if auth is not None:
        raise click.UsageError("--use-keyring and --auth exclude each other")


_USE_KEYRING = option("--use-keyring", is_flag=True, help="The same as --auth keyring.")

local_options = stacked(_CONFIG_DIR, _data_dir())
"""The options of a command that only looks at this machine."""

timeout_option = option(
    "--timeout",
    envvar="PARSEC_TIMEOUT",
    type=DURATION,
    metavar="DURATION",
    default=DEFAULT_TIMEOUT,
    shown_default=DEFAULT_TIMEOUT,
    help="How long the other side is waited for, such as 90s or 10m.",
)

sas_stdin_option = option(
    "--sas-stdin",
    is_flag=True,
    help="Read the code that the other side reads aloud as a line of standard input.",
)


def confirmation_option(*names: str, text: str = "Ask nothing.") -> Callable[[F], F]:
    """The option that answers a confirmation, in all its spellings."""
    return option("yes", *names, is_flag=True, help=text)


# --- Administration ---


class Administration(Record):
    """A server, and the token of its administrator."""

    console: Console
    addr: "ServerAddr"
    token: str

    @contextmanager
    def transport(self) -> Iterator["AdminTransport"]:
        """The administration interface of the server. Raises FlowError."""
        from parsec.client.failure import AuthenticationFailed, HttpRefusal
        from parsec.client.transport import AdminTransport, Http
        from parsec.client.world import system_now

        http = Http(os.environ)
        try:
            yield AdminTransport(http, self.addr, self.token, now=system_now)
        except HttpRefusal as refusal:
            if refusal.status != 403:
                raise
            raise AuthenticationFailed(str(refusal), hint=refusal.hint) from refusal
        finally:
            http.close()


def administration_options(
    function: Callable[Concatenate[Administration, P], None],
) -> Callable[..., None]:
    """The options of a command for the administrator of a server."""

    @stacked(
        option(
            "-a",
            "--addr",
            envvar="PARSEC_SERVER_ADDR",
            type=SERVER_ADDR,
            metavar="URL",
            required=True,
            help="The server, such as parsec3://example.com or "
            "parsec3://127.0.0.1:6777?no_ssl=true.",
        ),
        option(
            "-t",
            "--token",
            envvar="PARSEC_ADMINISTRATION_TOKEN",
            metavar="TOKEN",
            secret=True,
            help="The administration token of the server.",
        ),
        option(
            "--token-file",
            envvar="PARSEC_ADMINISTRATION_TOKEN_FILE",
            type=PATH,
            metavar="FILE",
            help="A file whose first line is the administration token.",
        ),
    )
    @functools.wraps(function)
    def command(
        addr: "ServerAddr",
        token: str | None,
        token_file: "Path | None",
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> None:
        console = console_of(click.get_current_context())
        function(
            Administration(console=console, addr=addr, token=_token(token, token_file)),
            *args,
            **kwargs,
        )

    return command


organization_option = option(
    "-o",
    "--organization",
    envvar="PARSEC_ORGANIZATION_ID",
    type=ORGANIZATION,
    metavar="ID",
    required=True,
    help="The organization.",
)


def _token(token: str | None, file: "Path | None") -> str:
    ctx = click.get_current_context()
    typed_file = ctx.get_parameter_source("token_file") is ParameterSource.COMMANDLINE
    typed_token = ctx.get_parameter_source("token") is ParameterSource.COMMANDLINE
    if token is not None and (typed_token or not typed_file):
        return token
    if file is None:
        raise click.UsageError(
            "Missing option '-t' / '--token' (or --token-file, or the variable "
            "PARSEC_ADMINISTRATION_TOKEN)."
        )
    try:
        return file.read_text(encoding="utf-8").partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise click.UsageError(f"Cannot read the token file {file}: {reason}") from None
