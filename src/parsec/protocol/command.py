"""What a command is: a request, its replies, the family that it belongs to, and their bytes.

Messages are plain MessagePack maps (`commands.md`): `cmd` names a request, `status` a reply.
"""

import enum
from functools import cache
from typing import Annotated, Any, ClassVar, Generic, TypeAlias, TypeVar, get_args

import msgspec

from parsec.wire.msgpack import MalformedError, dump, reader

R = TypeVar("R")

U8: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=255)]
"""`NonZeroU8`."""
U32: TypeAlias = Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)]
"""`U32` and `Version`."""
U64: TypeAlias = Annotated[int, msgspec.Meta(ge=0)]
"""`Size` and `Index`; MessagePack knows no larger integer."""
I64: TypeAlias = Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
"""`Integer`."""
NonZero: TypeAlias = Annotated[int, msgspec.Meta(ge=1)]
"""`NonZeroInteger`."""


class Family(enum.StrEnum):
    """Commands that share a route and a way to prove who calls."""

    ANONYMOUS = "anonymous"
    ANONYMOUS_SERVER = "anonymous_server"
    INVITED = "invited"
    AUTHENTICATED = "authenticated"
    TOS = "tos"
    AUTHENTICATED_ACCOUNT = "authenticated_account"


class Request(msgspec.Struct, Generic[R], frozen=True, kw_only=True, tag_field="cmd"):
    """A command as its caller sends it; `R` is the union of its replies."""

    FAMILY: ClassVar[Family]

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"  # many fields are secrets


class Reply(msgspec.Struct, frozen=True, kw_only=True, tag_field="status"):
    """A command as the server answers it."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"  # many fields are secrets


class MergedReply(Reply, frozen=True, kw_only=True):
    """One of several replies of one status, told apart by a second field (named `MERGED_BY`)."""

    MERGED_BY: ClassVar[str]


class UnknownStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A reply of a newer server, whose status this version does not know."""

    status: str
    reason: str | None = None


def dump_request(request: Request[Any]) -> bytes:
    """The body of a request."""
    return dump(request)


def dump_reply(reply: Reply) -> bytes:
    """The body of a reply."""
    return dump(reply)


def load_reply(request: type[Request[R]], body: bytes) -> R | UnknownStatus:
    """Read a reply to that kind of request. Raises MalformedError."""
    kinds = _kinds_by_status(request)
    head = reader(UnknownStatus).load(body)
    found = kinds.get(head.status)
    if found is None:
        return head
    if isinstance(found, dict):
        found = found.get(_merged_value(found, body))
        if found is None:
            raise MalformedError("unknown kind of reply")
    reply: R = reader(found).load(body)
    return reply


@cache
def reply_kinds(request: type[Request[Any]]) -> tuple[type[Reply], ...]:
    """The kinds of reply that a request can have."""
    (base,) = request.__orig_bases__  # type: ignore[attr-defined]
    (replies,) = get_args(base)
    return get_args(replies) or (replies,)


def reply_status(kind: type[Reply]) -> str:
    """The `status` of a kind of reply."""
    return str(kind.__struct_config__.tag)


@cache
def _kinds_by_status(request: type[Request[Any]]) -> dict[str, Any]:
    kinds: dict[str, Any] = {}
    for kind in reply_kinds(request):
        status = reply_status(kind)
        if issubclass(kind, MergedReply):
            kinds.setdefault(status, {})[merged_value(kind)] = kind
        else:
            kinds[status] = kind
    return kinds


def merged_value(kind: type[MergedReply]) -> str:
    """What the second field says for this kind."""
    (value,) = get_args(kind.__annotations__[kind.MERGED_BY])
    return str(value)


def _merged_value(kinds: dict[str, type[MergedReply]], body: bytes) -> str:
    field = next(iter(kinds.values())).MERGED_BY
    value = reader(_merged_head(field)).load(body)
    return str(getattr(value, field))


@cache
def _merged_head(field: str) -> type[Any]:
    return msgspec.defstruct("MergedHead", [(field, str)])
