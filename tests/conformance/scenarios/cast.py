"""Who plays in a scenario: users, devices and organizations with fresh identifiers and keys."""

import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from nacl.public import PrivateKey
from nacl.signing import SigningKey

from tests.conformance.scenarios.wire import Moment, sign


@dataclass(frozen=True, kw_only=True)
class User:
    id: uuid.UUID = field(default_factory=uuid.uuid4)
    email: str
    label: str
    profile: str
    private_key: PrivateKey = field(default_factory=PrivateKey.generate)


@dataclass(frozen=True, kw_only=True)
class Device:
    id: uuid.UUID = field(default_factory=uuid.uuid4)
    label: str
    user: User
    signing_key: SigningKey = field(default_factory=SigningKey.generate)


@dataclass(frozen=True, kw_only=True)
class Organization:
    id: str
    root_key: SigningKey = field(default_factory=SigningKey.generate)


class Cast:
    """The people of one run of one scenario."""

    def __init__(self, scenario: dict[str, Any]) -> None:
        self.users = {
            name: User(
                email=given.get("email", f"{name}@example.com"),
                label=given.get("label", name.capitalize()),
                profile=given.get("profile", "STANDARD"),
            )
            for name, given in scenario.get("users", {}).items()
        }
        self.devices = {
            name: Device(label=name, user=self.users[user])
            for name, user in scenario.get("devices", {}).items()
        }
        names = scenario.get("orgs", ["O"])
        self.organizations = {
            name: Organization(id=f"{name}{uuid.uuid4().hex[:12]}") for name in names
        }
        self.main_organization: str = names[0]
        self._last_moment = Moment(0)

    def now(self) -> Moment:
        """The time, never the same twice: certificates must be strictly ordered."""
        self._last_moment = Moment(max(time.time_ns() // 1_000, self._last_moment + 1))
        return self._last_moment

    def signing_key(self, name: str) -> SigningKey:
        """The key of a device, or of an organization (`root:NAME`)."""
        if name.startswith("root:"):
            return self.organizations[name.removeprefix("root:")].root_key
        return self.devices[name].signing_key

    def user_certificate(
        self,
        user: User,
        *,
        by: str,
        author: Any,
        timestamp: Moment,
        redacted: bool = False,
        fields: dict[str, Any] | None = None,
    ) -> bytes:
        content = {
            "type": "user_certificate",
            "author": author,
            "timestamp": timestamp,
            "user_id": user.id,
            "human_handle": None if redacted else [user.email, user.label],
            "public_key": bytes(user.private_key.public_key),
            "algorithm": "X25519_XSALSA20_POLY1305",
            "profile": user.profile,
        }
        return sign(content | (fields or {}), self.signing_key(by))

    def device_certificate(
        self,
        device: Device,
        *,
        by: str,
        author: Any,
        timestamp: Moment,
        redacted: bool = False,
        fields: dict[str, Any] | None = None,
    ) -> bytes:
        content = {
            "type": "device_certificate",
            "purpose": "STANDARD",
            "author": author,
            "timestamp": timestamp,
            "user_id": device.user.id,
            "device_id": device.id,
            "device_label": None if redacted else device.label,
            "verify_key": bytes(device.signing_key.verify_key),
            "algorithm": "ED25519",
        }
        return sign(content | (fields or {}), self.signing_key(by))
