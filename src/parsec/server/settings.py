"""What an operator may choose, with its types and defaults; `command.py` reads it from options."""

import enum
import hmac
import ipaddress
import re
import urllib.parse
from pathlib import Path
from typing import TypeAlias

import msgspec

from parsec.data.address import ServerAddr
from parsec.data.people import EmailAddress
from parsec.protocol.server_config import (
    AccountConfig,
    CryptPadConfig,
    CryptPadConfigDisabled,
    OpenBaoConfig,
    OpenBaoConfigDisabled,
)

PROTECTIONS = tuple(
    f"{primary}{suffix}"
    for primary in ("PASSWORD", "KEYRING", "PKI", "OPENBAO", "ACCOUNT_VAULT")
    for suffix in ("", "+TOTP")
)
"""What may be advised for device files."""


class Secret:
    """A text that must not be printed; comparing takes the same time wherever it differs."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def matches(self, text: str) -> bool:
        return hmac.compare_digest(self._text.encode(), text.encode())

    def __repr__(self) -> str:
        return "Secret(…)"


class Language(enum.StrEnum):
    """What the server can say things in, for people who read its mails and pages."""

    EN = "en"
    FR = "fr"


class SqliteDatabase(msgspec.Struct, frozen=True):
    """A file."""

    path: Path

    def __str__(self) -> str:
        return f"sqlite:///{self.path}"


class PostgresqlDatabase(msgspec.Struct, frozen=True, kw_only=True):
    """A database of a PostgreSQL server; the URL may hold a password."""

    url: Secret
    min_connections: int = 1
    """Opened at the start; the one for notifications counts."""
    max_connections: int = 7
    attempts: int = 10
    """How often to try to connect before giving up."""
    pause: float = 1.0
    """Seconds between two attempts."""
    limits_idling: bool = True
    """Whether the database ends a transaction in which nothing happens for long."""

    def __str__(self) -> str:
        """Where it is; whatever could hold a password is left out."""
        found = _PUBLIC_PART.fullmatch(self.url.reveal())
        return f"postgresql://{found['place']}" if found else "postgresql://…"

    @property
    def name(self) -> str:
        """Which database of its server it is; empty if the URL does not say."""
        found = _PUBLIC_PART.fullmatch(self.url.reveal())
        if not found:
            return ""
        query = dict(urllib.parse.parse_qsl(found["query"] or ""))
        path = urllib.parse.unquote(found["place"].partition("/")[2])
        return path or query.get("dbname") or query.get("database", "")


# An at sign anywhere else would come from a password that was not escaped.
_PUBLIC_PART = re.compile(r"[a-z]+://(?:[^/@?#]*@)?(?P<place>[^@?#]*)(?:\?(?P<query>[^@#]*))?")


class MockedDatabase(msgspec.Struct, frozen=True):
    """A database that ends with the process."""

    def __str__(self) -> str:
        return "MOCKED"


def key_path_beside(database: SqliteDatabase) -> Path:
    """Where the server key is kept unless it is said where."""
    return database.path.with_name(f"{database.path.name}.server-key")


Database: TypeAlias = SqliteDatabase | PostgresqlDatabase | MockedDatabase


class SmtpServer(msgspec.Struct, frozen=True, kw_only=True):
    """Where mails are handed over."""

    host: str
    port: int = 25
    user: str | None = None
    password: Secret | None = None
    use_tls: bool = False
    """TLS from the first byte."""
    start_tls: bool = False
    """TLS from the command STARTTLS on."""


class MailFolder(msgspec.Struct, frozen=True):
    """A folder that collects the mails which nobody sends."""

    path: Path


class MailSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How mails leave."""

    sender: EmailAddress
    by: SmtpServer | MailFolder


class InitialOrganization(msgspec.Struct, frozen=True, kw_only=True):
    """What a new organization has unless the administration says otherwise."""

    active_users_limit: int | None = None
    user_profile_outsider_allowed: bool = True
    realm_minimum_archiving_period_before_deletion: int = 2_592_000
    tos_per_locale_urls: dict[str, str] | None = None


class Tls(msgspec.Struct, frozen=True, kw_only=True):
    """How the server speaks TLS by itself."""

    certfile: Path
    keyfile: Path | None = None
    ciphers: str | None = None
    """OpenSSL's notation; None: the modern ones of Python."""


class RateLimit(msgspec.Struct, frozen=True, kw_only=True):
    """How often something may happen: at once, and in the long run."""

    burst: int
    per_second: float


class InvitationEmailLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How many mails with invitations may be sent in an hour; 0: any number."""

    per_recipient: int = 10
    """To one address, whatever organization invites it."""
    per_author: int = 200
    per_organization: int = 1000

    @property
    def any(self) -> bool:
        return self.per_recipient > 0 or self.per_author > 0 or self.per_organization > 0


Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """A server's settings."""

    host: str = "127.0.0.1"
    port: int = 6777
    server_addr: ServerAddr
    database: Database
    administration_token: Secret
    administration_allowed_addresses: tuple[Network, ...] | None = None
    """From where the token is accepted; None: from anywhere."""
    mail: MailSettings
    debug: bool = False
    sse_keepalive: float | None = 30.0
    """Seconds of silence after which a stream shows that it lives; None: never."""
    tell_presence: bool = False
    """Tell claimers which of their greeters have an open event stream."""
    spontaneous_organization_bootstrap: bool = False
    organization_bootstrap_webhook: Secret | None = None
    """Its URL, which may hold a token of the other service."""
    invitation_lifetime: int | None = None
    """Seconds after which an invitation counts as cancelled; None: never."""
    totp_reset_lifetime: int | None = None
    """Seconds after which the link of a reset of one-time codes opens nothing; None: never."""
    totp_opaque_keys_per_user: int | None = None
    """How many keys behind one-time codes a user may create; None: any number."""
    enforce_user_profile_outsider_allowed: bool = False
    """Refuse external users where an organization does not allow them, in place of advising so."""
    initial_organization: InitialOrganization = InitialOrganization()
    advisory_device_file_protection: tuple[str, ...] = ()
    account_config: AccountConfig = AccountConfig.DISABLED
    cryptpad: CryptPadConfig = CryptPadConfigDisabled()
    openbao: OpenBaoConfig = OpenBaoConfigDisabled()
    cors_allow_origins: tuple[str, ...] = ()
    failed_lookups: RateLimit | None = RateLimit(burst=500, per_second=5)
    """How many wrong tokens and unknown organizations an address is told; None: any number."""
    proxy_trusted_addresses: str = "127.0.0.1"
    """Addresses and networks, separated by commas, or `*`."""
    tls: Tls | None = None
    template_dir: Path | None = None
    """Templates of mails; None: those of the package."""
    default_language: Language = Language.EN
    """Of mails, and of pages for whose browser names none that there is."""
    invitation_emails: InvitationEmailLimits = InvitationEmailLimits()
    workers: int = 1
    """Processes that share the listening socket."""
    metrics_address: tuple[str, int] | None = None
    """Where the first process tells Prometheus what it counts; None: nothing is counted."""
    server_key_file: Path | None = None
    """What seals secrets in the database; None: beside a database that is a file, else nowhere."""
    skip_migrations_check: bool = False
    """Start with the schema of another version."""
