"""A phone with an authenticator app: it is shown a secret, then it shows codes."""

import base64
import time

from parsec.crypto.totp import time_step, totp_code
from scripts.stage import Terminal


class Authenticator:
    """Knows the secret that it was shown last."""

    def __init__(self) -> None:
        self.secret = b""

    def scan(self, terminal: Terminal) -> None:
        """Take the secret from a screen."""
        shown = terminal.expect(r"TOTP secret: ((?:[A-Z2-7]{4} ?){8})\n")[1]
        self.secret = base64.b32decode(shown.replace(" ", ""))

    @property
    def code(self) -> str:
        """What it shows now."""
        return totp_code(self.secret, _step())

    @property
    def wrong_code(self) -> str:
        """What it shows at no time around."""
        now = _step()
        near = {totp_code(self.secret, step) for step in range(now - 3, now + 4)}
        return next(code for code in map("{:06}".format, range(10)) if code not in near)

    def enter_code(self, terminal: Terminal) -> None:
        """Type what it shows."""
        terminal.see("Enter TOTP code:")
        terminal.type(self.code)


def _step() -> int:
    return time_step(time.time_ns() // 1000)
