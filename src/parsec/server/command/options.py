"""The options of the server's commands, each with its environment variable."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from parsec.protocol.server_config import AccountConfig
from parsec.server.command.kinds import (
    BlockStoreKind,
    DatabaseKind,
    EmailKind,
    ListenKind,
    NetworksKind,
    ProtectionKind,
    SecretKind,
    ServerAddrKind,
    TosKind,
)
from parsec.server.settings import Language

F = TypeVar("F", bound=Callable[..., Any])

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
FORMATS = ("CONSOLE", "CONSOLE_NO_TIMESTAMP", "JSON")

_NO_EFFECT = "Accepted, without effect in this version."
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_COUNT = click.IntRange(min=0)
_FRACTION = click.FloatRange(min=0, max=1)


def option(name: str, *more: str, **attributes: Any) -> Callable[[F], F]:
    """An option and the variable `PARSEC_…` of the same name."""
    variable = "PARSEC_" + name.removeprefix("--").replace("-", "_").upper()
    attributes = {"envvar": variable, "show_envvar": True, **attributes}
    return click.option(name, *more, **attributes)


def log_options(*, level: str) -> Callable[[F], F]:
    """What every command can be asked about its log; `level` is the default."""
    return _all(
        option(
            "--log-level",
            "-l",
            type=click.Choice(LEVELS, case_sensitive=False),
            default=level,
            show_default=True,
            help="Least level that is logged.",
        ),
        option(
            "--log-format",
            "-f",
            type=click.Choice(FORMATS, case_sensitive=False),
            default="CONSOLE",
            show_default=True,
            help="Form of the log.",
        ),
        option(
            "--log-file",
            "-o",
            type=click.Path(dir_okay=False, path_type=Path, allow_dash=True),
            help="File for the log, which is emptied first.  [default: standard error]",
        ),
        option("--debug", is_flag=True, help="Answer `ping`."),
    )


def db_option() -> Callable[[F], F]:
    """Which database."""
    return option(
        "--db",
        type=DatabaseKind(),
        help="sqlite:///PATH (relative unless it begins with a further /), postgresql://…, or "
        "MOCKED: lost at the end.  [default: a file in the data folder of the user]",
    )


def server_key_option() -> Callable[[F], F]:
    """Which key."""
    return option(
        "--server-key-file",
        type=click.Path(dir_okay=False, path_type=Path),
        help="File with the key that seals secrets in the database.  [default: beside the "
        "database; with PostgreSQL, in the data folder of the user]",
    )


def key_too_option() -> Callable[[F], F]:
    """Whether the key goes with a backup."""
    return click.option(
        "--with-key",
        is_flag=True,
        help="The server key too, in the file beside the backup that ends in .server-key.",
    )


def run_options() -> Callable[[F], F]:
    """All that `run` can be told, in the order of its help."""
    return _all(
        *_LISTENING, *_DATABASE, *_ADMINISTRATION, *_ORGANIZATIONS, *_ADVICE, *_MAIL, *_OTHERS
    )


def _all(*options: Callable[[F], F]) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        for one in reversed(options):
            function = one(function)
        return function

    return decorate


_LISTENING = (
    option("--host", "-H", default="127.0.0.1", show_default=True, help="Where to listen."),
    option(
        "--port",
        "-P",
        type=click.IntRange(0, 65_535),
        default=6777,
        show_default=True,
        help="Where to listen; 0: any free port.",
    ),
    option(
        "--server-addr",
        type=ServerAddrKind(),
        help="Address by which clients reach this server, parsec3://HOST[:PORT], with "
        "?no_ssl=true behind it where there is no TLS.  [default: where it listens, if that is "
        "this machine only]",
    ),
    option(
        "--proxy-trusted-addresses",
        help="Addresses and networks of proxies, separated by commas, or `*`: their "
        "X-Forwarded-For and X-Forwarded-Proto are believed.  [default: FORWARDED_ALLOW_IPS, "
        "else 127.0.0.1]",
    ),
    option("--ssl-certfile", type=_FILE, help="Certificate chain (PEM): speak TLS."),
    option("--ssl-keyfile", type=_FILE, help="Its private key, unless in the same file."),
    option(
        "--ssl-ciphers",
        help="Ciphers of TLS 1.2, as OpenSSL names them, separated by commas.  [default: modern "
        "ones]",
    ),
    option(
        "--failed-lookup-rate-limit",
        type=(click.IntRange(min=0), click.FloatRange(min=0, min_open=True)),
        default=(500, 5),
        show_default=True,
        metavar="BURST PER_SECOND",
        help="How many wrong tokens, unknown organizations and wrong one-time codes an address is "
        "told by each process, at once and in the long run, before it is answered 429; BURST 0: "
        "any number.",
    ),
    option(
        "--workers",
        type=click.IntRange(1, 64),
        default=1,
        show_default=True,
        help="Processes that share the port; more than one needs PostgreSQL.",
    ),
    option(
        "--metrics-address",
        type=ListenKind(),
        help="Where Prometheus reads /metrics; with several workers at that port and the next "
        "ones.  [default: nowhere]",
    ),
    option(
        "--cors-allow-origins",
        multiple=True,
        help="Origins, also separated by commas, from which web pages may use this server; `*`: "
        "any.",
    ),
    option(
        "--sse-keepalive",
        type=float,
        default=30,
        show_default=True,
        help="Seconds of silence before an event stream shows that it lives; 0: never.",
    ),
    option(
        "--tell-presence",
        is_flag=True,
        help="Tell claimers which of their greeters are there (have an open event stream).",
    ),
)

_DATABASE = (
    db_option(),
    server_key_option(),
    option(
        "--skip-database-migrations-check",
        is_flag=True,
        help="Start with the schema of an earlier version, which must have 0007_server_key.sql; a "
        "newer one is refused all the same.",
    ),
    option(
        "--db-min-connections",
        type=_COUNT,
        default=1,
        show_default=True,
        help="Connections to PostgreSQL that are made at the start.",
    ),
    option(
        "--db-max-connections",
        type=click.IntRange(min=2),
        default=7,
        show_default=True,
        help="Most connections to PostgreSQL; one is for events.",
    ),
    option(
        "--maximum-database-connection-attempts",
        type=_COUNT,
        default=10,
        show_default=True,
        help="How often to try to reach PostgreSQL before giving up.",
    ),
    option(
        "--pause-before-retry-database-connection",
        type=click.FloatRange(min=0),
        default=1.0,
        show_default=True,
        help="Seconds between two attempts.",
    ),
    option("--blockstore", "-b", type=BlockStoreKind(), multiple=True, help=_NO_EFFECT),
)

_ADMINISTRATION = (
    option(
        "--administration-token",
        type=SecretKind(),
        help="What administrators show to create organizations.  [default: generated, shown "
        "once and kept beside the database]",
    ),
    option(
        "--administration-token-file",
        type=_FILE,
        help="A file that holds it, in place of --administration-token.",
    ),
    option(
        "--administration-allowed-addresses",
        type=NetworksKind(),
        help="Addresses and networks, separated by commas, from which it is accepted.  [default: "
        "any]",
    ),
    option(
        "--fake-account-password-algorithm-seed",
        type=SecretKind(),
        help="Makes answers about unknown accounts plausible.  [default: generated and kept "
        "beside the database]",
    ),
    option(
        "--account-config",
        type=click.Choice(AccountConfig, case_sensitive=True),
        default=AccountConfig.DISABLED,
        show_default=True,
        help="What clients are told about accounts, which this version does not have.",
    ),
)

_ORGANIZATIONS = (
    option(
        "--spontaneous-organization-bootstrap",
        is_flag=True,
        help="Anybody may create organizations.",
    ),
    option(
        "--organization-bootstrap-webhook",
        type=SecretKind(),
        metavar="URL",
        help="Told of each new organization, a few times if it does not answer.",
    ),
    option(
        "--organization-initial-active-users-limit",
        type=_COUNT,
        help="Most active users of a new organization.  [default: no limit]",
    ),
    option(
        "--organization-initial-user-profile-outsider-allowed",
        type=bool,
        default=True,
        show_default=True,
        help="Whether clients offer external users in a new organization.",
    ),
    option(
        "--organization-initial-realm-deletion-min-archiving-period",
        type=_COUNT,
        default=2_592_000,
        show_default=True,
        help="Seconds before an archived workspace of a new organization may be deleted.",
    ),
    option(
        "--organization-initial-tos",
        type=TosKind(),
        help="Terms of service of a new organization: LOCALE:URL,LOCALE:URL…",
    ),
    option(
        "--enforce-user-profile-outsider-allowed",
        is_flag=True,
        help="Refuse external users where an organization does not allow them, in place of "
        "leaving it to clients.",
    ),
    option(
        "--invitation-lifetime",
        type=click.IntRange(min=1),
        metavar="SECONDS",
        help="When an invitation counts as cancelled.  [default: never]",
    ),
    option(
        "--totp-reset-lifetime",
        type=click.IntRange(min=1),
        metavar="SECONDS",
        help="When the link of a reset of one-time codes opens nothing.  [default: never]",
    ),
    option(
        "--totp-opaque-keys-per-user",
        type=click.IntRange(min=1),
        metavar="COUNT",
        help="Most keys that a user may protect by one-time codes, one for each device file ever "
        "so protected; none is ever deleted.  [default: any number]",
    ),
)

_ADVICE = (
    option(
        "--advisory-device-file-protection",
        type=ProtectionKind(),
        multiple=True,
        help="How clients are advised to protect device files: PASSWORD, KEYRING, PKI, OPENBAO "
        "or ACCOUNT_VAULT, alone or with +TOTP. May be repeated.  [default: any]",
    ),
    option("--cryptpad-server-url", metavar="URL", help="CryptPad that clients are told."),
    option("--openbao-server-url", metavar="URL", help="OpenBao that clients are told."),
    option(
        "--openbao-secret-mount-path",
        default="secret",
        show_default=True,
        help="Where OpenBao keeps secrets.",
    ),
    option(
        "--openbao-transit-mount-path",
        default="transit",
        show_default=True,
        help="Where OpenBao encrypts.",
    ),
    option(
        "--openbao-auth-hexagone",
        envvar="PARSEC_OPENBAO_AUTH_HEXAGONE_MOUNT_PATH",
        metavar="PATH",
        help="Where OpenBao logs in users of Hexagone.",
    ),
    option(
        "--openbao-auth-pro-connect",
        envvar="PARSEC_OPENBAO_AUTH_PRO_CONNECT_MOUNT_PATH",
        metavar="PATH",
        help="Where OpenBao logs in users of ProConnect.",
    ),
)

_MAIL = (
    option(
        "--email-host",
        help="SMTP server, or MOCKED: mails are written to a folder.  [default: the folder "
        "`mails` beside the database]",
    ),
    option(
        "--email-port",
        type=click.IntRange(1, 65_535),
        default=25,
        show_default=True,
        help="Its port.",
    ),
    option("--email-host-user", help="Who logs in to the SMTP server."),
    option("--email-host-password", type=SecretKind(), help="With which password."),
    option("--email-use-ssl", is_flag=True, help="TLS from the first byte (port 465)."),
    option("--email-use-tls", is_flag=True, help="STARTTLS (port 587)."),
    option(
        "--email-sender",
        type=EmailKind(),
        help="From whom mails come.  [default with a folder: no-reply@parsec.invalid]",
    ),
    option("--template-dir", type=_FOLDER, help="Templates that replace those of the mails."),
    option(
        "--default-language",
        type=click.Choice(Language, case_sensitive=False),
        default=Language.EN,
        help="Language of mails, and of pages for browsers that want neither.  [default: en]",
    ),
    option(
        "--invitation-email-rate-limit",
        type=(_COUNT, _COUNT, _COUNT),
        default=(10, 200, 1000),
        show_default=True,
        metavar="RECIPIENT AUTHOR ORGANIZATION",
        help="How many mails with invitations are sent in an hour to one address, for one author "
        "and for one organization; 0: any number.",
    ),
)

_OTHERS = (
    option("--trusted-x509-root-dir", type=_FOLDER, multiple=True, help=_NO_EFFECT),
    option("--scws-idopte-public-keys-file", type=_FILE, help=_NO_EFFECT),
    option("--scws-web-application-private-key-file", type=_FILE, help=_NO_EFFECT),
    option("--scws-web-application-private-key-content", type=SecretKind(), help=_NO_EFFECT),
    option("--validation-email-rate-limit", type=(int, int), default=(60, 3), help=_NO_EFFECT),
    option("--sentry-dsn", type=SecretKind(), help=_NO_EFFECT),
    option("--sentry-environment", default="production", help=_NO_EFFECT),
    option("--sentry-traces-sample-rate", type=_FRACTION, help=_NO_EFFECT),
    option("--sentry-profiles-sample-rate", type=_FRACTION, help=_NO_EFFECT),
    option("--with-client-web-app", type=_FOLDER, help=_NO_EFFECT),
    click.option(
        "--dev",
        is_flag=True,
        help="For trials: --debug --db=MOCKED --administration-token=s3cr3t --email-host=MOCKED "
        "--fake-account-password-algorithm-seed=F4k3 --cors-allow-origins=* and, as address, "
        "localhost; each unless given.",
    ),
)
