"""The ways to log in to OpenBao: with a browser, with an address that is pasted, with a token."""

import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from parsec.client.failure import FlowError
from parsec.client.guards.loopback import LoopbackListener
from parsec.client.guards.openbao_http import carry_out
from parsec.client.rules.openbao import OpenBaoAuth, OpenBaoServer, OpenBaoSession
from parsec.client.rules.openbao_login import (
    LOOPBACK_PATH,
    OFFICIAL_REDIRECT_URI,
    begin_login,
    finish_login,
    look_up_token,
    read_redirect,
)
from parsec.client.transport import Http
from parsec.crypto.entropy import Entropy
from parsec.data.peer_text import terminal_safe

Login: TypeAlias = Callable[[OpenBaoAuth], OpenBaoSession]
"""Logs somebody in with the given method. Raises FlowError or KeyboardInterrupt."""

LOGIN_SECONDS = 300.0
"""How long a login may take (client.md 5.2)."""

_NONCE_SIZE = 16
_LARGEST_TOKEN_FILE = 64 * 1024


def open_in_browser(address: str) -> None:
    """Open an address in the person's browser, where there is one; the program goes on meanwhile.

    A process of its own, because browsers write to standard output, and because those without
    windows would take over the terminal.
    """
    command = [sys.executable, "-I", "-m", "webbrowser", address]
    threading.Thread(target=_run_quietly, args=(command,), daemon=True).start()


def loopback_login(
    http: Http,
    server: OpenBaoServer,
    *,
    entropy: Entropy,
    tell_address: Callable[[str], None],
    open_browser: Callable[[str], object] = open_in_browser,
    seconds: float = LOGIN_SECONDS,
    port: int = 0,
) -> Login:
    """A login in a browser of this machine, which returns to this program by itself.

    The address is always told: browsers may fail to open. `port` is for identity providers that
    insist on one. The login raises FlowError (LoginTimeout after `seconds`).
    """

    def log_in(auth: OpenBaoAuth) -> OpenBaoSession:
        nonce = entropy(_NONCE_SIZE).hex()
        with LoopbackListener(LOOPBACK_PATH, port=port) as listener:
            authorization = carry_out(
                http, begin_login(server, auth, listener.redirect_uri, client_nonce=nonce)
            )
            listener.listen(lambda address: read_redirect(authorization, address))
            tell_address(authorization.url)
            open_browser(authorization.url)
            code = listener.wait(seconds)
        return carry_out(http, finish_login(server, auth, code, client_nonce=nonce))

    return log_in


def pasted_login(
    http: Http,
    server: OpenBaoServer,
    *,
    entropy: Entropy,
    tell_address: Callable[[str], None],
    ask_address: Callable[[], str],
    open_browser: Callable[[str], object] = open_in_browser,
) -> Login:
    """A login in any browser, anywhere: the person gives the address that it ended at.

    For servers that allow logins of the official client only, and for machines without a browser.
    The login raises FlowError (ForeignRedirect for an address that is not the right one).
    """

    def log_in(auth: OpenBaoAuth) -> OpenBaoSession:
        nonce = entropy(_NONCE_SIZE).hex()
        authorization = carry_out(
            http, begin_login(server, auth, OFFICIAL_REDIRECT_URI, client_nonce=nonce)
        )
        tell_address(authorization.url)
        open_browser(authorization.url)
        code = read_redirect(authorization, ask_address())
        return carry_out(http, finish_login(server, auth, code, client_nonce=nonce))

    return log_in


def token_login(http: Http, server: OpenBaoServer, token: str) -> Login:
    """No login at all, but the token of one that took place elsewhere."""

    def log_in(_: OpenBaoAuth) -> OpenBaoSession:
        return carry_out(http, look_up_token(server, token))

    return log_in


def read_token_file(path: Path) -> str:
    """The token in a file, which may end in a line break. Raises FlowError."""
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_TOKEN_FILE)
    except OSError as error:
        name = terminal_safe(str(path), limit=1000)
        raise FlowError(f"Cannot read the token file {name}: {error.strerror}") from None
    # What is no ASCII is no token, and refused as such.
    return content.decode("ascii", "replace").strip()


def _run_quietly(command: list[str]) -> None:
    with suppress(OSError):
        subprocess.run(  # noqa: S603  # the address was checked to be one of the web
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            check=False,
        )
