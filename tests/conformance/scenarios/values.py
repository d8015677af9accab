"""The values of a scenario that are computed: objects with one `$` key (server-core.md 22)."""

import os
import time
import uuid
from collections.abc import Callable
from typing import Any, TypeAlias

from tests.conformance.scenarios.cast import Cast
from tests.conformance.scenarios.wire import Moment, one_time_code, sign

Spec: TypeAlias = dict[str, Any]

_CODE_STEPS_NEAR_NOW = range(-3, 4)


class Values:
    """Evaluates what a scenario writes, for one run of it."""

    def __init__(self, cast: Cast, variables: dict[str, Any]) -> None:
        self.cast = cast
        self.variables = variables
        self._kinds: dict[str, Callable[[Spec], Any]] = {
            "$var": lambda spec: self.variables[spec["$var"]],
            "$user": lambda spec: cast.users[spec["$user"]].id,
            "$user_hex": lambda spec: cast.users[spec["$user_hex"]].id.hex,
            "$email": lambda spec: cast.users[spec["$email"]].email,
            "$human": self._human,
            "$device": lambda spec: cast.devices[spec["$device"]].id,
            "$org": lambda spec: cast.organizations[spec["$org"]].id,
            "$verify_key": lambda spec: bytes(cast.signing_key(spec["$verify_key"]).verify_key),
            "$public_key": lambda spec: bytes(
                cast.users[spec["$public_key"]].private_key.public_key
            ),
            "$random_bytes": lambda spec: os.urandom(spec["$random_bytes"]),
            "$random_uuid": lambda _: uuid.uuid4(),
            "$hex": lambda spec: bytes.fromhex(spec["$hex"]),
            "$utf8": lambda spec: spec["$utf8"].encode(),
            "$repeat": lambda spec: bytes.fromhex(spec["$repeat"]) * spec["times"],
            "$dt": self._moment,
            "$map": lambda spec: {self.of(key): self.of(item) for key, item in spec["$map"]},
            "$signed": lambda spec: sign(self.of(spec["$signed"]), cast.signing_key(spec["by"])),
            "$user_cert": self._user_certificate,
            "$device_cert": self._device_certificate,
            "$totp": self._code,
            "$totp_wrong": self._wrong_code,
            "$concat": lambda spec: "".join(str(self.of(part)) for part in spec["$concat"]),
        }

    def of(self, written: Any) -> Any:
        """The value of something written in a scenario."""
        if isinstance(written, list):
            return [self.of(item) for item in written]
        if not isinstance(written, dict):
            return written
        kind = dollar_key(written)
        if kind is None:
            return {key: self.of(item) for key, item in written.items()}
        assert kind in self._kinds, f"a value of unknown kind: {written}"
        value = self._kinds[kind](written)
        if "save" in written:
            self.variables[written["save"]] = value
        return value

    def _human(self, spec: Spec) -> list[str]:
        user = self.cast.users[spec["$human"]]
        return [user.email, user.label]

    def _moment(self, spec: Spec) -> Moment:
        base = spec["$dt"]
        if base == "now":
            moment = self.cast.now()
        elif base == "epoch":
            moment = Moment(0)
        else:
            moment = self.of(base) if isinstance(base, dict) else self.variables[base]
        added = round(spec.get("plus_s", 0) * 1_000_000) + spec.get("plus_us", 0)
        return Moment(moment + added)

    def _user_certificate(self, spec: Spec) -> bytes:
        return self.cast.user_certificate(
            self.cast.users[spec["$user_cert"]], **self._certificate_arguments(spec)
        )

    def _device_certificate(self, spec: Spec) -> bytes:
        return self.cast.device_certificate(
            self.cast.devices[spec["$device_cert"]], **self._certificate_arguments(spec)
        )

    def _certificate_arguments(self, spec: Spec) -> dict[str, Any]:
        return {
            "by": spec["by"],
            "author": self.of(spec.get("author")),
            "timestamp": self.of(spec["timestamp"]),
            "redacted": spec.get("redacted", False),
            "fields": self.of(spec.get("fields", {})),
        }

    def _code(self, spec: Spec) -> str:
        return one_time_code(self.of(spec["$totp"]), _code_step_now() + spec.get("step", 0))

    def _wrong_code(self, spec: Spec) -> str:
        secret, now = self.of(spec["$totp_wrong"]), _code_step_now()
        near = {one_time_code(secret, now + step) for step in _CODE_STEPS_NEAR_NOW}
        return next(code for code in map("{:06}".format, range(1_000_000)) if code not in near)


def dollar_key(written: dict[str, Any]) -> str | None:
    """The key that says how to compute a value, if any."""
    return next((key for key in written if key.startswith("$")), None)


def _code_step_now() -> int:
    return int(time.time()) // 30
