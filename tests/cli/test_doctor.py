"""`doctor`: each part that works is told, each fault comes with what mends it."""

import asyncio
import json
import os
import socket
import ssl
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import trustme

from parsec.protocol.command import dump_reply
from parsec.protocol.server_config import (
    AccountConfig,
    OpenBaoAuthConfig,
    OpenBaoConfig,
    OpenBaoConfigDisabled,
    OpenBaoConfigEnabled,
    OpenBaoSecretConfigKv2,
    OrganizationBootstrapConfig,
    ServerConfigOk,
)
from scripts.stage import Stage
from tests.support.device_files import places, put_device
from tests.support.openbao import StandInOpenBao
from tests.support.raw_server import RawServer, http, says
from tests.support.shell import Outcome, Shell
from tests.support.smtp_server import smtp_server

SAME_TIME = timedelta(0)


def examined(shell: Shell, *arguments: str, **variables: str) -> tuple[int, dict[str, Any]]:
    """The exit code, and the last finding about each subject."""
    outcome = shell.run("doctor", "--format", "json", *arguments, **variables)
    return outcome.code, {found["subject"]: found for found in json.loads(outcome.out)}


def a_server(*, ahead: timedelta = SAME_TIME, openbao: OpenBaoConfig | None = None) -> list[Any]:
    """What a server answers whose clock is so much ahead of ours."""
    date = format_datetime(datetime.now(UTC) + ahead, usegmt=True)
    config = ServerConfigOk(
        account=AccountConfig.DISABLED,
        openbao=openbao or OpenBaoConfigDisabled(),
        organization_bootstrap=OrganizationBootstrapConfig.WITH_BOOTSTRAP_TOKEN,
    )
    headers = ("Api-Version: 5.5", f"Date: {date}")
    return [
        says(http(body=b"here", content_type="text/html", headers=headers), keep=True),
        says(http(body=dump_reply(config), headers=headers), keep=True),
    ]


# --- This machine ---


def test_a_new_machine_has_no_fault(shell: Shell) -> None:
    code, found = examined(shell)

    assert code == 0
    assert {name for name, finding in found.items() if finding["state"] == "fault"} == set()
    assert found["device files"]["text"] == "there is no device on this machine"


def test_each_part_is_a_line(shell: Shell) -> None:
    (places(shell.home).config / "devices").mkdir(parents=True, mode=0o700)

    outcome: Outcome = shell.run("doctor")

    assert f"✔ config folder: {places(shell.home).config}\n" in outcome.out
    assert "– device files: there is no device on this machine\n" in outcome.out


@pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")
def test_a_device_file_that_others_may_read_is_a_fault(shell: Shell) -> None:
    put_device(shell.home, "870")
    [path] = (places(shell.home).config / "devices").iterdir()
    path.chmod(0o644)

    outcome = shell.run("doctor", "--addr", "parsec3://127.0.0.1:1?no_ssl=true")

    assert outcome.code == 1
    assert f"✘ device files: others may read or change {path}\n" in outcome.out
    assert f"  mend: chmod 600 {path}\n" in outcome.out


def test_a_broken_device_file_is_a_fault(shell: Shell) -> None:
    folder = places(shell.home).config / "devices"
    folder.mkdir(parents=True, mode=0o700)
    (folder / "broken.keys").write_bytes(b"nothing")

    code, found = examined(shell)

    assert code == 1
    assert found["device files"]["state"] == "absent"
    assert "broken.keys is no device file" in shell.run("doctor").out


@pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")
def test_a_folder_that_others_may_write_to_is_a_fault(shell: Shell) -> None:
    places(shell.home).config.mkdir(parents=True)
    places(shell.home).config.chmod(0o777)

    code, found = examined(shell)

    assert (code, found["config folder"]["state"]) == (1, "fault")
    assert found["config folder"]["mending"].startswith("chmod 700 ")


# --- Servers ---


def test_a_server_that_is_well_is_told_so(shell: Shell, server: Stage) -> None:
    code, found = examined(shell, "--addr", server.addr)

    assert code == 0
    netloc = server.addr.removeprefix("parsec3://").partition("?")[0]
    assert found[f"server {netloc}"]["text"] == "answers as a Parsec server"
    assert found["clock"]["state"] == "ok"
    assert found["OpenBao"]["state"] == "absent"


def test_the_servers_of_the_devices_are_looked_at(shell: Shell) -> None:
    put_device(shell.home, "870")

    code, found = examined(shell)

    assert (code, found["server parsec.invalid"]["state"]) == (1, "fault")


@pytest.mark.parametrize("minutes", [-6, -4, 4, 6])
def test_a_clock_that_is_far_off_is_a_fault(shell: Shell, minutes: int) -> None:
    with RawServer(a_server(ahead=timedelta(minutes=minutes))) as raw:
        addr = raw.addr
        code, found = examined(shell, "--addr", addr.url)

    assert (code, found["clock"]["state"]) == (1, "fault")
    assert ("behind" if minutes > 0 else "ahead of") in found["clock"]["text"]


def test_a_page_that_is_no_parsec_server_is_a_fault(shell: Shell) -> None:
    page = says(http(body=b"hello", content_type="text/html"), keep=True)

    with RawServer([page]) as raw:
        addr = raw.addr
        code, found = examined(shell, "--addr", addr.url)

    assert (code, found["clock"]["state"]) == (1, "absent")
    assert found[f"server {addr.netloc}"]["state"] == "fault"


@pytest.mark.parametrize(("days", "state"), [(90, "ok"), (5, "fault")])
def test_a_certificate_that_ends_soon_is_a_fault(
    shell: Shell, tmp_path: Path, days: int, state: str
) -> None:
    authority = trustme.CA()
    authorities = tmp_path / "authorities.pem"
    authority.cert_pem.write_to_path(str(authorities))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    end = datetime.now(UTC) + timedelta(days=days)
    authority.issue_cert("127.0.0.1", not_after=end).configure_cert(context)

    with RawServer(a_server(), tls=context) as raw:
        addr = raw.addr
        _, found = examined(shell, "--addr", addr.url, SSL_CAFILE=str(authorities))

    assert found["TLS"]["state"] == state
    assert found["TLS"]["text"].endswith(f"is valid until {end:%Y-%m-%d}")


def test_an_unknown_authority_is_a_fault_with_a_cure(shell: Shell) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)

    with RawServer(a_server(), tls=context) as raw:
        addr = raw.addr
        code, found = examined(shell, "--addr", addr.url)

    assert code == 1
    assert "SSL_CAFILE" in found[f"server {addr.netloc}"]["mending"]


def test_a_proxy_is_told_without_its_password(shell: Shell) -> None:
    with RawServer(a_server()) as proxy:
        addr = proxy.addr
        outcome = shell.run(
            "doctor",
            "--addr",
            "parsec3://parsec.invalid?no_ssl=true",
            http_proxy=f"http://me:s3cr3t@{addr.netloc}",
        )

    assert f"✔ proxy: parsec.invalid is reached through http://{addr.netloc}\n" in (outcome.out)
    assert "s3cr3t" not in outcome.out + outcome.err


# --- OpenBao ---


@pytest.mark.parametrize(("sealed", "state"), [(False, "ok"), (True, "fault")])
def test_an_openbao_that_is_sealed_is_a_fault(shell: Shell, sealed: bool, state: str) -> None:
    with StandInOpenBao(sealed=sealed) as bao:
        config = OpenBaoConfigEnabled(
            auths=[OpenBaoAuthConfig(id="HEXAGONE", mount_path="auth/hexagone")],
            secret=OpenBaoSecretConfigKv2(mount_path="secret"),
            server_url=bao.url,
        )
        with RawServer(a_server(openbao=config)) as raw:
            addr = raw.addr
            code, found = examined(shell, "--addr", addr.url)

    assert found["OpenBao"]["state"] == state
    assert code == (1 if sealed else 0)


# --- Mail ---


def test_a_mail_server_that_is_not_there_is_a_fault(shell: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    code, found = examined(shell, "--email-host", "127.0.0.1", "--email-port", str(port))

    assert (code, found["mail"]["state"]) == (1, "fault")


async def test_a_mail_server_that_is_there_is_told_so(shell: Shell) -> None:
    async with smtp_server() as smtp:
        place = ("--email-host", "127.0.0.1", "--email-port", str(smtp.port))
        code, found = await asyncio.to_thread(examined, shell, *place)

    assert (code, found["mail"]["text"]) == (0, f"127.0.0.1:{smtp.port} answers")
