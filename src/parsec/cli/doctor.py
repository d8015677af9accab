"""`parsec-cli doctor`."""

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from parsec.cli.command import Command
from parsec.cli.keys import option, pkcs11_module_option
from parsec.cli.options import Local, local_options, with_console
from parsec.cli.values import SERVER_ADDR

if TYPE_CHECKING:
    from pathlib import Path

    from parsec.cli.console import Console
    from parsec.cli.examination import Finding
    from parsec.data.address import ServerAddr


@click.command(
    cls=Command,
    epilog="""\b
    Example:
      parsec-cli doctor --addr parsec3://parsec.example.com
    """,
)
@option(
    "servers",
    "-a",
    "--addr",
    envvar="PARSEC_SERVER_ADDR",
    type=SERVER_ADDR,
    metavar="URL",
    multiple=True,
    shown_default="the servers of this machine's devices",
    help="A server to look at; may be repeated.",
)
@pkcs11_module_option
@option(
    "--email-host",
    envvar="PARSEC_EMAIL_HOST",
    metavar="HOST",
    help="For administrators: the SMTP server that a server of yours would use.",
)
@option(
    "--email-port",
    envvar="PARSEC_EMAIL_PORT",
    type=click.IntRange(1, 65_535),
    default=25,
    shown_default="25",
    help="Its port.",
)
@option("--email-use-ssl", envvar="PARSEC_EMAIL_USE_SSL", is_flag=True, help="TLS at once.")
@option("--email-use-tls", envvar="PARSEC_EMAIL_USE_TLS", is_flag=True, help="STARTTLS.")
@local_options
@with_console
def command(
    console: "Console",
    servers: "Sequence[ServerAddr]",
    pkcs11_module: "Path | None",
    email_host: str | None,
    email_port: int,
    email_use_ssl: bool,
    email_use_tls: bool,
    config_dir: "Path | None",
    data_dir: "Path | None",
) -> None:
    """Look for what keeps this machine from working with Parsec.

    Each part is told with ✔, with – where there is none and none is needed, or with ✘ and what
    mends it; then the exit code is 1. Nothing is changed, and no device is opened.
    """
    from parsec.cli.examination import examine_mail

    local = Local(console=console, config_dir=config_dir, data_dir=data_dir)
    findings = list(_told(console, _examined(local, servers, pkcs11_module)))
    if email_host is not None and email_host.upper() != "MOCKED":
        mail = examine_mail(
            email_host, email_port, from_first_byte=email_use_ssl, start_tls=email_use_tls
        )
        findings += _told(console, iter([mail]))
    if console.is_json:
        console.document(
            [
                {
                    "subject": finding.subject,
                    "state": finding.state,
                    "text": finding.text,
                    "mending": finding.mending,
                }
                for finding in findings
            ]
        )
    if any(finding.state == "fault" for finding in findings):
        click.get_current_context().exit(1)


def _examined(
    local: Local, servers: "Sequence[ServerAddr]", module: "Path | None"
) -> "Iterator[Finding]":
    from parsec.cli.examination import (
        absent,
        examine_folders,
        examine_keyring,
        examine_server,
        examine_smartcards,
    )
    from parsec.client.files import list_devices
    from parsec.client.transport import Http

    yield from examine_folders(local.places)
    files = [device.file for device in list_devices(local.places)]
    wanted = list(dict.fromkeys(servers or [file.server_url for file in files]))
    if not wanted:
        yield absent("server", "none to look at: name one with --addr")
    http = Http(os.environ)
    try:
        for server in wanted:
            yield from examine_server(http, server, os.environ)
    finally:
        http.close()
    protections = {file.PROTECTION for file in files}
    yield examine_keyring(needed="keyring" in protections)
    yield from examine_smartcards(
        module, os.environ, needed=module is not None or "pki" in protections
    )


def _told(console: "Console", findings: "Iterator[Finding]") -> "Iterator[Finding]":
    """The findings, each told as soon as it is there."""
    from parsec.cli.parts import Painted, green, red, yellow

    marks: dict[str, str | Painted] = {"ok": green("✔"), "absent": "–", "fault": red("✘")}
    console.begin("Looking around")
    for finding in findings:
        console.dismiss()
        if not console.is_json:
            console.data(marks[finding.state], f" {finding.subject}: {finding.text}")
            if finding.mending is not None:
                console.data("  ", yellow("mend:"), f" {finding.mending}")
        yield finding
        console.begin("Looking around")
    console.dismiss()
