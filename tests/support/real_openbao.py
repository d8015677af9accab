"""A real OpenBao server, where the environment names one, prepared as the stand-in is.

* `PARSEC_TEST_OPENBAO_ADDR`: its address, `http://127.0.0.1:8200` for instance;
* `PARSEC_TEST_OPENBAO_TOKEN`: a root token (`bao server -dev -dev-root-token-id=…` has one): then
  mounts, a policy and people are made for the tests and removed after them. Or the token of
  somebody who may read and create below the own entity in the KV version 2 mount
  `PARSEC_TEST_OPENBAO_SECRET_MOUNT` (`secret`): then tests with two people are skipped;
* `SSL_CAFILE`: further authorities, as for the client.
"""

import json
import os
import ssl
import time
import urllib.error
import urllib.request
import uuid
from types import TracebackType
from typing import Any, Self

import pytest

from parsec.protocol.server_config import (
    OpenBaoAuthConfig,
    OpenBaoConfigEnabled,
    OpenBaoSecretConfigKv2,
)

_VARIABLES = ("PARSEC_TEST_OPENBAO_ADDR", "PARSEC_TEST_OPENBAO_TOKEN")
_READY_SECONDS = 10.0
_POLICY = """
path "{secret}/data/{{{{identity.entity.id}}}}/*" {{ capabilities = ["create", "read"] }}
path "{transit}/keys/entity-{{{{identity.entity.id}}}}" {{ capabilities = ["create", "update"] }}
path "{transit}/sign/entity-{{{{identity.entity.id}}}}" {{ capabilities = ["create", "update"] }}
path "{transit}/verify/*" {{ capabilities = ["create", "update"] }}
path "identity/entity/id/*" {{ capabilities = ["read"] }}
"""


def marks() -> list[pytest.MarkDecorator]:
    """What to mark a test with that needs the real server."""
    if all(os.environ.get(name) for name in _VARIABLES):
        return []
    why = f"no real OpenBao, the stand-in alone was used: set {' and '.join(_VARIABLES)}"
    return [pytest.mark.skip(reason=why)]


def named_by_environment() -> "RealOpenBao":
    """The server of the environment."""
    addr, token = (os.environ[name] for name in _VARIABLES)
    return RealOpenBao(addr.rstrip("/"), token)


class RealOpenBao:
    """To be used as a context manager."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self._token = token
        self._tls = ssl.create_default_context(cafile=os.environ.get("SSL_CAFILE"))
        self._name = f"parsec-test-{uuid.uuid4().hex[:12]}"
        self._entities: set[str] = set()
        self._for_one: str | None = None
        self.secret_mount = os.environ.get("PARSEC_TEST_OPENBAO_SECRET_MOUNT", "secret")

    def __enter__(self) -> Self:
        is_root = not self._call("GET", "auth/token/lookup-self")["data"]["entity_id"]
        if is_root:
            self._set_up()
        else:
            self._for_one = ""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._for_one is not None:
            return
        for route in (
            f"sys/auth/{self._name}",
            f"sys/mounts/{self._name}/keys",
            f"sys/mounts/{self._name}/transit",
            f"sys/policies/acl/{self._name}",
            *(f"identity/entity/id/{entity_id}" for entity_id in self._entities),
        ):
            self._call("DELETE", route)

    @property
    def config(self) -> OpenBaoConfigEnabled:
        """What a Parsec server would say about it; the login method is not one for OIDC."""
        return OpenBaoConfigEnabled(
            server_url=self.url,
            secret=OpenBaoSecretConfigKv2(mount_path=self.secret_mount),
            transit_mount_path=f"{self._name}/transit",
            auths=[OpenBaoAuthConfig(id="HEXAGONE", mount_path=f"auth/{self._name}")],
        )

    def token(self, email: str) -> str:
        """A token of somebody."""
        if self._for_one is not None:
            if self._for_one not in ("", email):
                pytest.skip("this token of OpenBao is of one person; a root token would make two")
            self._for_one = email
            return self._token
        user = email.partition("@")[0]
        password = uuid.uuid4().hex
        self._call(
            "POST",
            f"auth/{self._name}/users/{user}",
            {"password": password, "token_policies": [self._name]},
        )
        found = self._call("POST", f"auth/{self._name}/login/{user}", {"password": password})
        self._entities.add(found["auth"]["entity_id"])
        return str(found["auth"]["client_token"])

    def end(self, token: str) -> None:
        """Revoke a token."""
        if self._for_one is not None:
            pytest.skip("the only token for OpenBao must not be revoked; a root token makes others")
        self._call("POST", "auth/token/revoke", {"token": token})

    def _set_up(self) -> None:
        self.secret_mount = f"{self._name}/keys"
        transit = f"{self._name}/transit"
        kv = {"type": "kv", "options": {"version": "2"}}
        self._call("POST", f"sys/mounts/{self.secret_mount}", kv)
        self._call("POST", f"sys/mounts/{transit}", {"type": "transit"})
        self._call("POST", f"sys/auth/{self._name}", {"type": "userpass"})
        policy = _POLICY.format(secret=self.secret_mount, transit=transit)
        self._call("POST", f"sys/policies/acl/{self._name}", {"policy": policy})
        self._await_keys()

    def _await_keys(self) -> None:
        # A fresh mount refuses everything until it has taken on its version.
        end = time.monotonic() + _READY_SECONDS
        while True:
            try:
                self._call("GET", f"{self.secret_mount}/config")
            except urllib.error.HTTPError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)
            else:
                return

    def _call(self, method: str, route: str, body: dict[str, Any] | None = None) -> Any:
        request = urllib.request.Request(
            f"{self.url}/v1/{route}",
            method=method,
            headers={"X-Vault-Token": self._token, "Content-Type": "application/json"},
            data=None if body is None else json.dumps(body).encode(),
        )
        tls = self._tls if self.url.startswith("https:") else None
        with urllib.request.urlopen(request, timeout=10, context=tls) as response:
            content = response.read()
        return json.loads(content) if content else {}
