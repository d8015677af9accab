"""The types of options that click does not know."""

import ipaddress
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click

from parsec.data.address import AddressError, ServerAddr
from parsec.data.people import EmailAddress
from parsec.server.settings import (
    PROTECTIONS,
    Database,
    MockedDatabase,
    Network,
    PostgresqlDatabase,
    Secret,
    SqliteDatabase,
)

_SQLITE = "sqlite:///"


class ServerAddrKind(click.ParamType[ServerAddr]):
    """`parsec3://HOST[:PORT][?no_ssl=true]`."""

    name = "address"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> ServerAddr:
        if isinstance(value, ServerAddr):
            return value
        try:
            return ServerAddr.parse(value, allow_http_redirection=False)
        except AddressError as error:
            self.fail(f"{value!r} is not the address of a server: {error}", param, ctx)


class EmailKind(click.ParamType[EmailAddress]):
    """An e-mail address."""

    name = "e-mail"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> EmailAddress:
        try:
            return EmailAddress(value)
        except ValueError:
            self.fail(f"{value!r} is not an e-mail address", param, ctx)


class SecretKind(click.ParamType[Secret]):
    """A text that is never shown again."""

    name = "secret"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Secret:
        if isinstance(value, Secret):
            return value
        if not value:
            self.fail("it must not be empty", param, ctx)
        return Secret(value)


class DatabaseKind(click.ParamType[Database]):
    """`sqlite:///PATH`, `postgresql://…` or `MOCKED`."""

    name = "database"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Database:
        if not isinstance(value, str):
            return value  # type: ignore[no-any-return]
        if value.upper() == "MOCKED":
            return MockedDatabase()
        if value.startswith(("postgresql://", "postgres://")):
            return PostgresqlDatabase(url=Secret(value))
        if not value.startswith(_SQLITE) or value == _SQLITE:
            self.fail(f"{_no_password(value)!r} is none of {self.__doc__}", param, ctx)
        return SqliteDatabase(Path(value.removeprefix(_SQLITE)))


def _no_password(url: str) -> str:
    return re.sub(r"//[^/@]*@", "//…@", url)


class NetworksKind(click.ParamType[tuple[Network, ...]]):
    """Addresses and networks, separated by commas."""

    name = "networks"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[Network, ...]:
        if isinstance(value, tuple):
            return value
        try:
            return parse_networks(value)
        except ValueError as error:
            self.fail(f"{error}", param, ctx)


def parse_networks(text: str) -> tuple[Network, ...]:
    """Raises ValueError."""
    words = [word.strip() for word in text.split(",")]
    return tuple(_network(word) for word in words if word)


def _network(word: str) -> Network:
    try:
        return ipaddress.ip_network(word)
    except ValueError:
        # The library's own texts speak of its classes.
        raise ValueError(f"{word!r} is neither an address nor a network") from None


class ListenKind(click.ParamType[tuple[str, int]]):
    """`HOST:PORT`."""

    name = "host:port"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        if isinstance(value, tuple):
            return value
        found = re.fullmatch(r"(?P<host>[^:\s]+|\[[0-9A-Fa-f:.]+\]):(?P<port>[0-9]{1,5})", value)
        if found is None or int(found["port"]) > _MAX_PORT:
            self.fail(f"{value!r} is not HOST:PORT", param, ctx)
        return found["host"].strip("[]"), int(found["port"])


_MAX_PORT = 65_535


class TosKind(click.ParamType[dict[str, str]]):
    r"""`LOCALE:URL,LOCALE:URL…`, with `\,` for a comma and `\\` for a backslash."""

    name = "locale:url,…"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> dict[str, str]:
        if isinstance(value, dict):
            return value
        urls = {}
        for part in split_escaped(value):
            locale, colon, url = part.partition(":")
            if not (locale and colon and url):
                self.fail(f"{part!r} is not LOCALE:URL", param, ctx)
            urls[locale] = url
        return urls


def split_escaped(text: str) -> Sequence[str]:
    r"""The parts between commas, where a backslash takes away the meaning of what follows it."""
    parts = re.findall(r"(?:\\.|[^,\\]|\\$)+|(?<=,)(?=,|$)|^(?=,|$)", text, re.DOTALL)
    return [re.sub(r"\\(.)", r"\1", part, flags=re.DOTALL) for part in parts]


class ProtectionKind(click.ParamType[str]):
    """What an organization may be advised to protect device files with."""

    name = "protection"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value not in PROTECTIONS:
            self.fail(f"{value!r} is none of {', '.join(PROTECTIONS)}", param, ctx)
        return str(value)


class BlockStore(NamedTuple):
    """Where encrypted blocks will be kept; `raid` is the type and the number of the node."""

    kind: str
    raid: tuple[str, int] | None


_BLOCK_STORES = {"MOCKED": 0, "POSTGRESQL": 0, "S3": 5, "SWIFT": 5}
"""How many values each takes."""


class BlockStoreKind(click.ParamType[BlockStore]):
    """`MOCKED`, `POSTGRESQL`, `s3:…` or `swift:…`, each possibly behind `RAIDn:NUMBER:`."""

    name = "blockstore"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> BlockStore:
        if isinstance(value, BlockStore):
            return value
        # The value holds keys: it is not repeated in messages.
        kind, _, rest = value.partition(":")
        if kind.upper() in ("RAID0", "RAID1", "RAID5"):
            number, _, inner = rest.partition(":")
            if not number.isdecimal():
                self.fail("a number comes behind the type of RAID", param, ctx)
            return BlockStore(self._simple(inner, param, ctx), (kind.upper(), int(number)))
        return BlockStore(self._simple(value, param, ctx), None)

    def _simple(self, value: str, param: Any, ctx: Any) -> str:
        kind, *parts = re.split(r"(?<!\\):", value)
        if _BLOCK_STORES.get(kind.upper()) != len(parts):
            self.fail(f"it is none of {self.__doc__}", param, ctx)
        return kind.upper()
