"""Server, organization, invitation and recovery addresses (wire.md 5).

Where a person gives an address, `parse` reads both its forms: `parsec3://…` and the redirection
through the server's web page, `https://…/redirect/…`, which mail readers show as a link. Tokens
in addresses are bearer secrets: `repr` does not show them, `url` and `http_redirection_url` do.
"""

import enum
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, Self, TypeAlias, TypeVar

import msgspec

from parsec.crypto.keys import VerifyKey
from parsec.data.ids import AccessToken, UserID, VlobID
from parsec.data.people import OrganizationID
from parsec.wire import msgpack
from parsec.wire.url import (
    UrlError,
    UrlParts,
    canonical_host,
    decode_payload,
    decode_segment,
    encode_payload,
    encode_segment,
    scheme_of,
    split_url,
)

AddressErrorCode: TypeAlias = Literal[
    "invalid_url",
    "no_such_scheme",
    "not_a_redirection",
    "invalid_param",
    "duplicate_param",
    "missing_param",
    "unexpected_path",
    "invalid_organization_id",
]


class AddressError(ValueError):
    """This is not such an address; `code` is one of wire.md 5.4, `param` the parameter at fault."""

    def __init__(self, code: AddressErrorCode, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.param = param


class InvitationType(enum.StrEnum):
    """What an invitation leads to."""

    USER = "USER"
    DEVICE = "DEVICE"
    SHAMIR_RECOVERY = "SHAMIR_RECOVERY"


class ServerAddr:
    """Where a server listens; raises AddressError for a bad host or port.

    In local files it is the text of `http_url`.
    """

    # No Struct, which the decoder would take for a map.
    __slots__ = ("_hostname", "_port", "_use_ssl")

    _hostname: str
    _port: int
    _use_ssl: bool

    def __init__(self, *, hostname: str, port: int | None = None, use_ssl: bool = True) -> None:
        self._hostname = _canonical_hostname(hostname)
        self._port = _default_port(use_ssl=use_ssl) if port is None else port
        self._use_ssl = use_ssl
        if not 0 <= self._port <= 65_535:
            raise AddressError("invalid_url", "a port is a number up to 65535")

    @classmethod
    def parse(cls, url: str, *, allow_http_redirection: bool = True) -> Self:
        """Read the address of a server. Raises AddressError."""
        return _parse(url, cls._from_link, allow_http_redirection=allow_http_redirection)

    @classmethod
    def parse_http_url(cls, url: str) -> Self:
        """Read the plain http form, which only local files hold. Raises AddressError."""
        parts = _split(url, "https", "http")
        if parts.path not in ("", "/"):
            raise AddressError("unexpected_path", "the URL of a server has no path")
        return cls(hostname=parts.host, port=parts.port, use_ssl=parts.scheme == "https")

    @classmethod
    def from_wire(cls, value: object) -> Self:
        """Take what the MessagePack decoder yields for a server. Raises ValueError."""
        if type(value) is not str:
            raise ValueError("the address of a server is a text on the wire")
        return cls.parse_http_url(value)

    def to_wire(self) -> str:
        return self.http_url

    @classmethod
    def _from_link(cls, link: "_Link") -> Self:
        if link.path not in ("", "/"):
            raise AddressError("unexpected_path", "the address of a server has no path")
        return cls(
            hostname=link.server.hostname, port=link.server.port, use_ssl=link.server.use_ssl
        )

    @property
    def hostname(self) -> str:
        """In lower case and ASCII; IPv6 in brackets."""
        return self._hostname

    @property
    def port(self) -> int:
        return self._port

    @property
    def use_ssl(self) -> bool:
        return self._use_ssl

    @property
    def netloc(self) -> str:
        """The host, and the port unless it is the default one."""
        default = self._port == _default_port(use_ssl=self._use_ssl)
        return self._hostname if default else f"{self._hostname}:{self._port}"

    @property
    def url(self) -> str:
        return _direct_url(self, "", ())

    @property
    def http_redirection_url(self) -> str:
        return _redirection_url(self, "", ())

    @property
    def http_url(self) -> str:
        """The form of local files, with a slash at the end."""
        return f"{self.base_url}/"

    @property
    def base_url(self) -> str:
        """What stands before the route of a request."""
        return f"{'https' if self._use_ssl else 'http'}://{self.netloc}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ServerAddr) and self.base_url == other.base_url

    def __hash__(self) -> int:
        return hash(self.base_url)

    def __repr__(self) -> str:
        return f"ServerAddr({self.url})"


class _OrganizationScopedAddr(msgspec.Struct, frozen=True, kw_only=True):
    """What all addresses within an organization share."""

    server: ServerAddr
    organization_id: OrganizationID

    @classmethod
    def parse(cls, url: str, *, allow_http_redirection: bool = True) -> Self:
        """Read an address of this kind. Raises AddressError."""
        return _parse(url, cls._from_link, allow_http_redirection=allow_http_redirection)

    @property
    def url(self) -> str:
        return _direct_url(self.server, self._path, self._parameters())

    @property
    def http_redirection_url(self) -> str:
        """The form for mails, whose readers show https links only."""
        return _redirection_url(self.server, self._path, self._parameters())

    @property
    def _path(self) -> str:
        return f"/{encode_segment(self.organization_id)}"

    def _parameters(self) -> Sequence[tuple[str, str]]:
        raise NotImplementedError

    @classmethod
    def _from_link(cls, link: "_Link") -> Self:
        raise NotImplementedError


class OrganizationAddr(_OrganizationScopedAddr, frozen=True, kw_only=True):
    """An organization, with the key that anchors the trust in it."""

    root_verify_key: VerifyKey

    def _parameters(self) -> Sequence[tuple[str, str]]:
        return (_payload(bytes(self.root_verify_key)),)

    @classmethod
    def _from_link(cls, link: "_Link") -> Self:
        return cls(
            server=link.server,
            organization_id=link.organization_id(),
            root_verify_key=link.payload(_VERIFY_KEY),
        )


class OrganizationBootstrapAddr(_OrganizationScopedAddr, frozen=True, kw_only=True):
    """An organization that waits for its first user; without token if anybody may come."""

    token: AccessToken | None

    def _parameters(self) -> Sequence[tuple[str, str]]:
        return ("a", "bootstrap_organization"), _payload(self.token)

    @classmethod
    def _from_link(cls, link: "_Link") -> Self:
        organization_id = link.organization_id()
        link.expect_action("bootstrap_organization")
        token = link.payload(_OPTIONAL_TOKEN)
        return cls(server=link.server, organization_id=organization_id, token=token)


class InvitationAddr(_OrganizationScopedAddr, frozen=True, kw_only=True):
    """An invitation to become a user, to add a device or to recover one."""

    type: InvitationType
    token: AccessToken

    def _parameters(self) -> Sequence[tuple[str, str]]:
        return ("a", _ACTION_OF_INVITATION[self.type]), _payload(self.token)

    @classmethod
    def _from_link(cls, link: "_Link") -> Self:
        organization_id = link.organization_id()
        action = link.expect_action(*_ACTION_OF_INVITATION.values())
        return cls(
            server=link.server,
            organization_id=organization_id,
            type=next(kind for kind, name in _ACTION_OF_INVITATION.items() if name == action),
            token=link.payload(_TOKEN),
        )


class WorkspacePathAddr(_OrganizationScopedAddr, frozen=True, kw_only=True):
    """A file or folder in a workspace, its path encrypted with a key of the workspace."""

    workspace_id: VlobID
    key_index: int
    encrypted_path: bytes

    def _parameters(self) -> Sequence[tuple[str, str]]:
        # The wire has the bytes of the path one by one, as an array (wire.md 5.2).
        content = (self.workspace_id, self.key_index, list(self.encrypted_path))
        return ("a", "path"), _payload(content)

    @classmethod
    def _from_link(cls, link: "_Link") -> Self:
        organization_id = link.organization_id()
        link.expect_action("path")
        workspace_id, key_index, encrypted_path = link.payload(_WORKSPACE_PATH)
        return cls(
            server=link.server,
            organization_id=organization_id,
            workspace_id=workspace_id,
            key_index=key_index,
            encrypted_path=bytes(encrypted_path),
        )


class AsyncEnrollmentAddr(_OrganizationScopedAddr, frozen=True, kw_only=True):
    """Where to ask to join an organization without a conversation."""

    def _parameters(self) -> Sequence[tuple[str, str]]:
        return (("a", "async_enrollment"),)

    @classmethod
    def _from_link(cls, link: "_Link") -> Self:
        organization_id = link.organization_id()
        link.expect_action("async_enrollment")
        return cls(server=link.server, organization_id=organization_id)


class PKIEnrollmentAddr(_OrganizationScopedAddr, frozen=True, kw_only=True):
    """The same in its older form, with a smartcard."""

    def _parameters(self) -> Sequence[tuple[str, str]]:
        return (("a", "pki_enrollment"),)

    @classmethod
    def _from_link(cls, link: "_Link") -> Self:
        organization_id = link.organization_id()
        link.expect_action("pki_enrollment")
        return cls(server=link.server, organization_id=organization_id)


class TOTPResetAddr(_OrganizationScopedAddr, frozen=True, kw_only=True):
    """Where a user sets up one-time codes anew, with a token from an administrator."""

    user_id: UserID
    token: AccessToken

    def _parameters(self) -> Sequence[tuple[str, str]]:
        return ("a", "totp_reset"), _payload((self.user_id, self.token))

    @classmethod
    def _from_link(cls, link: "_Link") -> Self:
        organization_id = link.organization_id()
        link.expect_action("totp_reset")
        user_id, token = link.payload(_USER_AND_TOKEN)
        return cls(
            server=link.server, organization_id=organization_id, user_id=user_id, token=token
        )


ActionAddr: TypeAlias = (
    OrganizationBootstrapAddr
    | InvitationAddr
    | WorkspacePathAddr
    | AsyncEnrollmentAddr
    | PKIEnrollmentAddr
    | TOTPResetAddr
)
"""Any address that says what to do there."""


def parse_action(url: str, *, allow_http_redirection: bool = True) -> ActionAddr:
    """Read an address of any kind that names an action. Raises AddressError."""
    return _parse(url, _action_from_link, allow_http_redirection=allow_http_redirection)


_ACTION_OF_INVITATION = {
    InvitationType.USER: "claim_user",
    InvitationType.DEVICE: "claim_device",
    InvitationType.SHAMIR_RECOVERY: "claim_shamir_recovery",
}

_KIND_OF_ACTION: dict[str, Callable[["_Link"], ActionAddr]] = {
    "bootstrap_organization": OrganizationBootstrapAddr._from_link,
    "path": WorkspacePathAddr._from_link,
    **dict.fromkeys(_ACTION_OF_INVITATION.values(), InvitationAddr._from_link),
    "async_enrollment": AsyncEnrollmentAddr._from_link,
    "totp_reset": TOTPResetAddr._from_link,
    "pki_enrollment": PKIEnrollmentAddr._from_link,
}


def _action_from_link(link: "_Link") -> ActionAddr:
    link.organization_id()
    action = link.expect_action(*_KIND_OF_ACTION)
    try:
        return _KIND_OF_ACTION[action](link)
    except AddressError as error:
        # Official clients try one kind after the other and report the last one's opinion.
        raise AddressError("invalid_param", f"{action}: {error}", param="a") from error


_Byte: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=255)]
_Index: TypeAlias = Annotated[int, msgspec.Meta(ge=0)]

_VERIFY_KEY = msgpack.Reader[VerifyKey](VerifyKey)
_TOKEN = msgpack.Reader[AccessToken](AccessToken)
_OPTIONAL_TOKEN = msgpack.Reader[AccessToken | None](AccessToken | None)
_USER_AND_TOKEN = msgpack.Reader[tuple[UserID, AccessToken]](tuple[UserID, AccessToken])
_WORKSPACE_PATH = msgpack.Reader[tuple[VlobID, int, bytes | list[int]]](
    tuple[VlobID, _Index, bytes | list[_Byte]]
)

T = TypeVar("T")


class _Link(msgspec.Struct, frozen=True):
    """What both forms of an address say, before the meaning of a kind."""

    server: ServerAddr
    path: str
    parameters: Sequence[tuple[str, str]]

    def organization_id(self) -> OrganizationID:
        if not self.path.startswith("/"):
            raise AddressError("invalid_organization_id", "this address names no organization")
        try:
            return OrganizationID(decode_segment(self.path[1:]))
        except ValueError as error:
            raise AddressError("invalid_organization_id", str(error)) from error

    def expect_action(self, *expected: str) -> str:
        action = _single(self.parameters, "a")
        if action is None:
            raise AddressError("missing_param", "this address names no action", param="a")
        if action not in expected:
            raise AddressError("invalid_param", "this address is of another kind", param="a")
        return action

    def payload(self, kind: msgpack.Reader[T]) -> T:
        text = _single(self.parameters, "p")
        if text is None:
            raise AddressError("missing_param", "this address is not whole", param="p")
        try:
            return kind.load_first(decode_payload(text))
        except (UrlError, msgpack.MalformedError):
            # The text may hold a token: it stays out of the message.
            raise AddressError("invalid_param", "this address is damaged", param="p") from None


def _parse(url: str, build: Callable[[_Link], T], *, allow_http_redirection: bool) -> T:
    if not allow_http_redirection:
        return build(_direct_link(_split(url, "parsec3")))
    parts = _split(url, "parsec3", "https", "http")
    if parts.scheme == "parsec3":
        return build(_direct_link(parts))
    try:
        return build(_redirection_link(parts))
    except AddressError as error:
        # Both forms were tried, and the error of the direct one counts; the other tells more.
        raise AddressError("no_such_scheme", f"not a parsec3 address: {error}") from error


def _split(url: str, *schemes: str) -> UrlParts:
    try:
        # Other schemes may have no host at all.
        if scheme_of(url) in ("parsec3", "https", "http"):
            parts = split_url(url)
            if parts.scheme in schemes:
                return parts
    except UrlError as error:
        raise AddressError("invalid_url", str(error)) from error
    raise AddressError("no_such_scheme", f"this URL does not begin with {schemes[0]}://")


def _direct_link(parts: UrlParts) -> _Link:
    no_ssl = _single(parts.parameters, "no_ssl")
    if no_ssl is not None and no_ssl.lower() not in ("true", "false"):
        raise AddressError("invalid_param", "no_ssl is true or false", param="no_ssl")
    use_ssl = no_ssl is None or no_ssl.lower() == "false"
    server = ServerAddr(hostname=parts.host, port=parts.port, use_ssl=use_ssl)
    return _Link(server, parts.path, parts.parameters)


def _redirection_link(parts: UrlParts) -> _Link:
    path = parts.path.removeprefix("/redirect")
    if path == parts.path or path[:1] not in ("", "/"):
        raise AddressError("not_a_redirection", "this web address leads to no Parsec address")
    server = ServerAddr(hostname=parts.host, port=parts.port, use_ssl=parts.scheme == "https")
    return _Link(server, path, parts.parameters)


def _single(parameters: Sequence[tuple[str, str]], name: str) -> str | None:
    values = [value for key, value in parameters if key == name]
    if len(values) > 1:
        raise AddressError("duplicate_param", f"{name} is given twice", param=name)
    return values[0] if values else None


def _payload(content: Any) -> tuple[str, str]:
    return "p", encode_payload(msgpack.dump(content))


def _direct_url(server: ServerAddr, path: str, parameters: Sequence[tuple[str, str]]) -> str:
    no_ssl = () if server.use_ssl else (("no_ssl", "true"),)
    return f"parsec3://{server.netloc}{path}{_query([*no_ssl, *parameters])}"


def _redirection_url(server: ServerAddr, path: str, parameters: Sequence[tuple[str, str]]) -> str:
    return f"{server.base_url}/redirect{path}{_query(parameters)}"


def _query(parameters: Sequence[tuple[str, str]]) -> str:
    # Actions and base64url need no escaping.
    text = "&".join(f"{name}={value}" for name, value in parameters)
    return f"?{text}" if text else ""


def _default_port(*, use_ssl: bool) -> int:
    return 443 if use_ssl else 80


# The name of the vendor's service in its first days; addresses that hold it are still around.
_RENAMED_HOSTS: dict[str, str] = {"saas-v3.parsec.cloud": "app.parsec.cloud"}


def _canonical_hostname(hostname: str) -> str:
    try:
        canonical = canonical_host(hostname)
    except UrlError as error:
        raise AddressError("invalid_url", str(error)) from error
    return _RENAMED_HOSTS.get(canonical, canonical)
