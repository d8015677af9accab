"""What can keep this machine from working with Parsec: each part looked at, each fault with a cure.

An examination changes nothing, asks nobody, and needs no device to be opened.
"""

import os
import shlex
import shutil
import smtplib
import ssl
import stat
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from parsec.client.drive import drive
from parsec.client.failure import FlowError
from parsec.client.files import Directories, list_devices, unreadable_devices
from parsec.client.guards.cards import find_module, open_cards
from parsec.client.guards.keyring import keyring_fault
from parsec.client.guards.openbao_http import carry_out
from parsec.client.rules.openbao import OpenBaoServer, health
from parsec.client.step import Call, Step, call
from parsec.client.transport import Http, Transport
from parsec.client.transport.http import certificate_end
from parsec.client.world import system_now
from parsec.data.address import ServerAddr
from parsec.data.instant import Instant
from parsec.data.peer_text import terminal_safe
from parsec.protocol.ballpark import CLIENT_EARLY_OFFSET, CLIENT_LATE_OFFSET
from parsec.protocol.server_config import OpenBaoConfigDisabled, ServerConfig, ServerConfigOk

_LITTLE_SPACE = 50 * 1024 * 1024
_SOON_DAYS = 14
_DAY = 24 * 3600 * 1_000_000
_PAGE_LIMIT = 64 * 1024
_SMTP_SECONDS = 10.0
# A clock that is off by more than this will soon be off by too much.
_HALF_TOLERANCE = min(CLIENT_EARLY_OFFSET, CLIENT_LATE_OFFSET) / 2


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one look has found; a fault comes with what mends it."""

    subject: str
    state: Literal["ok", "absent", "fault"]
    text: str
    mending: str | None = None


def well(subject: str, text: str) -> Finding:
    """Nothing to be done."""
    return Finding(subject=subject, state="ok", text=text)


def absent(subject: str, text: str) -> Finding:
    """Something that not everybody needs is not there."""
    return Finding(subject=subject, state="absent", text=text)


def fault(subject: str, text: str, mending: str | None) -> Finding:
    """Something to be mended."""
    return Finding(subject=subject, state="fault", text=text, mending=mending)


def failed(subject: str, error: FlowError) -> Finding:
    """A fault, as the part itself explains it."""
    return fault(subject, str(error), error.hint)


# --- Folders ---


def examine_folders(places: Directories) -> Iterator[Finding]:
    """Whether devices are kept safe here, and can be kept at all."""
    for subject, folder in (("config folder", places.config), ("data folder", places.data)):
        yield _folder(subject, folder)
    yield from _device_files(places)


def _folder(subject: str, folder: Path) -> Finding:
    shown, quoted = terminal_safe(str(folder)), shlex.quote(str(folder))
    try:
        mode = folder.stat().st_mode
    except FileNotFoundError:
        return absent(subject, f"{shown} is not there yet")
    except OSError as error:
        return fault(subject, f"{shown} cannot be looked at: {error.strerror}", f"ls -ld {quoted}")
    if not stat.S_ISDIR(mode):
        return fault(subject, f"{shown} is no folder", f"mv {quoted} {quoted}.old")
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return fault(subject, f"{shown} cannot be written to", f"sudo chown -R $(id -u) {quoted}")
    if os.name == "posix" and mode & (stat.S_IWGRP | stat.S_IWOTH):
        return fault(subject, f"others may write to {shown}", f"chmod 700 {quoted}")
    free = shutil.disk_usage(folder).free
    if free < _LITTLE_SPACE:
        return fault(subject, f"{free // 1024} KiB are free for {shown}", "make room on that disk")
    return well(subject, shown)


def _device_files(places: Directories) -> Iterator[Finding]:
    found = list_devices(places)
    for device in found:
        mode = device.path.stat().st_mode
        if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
            yield fault(
                "device files",
                f"others may read or change {terminal_safe(str(device.path))}",
                f"chmod 600 {shlex.quote(str(device.path))}",
            )
    for path in unreadable_devices(places):
        yield fault(
            "device files",
            f"{terminal_safe(str(path))} is no device file that can be read",
            f"bring it back from a backup, or: rm {shlex.quote(str(path))}",
        )
    if found:
        yield well("device files", f"{len(found)} can be read")
    else:
        yield absent("device files", "there is no device on this machine")


# --- Servers ---


def examine_server(http: Http, server: ServerAddr, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Whether a server is reached, trusted, of the same time, and what it names is reached too."""
    subject = f"server {server.netloc}"
    proxy = _proxy_of(server)
    if proxy is not None:
        yield well("proxy", f"{server.netloc} is reached through {proxy}")
    sent = system_now()
    try:
        # Any answer carries a date.
        page = http.exchange(server, "GET", "/", headers={}, body=None, limit=_PAGE_LIMIT)
    except FlowError as error:
        yield failed(subject, error)
        return
    yield _clock(server, page.headers.get("date"), sent, system_now())
    if server.use_ssl and proxy is None:
        yield _certificate(server, environ)
    transport = Transport(http, now=system_now)
    try:
        config = _config(transport, server)
    except FlowError as error:
        yield failed(subject, error)
        return
    yield well(subject, "answers as a Parsec server")
    if isinstance(config.openbao, OpenBaoConfigDisabled):
        yield absent("OpenBao", f"{server.netloc} offers no single sign-on")
    else:
        yield _openbao(http, server, config)


def _proxy_of(server: ServerAddr) -> str | None:
    """Where requests go first, without the password that its address may hold."""
    proxies = urllib.request.getproxies()
    proxy = proxies.get("https" if server.use_ssl else "http") or proxies.get("all")
    if not proxy or urllib.request.proxy_bypass(server.hostname):
        return None
    scheme, mark, rest = proxy.rpartition("://")
    return terminal_safe(f"{scheme}{mark}{rest.rpartition('@')[2]}")


def _clock(server: ServerAddr, date: str | None, sent: Instant, received: Instant) -> Finding:
    from email.utils import parsedate_to_datetime

    theirs = None
    with suppress(TypeError, ValueError):
        theirs = parsedate_to_datetime(date or "").timestamp()
    if theirs is None:
        return absent("clock", f"{server.netloc} does not tell the time")
    # The header has whole seconds, and was written while we waited.
    ahead = (int(sent) + int(received)) / 2 / 1_000_000 - (theirs + 0.5)
    told = f"{abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} {server.netloc}"
    if abs(ahead) < _HALF_TOLERANCE:
        return well("clock", f"{told}; up to {CLIENT_EARLY_OFFSET:.0f} s are accepted")
    return fault(
        "clock",
        f"{told}, which refuses {CLIENT_EARLY_OFFSET:.0f} s and more",
        _SET_CLOCK.get(sys.platform),
    )


_SET_CLOCK = {
    "linux": "sudo timedatectl set-ntp true",
    "darwin": "sudo sntp -sS time.apple.com",
    "win32": "w32tm /resync",
}


def _certificate(server: ServerAddr, environ: Mapping[str, str]) -> Finding:
    try:
        end = certificate_end(server, environ)
    except (OSError, ssl.SSLError) as error:
        return fault("TLS", f"{server.netloc} was reached and then was not: {error}", "try again")
    days = (int(end) - int(system_now())) // _DAY
    text = f"the certificate of {server.netloc} is valid until {end.rfc3339[:10]}"
    if days < _SOON_DAYS:
        return fault("TLS", text, "tell who runs the server to renew it")
    return well("TLS", text)


def _config(transport: Transport, server: ServerAddr) -> ServerConfigOk:
    def carried_out(step: Step) -> object:
        assert isinstance(step, Call)
        return transport.send(step.caller, step.request)

    return drive(call(server, ServerConfig()), carried_out)


def _openbao(http: Http, server: ServerAddr, config: ServerConfigOk) -> Finding:
    try:
        named = OpenBaoServer.named_by(server, config.openbao)
        carry_out(http, health(named))
    except FlowError as error:
        return failed("OpenBao", error)
    return well("OpenBao", f"{named.netloc} is unsealed and answers")


# --- Keyholders ---


def examine_keyring(*, needed: bool) -> Finding:
    """Whether the keyring of the operating system can be used."""
    problem = keyring_fault()
    if problem is None:
        return well("keyring", "can be used")
    return failed("keyring", problem) if needed else absent("keyring", str(problem))


def examine_smartcards(
    chosen: Path | None, environ: Mapping[str, str], *, needed: bool
) -> Iterator[Finding]:
    """Whether there is a card with a certificate that serves now."""
    now = system_now()
    try:
        module = find_module(None if chosen is None else str(chosen), environ)
        with open_cards(module) as cards:
            certificates = cards.certificates()
    except FlowError as error:
        yield failed("smartcards", error) if needed else absent("smartcards", str(error))
        return
    shown = terminal_safe(module)
    if not certificates:
        text = f"{shown} works, and there is no card with a certificate in it"
        yield fault("smartcards", text, "insert the card") if needed else absent("smartcards", text)
    for certificate in certificates:
        name = f"{certificate.name} on {certificate.card_label}"
        unfit = certificate.unfit(now)
        if unfit is None:
            until = certificate.expires_on.rfc3339[:10]
            yield well("smartcards", f"{name}, until {until} ({shown})")
        else:
            yield absent("smartcards", f"{name} cannot be used: {unfit}")


# --- Mail ---


def examine_mail(host: str, port: int, *, from_first_byte: bool, start_tls: bool) -> Finding:
    """Whether the SMTP server that a server would use takes mails from this machine."""
    place = terminal_safe(f"{host}:{port}")
    context = ssl.create_default_context()
    try:
        with (
            smtplib.SMTP_SSL(host, port, timeout=_SMTP_SECONDS, context=context)
            if from_first_byte
            else smtplib.SMTP(host, port, timeout=_SMTP_SECONDS)
        ) as smtp:
            if start_tls and not from_first_byte:
                smtp.starttls(context=context)
            smtp.noop()
    except (OSError, smtplib.SMTPException) as error:
        reason = terminal_safe(str(error) or type(error).__name__)
        return fault(
            "mail", f"{place} takes no mails: {reason}", f"nc -v {shlex.quote(host)} {port}"
        )
    return well("mail", f"{place} answers")
