"""How the server speaks TLS by itself (server-core.md 20, 29)."""

import contextlib
import socket
import ssl
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.support.server_process import (
    PATIENCE_S,
    ServerProcess,
    run_to_its_end,
    started,
)

AUTHORITY = trustme.CA()

# Of TLS 1.2: those of the official server's default, and other ones without forward secrecy or
# authenticated encryption.
OLD_SUITES = [
    "ECDHE-ECDSA-AES256-SHA",
    "ECDHE-RSA-AES256-SHA",
    "ECDHE-RSA-AES128-SHA256",
    "ECDHE-RSA-AES256-SHA384",
    "AES128-GCM-SHA256",
    "AES256-SHA",
]


def certificate_at(folder: Path) -> tuple[str, str]:
    """Options that name a certificate of an RSA key, which old suites could use."""
    issued = AUTHORITY.issue_cert("127.0.0.1", key_type=trustme.KeyType.RSA)
    chain, key = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    key.chmod(0o600)
    return f"--ssl-certfile={chain}", f"--ssl-keyfile={key}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("tls")
    with started(folder, "--db=MOCKED", *certificate_at(folder)) as server:
        yield server


def client(version: ssl.TLSVersion, *, ciphers: str = "ALL:@SECLEVEL=0") -> ssl.SSLContext:
    """Somebody who speaks one version only, and who would try anything."""
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    # OpenSSL would not even offer old things otherwise.
    context.set_ciphers(ciphers)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = version
    return context


@contextlib.contextmanager
def handshake(server: ServerProcess, context: ssl.SSLContext) -> Iterator[ssl.SSLSocket]:
    with (
        socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
    ):
        yield connection


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_versions_of_today_are_spoken(server: ServerProcess, version: ssl.TLSVersion) -> None:
    with handshake(server, client(version)) as connection:
        name, _, _ = connection.cipher() or ("", "", 0)

        assert connection.version() == {771: "TLSv1.2", 772: "TLSv1.3"}[version]
        assert "GCM" in name or "CHACHA20" in name


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_those_of_the_past_are_not(server: ServerProcess, version: ssl.TLSVersion) -> None:
    with pytest.raises(ssl.SSLError), handshake(server, client(version)):
        pass


@pytest.mark.parametrize("suite", OLD_SUITES)
def test_old_suites_are_refused(server: ServerProcess, suite: str) -> None:
    context = client(ssl.TLSVersion.TLSv1_2, ciphers=f"{suite}:@SECLEVEL=0")

    with pytest.raises(ssl.SSLError), handshake(server, context):
        pass


@pytest.mark.parametrize("suite", ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-CHACHA20-POLY1305"])
def test_modern_suites_are_taken(server: ServerProcess, suite: str) -> None:
    context = client(ssl.TLSVersion.TLSv1_2, ciphers=suite)

    with handshake(server, context) as connection:
        assert (connection.cipher() or ("",))[0] == suite


def test_the_address_of_a_server_with_tls_says_so(server: ServerProcess) -> None:
    assert f"server_addr=parsec3://127.0.0.1:{server.port})" in server.lines[-1]


def test_a_key_that_everybody_can_read_is_refused_at_the_start(tmp_path: Path) -> None:
    options = certificate_at(tmp_path)
    key = tmp_path / "key.pem"
    key.chmod(0o644)

    result = run_to_its_end(tmp_path, "--db=MOCKED", *options)

    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == (
        f"Error: {key} holds a secret, but everybody can read it\nhint: chmod 600 {key}\n"
    )


def test_ciphers_that_there_are_not_are_told(tmp_path: Path) -> None:
    options = certificate_at(tmp_path)

    result = run_to_its_end(tmp_path, "--db=MOCKED", *options, "--ssl-ciphers=ROT13")

    assert result.returncode == 1
    assert result.stderr.startswith("Error: cannot use the certificate or its key: ")
