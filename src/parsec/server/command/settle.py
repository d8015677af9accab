"""From what was given on the command line to the settings of a server.

What was not given is derived, or generated and kept beside the database.
"""

import ipaddress
import os
import urllib.parse
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from parsec.crypto.entropy import Entropy
from parsec.data.address import ServerAddr
from parsec.data.people import EmailAddress
from parsec.protocol.server_config import (
    AccountConfig,
    CryptPadConfig,
    CryptPadConfigDisabled,
    CryptPadConfigEnabled,
    OpenBaoAuthConfig,
    OpenBaoConfig,
    OpenBaoConfigDisabled,
    OpenBaoConfigEnabled,
    OpenBaoSecretConfigKv2,
)
from parsec.server.command.failure import Failure
from parsec.server.command.kinds import BlockStore, parse_networks
from parsec.server.outbound.mail_templates import MailTemplates, TemplateFailure
from parsec.server.settings import (
    Database,
    InitialOrganization,
    InvitationEmailLimits,
    Language,
    MailFolder,
    MailSettings,
    MockedDatabase,
    Network,
    PostgresqlDatabase,
    RateLimit,
    Secret,
    Settings,
    SmtpServer,
    SqliteDatabase,
    Tls,
    key_path_beside,
)
from parsec.server.store.key_file import KeyFile

DATABASE_NAME = "parsec.sqlite"
SERVER_KEY_NAME = "server-key"


class RunOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of `run` as click read them, None for those that were not given."""

    host: str
    port: int
    server_addr: ServerAddr | None
    proxy_trusted_addresses: str | None
    ssl_certfile: Path | None
    ssl_keyfile: Path | None
    ssl_ciphers: str | None
    failed_lookup_rate_limit: tuple[int, float]
    workers: int
    metrics_address: tuple[str, int] | None
    cors_allow_origins: tuple[str, ...]
    sse_keepalive: float
    tell_presence: bool
    db: Database | None
    skip_database_migrations_check: bool
    server_key_file: Path | None
    db_min_connections: int
    db_max_connections: int
    maximum_database_connection_attempts: int
    pause_before_retry_database_connection: float
    blockstore: tuple[BlockStore, ...]
    administration_token: Secret | None
    administration_token_file: Path | None
    administration_allowed_addresses: tuple[Network, ...] | None
    fake_account_password_algorithm_seed: Secret | None
    account_config: AccountConfig
    spontaneous_organization_bootstrap: bool
    organization_bootstrap_webhook: Secret | None
    organization_initial_active_users_limit: int | None
    organization_initial_user_profile_outsider_allowed: bool
    organization_initial_realm_deletion_min_archiving_period: int
    organization_initial_tos: dict[str, str] | None
    enforce_user_profile_outsider_allowed: bool
    invitation_lifetime: int | None
    totp_reset_lifetime: int | None
    totp_opaque_keys_per_user: int | None
    advisory_device_file_protection: tuple[str, ...]
    cryptpad_server_url: str | None
    openbao_server_url: str | None
    openbao_secret_mount_path: str
    openbao_transit_mount_path: str
    openbao_auth_hexagone: str | None
    openbao_auth_pro_connect: str | None
    email_host: str | None
    email_port: int
    email_host_user: str | None
    email_host_password: Secret | None
    email_use_ssl: bool
    email_use_tls: bool
    email_sender: EmailAddress | None
    template_dir: Path | None
    default_language: Language
    invitation_email_rate_limit: tuple[int, int, int]
    trusted_x509_root_dir: tuple[Path, ...]
    scws_idopte_public_keys_file: Path | None
    scws_web_application_private_key_file: Path | None
    scws_web_application_private_key_content: Secret | None
    validation_email_rate_limit: tuple[int, int]
    sentry_dsn: Secret | None
    sentry_environment: str
    sentry_traces_sample_rate: float | None
    sentry_profiles_sample_rate: float | None
    with_client_web_app: Path | None
    dev: bool
    debug: bool


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """What the machine brings to the settings."""

    data_folder: Path
    """Where a server without `--db` keeps what it must not lose."""
    scratch_folder: Path
    """Where a server without database leaves mails."""
    environment: Mapping[str, str]
    entropy: Entropy


class Settled(msgspec.Struct, frozen=True):
    """The settings of a server, and what its operator must be told of them."""

    settings: Settings
    notices: Sequence[str]


def default_database(place: Place) -> Database:
    """Where a server keeps its data unless told otherwise."""
    return SqliteDatabase(place.data_folder / DATABASE_NAME)


def server_key_path(given: Path | None, database: Database, place: Place) -> Path:
    """Where the key is kept that seals secrets in a database."""
    if given is not None:
        return given
    if isinstance(database, SqliteDatabase):
        return key_path_beside(database)
    assert isinstance(database, PostgresqlDatabase), "a mocked database has no key file"
    # One file each: what seals nothing in one database may be all that opens another.
    name = database.name or place.environment.get("PGDATABASE", "")
    suffix = f"-{urllib.parse.quote(name, safe='')}" if name else ""
    return place.data_folder / f"{SERVER_KEY_NAME}{suffix}"


def server_key_file(given: Path | None, database: Database, place: Place) -> KeyFile:
    """The same as the commands take it that look into the file."""
    return KeyFile(server_key_path(given, database, place))


def _server_key_path(options: RunOptions, database: Database, place: Place) -> Path | None:
    if isinstance(database, MockedDatabase):
        # What ends with the process needs no key of before.
        return options.server_key_file
    return server_key_path(options.server_key_file, database, place)


def make_database_folder(database: Database) -> None:
    """Make the folder of a database that is a file. Raises Failure."""
    if not isinstance(database, SqliteDatabase):
        return
    folder = database.path.parent
    try:
        # Only its owner may enter it, unless it is there already.
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Failure(f"cannot make the folder {folder}: {error.strerror}") from error


def with_dev_defaults(options: RunOptions) -> RunOptions:
    """What `--dev` stands for, where nothing else was given."""
    if not options.dev:
        return options
    localhost = ServerAddr(hostname="localhost", port=options.port, use_ssl=False)
    return msgspec.structs.replace(
        options,
        debug=True,
        db=options.db or MockedDatabase(),
        administration_token=_given_token(options) or Secret("s3cr3t"),
        administration_token_file=None,
        fake_account_password_algorithm_seed=(
            options.fake_account_password_algorithm_seed or Secret("F4k3")
        ),
        email_host=options.email_host or "MOCKED",
        cors_allow_origins=options.cors_allow_origins or ("*",),
        server_addr=options.server_addr or localhost,
    )


def settle(options: RunOptions, place: Place) -> Settled:
    """Check and complete the options; `port` is where the server really listens.

    Raises Failure.
    """
    options = with_dev_defaults(options)
    _check_reach(options)
    _check_combinations(options)
    database = _with_connections(options.db or default_database(place), options)
    make_database_folder(database)
    notices: list[str] = []
    keep = _Keeper(database, place, notices)
    token = _given_token(options) or keep.secret("administration-token", shown=True)
    # For a later version: what it derives must not change once somebody has seen it.
    if options.fake_account_password_algorithm_seed is None:
        keep.secret("fake-account-seed", shown=False)
    settings = Settings(
        host=options.host,
        port=options.port,
        server_addr=options.server_addr or _own_address(options),
        database=database,
        administration_token=token,
        administration_allowed_addresses=options.administration_allowed_addresses or None,
        mail=_mail(options, keep),
        debug=options.debug,
        sse_keepalive=options.sse_keepalive if options.sse_keepalive > 0 else None,
        tell_presence=options.tell_presence,
        spontaneous_organization_bootstrap=options.spontaneous_organization_bootstrap,
        organization_bootstrap_webhook=options.organization_bootstrap_webhook,
        invitation_lifetime=options.invitation_lifetime,
        totp_reset_lifetime=options.totp_reset_lifetime,
        totp_opaque_keys_per_user=options.totp_opaque_keys_per_user,
        enforce_user_profile_outsider_allowed=options.enforce_user_profile_outsider_allowed,
        initial_organization=_initial_organization(options),
        advisory_device_file_protection=options.advisory_device_file_protection,
        account_config=options.account_config,
        cryptpad=_cryptpad(options),
        openbao=_openbao(options),
        failed_lookups=_failed_lookups(options),
        workers=options.workers,
        metrics_address=options.metrics_address,
        cors_allow_origins=_origins(options),
        proxy_trusted_addresses=_trusted_proxies(options, place.environment) or "127.0.0.1",
        tls=_tls(options),
        template_dir=options.template_dir,
        default_language=options.default_language,
        invitation_emails=_invitation_emails(options),
        server_key_file=_server_key_path(options, database, place),
        skip_migrations_check=options.skip_database_migrations_check,
    )
    return Settled(settings, notices)


# --- Checks ---


def _check_reach(options: RunOptions) -> None:
    """What others can reach must not rest on what we made up, nor speak in clear by accident."""
    if is_loopback(options.host):
        return
    if options.server_addr is None:
        raise Failure(
            f"others can reach {options.host}, but not by which address",
            hint="give --server-addr parsec3://HOST[:PORT] as clients see it",
        )
    if options.ssl_certfile is None and options.proxy_trusted_addresses is None:
        raise Failure(
            f"others can reach {options.host}, but there is no TLS",
            hint="give --ssl-certfile and --ssl-keyfile, or, behind a proxy that speaks TLS, "
            "--proxy-trusted-addresses",
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_combinations(options: RunOptions) -> None:
    if options.db_max_connections < options.db_min_connections:
        raise Failure("--db-max-connections is less than --db-min-connections")
    _check_block_stores(options.blockstore, options.db)
    _check_workers(options)
    scws = (
        options.scws_web_application_private_key_file,
        options.scws_web_application_private_key_content,
    )
    if None not in scws:
        raise Failure("the private key of the web application is given twice")
    if (options.scws_idopte_public_keys_file is None) != (scws == (None, None)):
        raise Failure(
            "--scws-idopte-public-keys-file and a private key of the web application "
            "are given together or not at all"
        )
    if options.ssl_keyfile is not None and options.ssl_certfile is None:
        raise Failure("--ssl-keyfile needs --ssl-certfile")
    _check_webhook(options.organization_bootstrap_webhook)
    _check_templates(options.template_dir, options.default_language)


def _check_workers(options: RunOptions) -> None:
    if options.workers == 1:
        return
    if not isinstance(options.db, PostgresqlDatabase):
        raise Failure(
            "several --workers need PostgreSQL: SQLite means one process",
            hint="give --db postgresql://…, or leave --workers away",
        )
    if os.name != "posix":
        raise Failure("several --workers need a system on which processes inherit sockets")
    address = options.metrics_address
    if address is not None and 0 < address[1] <= _MAX_PORT < address[1] + options.workers - 1:
        raise Failure("there are not enough ports from that of --metrics-address on")


_MAX_PORT = 65_535


def _check_webhook(url: Secret | None) -> None:
    """It would fail in the background, where nobody looks."""
    if url is None:
        return
    try:
        parts = urllib.parse.urlsplit(url.reveal())
        is_web = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        is_web = False
    if not is_web:
        # The URL may hold a secret: it is not repeated.
        raise Failure("--organization-bootstrap-webhook is no http or https URL")


def _check_templates(folder: Path | None, language: Language) -> None:
    """It would fail at the first mail, which somebody waits for."""
    if folder is None:
        return
    try:
        MailTemplates(language, folder).check()
    except TemplateFailure as failure:
        raise Failure(
            f"cannot write mails from the templates: {failure}",
            hint="docs/operate-mail.md lists the templates, and what stands in their place",
        ) from failure


def _check_block_stores(stores: Sequence[BlockStore], database: Database | None) -> None:
    if any(store.kind == "POSTGRESQL" for store in stores) and isinstance(database, MockedDatabase):
        raise Failure("--blockstore POSTGRESQL needs a PostgreSQL database")
    if len(stores) > 1:
        types = {store.raid[0] if store.raid else None for store in stores}
        numbers = sorted(store.raid[1] for store in stores if store.raid)
        if len(types) > 1 or None in types or numbers != list(range(len(stores))):
            raise Failure("several --blockstore must be the nodes 0, 1, 2… of one RAID")


# --- Parts of the settings ---


def _own_address(options: RunOptions) -> ServerAddr:
    host = f"[{options.host}]" if ":" in options.host else options.host
    return ServerAddr(hostname=host, port=options.port, use_ssl=options.ssl_certfile is not None)


def _with_connections(database: Database, options: RunOptions) -> Database:
    if not isinstance(database, PostgresqlDatabase):
        return database
    return msgspec.structs.replace(
        database,
        min_connections=options.db_min_connections,
        max_connections=options.db_max_connections,
        attempts=options.maximum_database_connection_attempts,
        pause=options.pause_before_retry_database_connection,
    )


def _initial_organization(options: RunOptions) -> InitialOrganization:
    minimum = options.organization_initial_realm_deletion_min_archiving_period
    return InitialOrganization(
        active_users_limit=options.organization_initial_active_users_limit,
        user_profile_outsider_allowed=options.organization_initial_user_profile_outsider_allowed,
        realm_minimum_archiving_period_before_deletion=minimum,
        tos_per_locale_urls=options.organization_initial_tos,
    )


def _mail(options: RunOptions, keep: "_Keeper") -> MailSettings:
    host = options.email_host
    if host is None or host.upper() == "MOCKED":
        sender = options.email_sender or EmailAddress("no-reply@parsec.invalid")
        return MailSettings(sender=sender, by=MailFolder(keep.folder / "mails"))
    if options.email_sender is None:
        raise Failure("--email-host needs --email-sender, from whom mails come")
    server = SmtpServer(
        host=host,
        port=options.email_port,
        user=options.email_host_user,
        password=options.email_host_password,
        use_tls=options.email_use_ssl,
        start_tls=options.email_use_tls,
    )
    return MailSettings(sender=options.email_sender, by=server)


def _cryptpad(options: RunOptions) -> CryptPadConfig:
    if options.cryptpad_server_url is None:
        return CryptPadConfigDisabled()
    return CryptPadConfigEnabled(server_url=options.cryptpad_server_url)


def _openbao(options: RunOptions) -> OpenBaoConfig:
    if options.openbao_server_url is None:
        return OpenBaoConfigDisabled()
    paths = {
        "HEXAGONE": options.openbao_auth_hexagone,
        "PRO_CONNECT": options.openbao_auth_pro_connect,
    }
    auths = [OpenBaoAuthConfig(id=name, mount_path=path) for name, path in paths.items() if path]
    if not auths:
        raise Failure(
            "nobody could log in to OpenBao",
            hint="give --openbao-auth-hexagone or --openbao-auth-pro-connect too",
        )
    return OpenBaoConfigEnabled(
        auths=auths,
        secret=OpenBaoSecretConfigKv2(mount_path=options.openbao_secret_mount_path),
        server_url=options.openbao_server_url,
        transit_mount_path=options.openbao_transit_mount_path,
    )


def _failed_lookups(options: RunOptions) -> RateLimit | None:
    burst, per_second = options.failed_lookup_rate_limit
    return RateLimit(burst=burst, per_second=per_second) if burst else None


def _invitation_emails(options: RunOptions) -> InvitationEmailLimits:
    per_recipient, per_author, per_organization = options.invitation_email_rate_limit
    return InvitationEmailLimits(
        per_recipient=per_recipient, per_author=per_author, per_organization=per_organization
    )


def _origins(options: RunOptions) -> tuple[str, ...]:
    words = (word.strip() for value in options.cors_allow_origins for word in value.split(","))
    return tuple(word for word in words if word)


def _trusted_proxies(options: RunOptions, environment: Mapping[str, str]) -> str | None:
    given = options.proxy_trusted_addresses or environment.get("FORWARDED_ALLOW_IPS")
    if given is not None and given.strip() != "*":
        try:
            # What is mistyped would be trusted by nobody, silently.
            parse_networks(given)
        except ValueError as error:
            raise Failure(
                f"the trusted proxies are not understood: {error}",
                hint="give addresses and networks like 10.0.0.5,fd00::/8, or *",
            ) from None
    return given


def _given_token(options: RunOptions) -> Secret | None:
    file = options.administration_token_file
    if file is None:
        return options.administration_token
    if options.administration_token is not None:
        raise Failure("the administration token is given twice, as it is and by a file")
    check_not_readable_by_all(file)
    try:
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise Failure(f"cannot read the administration token from {file}") from None
    if not text:
        raise Failure(f"{file} is empty, but an administration token is wanted of it")
    return Secret(text)


def _tls(options: RunOptions) -> Tls | None:
    if options.ssl_certfile is None:
        return None
    check_not_readable_by_all(options.ssl_keyfile or options.ssl_certfile)
    ciphers = options.ssl_ciphers
    return Tls(
        certfile=options.ssl_certfile,
        keyfile=options.ssl_keyfile,
        ciphers=ciphers.replace(",", ":") if ciphers else None,
    )


# --- What is kept beside the database ---


class _Keeper:
    """Generates secrets once, and finds them again at the next start."""

    def __init__(self, database: Database, place: Place, notices: list[str]) -> None:
        self._file = database.path if isinstance(database, SqliteDatabase) else None
        self._place = place
        self._notices = notices

    @property
    def folder(self) -> Path:
        """Where the server may leave other files."""
        return self._place.scratch_folder if self._file is None else self._file.parent

    def secret(self, name: str, *, shown: bool) -> Secret:
        """The secret of that name; a new one is shown to the operator. Raises Failure."""
        if self._file is None:
            secret = self._generate()
            if shown:
                self._notices.append(f"Generated {name}: {secret}")
            return Secret(secret)
        path = self._file.with_name(f"{self._file.name}.{name}")
        try:
            return self._kept_or_new(path, name, shown=shown)
        except OSError as error:
            raise Failure(f"cannot keep the {name} in {path}: {error.strerror}") from error

    def _kept_or_new(self, path: Path, name: str, *, shown: bool) -> Secret:
        if path.exists():
            check_not_readable_by_all(path)
            text = path.read_text(encoding="utf-8").strip()
            if not text:
                raise Failure(f"{path} is empty", hint="remove it to have another one generated")
            return Secret(text)
        secret = self._generate()
        with os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w") as file:
            file.write(f"{secret}\n")
        if shown:
            self._notices.append(f"Generated {name} (kept in {path}): {secret}")
        return Secret(secret)

    def _generate(self) -> str:
        return self._place.entropy(32).hex()


def check_not_readable_by_all(path: Path) -> None:
    """Raises Failure for a file with a secret that everybody on this machine can read."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise Failure(f"cannot read {path}: {error.strerror}") from error
    if os.name == "posix" and mode & 0o004:
        raise Failure(f"{path} holds a secret, but everybody can read it", hint=f"chmod 600 {path}")
