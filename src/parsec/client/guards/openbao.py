"""The protection by single sign-on: the key is kept in an OpenBao server."""

from typing import TypeVar

from parsec.client.failure import AuthenticationFailed
from parsec.client.guards.openbao_http import carry_out
from parsec.client.guards.openbao_login import Login
from parsec.client.protection import OpenBaoFields
from parsec.client.rules.device_file import KeyUnavailable, WrongProtection
from parsec.client.rules.openbao import (
    Exchange,
    OpenBaoAuth,
    OpenBaoServer,
    OpenBaoSession,
    WrongEntity,
)
from parsec.client.rules.openbao_key import fetch_key, store_key
from parsec.client.transport import Http
from parsec.crypto.entropy import Entropy
from parsec.crypto.keys import SecretKey
from parsec.data.device_file import AnyDeviceFile, OpenBaoDeviceFile
from parsec.data.ids import Id

T = TypeVar("T")


class OpenBaoGuard:
    """The key is random, and kept by OpenBao for whoever logs in there.

    `server` is what the Parsec server named just now: addresses move, device files do not. One
    login serves all keys of a guard, until OpenBao no longer accepts it.
    """

    def __init__(
        self, http: Http, server: OpenBaoServer, login: Login, *, auth_id: str | None = None
    ) -> None:
        """`auth_id` is the login method that the person chose, where they did."""
        self._http = http
        self._server = server
        self._login = login
        self._auth_id = auth_id
        self._session: OpenBaoSession | None = None

    def new(self, entropy: Entropy) -> tuple[SecretKey, OpenBaoFields]:
        """A random key, stored for whoever logs in.

        Raises AuthenticationFailed, KeyUnavailable or another FlowError.
        """
        auth = self._auth(None)
        session = self._logged_in(auth)
        key, secret_id = SecretKey.generate(entropy), Id.generate(entropy).hex()
        path = self._carry_out(store_key(self._server, session, key, secret_id=secret_id))
        # Fetched once: a key that cannot be read again would lock the device.
        if self._carry_out(fetch_key(self._server, session, path)) != key:
            raise KeyUnavailable(
                f"OpenBao at {self._server.netloc} does not give back the key that it was given",
                hint="choose another protection, and tell its administrator",
            )
        return key, OpenBaoFields(
            preferred_auth_id=auth.id, entity_id=session.entity_id, ciphertext_key_path=path
        )

    def key(self, file: AnyDeviceFile) -> SecretKey:
        """The key that is kept for the device, after a login as the one who stored it.

        Raises WrongProtection, WrongEntity, AuthenticationFailed, NotFound or another FlowError.
        """
        if not isinstance(file, OpenBaoDeviceFile):
            raise WrongProtection(
                f"This device is not protected by OpenBao but by {file.PROTECTION}"
            )
        session = self._logged_in(self._auth(file.openbao_preferred_auth_id))
        try:
            session.expect_entity(file.openbao_entity_id)
        except WrongEntity:
            # The next attempt may be made as somebody else.
            self._session = None
            raise
        return self._carry_out(fetch_key(self._server, session, file.openbao_ciphertext_key_path))

    def __repr__(self) -> str:
        return f"OpenBaoGuard({self._server.url}, …)"

    def _auth(self, preferred_auth_id: str | None) -> OpenBaoAuth:
        if self._auth_id is not None:
            return self._server.auth(self._auth_id)
        return self._server.proposed_auth(preferred_auth_id)

    def _logged_in(self, auth: OpenBaoAuth) -> OpenBaoSession:
        if self._session is None:
            self._session = self._login(auth)
        return self._session

    def _carry_out(self, exchange: Exchange[T]) -> T:
        try:
            return carry_out(self._http, exchange)
        except AuthenticationFailed:
            # An expired token stays expired: the next attempt logs in again.
            self._session = None
            raise
