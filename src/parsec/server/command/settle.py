"""From what was given on the command line to the settings of a server.

What was not given is derived, or generated and kept beside the database.
"""

import ipaddress
import os
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
from parsec.server.command.kinds import BlockStore
from parsec.server.settings import (
    Database,
    InitialOrganization,
    MailFolder,
    MailSettings,
    MockedDatabase,
    PostgresqlDatabase,
    RateLimit,
    Secret,
    Settings,
    SmtpServer,
    SqliteDatabase,
    Tls,
)

DATABASE_NAME = "parsec.sqlite"


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
    cors_allow_origins: tuple[str, ...]
    sse_keepalive: float
    db: Database | None
    skip_database_migrations_check: bool
    db_min_connections: int
    db_max_connections: int
    maximum_database_connection_attempts: int
    pause_before_retry_database_connection: float
    blockstore: tuple[BlockStore, ...]
    administration_token: Secret | None
    fake_account_password_algorithm_seed: Secret | None
    account_config: AccountConfig
    spontaneous_organization_bootstrap: bool
    organization_bootstrap_webhook: str | None
    organization_initial_active_users_limit: int | None
    organization_initial_user_profile_outsider_allowed: bool
    organization_initial_realm_deletion_min_archiving_period: int
    organization_initial_tos: dict[str, str] | None
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
        administration_token=options.administration_token or Secret("s3cr3t"),
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
    token = options.administration_token or keep.secret("administration-token", shown=True)
    # For a later version: what it derives must not change once somebody has seen it.
    if options.fake_account_password_algorithm_seed is None:
        keep.secret("fake-account-seed", shown=False)
    settings = Settings(
        host=options.host,
        port=options.port,
        server_addr=options.server_addr or _own_address(options),
        database=database,
        administration_token=token,
        mail=_mail(options, keep),
        debug=options.debug,
        sse_keepalive=options.sse_keepalive if options.sse_keepalive > 0 else None,
        spontaneous_organization_bootstrap=options.spontaneous_organization_bootstrap,
        organization_bootstrap_webhook=options.organization_bootstrap_webhook,
        invitation_lifetime=options.invitation_lifetime,
        totp_reset_lifetime=options.totp_reset_lifetime,
        totp_opaque_keys_per_user=options.totp_opaque_keys_per_user,
        initial_organization=_initial_organization(options),
        advisory_device_file_protection=options.advisory_device_file_protection,
        account_config=options.account_config,
        cryptpad=_cryptpad(options),
        openbao=_openbao(options),
        failed_lookups=_failed_lookups(options),
        cors_allow_origins=_origins(options),
        proxy_trusted_addresses=_trusted_proxies(options, place.environment) or "127.0.0.1",
        tls=_tls(options),
        template_dir=options.template_dir,
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


def _origins(options: RunOptions) -> tuple[str, ...]:
    words = (word.strip() for value in options.cors_allow_origins for word in value.split(","))
    return tuple(word for word in words if word)


def _trusted_proxies(options: RunOptions, environment: Mapping[str, str]) -> str | None:
    return options.proxy_trusted_addresses or environment.get("FORWARDED_ALLOW_IPS")


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
