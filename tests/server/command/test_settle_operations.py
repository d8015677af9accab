"""Options about who may administrate, proxies, workers and metrics: what is refused, and why."""

import ipaddress
from pathlib import Path

import click
import pytest

from parsec.server.command.failure import Failure
from parsec.server.command.settle import Place, Settled, settle
from tests.support.server_options import place_at, read_options


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return place_at(tmp_path)


def settled(place: Place, *arguments: str, **environment: str) -> Settled:
    return settle(read_options("--db=MOCKED", *arguments, **environment), place)


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text("s3cr3t\n")
    file.chmod(0o600)
    return file


# --- The administration ---


def test_the_token_may_come_from_a_file(place: Place, token_file: Path) -> None:
    found = settled(place, f"--administration-token-file={token_file}")

    assert found.settings.administration_token.matches("s3cr3t")
    assert list(found.notices) == []


def test_the_token_of_trials_gives_way_to_that_of_a_file(place: Place, token_file: Path) -> None:
    token_file.write_text("other")

    found = settled(place, "--dev", f"--administration-token-file={token_file}")

    assert found.settings.administration_token.matches("other")


def test_a_token_given_twice_is_refused(place: Place, token_file: Path) -> None:
    with pytest.raises(Failure, match="given twice"):
        settled(place, f"--administration-token-file={token_file}", PARSEC_ADMINISTRATION_TOKEN="x")


def test_a_token_that_everybody_can_read_is_refused(place: Place, token_file: Path) -> None:
    token_file.chmod(0o644)

    with pytest.raises(Failure, match="everybody can read it") as failure:
        settled(place, f"--administration-token-file={token_file}")

    assert failure.value.hint == f"chmod 600 {token_file}"


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe"])
def test_a_file_without_token_is_refused(place: Place, token_file: Path, content: bytes) -> None:
    token_file.write_bytes(content)

    with pytest.raises(Failure, match="token"):
        settled(place, f"--administration-token-file={token_file}")


def test_administrators_may_be_anywhere_unless_said_otherwise(place: Place) -> None:
    assert settled(place).settings.administration_allowed_addresses is None


def test_addresses_of_administrators_are_networks_too(place: Place) -> None:
    given = "192.0.2.7, 10.0.0.0/8,,2001:db8::/32"

    allowed = settled(place, f"--administration-allowed-addresses={given}").settings

    assert allowed.administration_allowed_addresses == (
        ipaddress.ip_network("192.0.2.7"),
        ipaddress.ip_network("10.0.0.0/8"),
        ipaddress.ip_network("2001:db8::/32"),
    )


@pytest.mark.parametrize("word", ["office", "10.0.0.1/8", "10.0.0", "10.0.0.0/33"])
def test_what_is_no_network_is_wrong_usage(word: str) -> None:
    with pytest.raises(click.UsageError, match="neither an address nor a network"):
        read_options(f"--administration-allowed-addresses={word}")


# --- Proxies ---


@pytest.mark.parametrize("given", ["*", "10.0.0.5", "10.0.0.0/8, fd00::1,", "::1"])
def test_proxies_are_addresses_and_networks(place: Place, given: str) -> None:
    found = settled(place, f"--proxy-trusted-addresses={given}")

    assert found.settings.proxy_trusted_addresses == given


@pytest.mark.parametrize("given", ["proxy.example.com", "10.0.0.1/8", "10.0.0.5 10.0.0.6", "*,::1"])
def test_a_proxy_that_would_be_trusted_by_nobody_is_refused(place: Place, given: str) -> None:
    with pytest.raises(Failure, match="the trusted proxies are not understood"):
        settled(place, f"--proxy-trusted-addresses={given}")


def test_so_is_one_of_the_common_variable(tmp_path: Path) -> None:
    place = place_at(tmp_path, FORWARDED_ALLOW_IPS="proxy.example.com")

    with pytest.raises(Failure, match=r"'proxy\.example\.com' is neither"):
        settled(place)


# --- Workers and metrics ---


def test_one_process_serves_and_nothing_is_counted_unless_wanted(place: Place) -> None:
    settings = settled(place).settings

    assert (settings.workers, settings.metrics_address) == (1, None)


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("127.0.0.1:9100", ("127.0.0.1", 9100)),
        ("[::1]:0", ("::1", 0)),
        ("localhost:65535", ("localhost", 65_535)),
    ],
)
def test_where_metrics_are_told(place: Place, given: str, address: tuple[str, int]) -> None:
    assert settled(place, PARSEC_METRICS_ADDRESS=given).settings.metrics_address == address


@pytest.mark.parametrize(
    "given", ["9100", ":9100", "::1:9100", "127.0.0.1:", "h:65536", "h:-1", ""]
)
def test_another_place_for_metrics_is_wrong_usage(given: str) -> None:
    with pytest.raises(click.UsageError):
        read_options("--metrics-address", given)


@pytest.mark.parametrize("given", ["0", "-1", "many", "65"])
def test_another_number_of_workers_is_wrong_usage(given: str) -> None:
    with pytest.raises(click.UsageError):
        read_options("--workers", given)


@pytest.mark.parametrize("database", ["MOCKED", "sqlite:///parsec.sqlite"])
def test_several_workers_need_postgresql(place: Place, database: str) -> None:
    with pytest.raises(Failure, match="several --workers need PostgreSQL") as failure:
        settled(place, "--workers=2", f"--db={database}")

    assert "postgresql://" in str(failure.value.hint)


def test_several_workers_have_one_token(place: Place) -> None:
    found = settled(place, "--workers=4", "--db=postgresql:///parsec")

    assert found.settings.workers == 4
    assert [notice.partition(":")[0] for notice in found.notices] == [
        "Generated administration-token"
    ]
