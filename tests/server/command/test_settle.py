"""From options to settings: defaults, what is generated, what is refused (design.md)."""

import stat
from pathlib import Path

import click
import msgspec
import pytest

from parsec.data.address import ServerAddr
from parsec.protocol.server_config import OpenBaoConfigEnabled
from parsec.server.command.failure import Failure
from parsec.server.command.settle import Place, Settled, is_loopback, settle
from parsec.server.settings import (
    InvitationEmailLimits,
    Language,
    MailFolder,
    MockedDatabase,
    SmtpServer,
    SqliteDatabase,
)
from tests.support.server_options import place_at, read_options


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return place_at(tmp_path)


def settled(place: Place, *arguments: str, **environment: str) -> Settled:
    return settle(read_options(*arguments, **environment), place)


GENERATED = bytes(range(32)).hex()


def test_without_any_option_this_machine_is_served_from_the_data_folder(place: Place) -> None:
    settings = settled(place).settings

    assert (settings.host, settings.port) == ("127.0.0.1", 6777)
    assert settings.server_addr == ServerAddr(hostname="127.0.0.1", port=6777, use_ssl=False)
    assert settings.database == SqliteDatabase(place.data_folder / "parsec.sqlite")
    assert settings.mail.by == MailFolder(place.data_folder / "mails")
    assert settings.sse_keepalive == 30
    assert not settings.debug


def test_a_generated_token_is_shown_once_and_kept(place: Place) -> None:
    first, second = settled(place), settled(place)

    file = place.data_folder / "parsec.sqlite.administration-token"
    told = f"Generated administration-token (kept in {file}): {GENERATED}"
    assert list(first.notices) == [told]
    assert list(second.notices) == []
    assert second.settings.administration_token.matches(GENERATED)


def test_what_is_kept_is_for_the_owner_alone(place: Place) -> None:
    settled(place)

    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in place.data_folder.iterdir()}
    assert modes == {
        "parsec.sqlite.administration-token": 0o600,
        "parsec.sqlite.fake-account-seed": 0o600,
    }
    assert stat.S_IMODE(place.data_folder.stat().st_mode) == 0o700


def test_a_kept_token_that_everybody_can_read_is_refused(place: Place) -> None:
    settled(place)
    file = place.data_folder / "parsec.sqlite.administration-token"
    file.chmod(0o644)

    with pytest.raises(Failure, match="everybody can read it") as failure:
        settled(place)

    assert failure.value.hint == f"chmod 600 {file}"


def test_an_empty_kept_token_is_refused(place: Place) -> None:
    settled(place)
    (place.data_folder / "parsec.sqlite.administration-token").write_text("\n")

    with pytest.raises(Failure, match="is empty"):
        settled(place)


def test_a_database_in_memory_keeps_nothing(place: Place) -> None:
    first = settled(place, "--db", "mocked")

    assert first.settings.database == MockedDatabase()
    assert list(first.notices) == [f"Generated administration-token: {GENERATED}"]
    assert first.settings.mail.by == MailFolder(place.scratch_folder / "mails")
    assert not place.data_folder.exists()


@pytest.mark.parametrize(
    ("url", "path"),
    [("sqlite:///data/p.sqlite", "data/p.sqlite"), ("sqlite:////data/p.sqlite", "/data/p.sqlite")],
)
def test_the_path_of_a_database_is_as_written(url: str, path: str) -> None:
    assert read_options("--db", url).db == SqliteDatabase(Path(path))


@pytest.mark.parametrize("url", ["sqlite:///", "sqlite://data", "mysql://me:s3cr3t@host", ""])
def test_another_database_is_refused_without_showing_a_password(url: str) -> None:
    with pytest.raises(click.UsageError) as refused:
        read_options("--db", url)

    assert "s3cr3t" not in str(refused.value)


def test_secrets_are_not_shown() -> None:
    given = read_options("--administration-token", "s3cr3t", "--email-host-password", "pa55")

    assert "s3cr3t" not in repr(given)
    assert "pa55" not in repr(given)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "parsec.example.com"])
def test_what_others_reach_needs_an_address(place: Place, host: str) -> None:
    with pytest.raises(Failure, match="not by which address") as failure:
        settled(place, "--host", host)

    assert "--server-addr" in str(failure.value.hint)


def test_what_others_reach_needs_tls_or_a_proxy(place: Place) -> None:
    reached = ("--host", "0.0.0.0", "--server-addr", "parsec3://parsec.example.com")

    with pytest.raises(Failure, match="there is no TLS"):
        settled(place, *reached)

    behind = settled(place, *reached, "--proxy-trusted-addresses", "10.0.0.0/8")
    assert behind.settings.proxy_trusted_addresses == "10.0.0.0/8"


def test_what_this_machine_reaches_needs_neither(place: Place) -> None:
    settings = settled(place, "--host", "::1", "--port", "7000").settings

    assert settings.server_addr.url == "parsec3://[::1]:7000?no_ssl=true"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_hosts_of_this_machine(host: str) -> None:
    assert is_loopback(host)


def test_the_variable_of_proxies_in_front_is_heeded(place: Place) -> None:
    place = Place(
        data_folder=place.data_folder,
        scratch_folder=place.scratch_folder,
        environment={"FORWARDED_ALLOW_IPS": "192.0.2.1"},
        entropy=place.entropy,
    )

    assert settled(place).settings.proxy_trusted_addresses == "192.0.2.1"


def test_a_key_that_everybody_can_read_is_refused(place: Place, tmp_path: Path) -> None:
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    for file in (chain, key):
        file.write_text("PEM")
        file.chmod(0o644)

    with pytest.raises(Failure, match=r"key\.pem holds a secret"):
        settled(place, "--ssl-certfile", str(chain), "--ssl-keyfile", str(key))


def test_ciphers_may_be_separated_by_commas(place: Place, tmp_path: Path) -> None:
    chain = tmp_path / "chain.pem"
    chain.write_text("PEM")
    chain.chmod(0o600)

    tls = settled(place, "--ssl-certfile", str(chain), "--ssl-ciphers", "A,B").settings.tls

    assert tls is not None
    assert tls.ciphers == "A:B"


def test_mails_go_to_the_server_that_is_named(place: Place) -> None:
    arguments = ("--email-host", "mx", "--email-port", "465", "--email-use-ssl")

    mail = settled(place, *arguments, "--email-sender", "p@example.com").settings.mail

    assert mail.by == SmtpServer(host="mx", port=465, use_tls=True)
    assert mail.sender == "p@example.com"


def test_a_mail_server_needs_a_sender(place: Place) -> None:
    with pytest.raises(Failure, match="--email-sender"):
        settled(place, "--email-host", "mx")


def test_mails_may_go_to_a_folder_whatever_the_case(place: Place) -> None:
    assert isinstance(settled(place, "--email-host", "mocked").settings.mail.by, MailFolder)


def test_external_users_are_a_matter_of_clients_unless_wanted(place: Place) -> None:
    off = settled(place).settings
    on = settled(place, "--enforce-user-profile-outsider-allowed").settings

    assert not off.enforce_user_profile_outsider_allowed
    assert on.enforce_user_profile_outsider_allowed


def test_limits_of_one_time_codes_are_off_unless_wanted(place: Place) -> None:
    wanted = ("--totp-reset-lifetime", "86400", "--totp-opaque-keys-per-user", "1000")

    off, on = settled(place).settings, settled(place, *wanted).settings

    assert (off.totp_reset_lifetime, off.totp_opaque_keys_per_user) == (None, None)
    assert (on.totp_reset_lifetime, on.totp_opaque_keys_per_user) == (86_400, 1_000)


def test_openbao_needs_a_way_to_log_in(place: Place) -> None:
    with pytest.raises(Failure, match="nobody could log in"):
        settled(place, "--openbao-server-url", "https://openbao.example.com")


def test_ways_to_log_in_to_openbao_have_their_order(place: Place) -> None:
    openbao = settled(
        place,
        "--openbao-server-url=https://openbao.example.com",
        "--openbao-auth-pro-connect=auth/pc",
        "--openbao-auth-hexagone=auth/hex",
    ).settings.openbao

    assert isinstance(openbao, OpenBaoConfigEnabled)
    assert [auth.id for auth in openbao.auths] == ["HEXAGONE", "PRO_CONNECT"]


def test_advice_keeps_its_order_and_repetitions() -> None:
    given = read_options(PARSEC_ADVISORY_DEVICE_FILE_PROTECTION="PKI PASSWORD+TOTP  PKI")

    assert given.advisory_device_file_protection == ("PKI", "PASSWORD+TOTP", "PKI")


@pytest.mark.parametrize("value", ["password", "PASSWORD +TOTP", "TOTP", ""])
def test_unknown_protections_are_refused(value: str) -> None:
    with pytest.raises(click.UsageError):
        read_options("--advisory-device-file-protection", value)


def test_origins_may_be_repeated_and_hold_commas(place: Place) -> None:
    arguments = ("--cors-allow-origins=https://a, https://b", "--cors-allow-origins=https://c")

    origins = settled(place, *arguments).settings.cors_allow_origins

    assert origins == ("https://a", "https://b", "https://c")


def test_the_command_line_wins_over_the_environment() -> None:
    assert read_options("--port", "7000", PARSEC_PORT="8000").port == 7000
    assert read_options(PARSEC_PORT="8000").port == 8000


def test_debug_mode_is_not_turned_on_by_a_common_name() -> None:
    assert not read_options(DEBUG="1").debug
    assert read_options(PARSEC_DEBUG="yes").debug


def test_pairs_of_numbers_may_come_from_the_environment() -> None:
    given = read_options(PARSEC_VALIDATION_EMAIL_RATE_LIMIT="10 2")

    assert given.validation_email_rate_limit == (10, 2)


def test_terms_of_service_may_hold_commas_and_backslashes() -> None:
    given = read_options("--organization-initial-tos", r"en:https://t/a\,b,fr:https://t/c\\d")

    assert given.organization_initial_tos == {"en": "https://t/a,b", "fr": r"https://t/c\d"}


@pytest.mark.parametrize("value", ["", "en", "en:", ":https://t", "en:https://t,", ","])
def test_terms_of_service_without_locale_or_address_are_refused(value: str) -> None:
    with pytest.raises(click.UsageError):
        read_options("--organization-initial-tos", value)


def test_trials_need_one_option_only(place: Place) -> None:
    settings = settled(place, "--dev", "--port", "7000").settings

    assert settings.debug
    assert settings.database == MockedDatabase()
    assert settings.administration_token.matches("s3cr3t")
    assert settings.cors_allow_origins == ("*",)
    assert settings.server_addr.url == "parsec3://localhost:7000?no_ssl=true"


def test_trials_may_change_what_that_option_stands_for(place: Place) -> None:
    settings = settled(place, "--dev", "--administration-token", "other").settings

    assert settings.administration_token.matches("other")


@pytest.mark.parametrize("value", ["MOCKED", "s3::r:b:k:s", r"S3:http\://h:r:b:k:s"])
def test_block_stores_are_read(value: str) -> None:
    (store,) = read_options("--blockstore", value).blockstore

    assert store.kind == value.split(":", maxsplit=1)[0].upper()


@pytest.mark.parametrize("value", ["disk", "s3:a:b", "RAID1:MOCKED", "MOCKED:x", ""])
def test_other_block_stores_are_refused(value: str) -> None:
    with pytest.raises(click.UsageError):
        read_options("--blockstore", value)


@pytest.mark.parametrize(
    "values",
    [
        ("MOCKED", "MOCKED"),
        ("RAID0:0:MOCKED", "RAID1:1:MOCKED"),
        ("RAID0:0:MOCKED", "RAID0:2:MOCKED"),
        ("RAID0:0:MOCKED", "RAID0:0:MOCKED"),
    ],
)
def test_several_block_stores_are_the_nodes_of_one_raid(
    place: Place, values: tuple[str, ...]
) -> None:
    with pytest.raises(Failure, match="one RAID"):
        settled(place, *(f"--blockstore={value}" for value in values))


def test_a_folder_that_cannot_be_made_is_told(place: Place, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")

    with pytest.raises(Failure, match="cannot make the folder"):
        settled(place, "--db", f"sqlite:///{tmp_path}/file/parsec.sqlite")


def test_mails_are_limited_unless_told_otherwise(place: Place) -> None:
    default = settled(place).settings.invitation_emails
    changed = settled(place, "--invitation-email-rate-limit", "1", "0", "3")
    variable = settled(place, PARSEC_INVITATION_EMAIL_RATE_LIMIT="0 0 0")

    assert default == InvitationEmailLimits(per_recipient=10, per_author=200, per_organization=1000)
    assert changed.settings.invitation_emails == InvitationEmailLimits(
        per_recipient=1, per_author=0, per_organization=3
    )
    assert not variable.settings.invitation_emails.any


@pytest.mark.parametrize(("text", "language"), [("fr", Language.FR), ("EN", Language.EN)])
def test_the_language_of_mails_is_chosen(place: Place, text: str, language: Language) -> None:
    assert settled(place, "--default-language", text).settings.default_language is language


def test_templates_that_lack_a_mail_are_refused(place: Place, tmp_path: Path) -> None:
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "totp_reset.txt").write_text("{{ link }}")

    with pytest.raises(Failure, match=r"lacks user_invitation\.txt.* totp_reset\.html$"):
        settled(place, "--template-dir", str(folder))


@pytest.mark.parametrize(
    "url", ["ftp://example.com/s3cr3t", "example.com/s3cr3t", "https://", "http://[s3cr3t"]
)
def test_a_webhook_that_is_no_web_address_is_refused_without_showing_it(
    place: Place, url: str
) -> None:
    with pytest.raises(Failure, match="webhook") as failure:
        settled(place, f"--organization-bootstrap-webhook={url}")

    assert "s3cr3t" not in str(failure.value)


# --- The server key ---


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "data/parsec.sqlite.server-key"),
        (("--db=sqlite:///{}/my.db",), "my.db.server-key"),
        (
            ("--db=postgresql://u:p@localhost:5432/parsec?sslmode=require",),
            "data/server-key-parsec",
        ),
        (("--db=postgresql:///other?host=/run/postgresql",), "data/server-key-other"),
        (("--db=postgresql://localhost?dbname=queried",), "data/server-key-queried"),
        (("--db=postgresql://h/..%2Fa%00%C3%A9/b",), "data/server-key-..%2Fa%00%C3%A9%2Fb"),
        (("--db=postgresql://u:not/escaped@localhost/parsec",), "data/server-key"),
        (("--db=postgresql://localhost",), "data/server-key"),
        (("--db=postgresql://localhost/parsec", "--server-key-file={}/key"), "key"),
        (("--server-key-file={}/key",), "key"),
        (("--db=MOCKED",), None),
    ],
)
def test_the_server_key_has_its_place(
    place: Place, tmp_path: Path, arguments: tuple[str, ...], expected: str | None
) -> None:
    found = settled(place, *(each.format(tmp_path) for each in arguments)).settings

    assert found.server_key_file == (None if expected is None else tmp_path / expected)


def test_the_key_is_named_for_the_database_of_the_environment(place: Place, tmp_path: Path) -> None:
    place = msgspec.structs.replace(place, environment={"PGDATABASE": "usual"})

    found = settled(place, "--db=postgresql://localhost").settings

    assert found.server_key_file == tmp_path / "data/server-key-usual"


def test_settling_makes_no_server_key(place: Place) -> None:
    path = settled(place).settings.server_key_file

    assert path is not None
    assert not path.exists()
