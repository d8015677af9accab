"""All commands by family, and the reading of a request that may be any command of one."""

from functools import cache
from types import ModuleType
from typing import Any, Union

from parsec.protocol import (
    account,
    block,
    certificate,
    cryptpad,
    device,
    enrollment,
    events,
    greeting,
    invite,
    organization,
    ping,
    realm,
    scws,
    server_config,
    shamir,
    tos,
    totp,
    user,
    vlob,
)
from parsec.protocol.command import Family, Request
from parsec.wire.msgpack import Reader

_TOPICS: tuple[ModuleType, ...] = (
    account,
    block,
    certificate,
    cryptpad,
    device,
    enrollment,
    events,
    greeting,
    invite,
    organization,
    ping,
    realm,
    scws,
    server_config,
    shamir,
    tos,
    totp,
    user,
    vlob,
)


def load_request(family: Family, body: bytes) -> Request[Any]:
    """Read a request of that family. Raises MalformedError, also for a command of another one."""
    return _reader(family).load(body)


@cache
def commands(family: Family) -> dict[str, type[Request[Any]]]:
    """The commands of a family by their name on the wire."""
    return {
        command_name(kind): kind
        for topic in _TOPICS
        for kind in vars(topic).values()
        if isinstance(kind, type) and issubclass(kind, Request) and kind is not Request
        if kind.FAMILY is family
    }


def command_name(kind: type[Request[Any]]) -> str:
    """The `cmd` of a kind of request."""
    return str(kind.__struct_config__.tag)


@cache
def _reader(family: Family) -> Reader[Request[Any]]:
    return Reader(Union[tuple(commands(family).values())])  # noqa: UP007  (made at run time)
