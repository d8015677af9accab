"""One-time codes, as the specification has them (server-core.md 12, 20)."""

import hashlib
import hmac
from dataclasses import dataclass, field

from tests.server.machines.model_people import People
from tests.server.machines.serial import Told, told

SECOND = 1_000_000
HOUR = 3_600
_INVALID, _BAD_TOKEN = told("invalid_one_time_password"), told("bad_token")


def code_at(secret: bytes, now: int, steps: int = 0) -> str:
    """RFC 6238 with SHA-1, 30 seconds and 6 digits."""
    counter = (now // (30 * SECOND) + steps).to_bytes(8, "big")
    digest = hmac.new(secret, counter, hashlib.sha1).digest()
    at = digest[-1] & 0xF
    number = int.from_bytes(digest[at : at + 4], "big") & 0x7FFF_FFFF
    return f"{number % 1_000_000:06}"


@dataclass
class Codes:
    """Those of a user."""

    secret: bytes | None = None
    is_complete: bool = False
    token: bytes | None = None
    reset_on: int = 0
    keys: dict[bytes, bytes] = field(default_factory=dict)
    wrong: list[int] = field(default_factory=list)
    """When codes were wrong, in a row and over all keys."""


@dataclass
class TotpModel:
    people: People
    quota: int
    token_lifetime: int
    codes: dict[str, Codes]
    wrong: dict[tuple[str, bytes], list[int]] = field(default_factory=dict)
    """The same for each key, those included that nobody created."""

    # --- Set-up ---

    def get_secret(self, author: str, seen: Told) -> Told:
        if refused := self.people.kept_out(author):
            return refused
        if self.codes[author].is_complete:
            return told("already_setup")
        return self._secret(author, seen)

    def get_secret_with(self, name: str, token: bytes, now: int, seen: Told) -> Told:
        if not self._opens(name, token, now):
            return _BAD_TOKEN
        return self._secret(name, seen)

    def _secret(self, name: str, seen: Told) -> Told:
        codes = self.codes[name]
        if codes.secret is None:
            secret = seen[1].get("totp_secret")
            if not isinstance(secret, bytes) or len(secret) != 20:
                return told("ok", totp_secret="twenty bytes")
            codes.secret = secret
        return told("ok", totp_secret=codes.secret)

    def confirm(self, author: str, code: str, now: int) -> Told:
        if refused := self.people.kept_out(author):
            return refused
        if self.codes[author].is_complete:
            return told("already_setup")
        return self._confirm(author, code, now)

    def confirm_with(self, name: str, token: bytes, code: str, now: int) -> Told:
        if not self._opens(name, token, now):
            return _BAD_TOKEN
        return self._confirm(name, code, now)

    def _confirm(self, name: str, code: str, now: int) -> Told:
        if not self._is_right(name, code, now):
            return _INVALID
        self.codes[name].is_complete = True
        self.codes[name].token = None
        return told("ok")

    def _opens(self, name: str, token: bytes, now: int) -> bool:
        if self.people.by_name.get(name) is None or self.people.kept_out(name):
            return False
        codes = self.codes[name]
        is_over = now - codes.reset_on > self.token_lifetime * SECOND
        return codes.token == token and not codes.is_complete and not is_over

    def _is_right(self, name: str, code: str, now: int) -> bool:
        secret = self.codes[name].secret
        if secret is None:
            return False
        return code in [code_at(secret, now, steps) for steps in (-1, 0, 1)]

    # --- The administration ---

    def reset(self, name: str, now: int, seen: Told) -> Told:
        if self.people.by_name[name].revoked_on is not None:
            return told("user_revoked")
        codes = self.codes[name]
        token = seen[1].get("token")
        if not isinstance(token, bytes) or token == codes.token:
            return told("ok", token="a new one")
        codes.secret, codes.is_complete, codes.token, codes.reset_on = None, False, token, now
        codes.wrong.clear()
        self.wrong = {key: wrong for key, wrong in self.wrong.items() if key[0] != name}
        return told("ok", token=token)

    def freeze(self, name: str, *, frozen: bool) -> Told:
        answer = self.people.freeze(name, frozen=frozen)
        if frozen and answer == told("ok"):
            # (20, 15)
            self.codes[name].token = None
        return answer

    # --- Keys ---

    def create_key(self, author: str, seen: Told) -> Told:
        if refused := self.people.kept_out(author):
            return refused
        keys = self.codes[author].keys
        if len(keys) >= self.quota:
            return told("429")
        key_id, key = (seen[1].get(name) for name in ("opaque_key_id", "opaque_key"))
        if key_id is None or key is None or any(key_id in one.keys for one in self.codes.values()):
            return told("ok", opaque_key_id="a new one", opaque_key="a new one")
        keys[key_id] = key
        return told("ok", opaque_key_id=key_id, opaque_key=key)

    def fetch(self, name: str, key_id: bytes, code: str, now: int) -> Told:
        codes = self.codes.get(name)
        if codes is not None and (self.people.kept_out(name) or not codes.is_complete):
            return _INVALID
        is_real = codes is not None and key_id in codes.keys
        until = self._wait_until(name, key_id, is_real=is_real)
        if until is not None and now <= until:
            return told("throttled", wait_until=until)
        if codes is not None and is_real and self._is_right(name, code, now):
            self.wrong.pop((name, key_id), None)
            codes.wrong.clear()
            return told("ok", opaque_key=codes.keys[key_id])
        self.wrong.setdefault((name, key_id), []).append(now)
        if codes is not None and is_real:
            codes.wrong.append(now)
        return _INVALID

    def _wait_until(self, name: str, key_id: bytes, *, is_real: bool) -> int | None:
        ends = [_end(self.wrong.get((name, key_id), []))]
        # All keys of a user together from the sixth on (20, 9).
        if is_real and len(self.codes[name].wrong) > 5:
            ends.append(_end(self.codes[name].wrong))
        return max((one for one in ends if one is not None), default=None)


def _end(wrong: list[int]) -> int | None:
    if not wrong:
        return None
    # No longer than an hour (20, 11).
    return wrong[-1] + min(1 << (len(wrong) - 1), HOUR) * SECOND
